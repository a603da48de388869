"""What the progress and the report of a batch show."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import request

from webapp import queue
from webapp.core.lists.paging import member
from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.http.batches.review_page import kind_context
from webapp.http.web import current_user
from webapp.models import Batch, BatchState, Outcome
from webapp.services.batches import report, reverts
from webapp.services.directory import people_list
from webapp.services.mail import outbox, throttle
from webapp.services.operations import heartbeats
from webapp.services.people import link_sheets

FEW = 10
"""Rows of one outcome on a report at first."""
MANY = 5000
"""Rows of one outcome where all are asked for."""


def progress_context(batch: Batch) -> dict[str, Any]:
    """What the progress page and its live part show. settled: rows that need no more work, whatever came of them."""
    tally = report.tally(batch)
    is_stuck = (
        tally["unclaimed"]
        and batch.state is not BatchState.PAUSED
        and not (queue.ping() and heartbeats.alive())
    )
    settled = batch.to_send - tally["waiting"] - tally["unclaimed"]
    return {
        **_common_context(batch, tally),
        "newest": report.newest_done(batch, 20),
        "settled": settled,
        "time_left": report.time_left(batch, settled),
        "is_waiting_for_queue": is_stuck,
    }


def _common_context(batch: Batch, tally: Counter[str]) -> dict[str, Any]:
    waits = tally["waiting"] or tally["unclaimed"]
    notices = throttle.notices() if waits else {}
    return {**kind_context(batch), **notices, "batch": batch, "tally": tally}


def report_context(batch: Batch) -> dict[str, Any]:
    """What the report shows."""
    shown = member(Outcome, request.args.get("show"))
    tally = report.tally(batch)
    by = current_user()
    rows_by = {}
    sent = set()
    for outcome in Outcome:
        if tally[outcome]:
            rows = list(report.list_rows(batch, outcome, MANY if outcome is shown else FEW))
            rows_by[outcome] = rows
            sent |= {row.invitation_id for row in rows if row.invitation_id}
    is_retrier = by.may(Permission.INVITATIONS_MAKE)
    is_offered = is_retrier and reverts.is_offered(batch)
    linkable = []
    if by.may(Permission.MESSAGES_SEE):
        invited = people_list.find_refs(Filter(batch_id=batch.id))
        linkable = link_sheets.find_links(invited, by)["ready"]
    return {
        **_common_context(batch, tally),
        "is_revertible": is_offered,
        "revert": reverts.find_revert(batch),
        "original": reverts.original(batch),
        "rows_by": rows_by,
        "can_retry": bool(tally[Outcome.FAILED]) and is_retrier,
        "linkable": linkable,
        "deliveries": outbox.find_deliveries(sent),
        "changed": report.changed_since(batch),
        "unsent": len(report.unsent(batch)),
        "until": report.valid_until(batch),
    }

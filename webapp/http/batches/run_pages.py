"""What the progress and the report of a batch show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flask import request

from webapp import queue
from webapp.core.security.permissions import Permission
from webapp.db import utcnow
from webapp.http.batches.review_page import kind_context
from webapp.http.web import current_user
from webapp.models import Batch, BatchState, Outcome, Row
from webapp.services.batches import joining, report, reverts
from webapp.services.mail import outbox, throttle
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force

FEW, FEWER = 10, 5
"""Rows of one outcome on a report at first; of those invited by how far they have come."""
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
    tally = report.tally(batch)
    by = current_user()
    lists = _list_rows(batch, tally, request.args.get("show", ""))
    is_retrier = by.may(Permission.INVITATIONS_MAKE)
    is_offered = is_retrier and reverts.is_offered(batch)
    return {
        **_common_context(batch, tally),
        **joined_context(batch),
        "is_revertible": is_offered,
        "revert": reverts.find_revert(batch),
        "original": reverts.original(batch),
        "can_retry": bool(tally[Outcome.FAILED]) and is_retrier,
        "linkable": by.may(Permission.MESSAGES_SEE) and joining.count_linkable(batch, by),
        **_people_context(lists),
        "changed": report.changed_since(batch),
    }


def stages_context(batch: Batch) -> dict[str, Any]:
    """What the card of those who joined shows, and the first of those invited by how far they have come."""
    context = joined_context(batch)
    lists = {stage: joining.list_rows(batch, stage, FEWER) for stage in joining.STAGES}
    tally = report.tally(batch)
    return {**context, **_people_context(lists), "tally": tally}


def _people_context(lists: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Who the rows of a report are about, and what became of their e-mails."""
    rows = [row for each in lists.values() for row in each]
    sent = {row.invitation_id for row in rows if row.invitation_id}
    return {
        "lists": lists,
        "deliveries": outbox.find_deliveries(sent),
        "users": joining.find_users(rows),
    }


def _list_rows(batch: Batch, tally: Counter[str], shown: str) -> dict[str, Sequence[Row]]:
    """The first rows of each outcome, and of those invited the first of each stage; of the one that is `shown`, all."""
    lists: dict[str, Sequence[Row]] = {}
    if batch.tally is not None:
        return lists
    for outcome in filter(tally.get, Outcome):
        if outcome is not Outcome.INVITED:
            limit = MANY if shown == outcome else FEW
            lists[outcome.value] = list(report.list_rows(batch, outcome, limit))
            continue
        for stage in joining.STAGES:
            limit = MANY if shown == stage else FEWER
            lists[stage] = joining.list_rows(batch, stage, limit)
    return lists


def joined_context(batch: Batch) -> dict[str, Any]:
    """What the card of those who joined shows, which asks for itself again. unsent: how many were never e-mailed."""
    by = current_user()
    unsent = report.count_unsent(batch)
    is_sending = in_force.environment().mail_url and not unsent
    is_reminder = is_sending and by.may(Permission.INVITATIONS_MAKE)
    return {
        "batch": batch,
        "joined": joining.count_joined([batch.id]).get(batch.id, joining.NOBODY),
        "latest": joining.latest(batch),
        "unsent": unsent,
        "to_remind": joining.count_to_remind(batch, by) if is_reminder else None,
        "reminded_at": joining.last_reminded(batch),
        "now": utcnow(),
    }

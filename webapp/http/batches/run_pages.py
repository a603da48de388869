"""What the progress and the report of a batch show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import request

from webapp import queue
from webapp.core.security.permissions import Permission
from webapp.db import utcnow
from webapp.http.batches.review_page import kind_context
from webapp.http.web import current_user
from webapp.models import Batch, BatchState, Outcome, Row
from webapp.services.batches import joining, reminders, report, reverts
from webapp.services.mail import outbox, throttle
from webapp.services.operations import heartbeats

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
    may_invite = current_user().may(Permission.INVITATIONS_MAKE)
    card = joined_context(batch)
    lists = _list_rows(batch, tally, request.args.get("show", ""))
    rows = [row for each in lists.values() for row in each]
    is_open = bool(card["joined"].pending or tally[Outcome.WAITING])
    return {
        **_common_context(batch, tally),
        **card,
        "deliveries": outbox.find_deliveries({row.invitation_id or 0 for row in rows}),
        "users": joining.find_users(rows),
        "is_revertible": may_invite and reverts.is_offered(batch),
        "revert": reverts.find_revert(batch),
        "original": reverts.original(batch),
        "lists": lists,
        "can_retry": bool(tally[Outcome.FAILED]) and may_invite,
        "linkable": is_open and current_user().may(Permission.MESSAGES_SEE),
        "changed": report.changed_since(batch),
        "unsent": report.count_unsent(batch),
        "is_nobody_emailed": report.is_nobody_emailed(batch),
    }


def joined_context(batch: Batch) -> dict[str, Any]:
    """What the card of those who joined shows."""
    return {
        "batch": batch,
        "joined": joining.count_joined([batch.id]).get(batch.id, joining.Joined()),
        "last": joining.find_last(batch),
        "to_remind": reminders.count_due(batch, current_user()),
        "now": utcnow(),
    }


def _list_rows(batch: Batch, tally: Counter[str], shown: str) -> dict[str, Sequence[Row]]:
    """The first rows of each outcome, and of those invited of each stage; of the one that is `shown`, all."""
    lists: dict[str, Sequence[Row]] = {}
    for outcome in filter(tally.get, set(Outcome) - {Outcome.INVITED}):
        limit = MANY if shown == outcome else FEW
        lists[outcome.value] = list(report.list_rows(batch, outcome, limit))
    for stage in joining.STAGES:
        limit = MANY if shown == stage else FEWER
        lists[stage] = joining.list_rows(batch, stage, limit)
    return lists

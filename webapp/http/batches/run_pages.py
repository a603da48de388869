"""What the progress and the report of a batch show."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import request

from webapp import queue
from webapp.core.lists.paging import member
from webapp.core.security.permissions import Permission
from webapp.http.batches import cells
from webapp.http.batches.review_page import kind_context
from webapp.http.web import current_user
from webapp.models import Batch, BatchState, Outcome
from webapp.services.batches import report, reverts
from webapp.services.directory import lookup
from webapp.services.mail import delivery_status, throttle
from webapp.services.operations import heartbeats
from webapp.services.people import link_sheets
from webapp.services.settings import in_force

FEW = 10
"""Rows of one outcome on a report at first."""
MANY = 5000
"""Rows of one outcome where all are asked for."""


def progress_context(batch: Batch) -> dict[str, Any]:
    """What the progress page and its live part show."""
    tally = report.tally(batch)
    alarm, slow = throttle.circuit_status()
    stuck = (
        tally.unclaimed
        and batch.state is not BatchState.PAUSED
        and not (queue.ping() and heartbeats.alive())
    )
    return {
        **kind_context(batch),
        "batch": batch,
        "tally": tally,
        "newest": report.newest_done(batch, 20),
        "is_waiting_for_queue": stuck,
        "alarm": alarm,
        "slow": slow,
    }


def report_context(batch: Batch) -> dict[str, Any]:
    """What the report shows."""
    shown = member(Outcome, request.args.get("show"))
    tally = report.tally(batch)
    alarm, slow = throttle.circuit_status() if tally["waiting"] else (None, None)
    is_offered = current_user().may(Permission.INVITATIONS_MAKE) and reverts.is_offered(batch)
    rows_by = {
        each: report.outcomes(batch, each, MANY if each is shown else FEW)
        for each in Outcome
        if tally[each]
    }
    return {
        **kind_context(batch),
        "is_revertible": is_offered,
        "revert": reverts.find_revert(batch),
        "original": reverts.original(batch),
        "batch": batch,
        "tally": tally,
        "rows_by": rows_by,
        "linkable": link_sheets.count_links(batch.id, current_user())["ready"]
        if current_user().may(Permission.MESSAGES_SEE)
        else 0,
        "deliveries": delivery_status.find_deliveries(
            {row.invitation_id for found in rows_by.values() for row in found if row.invitation_id}
        ),
        "changed": report.changed_since(batch),
        "changed_access": partial(cells.changed_access, registry=lookup.registry()),
        "unsent": len(report.unsent(batch)),
        "until": report.valid_until(batch),
        "retention_days": in_force.settings().retention_days,
        "alarm": alarm,
        "slow": slow,
    }

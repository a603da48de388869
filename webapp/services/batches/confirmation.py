"""Confirms a batch under review, or discards it: what is queued is what the person saw, or nothing is."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update

from webapp import queue
from webapp.core.errors import (
    ConflictError,
    ForbiddenError,
    MusterError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.lists.paging import read_number
from webapp.core.plan.planner import Plan
from webapp.core.text.formatting import plural
from webapp.db import begin_write, bulk_execute, db, truncate_wal, utcnow
from webapp.models import Batch, BatchFile, BatchKind, BatchState, Row, RowEdit, User
from webapp.services.audit import events
from webapp.services.batches import people_rows, planner, review, undo
from webapp.services.batches.planner import FreshPlans

NAMED = 3
"""Edits by others that are named; the newest first."""


class PlansChangedError(ConflictError):
    """What would be done is no longer what was seen; nothing was queued."""


class RowsInTheWayError(PlansChangedError):
    """It is as it was seen, but cannot be done so: rows need attention, or none is left."""


def confirm(
    batch_id: int,
    version: int,
    by: User,
    *,
    proven: bool = False,
    typed: str = "",
    is_exact: bool = False,
) -> bool:
    """Queue what was seen. Returns False where the batch is confirmed already: confirming twice is one confirm.

    version: the batch's, as the page showed it. proven: `by` has just given their password. typed: the number of people, where
    so many are concerned. is_exact: one's own edits since then count, too.

    Raises PlansChangedError where somebody else edited since, or where planning again for `by` makes
    another plan; PasswordRequiredError; RuleViolationError; ForbiddenError; NotUnderReviewError where the batch was discarded.
    """
    batch, plans = planner.lock_with_plans(batch_id, by)
    if batch.confirmed_by_id is not None:
        db.session.rollback()
        return False
    try:
        _check(batch, version, by, plans, proven, is_exact=is_exact)
        _check_number(batch, typed)
    except MusterError:
        db.session.rollback()
        raise
    batch.state = BatchState.QUEUED
    batch.confirmed_by = by
    batch.confirmed_at = utcnow()
    delete_file(batch)
    events.record(by, "batch.confirmed", batch, counts=batch.counts, **batch.settings())
    db.session.commit()
    truncate_wal()
    queue.enqueue_batch(batch_id)
    return True


def _check(
    batch: Batch, version: int, by: User, plans: FreshPlans, proven: bool, *, is_exact: bool
) -> None:
    """Raise why this person cannot confirm the batch as they saw it. Plans that changed are stored and committed."""
    if batch.state is not BatchState.REVIEWING:
        raise review.NotUnderReviewError(batch)
    nothing = review.nothing_done(batch)
    again = "then send" if batch.kind is BatchKind.UPLOAD else "then confirm"
    if not by.may(people_rows.permission(batch)):
        raise ForbiddenError
    if unseen := _describe_unseen(batch, version, by, is_exact=is_exact):
        raise PlansChangedError(f"{nothing} {unseen} Look again, {again}.")
    if plans.changed:
        error = PlansChangedError(f"{nothing} {_describe_changed_plans(batch, plans)}, {again}.")
        planner.store(batch, plans)
        batch.version += 1
        db.session.commit()
        raise error
    if batch.kind is not BatchKind.UPLOAD and not batch.to_send:
        raise RowsInTheWayError(
            f"{nothing} No one is left for it: discard this {batch.kind.value}."
        )
    needing = batch.counts.get(Plan.ATTENTION, 0)
    if needing and not batch.skip_errors:
        need = "row needs" if needing == 1 else "rows need"
        raise RowsInTheWayError(
            f"{nothing} {needing:,} {need} attention: fix it, or tick “Skip them”."
        )
    if batch.counts.get("admin") and not proven:
        raise PasswordRequiredError("somebody becomes an administrator.")


def _check_number(batch: Batch, typed: str) -> None:
    if batch.is_sweeping and read_number(typed.replace(",", "").strip()) != batch.to_send:
        raise RuleViolationError(f"Type {batch.to_send:,}. Nothing was done.", field="typed")


def _describe_unseen(batch: Batch, version: int, by: User, *, is_exact: bool) -> str:
    """What changed since the page was loaded, other than by this person's own edits; "" where nothing did."""
    own = select(func.count(RowEdit.version.distinct())).where(
        RowEdit.batch_id == batch.id,
        RowEdit.version > version,
        RowEdit.user_id == by.id,
    )
    own_edits = 0 if is_exact else db.session.scalar(own)
    if batch.version - version == own_edits:
        return ""
    is_unseen = RowEdit.version > version
    others = undo.list_steps(batch, undo.IS_DONE, is_unseen, RowEdit.user_id != by.id)
    said = " ".join(f"{step.who} {step.words}." for step in others[:NAMED])
    # what else raises it exchanges rows, or changes plans
    return said or "What would happen has changed since this page was loaded."


def _describe_changed_plans(batch: Batch, plans: FreshPlans) -> str:
    """What changed, without a full stop."""
    lines = list(plans.values)
    where = f"{plural(len(lines), 'row')} ({', '.join(map(str, lines[:5]))})"
    is_for_another = batch.planned_for_id != plans.for_id
    if is_for_another and batch.directory_version == plans.directory_version:
        return f"Plans changed for your role: look again at {where}"
    return f"What would happen has changed in {where}, because people, groups or roles changed. Look again"


def discard(batch_id: int, by: User) -> Batch:
    """Discard a batch that was not confirmed, with its rows and its file. Raises NotUnderReviewError."""
    begin_write()
    batch = review.get_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise review.NotUnderReviewError(batch)
    discard_locked(batch, by)
    db.session.commit()
    truncate_wal()
    return batch


def discard_locked(batch: Batch, by: User) -> None:
    """Discard a locked batch. Does not commit."""
    batch.state = BatchState.DISCARDED
    batch.counts = {}
    bulk_execute(delete(Row).where(Row.batch_id == batch.id))
    delete_file(batch)
    events.record(by, "batch.discarded", batch)


def delete_file(batch: Batch) -> None:
    """Delete the uploaded file of a batch, and its lines as read: they hold columns that are not used. Does not commit."""
    db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch.id))
    batch.notices = []  # they quote other columns
    bulk_execute(update(Row).where(Row.batch_id == batch.id).values(read_cells=[]))

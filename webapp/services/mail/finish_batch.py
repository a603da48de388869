"""Finishes a running batch when no row is left that is unclaimed or waits for its message."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, or_, select, update

from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import Batch, BatchState, Outcome, Row
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction


def finish_if_done(batch_id: int) -> bool:
    """Finish a running batch if none of its rows is unclaimed or waits. Commits. Returns whether this call did it.

    In a transaction of its own: two workers that settle the last two rows at once do not see each other's.
    """
    is_open = (
        select(Row.id)
        .where(
            Row.batch_id == batch_id,
            Row.removed_at.is_(None),
            or_(Row.outcome.is_(None), Row.outcome == Outcome.WAITING),
        )
        .exists()
    )
    if db.session.scalar(select(is_open)):
        db.session.rollback()
        return False
    begin_write()
    finished = bulk_execute(
        update(Batch)
        .where(
            Batch.id == batch_id,
            Batch.state.in_([BatchState.PROCESSING, BatchState.PAUSED]),
            ~is_open,
        )
        .values(state=BatchState.FINISHED, finished_at=utcnow())
    ).rowcount
    if finished:
        batch = db.session.get_one(Batch, batch_id)
        outcomes = _count_outcomes(batch_id)
        events.record(None, AuditAction.BATCH_FINISHED, batch, outcomes=outcomes)
        if batch.reverts_id and outcomes.get(Outcome.UPDATED):
            _mark_reverted(batch)
    db.session.commit()
    return bool(finished)


def finish_all(batch_ids: Iterable[int | None]) -> None:
    """Finish each of these batches that is done. Commits."""
    for batch_id in set(batch_ids):
        if batch_id:
            finish_if_done(batch_id)


def reopen(batch_id: int) -> None:
    """Set a finished batch to processing: rows of it wait again. Does not commit."""
    finished = Batch.id == batch_id, Batch.state == BatchState.FINISHED
    bulk_execute(
        update(Batch).where(*finished).values(state=BatchState.PROCESSING, finished_at=None)
    )


def _mark_reverted(revert: Batch) -> None:
    """Mark the batch that this finished revert took back. Does not commit."""
    undone = (
        Batch.id == revert.reverts_id,
        Batch.state.in_([BatchState.FINISHED, BatchState.CANCELLED]),
    )
    if bulk_execute(update(Batch).where(*undone).values(state=BatchState.REVERTED)).rowcount != 1:
        return  # it is at work again, or an earlier revert has said so
    original = db.session.get(Batch, revert.reverts_id, populate_existing=True)
    events.record(revert.confirmed_by, AuditAction.BATCH_REVERTED, original, revert=revert.id)


def _count_outcomes(batch_id: int) -> dict[str, int]:
    tally = (
        select(Row.outcome, func.count())
        .where(Row.batch_id == batch_id, Row.outcome.is_not(None))
        .group_by(Row.outcome)
    )
    return {outcome.value: count for outcome, count in db.session.execute(tally) if outcome}

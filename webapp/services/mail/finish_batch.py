"""Finishes running batches of which no row is left that is unclaimed or waits for its message."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, func, or_, select, update

from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import Batch, BatchState, Outcome, Row
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction


def finish_done() -> None:
    """Finish all running batches that are done. Commits.

    In a transaction of its own: two workers that settle the last two rows at once do not see each other's.
    """
    done = select(Batch).where(_is_done())
    if not db.session.scalar(select(done.exists())):
        db.session.rollback()
        return
    begin_write()
    for batch in db.session.scalars(done).all():
        batch.state, batch.finished_at = BatchState.FINISHED, utcnow()
        outcomes = _count_outcomes(batch.id)
        events.record(None, AuditAction.BATCH_FINISHED, batch, outcomes=outcomes)
        if batch.reverts_id and outcomes.get(Outcome.UPDATED):
            _mark_reverted(batch)
    db.session.commit()


def reopen(batch_id: int) -> None:
    """Set a finished batch to processing: rows of it wait again. Does not commit."""
    finished = Batch.id == batch_id, Batch.state == BatchState.FINISHED
    bulk_execute(
        update(Batch).where(*finished).values(state=BatchState.PROCESSING, finished_at=None)
    )


def _is_done() -> ColumnElement[bool]:
    is_open = exists().where(
        Row.batch_id == Batch.id,
        Row.removed_at.is_(None),
        or_(Row.outcome.is_(None), Row.outcome == Outcome.WAITING),
    )
    return Batch.state.in_([BatchState.PROCESSING, BatchState.PAUSED]) & ~is_open


def _mark_reverted(revert: Batch) -> None:
    """Mark the batch that this finished revert took back. Does not commit."""
    original = db.session.get_one(Batch, revert.reverts_id)
    # else it is at work again, or an earlier revert has marked it
    if original.state in (BatchState.FINISHED, BatchState.CANCELLED):
        original.state = BatchState.REVERTED
        events.record(revert.confirmed_by, AuditAction.BATCH_REVERTED, original, revert=revert.id)


def _count_outcomes(batch_id: int) -> dict[str, int]:
    tally = (
        select(Row.outcome, func.count())
        .where(Row.batch_id == batch_id, Row.outcome.is_not(None))
        .group_by(Row.outcome)
    )
    return {outcome.value: count for outcome, count in db.session.execute(tally) if outcome}

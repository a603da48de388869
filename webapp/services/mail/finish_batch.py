"""Finishes running batches of which no row is left that is unclaimed or waits for its message."""

from __future__ import annotations

from sqlalchemy import exists, func, or_, select

from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchState, Outcome, Row
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction


def finish_done() -> None:
    """Finish all running batches that are done. Commits.

    In a transaction of its own: two workers that settle the last two rows at once do not see each other's.
    """
    is_open = exists().where(
        Row.batch_id == Batch.id,
        Row.removed_at.is_(None),
        or_(Row.outcome.is_(None), Row.outcome == Outcome.WAITING),
    )
    running = (BatchState.PROCESSING, BatchState.PAUSED)
    done = select(Batch).where(
        Batch.state.in_(running),
        ~is_open,
    )
    if not db.session.scalar(select(done.exists())):
        db.session.rollback()
        return
    begin_write()
    for batch in db.session.scalars(done).all():
        _finish(batch)
    db.session.commit()


def _finish(batch: Batch) -> None:
    """Finish a batch; a revert marks the batch that it took back. Does not commit."""
    batch.state = BatchState.FINISHED
    batch.finished_at = utcnow()
    query = (
        select(Row.outcome, func.count())
        .where(Row.batch_id == batch.id, Row.outcome.is_not(None))
        .group_by(Row.outcome)
    )
    outcomes = dict(db.session.execute(query).all())
    events.record(None, AuditAction.BATCH_FINISHED, batch, outcomes=outcomes)
    if not batch.reverts_id or Outcome.UPDATED not in outcomes:
        return
    original = db.session.get_one(Batch, batch.reverts_id)
    # else it is at work again, or an earlier revert has marked it
    if original.state in (BatchState.FINISHED, BatchState.CANCELLED):
        original.state = BatchState.REVERTED
        by = batch.confirmed_by
        events.record(by, AuditAction.BATCH_REVERTED, original, revert=batch.id)


def reopen(batch_id: int) -> None:
    """Set a finished batch to processing: rows of it wait again. Does not commit."""
    batch = db.session.get_one(Batch, batch_id)
    if batch.state is BatchState.FINISHED:
        batch.state = BatchState.PROCESSING
        batch.finished_at = None

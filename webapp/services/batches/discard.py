"""Discards a batch that was not confirmed, and deletes what a batch does not need once its review is over."""

from __future__ import annotations

from sqlalchemy import delete, update

from webapp.db import begin_write, bulk_execute, db, truncate_wal
from webapp.models import Batch, BatchFile, BatchState, Row, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import review
from webapp.services.batches.review import NotUnderReviewError


def discard(batch_id: int, by: User) -> Batch:
    """Discard a batch that was not confirmed, with its rows and its file. Raises NotUnderReviewError."""
    begin_write()
    batch = review.lock_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise NotUnderReviewError(batch)
    discard_locked(batch, by)
    db.session.commit()
    truncate_wal()
    return batch


def discard_locked(batch: Batch, by: User) -> None:
    """Discard a locked batch. Does not commit."""
    batch.state = BatchState.DISCARDED
    batch.counts = {}
    db.session.execute(
        delete(Row).where(Row.batch_id == batch.id),
        execution_options={"synchronize_session": False},
    )
    delete_file(batch)
    events.record(by, AuditAction.BATCH_DISCARDED, batch)


def delete_file(batch: Batch) -> None:
    """Delete the uploaded file of a batch, and its lines as read: they hold columns that are not used. Does not commit."""
    db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch.id))
    batch.notices = []  # they quote other columns
    bulk_execute(update(Row).where(Row.batch_id == batch.id).values(read_cells=[]))

"""Discards a batch that was not confirmed, and deletes what a batch does not need once its review is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, delete, func, literal, literal_column, update

from webapp.core.files.columns import Places
from webapp.db import begin_write, bulk_execute, db, truncate_wal
from webapp.models import Batch, BatchFile, BatchState, Row, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import review
from webapp.services.batches.review import NotUnderReviewError

MOST_CELLS_KEPT = 90
"""PostgreSQL builds no longer list in one call."""


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
    """Delete the uploaded file of a batch, and all columns that are not used. Does not commit."""
    db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch.id))
    batch.notices = []  # they quote other columns
    _forget_other_columns(batch)


def _forget_other_columns(batch: Batch) -> None:
    """Keep only the used columns of each line as read: birthdays, passwords and the like go."""
    used = Places.from_dict(batch.columns).fields if batch.columns else {}
    by_place = {place: getattr(Row, f"read_{field}") for field, place in used.items()}
    if used and len(by_place) == len(batch.header):
        return  # there are no others
    width = max(by_place, default=-1) + 1
    kept: Any = literal([], JSON)
    if 0 < width <= MOST_CELLS_KEPT:
        make_list = func.json_array if db.engine.dialect.name == "sqlite" else func.json_build_array
        blank: Any = literal_column("''")
        kept = make_list(*(by_place.get(place, blank) for place in range(width)), type_=JSON)
    bulk_execute(update(Row).where(Row.batch_id == batch.id).values(read_cells=kept))

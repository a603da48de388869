"""Batches as commands lock them, and as pages list them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp.core.errors import ConflictError, NotFoundError
from webapp.db import db
from webapp.models import Batch, BatchKind, BatchState, User

AT_WORK = (BatchState.QUEUED, BatchState.PROCESSING, BatchState.PAUSED)
OPEN_STATES = (BatchState.MAPPING, BatchState.REVIEWING, *AT_WORK)


def get_batch(batch_id: int) -> Batch:
    """The batch; after begin_write() as it is now, and locked. Raises NotFoundError."""
    batch = db.session.get(Batch, batch_id)
    if batch is None:
        raise NotFoundError(
            "There is no such upload. It may have been removed; the list of uploads shows those there are."
        )
    return batch


# What a command begins with


class NotUnderReviewError(ConflictError):
    """The batch was confirmed or discarded in the meantime."""

    def __init__(self, batch: Batch) -> None:
        who = f" by {batch.confirmed_by.name}" if batch.confirmed_by else ""
        confirmed = f"This {batch.kind.value} was already confirmed{who}. Nothing of your last change was kept."
        discarded = f"This {batch.kind.value} was discarded in the meantime. {nothing_done(batch)}"
        super().__init__(discarded if batch.state is BatchState.DISCARDED else confirmed)
        self.batch_id = batch.id


def lock_under_review(batch_id: int, *, any_kind: bool = False) -> Batch:
    """Part of a command: the locked upload, which is still under review. Raises NotUnderReviewError where it no longer is.

    any_kind: an action or a revert, too, whose rows can be left out and confirmed, but not edited.
    """
    batch = get_batch(batch_id)
    if batch.state is not BatchState.REVIEWING:
        raise NotUnderReviewError(batch)
    if not any_kind and batch.kind is not BatchKind.UPLOAD:
        raise ConflictError(
            f"The rows of this {batch.kind.value} cannot be edited; they can only be left out."
        )
    return batch


def nothing_done(batch: Batch) -> str:
    """What did not happen, as a sentence."""
    return "Nothing was sent." if batch.kind is BatchKind.UPLOAD else "Nothing was done."


# Questions


def find_same_file(batch: Batch) -> Batch | None:
    """An earlier batch of the very same file that is under review or at work."""
    if not batch.content_hash:
        return None
    query = select(Batch).where(
        Batch.content_hash == batch.content_hash,
        Batch.part == batch.part,  # not the other parts of a file that was split
        Batch.id < batch.id,
        Batch.state.in_(OPEN_STATES),
    )
    return db.session.scalar(query.order_by(Batch.id.desc()).limit(1))


def list_batches(
    limit: int = 50,
    before: int | None = None,
    kind: BatchKind | None = None,
    states: Sequence[BatchState] = (),
) -> Sequence[Batch]:
    """Batches of any kind and state, or of some, newest first; `before`: an id to go on from."""
    query = select(Batch).options(*_WHO)
    if states:
        query = query.where(Batch.state.in_(states))
    if kind:
        query = query.where(Batch.kind == kind)
    if before:
        query = query.where(Batch.id < before)
    return db.session.scalars(query.order_by(Batch.id.desc()).limit(limit)).all()


_WHO = tuple(joinedload(who).lazyload(User.role) for who in (Batch.uploaded_by, Batch.confirmed_by))
"""Pages name them; commands seldom ask. Without their roles: next to an outer join of two tables SQLite makes a table of all
users first."""

"""How far a batch has come, and what came of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import aliased

from webapp.core.lists.people_filter import Concern
from webapp.core.plan.planner import Plan
from webapp.db import db, in_json, utcnow
from webapp.models import (
    Batch,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Row,
)
from webapp.services.batches import planner
from webapp.services.directory import people_list

CHUNK = 500
"""Rows of a download that are held at once."""


def tally(batch: Batch) -> Counter[str]:
    """Counts by outcome, in one query; as they were kept where the rows are deleted.

    "unclaimed": those of the rows to be invited or updated that no worker has claimed yet.
    """
    if batch.tally is not None:
        return Counter(batch.tally["by_outcome"])
    is_active = Row.outcome.is_not(None) | Row.plan.in_([Plan.INVITE, Plan.UPDATE])
    counts = (
        planner.select_rows(batch)
        .where(is_active)
        .with_only_columns(Row.outcome, func.count())
        .group_by(Row.outcome)
    )
    found: Counter[str] = Counter()
    for outcome, n in db.session.execute(counts):
        found[outcome or "unclaimed"] = n
    return found


def time_left(batch: Batch, settled: int) -> timedelta | None:
    """At the pace so far; None where nothing is settled yet."""
    if batch.confirmed_at is None or not settled:
        return None
    spent = utcnow() - batch.confirmed_at
    return spent / settled * (batch.to_send - settled)


def newest_done(batch: Batch, limit: int) -> Sequence[Row]:
    """The rows for which something was done last, the newest first."""
    query = planner.select_rows(batch).where(
        Row.outcome.not_in([Outcome.SKIPPED, Outcome.UNCHANGED]),
        Row.done_at.is_not(None),
    )
    newest = query.order_by(
        Row.done_at.desc(),
        Row.id.desc(),
    )
    return db.session.scalars(newest.limit(limit)).all()


def list_rows(
    batch: Batch,
    outcome: Outcome | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """All rows, or those with this outcome, in the file's order; a chunk at a time."""
    query = planner.select_rows(batch).order_by(Row.line).limit(limit)
    if outcome:
        query = query.where(Row.outcome == outcome)
    yield from db.session.scalars(query.execution_options(yield_per=CHUNK))


def changed_since(batch: Batch) -> Sequence[Row]:
    """The rows that were skipped because their person had changed since the review."""
    query = planner.select_rows(batch).where(
        Row.outcome == Outcome.SKIPPED,
        Row.reason["code"].as_string() == "changed",
    )
    return db.session.scalars(query.order_by(Row.line)).all()


# E-mailed, or not


def is_nobody_emailed(batch: Batch) -> bool:
    """Whether e-mails of the batch became files, and nobody of it was e-mailed, also not since."""
    ids = [batch.id]
    return bool(find_unemailed(ids)) and not _find_batches(ids, _is_sent_since())


def find_emailed(batch_ids: Iterable[int]) -> set[int]:
    """Those of these batches from which an e-mail went, without those whose people were e-mailed by a later one; one query."""
    return _find_batches(batch_ids, _OWN.state.in_(_GONE))


def _find_batches(
    batch_ids: Iterable[int],
    is_meant: ColumnElement[bool],
) -> set[int]:
    """Those of these batches with such an e-mail of a row."""
    of_row = exists().where(_IS_OWN, is_meant)
    of_batch = exists().where(
        Row.batch_id == Batch.id,
        Row.outcome == Outcome.INVITED,
        of_row,
    )
    query = select(Batch.id).where(in_json(Batch.id, batch_ids), of_batch)
    return set(db.session.scalars(query))


def find_unemailed(batch_ids: Iterable[int]) -> set[int]:
    """Those of these batches that have somebody whose e-mail became a file, and who got none since; one query."""
    query = (
        select(Row.batch_id)
        .distinct()
        .join(_OWN, _IS_OWN)
        .where(
            in_json(Row.batch_id, batch_ids),
            Row.outcome == Outcome.INVITED,
            _OWN.state == MessageState.WRITTEN,
            ~_is_sent_since(),
        )
    )
    return set(db.session.scalars(query))


_GONE = (MessageState.SENT, MessageState.UNCERTAIN)
_OWN = aliased(Message)
_IS_OWN = and_(
    _OWN.row_id == Row.id,
    _OWN.kind == MessageKind.INVITATION,
)
"""Whether it is the e-mail of the row. A test may have a row for its example."""


def _is_sent_since() -> ColumnElement[bool]:
    """Whether the e-mail of the row, or a later one of the same invitation, has gone."""
    return exists().where(
        Message.invitation_id == _OWN.invitation_id,
        Message.id >= _OWN.id,
        Message.state.in_(_GONE),
    )


def unsent(batch: Batch) -> set[int | None]:
    """The ids of the batch's pending invitations that were never e-mailed: their messages became files. One query."""
    return set(db.session.scalars(select(Invitation.id).where(*_is_unsent(batch))))


def count_unsent(batch: Batch) -> int:
    """How many they are."""
    return db.session.scalar(select(func.count(Invitation.id)).where(*_is_unsent(batch))) or 0


def _is_unsent(batch: Batch) -> tuple[ColumnElement[bool], ...]:
    return (
        people_list.is_of_batch(Invitation, batch.id),
        people_list.is_concern(Concern.UNSENT),
        Invitation.state == InvitationState.PENDING,
    )

"""How far a batch has come, and what came of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select

from webapp.core.planning import Plan
from webapp.db import db, utcnow
from webapp.models import Batch, Invitation, InvitationState, Outcome, Row
from webapp.services import steps

SHOWN = 100
"""Rows of one outcome on a report, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch has come: rows by outcome, and how many of those to be invited or updated still wait."""

    by_outcome: Mapping[str, int]
    acting: int
    unclaimed: int
    """Rows to be invited or updated that no worker has claimed yet."""
    time_left: timedelta | None

    def __getitem__(self, outcome: str) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def waiting(self) -> int:
        return self["waiting"] + self.unclaimed

    @property
    def done(self) -> int:
        return self.acting - self.waiting

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())


def tally(batch: Batch) -> Tally:
    """Counts by outcome, in one query, and an estimate of the time left."""
    query = (
        select(Row.outcome, Row.plan, func.count())
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .group_by(Row.outcome, Row.plan)
    )
    by_outcome: Counter[str] = Counter()
    unclaimed = 0
    for outcome, plan, n in db.session.execute(query):
        if outcome is not None:
            by_outcome[outcome] += n
        elif plan in (Plan.INVITE, Plan.UPDATE):
            unclaimed += n
    made = Tally(by_outcome, batch.to_send, unclaimed, None)
    if batch.confirmed_at and made.done > 0 and made.waiting:
        return replace(made, time_left=(utcnow() - batch.confirmed_at) / made.done * made.waiting)
    return made


def outcomes(batch: Batch, outcome: Outcome | None = None, limit: int = SHOWN, newest: bool = False) -> Sequence[Row]:
    """Rows of a report: those with this outcome in the file's order, or the newest done."""
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if outcome:
        query = query.where(Row.outcome == outcome)
    elif newest:
        query = query.where(Row.done_at.is_not(None), Row.outcome.not_in([Outcome.SKIPPED, Outcome.UNCHANGED]))
    order = (Row.done_at.desc(), Row.id.desc()) if newest else (Row.line,)
    return db.session.scalars(query.order_by(*order).limit(limit)).all()


def changed_since(batch: Batch) -> Sequence[Row]:
    """The rows that were skipped because their person had changed since the review."""
    query = select(Row).where(Row.batch_id == batch.id, Row.outcome == Outcome.SKIPPED, Row.reason == steps.CHANGED)
    return db.session.scalars(query.order_by(Row.line)).all()


def valid_until(batch: Batch) -> datetime | None:
    """When the last of the batch's open invitations expires, or None where none is open."""
    query = select(func.max(Invitation.expires_at)).where(
        Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    )
    return db.session.scalar(query)

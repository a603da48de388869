"""How far a batch has come, and what came of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select

from webapp.core.lists.people_filter import Concern
from webapp.core.plan.planner import Plan
from webapp.core.text import batch_phrases
from webapp.db import db, utcnow
from webapp.models import Batch, Invitation, InvitationState, Outcome, Row
from webapp.services.directory import people_list
from webapp.services.settings import in_force

CHUNK = 500
"""Rows of a download that are held at once."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch has come. acting: how many rows are to be invited or updated.

    unclaimed: those of them that no worker has claimed yet. skipped: skipped rows by their plan.
    """

    by_outcome: Mapping[str, int]
    skipped: Mapping[str, int]
    acting: int
    unclaimed: int = 0
    time_left: timedelta | None = None

    def __getitem__(self, outcome: str) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def waiting(self) -> int:
        return self["waiting"] + self.unclaimed

    @property
    def done(self) -> int:
        """Never counts the failed."""
        return self["invited"] + self["updated"]

    @property
    def settled(self) -> int:
        """Of those to be invited or updated: what needs no more work, whatever came of it."""
        return self.acting - self.waiting

    @property
    def why_skipped(self) -> str:
        """Such as "5 rows that needed attention, 3 duplicates"."""
        attention = self.skipped.get(Plan.ATTENTION, 0)
        duplicates = self.skipped.get(Plan.DUPLICATE, 0)
        others = self["skipped"] - attention - duplicates
        return batch_phrases.describe_skipped(attention, duplicates, others)

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())


def tally(batch: Batch) -> Tally:
    """Counts by outcome, in one query, and an estimate of the time left; as they were kept where the rows are deleted."""
    if batch.tally is not None:
        return Tally(batch.tally["by_outcome"], batch.tally["skipped"], batch.to_send)
    query = (
        select(Row.outcome, Row.plan, func.count())
        .where(_is_of(batch))
        .group_by(Row.outcome, Row.plan)
    )
    by_outcome: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    unclaimed: Counter[str] = Counter()
    for outcome, plan, n in db.session.execute(query):
        if outcome is not None:
            by_outcome[outcome] += n
        if outcome is Outcome.SKIPPED:
            skipped[plan] += n
        if outcome is None and plan in (Plan.INVITE, Plan.UPDATE):
            unclaimed[plan] += n
    made = Tally(by_outcome, skipped, batch.to_send, unclaimed.total())
    emails = made["waiting"] + unclaimed[Plan.INVITE]
    return replace(made, time_left=_time_left(batch, made, emails))


def _time_left(batch: Batch, tally: Tally, emails: int) -> timedelta | None:
    """At the pace so far, no faster than the throttle lets the e-mails go; None where nothing is settled yet."""
    if batch.confirmed_at is None or not (tally.waiting and tally.settled):
        return None
    paced = (utcnow() - batch.confirmed_at) / tally.settled * tally.waiting
    return max(paced, timedelta(minutes=emails / in_force.environment().mail_rate))


def outcomes(batch: Batch, outcome: Outcome, limit: int) -> Sequence[Row]:
    """Rows of a report with this outcome, in the file's order."""
    return db.session.scalars(_select_rows(batch, outcome).limit(limit)).all()


def newest_done(batch: Batch, limit: int) -> Sequence[Row]:
    """The rows for which something was done last, the newest first."""
    is_done = Row.outcome.not_in([Outcome.SKIPPED, Outcome.UNCHANGED]) & Row.done_at.is_not(None)
    query = select(Row).where(_is_of(batch), is_done)
    return db.session.scalars(query.order_by(Row.done_at.desc(), Row.id.desc()).limit(limit)).all()


def each(batch: Batch, outcome: Outcome | None = None) -> Iterator[Row]:
    """All rows, or those with this outcome, in the file's order; a chunk at a time."""
    query = _select_rows(batch, outcome).execution_options(yield_per=CHUNK)
    yield from db.session.scalars(query)


def _select_rows(batch: Batch, outcome: Outcome | None) -> Select[Row]:
    query = select(Row).where(_is_of(batch)).order_by(Row.line)
    return query.where(Row.outcome == outcome) if outcome else query


def _is_of(batch: Batch) -> ColumnElement[bool]:
    return (Row.batch_id == batch.id) & Row.removed_at.is_(None)


def changed_since(batch: Batch) -> Sequence[Row]:
    """The rows that were skipped because their person had changed since the review."""
    is_changed = Row.reason["code"].as_string() == "changed"
    return db.session.scalars(_select_rows(batch, Outcome.SKIPPED).where(is_changed)).all()


def unsent(batch: Batch) -> set[int | None]:
    """The ids of the batch's pending invitations that were never e-mailed: their messages became files. One query."""
    is_unsent = people_list.is_of_batch(batch.id) & people_list.is_concern(Concern.UNSENT)
    is_pending = Invitation.state == InvitationState.PENDING
    return set(db.session.scalars(select(Invitation.id).where(is_unsent, is_pending)))


def valid_until(batch: Batch) -> datetime | None:
    """When the last of the batch's open invitations expires, or None where none is open."""
    query = select(func.max(Invitation.expires_at)).where(
        Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    )
    return db.session.scalar(query)

"""How far a batch has come, and what came of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select

from webapp.core.plan.planner import Plan
from webapp.core.text import batch_phrases
from webapp.db import db, utcnow
from webapp.models import Batch, Invitation, InvitationState, Message, MessageState, Outcome, Row
from webapp.services.directory import lookup, people_list
from webapp.services.settings import in_force

SHOWN = 100
"""Rows of one outcome on a report, unless more are asked for."""
CHUNK = 500
"""Rows of a download that are held at once."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch has come: rows by outcome, and how many of those to be invited or updated still wait."""

    by_outcome: Mapping[str, int]
    acting: int
    unclaimed: int
    """Rows to be invited or updated that no worker has claimed yet."""
    time_left: timedelta | None
    skipped: Mapping[str, int]
    """Skipped rows by their plan."""

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
        attention, duplicates = (
            self.skipped.get(Plan.ATTENTION, 0),
            self.skipped.get(Plan.DUPLICATE, 0),
        )
        return batch_phrases.describe_skipped(
            attention, duplicates, self["skipped"] - attention - duplicates
        )

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())


def tally(batch: Batch) -> Tally:
    """Counts by outcome, in one query, and an estimate of the time left; as they were kept where the rows are deleted."""
    if batch.tally is not None:
        return Tally(batch.tally["by_outcome"], batch.to_send, 0, None, batch.tally["skipped"])
    query = (
        select(Row.outcome, Row.plan, func.count())
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .group_by(Row.outcome, Row.plan)
    )
    by_outcome: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    unclaimed = emails = 0
    for outcome, plan, n in db.session.execute(query):
        if outcome is not None:
            by_outcome[outcome] += n
            emails += n if outcome is Outcome.WAITING else 0
            skipped[plan] += n if outcome is Outcome.SKIPPED else 0
        elif plan in (Plan.INVITE, Plan.UPDATE):
            unclaimed += n
            emails += n if plan is Plan.INVITE else 0
    made = Tally(by_outcome, batch.to_send, unclaimed, None, skipped)
    return (
        replace(made, time_left=_time_left(batch, made, emails))
        if made.waiting and made.settled
        else made
    )


def _time_left(batch: Batch, tally: Tally, emails: int) -> timedelta | None:
    """At the pace so far, no faster than the throttle lets the e-mails go, and not before the last message is due."""
    if batch.confirmed_at is None:
        return None
    now = utcnow()
    paced = (now - batch.confirmed_at) / tally.settled * tally.waiting
    throttled = timedelta(minutes=emails / in_force.environment().mail_rate)
    last_due = select(func.max(Message.due_at)).join(Row, Row.id == Message.row_id)
    due_at = db.session.scalar(
        last_due.where(Row.batch_id == batch.id, Message.state == MessageState.QUEUED)
    )
    return max(paced, throttled, due_at - now if due_at else timedelta())


def outcomes(
    batch: Batch, outcome: Outcome | None = None, limit: int = SHOWN, newest: bool = False
) -> Sequence[Row]:
    """Rows of a report: those with this outcome in the file's order, or the newest done."""
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if outcome:
        query = query.where(Row.outcome == outcome)
    elif newest:
        query = query.where(
            Row.done_at.is_not(None), Row.outcome.not_in([Outcome.SKIPPED, Outcome.UNCHANGED])
        )
    order = (Row.done_at.desc(), Row.id.desc()) if newest else (Row.line,)
    return db.session.scalars(query.order_by(*order).limit(limit)).all()


def each(batch: Batch, outcome: Outcome | None = None) -> Iterator[Row]:
    """The same rows, all of them, in the file's order; a chunk at a time."""
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None)).order_by(Row.line)
    query = query.where(Row.outcome == outcome) if outcome else query
    yield from db.session.scalars(query.execution_options(yield_per=CHUNK))


def changed_since(batch: Batch) -> Sequence[Row]:
    """The rows that were skipped because their person had changed since the review."""
    query = select(Row).where(
        Row.batch_id == batch.id,
        Row.outcome == Outcome.SKIPPED,
        Row.reason["code"].as_string() == "changed",
    )
    return db.session.scalars(query.order_by(Row.line)).all()


def unsent(batch: Batch) -> set[int]:
    """The ids of the batch's pending invitations that were never e-mailed: their messages became files. One query."""
    return {
        row_id
        for row_id in db.session.scalars(
            lookup.select_never_emailed(people_list.is_of_batch(batch.id))
        )
        if row_id
    }


def valid_until(batch: Batch) -> datetime | None:
    """When the last of the batch's open invitations expires, or None where none is open."""
    query = select(func.max(Invitation.expires_at)).where(
        Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    )
    return db.session.scalar(query)

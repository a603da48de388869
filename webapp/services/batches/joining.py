"""Who of those invited by a batch has joined: counted for as long as its rows are kept, and reminded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select, update

from webapp.db import begin_write, bulk_execute, db, in_json, utcnow
from webapp.models import (
    Batch,
    Invitation,
    InvitationState,
    MessageKind,
    Outcome,
    Priority,
    Row,
    User,
)
from webapp.services.audit import events
from webapp.services.directory import lookup, people_list
from webapp.services.mail import outbox

AN_HOUR = timedelta(hours=1)
"""Nobody is reminded twice within it."""
CHUNK = 1000
"""People reminded in one transaction."""
IS_PENDING = Invitation.state == InvitationState.PENDING
HAS_JOINED = Invitation.state == InvitationState.ACCEPTED


@dataclass(frozen=True, slots=True)
class Joined:
    """How many of those invited have joined, and how many still may: their invitation is pending or has expired."""

    joined: int = 0
    pending: int = 0
    until: datetime | None = None
    """When the last of the pending links ends."""

    @property
    def invited(self) -> int:
        return self.joined + self.pending


NOBODY = Joined()


def count_joined(batch_ids: Iterable[int]) -> dict[int, Joined]:
    """Of each of these batches that invited somebody; one query, however many batches and rows."""
    state, until = Invitation.state, func.max(Invitation.expires_at)
    counted = _select_invited(Row.batch_id, state, func.count(), until)
    counted = counted.where(
        in_json(Row.batch_id, batch_ids),
        IS_PENDING | HAS_JOINED,
    )
    found: dict[int, Joined] = {}
    for batch_id, own, n, last in db.session.execute(counted.group_by(Row.batch_id, state)):
        before = found.get(batch_id, NOBODY)
        found[batch_id] = (
            Joined(before.joined, n, last)
            if own is InvitationState.PENDING
            else Joined(n, before.pending, before.until)
        )
    return found


def _select_invited(*columns: Any) -> Select[Any]:
    """Select from the rows that came to an invitation, with these."""
    joined = select(*columns).join_from(Row, Invitation, Invitation.id == Row.invitation_id)
    return joined.where(Row.outcome == Outcome.INVITED)


def list_rows(batch: Batch, stage: str, limit: int) -> Sequence[Row]:
    """Rows of those who have "joined", the last first, are "pending", or "withdrawn": their invitation is closed or gone."""
    is_at, order = STAGES[stage]
    query = (
        select(Row)
        .outerjoin(Invitation, Invitation.id == Row.invitation_id)
        .where(Row.batch_id == batch.id, Row.outcome == Outcome.INVITED, is_at)
        .order_by(*order)
    )
    return db.session.scalars(query.limit(limit)).all()


STAGES: dict[str, tuple[ColumnElement[bool], tuple[Any, ...]]] = {
    "joined": (HAS_JOINED, (Invitation.closed_at.desc(), Row.line)),
    "pending": (IS_PENDING, (Row.line,)),
    "withdrawn": (
        Invitation.id.is_(None) | (Invitation.state == InvitationState.REVOKED),
        (Row.line,),
    ),
}


def latest(batch: Batch) -> tuple[str, datetime] | None:
    """Who joined last, by name, and when; one query."""
    newest = _select_invited(User.name, Invitation.closed_at)
    newest = newest.join(User, User.id == Invitation.user_id).where(
        Row.batch_id == batch.id,
        HAS_JOINED,
    )
    newest = newest.order_by(Invitation.closed_at.desc()).limit(1)
    found = db.session.execute(newest).first()
    return (found.name, found.closed_at) if found else None


def closings(batch: Batch) -> dict[int | None, datetime | None]:
    """When those invited joined, by the id of their invitation; None for those who may still. One query."""
    columns = _select_invited(Invitation.id, Invitation.closed_at)
    found = columns.where(
        Row.batch_id == batch.id,
        IS_PENDING | HAS_JOINED,
    )
    return dict(db.session.execute(found).all())


def find_users(rows: Sequence[Row]) -> dict[str | None, User]:
    """The users that these rows are about by now, by e-mail key; one query."""
    wanted = select(User).where(in_json(User.email_key, [row.email_key or "" for row in rows]))
    return {user.email_key: user for user in db.session.scalars(wanted)}


def count_linkable(batch: Batch, by: User) -> int:
    """How many links `by` may hand over; one query."""
    is_open = or_(Invitation.expires_at.is_(None), Invitation.expires_at > utcnow())
    ready = select(func.count(Invitation.id)).where(
        people_list.is_of_batch(batch.id),
        IS_PENDING,
        is_open,
        lookup.is_to_grantable(by),
    )
    return db.session.scalar(ready) or 0


# Reminded


def count_to_remind(batch: Batch, by: User) -> int:
    """How many `by` may remind now; one query."""
    return db.session.scalar(_select_to_remind(batch.id, by, func.count())) or 0


def last_reminded(batch: Batch) -> datetime | None:
    """When a reminder of a pending invitation was queued last."""
    newest = _select_invited(func.max(Invitation.reminded_at))
    at: datetime | None = db.session.scalar(newest.where(Row.batch_id == batch.id, IS_PENDING))
    return at


def remind(batch_id: int, by: User) -> int:
    """Send a reminder to all who have not joined; their links work for their whole time again. Commits. Returns how many.

    Left out are those reminded within the hour, and invitations to roles that `by` may not give.
    """
    reminded = 0
    while n := _remind_some(batch_id, by):
        reminded += n
    return reminded


def _remind_some(batch_id: int, by: User) -> int:
    begin_write()
    wanted = _select_to_remind(batch_id, by, Invitation.id, Invitation.email)
    found = db.session.execute(wanted.limit(CHUNK)).all()
    if not found:
        db.session.rollback()
        return 0
    now = utcnow()
    until = now + timedelta(days=db.session.get_one(Batch, batch_id).valid_days)
    later = case((Invitation.expires_at < until, until), else_=Invitation.expires_at)
    of_them = in_json(Invitation.id, [invitation_id for invitation_id, _ in found])
    bulk_execute(update(Invitation).where(of_them).values(expires_at=later, reminded_at=now))
    messages = [
        {"recipient": email, "invitation_id": invitation_id, "priority": Priority.BATCH}
        for invitation_id, email in found
    ]
    outbox.add_messages(MessageKind.REMINDER, messages)
    events.record_many(by, "invitation.reminded", found, batch=batch_id)
    lookup.bump_version()
    outbox.commit()
    return len(found)


def _select_to_remind(batch_id: int, by: User, *columns: Any) -> Select[Any]:
    last = Invitation.reminded_at
    return _select_invited(*columns).where(
        Row.batch_id == batch_id,
        IS_PENDING,
        or_(last.is_(None), last <= utcnow() - AN_HOUR),
        lookup.is_to_grantable(by),
    )

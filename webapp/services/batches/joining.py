"""Who of those invited by a batch has joined: counted for as long as its rows are kept, and reminded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select

from webapp.db import db, in_json, utcnow
from webapp.models import Batch, Invitation, InvitationState, Outcome, Row, User
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.invitations.invitations import IS_PENDING

AN_HOUR = timedelta(hours=1)
"""Nobody is reminded twice within it."""
HAS_JOINED = Invitation.state == InvitationState.ACCEPTED
STAGES = {
    "joined": HAS_JOINED,
    "pending": IS_PENDING,
    "withdrawn": Invitation.id.is_(None) | (Invitation.state == InvitationState.REVOKED),
}
"""How far somebody invited has come; withdrawn: the invitation is closed, or gone with its person."""


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
    counted = _select(Row.batch_id, state, func.count(), until).where(
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


def list_rows(batch: Batch, stage: str, limit: int) -> Sequence[Row]:
    """Rows of those who are at this one of STAGES: who joined last first, then in the file's order."""
    query = _select(Row).where(Row.batch_id == batch.id, STAGES[stage])
    if stage == "joined":
        query = query.order_by(Invitation.closed_at.desc())
    return db.session.scalars(query.order_by(Row.line).limit(limit)).all()


def find_users(rows: Iterable[Row]) -> dict[str | None, User]:
    """The users that these rows are about by now, by e-mail key; one query."""
    wanted = select(User).where(in_json(User.email_key, [row.email_key or "" for row in rows]))
    return {user.email_key: user for user in db.session.scalars(wanted)}


def _select(*columns: Any) -> Select[Any]:
    """Select from the rows whose e-mail went, or became a file, with their invitations."""
    rows = select(*columns).select_from(Row)
    return rows.outerjoin(Invitation, Invitation.id == Row.invitation_id).where(
        Row.outcome == Outcome.INVITED
    )


# Reminded


def count_to_remind(batch: Batch, by: User) -> int:
    """How many `by` may remind now; one query."""
    return db.session.scalar(_select_to_remind(batch.id, by, func.count())) or 0


def last_reminded(batch: Batch) -> datetime | None:
    """When a reminder of a pending invitation was queued last."""
    newest = _select(func.max(Invitation.reminded_at))
    at: datetime | None = db.session.scalar(newest.where(Row.batch_id == batch.id, IS_PENDING))
    return at


def remind(batch_id: int, by: User) -> int:
    """Send a reminder to all who have not joined; their links work for their whole time again. Commits. Returns how many.

    Left out are those reminded within the hour, and invitations to roles that `by` may not give.
    """
    due = _select_to_remind(batch_id, by, Invitation)
    reminded = 0
    while n := invitations.remind(due, by, batch=batch_id):
        reminded += n
    return reminded


def _select_to_remind(batch_id: int, by: User, *columns: Any) -> Select[Any]:
    last = Invitation.reminded_at
    return _select(*columns).where(
        Row.batch_id == batch_id,
        IS_PENDING,
        or_(last.is_(None), last <= utcnow() - AN_HOUR),
        lookup.is_to_grantable(by),
    )

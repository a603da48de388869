"""Who of those invited by a batch has joined: counted for as long as its rows are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from webapp.db import db, in_json
from webapp.models import Batch, Invitation, InvitationState, Outcome, Row, User
from webapp.services.invitations.invitations import IS_PENDING

HAS_JOINED = Invitation.state == InvitationState.ACCEPTED
IS_WITHDRAWN = or_(
    Invitation.id.is_(None),
    Invitation.state == InvitationState.REVOKED,
)
STAGES = {
    "joined": HAS_JOINED,
    "pending": IS_PENDING,
    "withdrawn": IS_WITHDRAWN,
}
"""How far somebody invited has come; withdrawn: the invitation is closed, or gone with its person."""


@dataclass(slots=True)
class Joined:
    """How many of those invited have joined, and how many still may: their invitation is pending or has expired."""

    joined: int = 0
    pending: int = 0
    until: datetime | None = None
    """When the last of the pending links ends."""

    @property
    def invited(self) -> int:
        return self.joined + self.pending

    @property
    def mark(self) -> str:
        """Both numbers, as an open page sends them back."""
        return f"{self.joined}-{self.pending}"


def count_joined(batch_ids: Iterable[int]) -> dict[int, Joined]:
    """Of each of these batches that invited somebody; one query, however many batches and rows."""
    query = select_invited(
        Row.batch_id,
        Invitation.state,
        func.count(),
        func.max(Invitation.expires_at),
    )
    query = query.where(
        in_json(Row.batch_id, batch_ids),
        IS_PENDING | HAS_JOINED,
    )
    query = query.group_by(Row.batch_id, Invitation.state)
    found: dict[int, Joined] = {}
    for batch_id, state, n, until in db.session.execute(query):
        counted = found.setdefault(batch_id, Joined())
        if state is InvitationState.PENDING:
            counted.pending = n
            counted.until = until
        else:
            counted.joined = n
    return found


def find_last(batch: Batch) -> Any:
    """Who joined last: `name` and `closed_at`, or None."""
    query = select_invited(User.name, Invitation.closed_at)
    query = query.join(User, User.id == Invitation.user_id)
    query = query.where(
        Row.batch_id == batch.id,
        HAS_JOINED,
    )
    query = query.order_by(Invitation.closed_at.desc())
    return db.session.execute(query.limit(1)).first()


def list_rows(batch: Batch, stage: str, limit: int) -> Sequence[Row]:
    """Rows of those who are at this one of STAGES: who joined last first, then in the file's order."""
    query = select_invited(Row).where(
        Row.batch_id == batch.id,
        STAGES[stage],
    )
    if stage == "joined":
        query = query.order_by(Invitation.closed_at.desc())
    query = query.order_by(Row.line)
    return db.session.scalars(query.limit(limit)).all()


def map_joined(batch: Batch) -> dict[int | None, bool]:
    """Whether each of those invited has joined, by the invitation's id, without those who are no longer invited; one query."""
    invited = select_invited(Invitation.id, HAS_JOINED).where(
        Row.batch_id == batch.id,
        IS_PENDING | HAS_JOINED,
    )
    found: dict[int | None, bool] = {}
    for invitation_id, has_joined in db.session.execute(invited):
        found[invitation_id] = bool(has_joined)
    return found


def find_users(rows: Iterable[Row]) -> dict[str | None, User]:
    """The users that these rows are about by now, by e-mail key; one query."""
    keys = [row.email_key or "" for row in rows]
    users = db.session.scalars(select(User).where(in_json(User.email_key, keys)))
    return {user.email_key: user for user in users}


def select_invited(*columns: Any) -> Select[Any]:
    """Select from the rows whose e-mail went, or became a file, with their invitations."""
    query = select(*columns).select_from(Row)
    query = query.outerjoin(Invitation, Invitation.id == Row.invitation_id)
    return query.where(Row.outcome == Outcome.INVITED)

"""Users and invitations as programs go through them: by id, each at its own address. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from webapp.db import db
from webapp.models import Invitation, InvitationState, User, UserKind, UserState


def list_users(after: int, limit: int, state: UserState | None = None) -> Sequence[User]:
    """Up to so many people who can sign in, or could, above an id. No erased people, no service accounts."""
    query = select(User).options(selectinload(User.groups)).where(User.id > after)
    query = query.where(User.kind == UserKind.PERSON, User.state != UserState.ERASED)
    if state:
        query = query.where(User.state == state)
    return db.session.scalars(query.order_by(User.id).limit(limit)).all()


def list_invitations(
    after: int, limit: int, state: InvitationState | None = None
) -> Sequence[Invitation]:
    """Up to so many invitations above an id, open and closed, or of one state."""
    query = select(Invitation).where(Invitation.id > after)
    if state:
        query = query.where(Invitation.state == state)
    return db.session.scalars(query.order_by(Invitation.id).limit(limit)).all()

"""One person, a user or an invitation: what their page shows, and changes of one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_, select

from webapp.core.errors import (
    ConflictError,
    NotFoundError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.plan.actions import Action, Do, Theirs
from webapp.db import db
from webapp.models import AuditEvent, Batch, Invitation, Message, User, UserState
from webapp.schemas.actions import ALL
from webapp.services.audit import browse
from webapp.services.audit.browse import Entry
from webapp.services.batches import actions
from webapp.services.directory import lookup

HISTORY = 20
"""Events on one page of a person's history."""
MESSAGES = 20


def get_person(user_id: int | None = None, invitation_id: int | None = None) -> User | Invitation:
    """The user or invitation. Raises NotFoundError, also if the person is erased."""
    if invitation_id is not None:
        invitation = db.session.get(Invitation, invitation_id)
        if invitation is None:
            raise NotFoundError("There is no such invitation.")
        return invitation
    user = db.session.get(User, user_id)
    if user is None or user.state is UserState.ERASED:
        raise NotFoundError("This user is not here any more.")
    return user


def list_invitations(person: User | Invitation) -> Sequence[Invitation]:
    """All invitations of a person, open and closed, the newest first."""
    of_them = Invitation.email_key == person.email_key
    if isinstance(person, User):
        of_them = or_(of_them, Invitation.user_id == person.id)
    query = select(Invitation).where(of_them).order_by(Invitation.id.desc())
    return db.session.scalars(query).all()


def find_origin(person: User | Invitation, of_them: Sequence[Invitation]) -> dict[str, Any]:
    """Where a person came from: the `invitation`, its `inviter`, its `batch`. of_them: their invitations."""
    came_of = (each for each in of_them if each.user_id == person.id)
    invitation = person if isinstance(person, Invitation) else next(came_of, None)
    if invitation is None:
        return {}
    return {
        "invitation": invitation,
        "inviter": db.session.get(User, invitation.invited_by_id or 0),
        "batch": db.session.get(Batch, invitation.batch_id or 0),
    }


def list_messages(of_them: Sequence[Invitation]) -> Sequence[Message]:
    """The latest e-mails of these invitations, the newest first."""
    wanted = select(Message).where(Message.invitation_id.in_([each.id for each in of_them]))
    return db.session.scalars(wanted.order_by(Message.id.desc()).limit(MESSAGES)).all()


def list_history(
    person: User | Invitation, of_them: Sequence[Invitation], before: int | None = None
) -> list[Entry]:
    """What happened to a person before an event, the newest first, one more than a page shows.

    of_them: their invitations, whose events are theirs.
    """
    theirs = and_(
        AuditEvent.subject_type == "invitations",
        AuditEvent.subject_id.in_([each.id for each in of_them]),
    )
    if isinstance(person, User):
        of_user = and_(AuditEvent.subject_type == "users", AuditEvent.subject_id == person.id)
        theirs = or_(theirs, of_user)
    wanted = select(AuditEvent).where(theirs).order_by(AuditEvent.id.desc()).limit(HISTORY + 1)
    if before:
        wanted = wanted.where(AuditEvent.id < before)
    return browse.describe_events(db.session.scalars(wanted).all())


def current_access(person: User | Invitation, part: str) -> list[str]:
    """What a form shows as chosen: the id of the role, or the ids of the groups ("all" for All groups)."""
    if part == "role":
        return [str(person.role_id)]
    return [ALL] if person.all_groups else [str(group.id) for group in person.groups]


def access_key(person: User | Invitation) -> str:
    """A person's access as one word, which a form carries to notice a change in between."""
    return ":".join([*current_access(person, "role"), *current_access(person, "groups")])


def change(
    person: User | Invitation,
    action: Action,
    by: User,
    *,
    as_seen: str | None,
    proven: bool,
    theirs: Theirs,
) -> str:
    """Do something to one person. as_seen: `access_key` of what the form showed. -> the sentence for the toast.

    proven: `by` has just given their password. Raises PasswordRequiredError, ConflictError where somebody else changed it in
    between, and what `actions.do_now` raises.
    """
    if as_seen is not None and as_seen != access_key(person):
        raise ConflictError(
            "Someone else changed this person’s access in the meantime. Load the page again, then choose."
        )
    roles = lookup.registry().role_by_id
    old, new = roles[person.role_id], roles.get(action.role or 0)
    comes_back = action.do is Do.REACTIVATE and not old.is_owner
    becomes = old if comes_back else new
    is_new = comes_back or not old.manages_people
    if becomes and becomes.manages_people and is_new and not proven:
        raise PasswordRequiredError(f"Type your password: this person becomes {becomes.name}.")
    return actions.do_now("user" if person.is_user else "invitation", person.id, action, by, theirs)


def get_user_to_sign_out(user_id: int, by: User) -> User:
    """A user whose sessions `by` may end. Raises NotFoundError, RuleViolationError."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError("This user is not here any more.")
    if user.role.rank > by.role.rank:
        raise RuleViolationError("You cannot sign out somebody whose role ranks above yours.")
    return user

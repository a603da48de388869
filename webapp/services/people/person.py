"""One person, a user or an invitation: what their page shows, and changes of one person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select

from webapp.core.errors import (
    ConflictError,
    NotFoundError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.plan.actions import Action, Do, Theirs
from webapp.db import db
from webapp.models import Invitation, Message, User, UserKind, UserState
from webapp.services.audit import browse
from webapp.services.audit.browse import Entry
from webapp.services.batches import actions
from webapp.services.directory import lookup

MESSAGES = 20
"""E-mails that a page shows."""


def get_person(user_id: int | None = None, invitation_id: int | None = None) -> User | Invitation:
    """The user or invitation. Raises NotFoundError, also if the person is erased."""
    if user_id:
        return get_user(user_id)
    invitation = db.session.get(Invitation, invitation_id)
    if invitation is None:
        raise NotFoundError("There is no such invitation.")
    return invitation


def get_user(user_id: int) -> User:
    """The user. Raises NotFoundError, also if they are erased, or a service account."""
    user = db.session.get(User, user_id)
    if user is None or user.state is UserState.ERASED or user.kind is UserKind.SERVICE:
        raise NotFoundError("This user is not here any more.")
    return user


def list_invitations(person: User | Invitation) -> Sequence[Invitation]:
    """All invitations of a person, open and closed, the newest first."""
    of_them = Invitation.email_key == person.email_key
    if isinstance(person, User):
        of_them = or_(of_them, Invitation.user_id == person.id)
    query = select(Invitation).where(of_them).order_by(Invitation.id.desc())
    return db.session.scalars(query).all()


def find_origin(person: User | Invitation, own: Sequence[Invitation]) -> Invitation | None:
    """The invitation that a person came of. own: their invitations."""
    if isinstance(person, Invitation):
        return person
    return next((each for each in own if each.user_id == person.id), None)


def list_messages(own: Sequence[Invitation]) -> Sequence[Message]:
    """The latest e-mails of these invitations, the newest first."""
    is_own = Message.invitation_id.in_([each.id for each in own])
    query = select(Message).where(is_own).order_by(Message.id.desc()).limit(MESSAGES)
    return db.session.scalars(query).all()


def list_history(
    person: User | Invitation, own: Sequence[Invitation], before: int | None = None
) -> tuple[list[Entry], int | None]:
    """A page of what happened to a person, the newest first, and the id to go on from.

    own: their invitations, whose events are theirs. before: the id that the last page ended with.
    """
    about = [f"invitations-{each.id}" for each in own]
    if person.is_user:
        about.append(f"users-{person.id}")
    return browse.list_page({"about": ",".join(about)}, before)


def access_key(person: User | Invitation) -> str:
    """A person's access as one word, which a form carries to notice a change in between."""
    ids = sorted(group.id for group in person.groups)
    return f"{person.role_id}:{person.all_groups}:{ids}"


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

    proven: `by` has just given their password. Raises PasswordRequiredError where somebody comes to manage people, ConflictError
    where somebody else changed their access in between, and what `actions.do_now` raises.
    """
    if as_seen is not None and as_seen != access_key(person):
        raise ConflictError(
            "Someone else changed this person’s access in the meantime. Load the page again, then choose."
        )
    role_id = person.role_id if action.do is Do.REACTIVATE else action.role
    if role_id in lookup.administrators() and not proven:
        name = lookup.registry().role_by_id[role_id].name
        raise PasswordRequiredError(f"this person becomes {name}.")
    return actions.do_now("user" if person.is_user else "invitation", person.id, action, by, theirs)


def get_user_to_sign_out(user_id: int, by: User) -> User:
    """A user whose sessions `by` may end. Raises NotFoundError, RuleViolationError."""
    user = get_user(user_id)
    if user.role.rank > by.role.rank:
        raise RuleViolationError("You cannot sign out somebody whose role ranks above yours.")
    return user

"""One person, a user or an invitation: what their page shows, and changes of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select

from webapp.core.errors import (
    ConflictError,
    NotFoundError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.registry import ALL_GROUPS
from webapp.core.text.audit_phrases import describe
from webapp.db import begin_write, db
from webapp.models import AuditEvent, Batch, Invitation, Message, User, UserState
from webapp.schemas.actions import ALL
from webapp.services.accounts import sessions
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import actions
from webapp.services.batches.actions import Kind
from webapp.services.directory import lookup

HISTORY = 20
"""Events on one page of a person's history."""
MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a person came from: the invitation, the inviter and the upload, as far as they are known."""

    invitation: Invitation | None = None
    inviter: str = ""
    batch: Batch | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An event in words. actor: a name, or "Muster". kept, added, removed: groups, if it changed them."""

    event: AuditEvent
    actor: str
    text: str
    kept: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    batch: Batch | None = None


def get_person(kind: Kind, person_id: int) -> User | Invitation:
    """The user or invitation. Raises NotFoundError, also if the person is erased."""
    person = (
        db.session.get(User, person_id) if kind == "user" else db.session.get(Invitation, person_id)
    )
    if person is None or person.state is UserState.ERASED:
        raise NotFoundError(
            "This user is not here any more." if kind == "user" else "There is no such invitation."
        )
    return person


def list_invitations(person: User | Invitation) -> Sequence[Invitation]:
    """All invitations of a person, open and closed, the newest first."""
    of_them = Invitation.email_key == person.email_key
    if isinstance(person, User):
        of_them = or_(of_them, Invitation.user_id == person.id)
    return db.session.scalars(
        select(Invitation).where(of_them).order_by(Invitation.id.desc())
    ).all()


def find_origin(person: User | Invitation, of_them: Sequence[Invitation]) -> Origin:
    """Where a person came from. of_them: their invitations."""
    came_of = (each for each in of_them if each.user_id == person.id)
    invitation = person if isinstance(person, Invitation) else next(came_of, None)
    if invitation is None:
        return Origin()
    inviter = db.session.get(User, invitation.invited_by_id) if invitation.invited_by_id else None
    batch = db.session.get(Batch, invitation.batch_id) if invitation.batch_id else None
    return Origin(invitation, inviter.name if inviter else "", batch)


def list_messages(of_them: Sequence[Invitation]) -> Sequence[Message]:
    """The latest e-mails of these invitations, the newest first."""
    wanted = select(Message).where(Message.invitation_id.in_([each.id for each in of_them]))
    return db.session.scalars(wanted.order_by(Message.id.desc()).limit(MESSAGES)).all()


def list_history(
    person: User | Invitation, of_them: Sequence[Invitation], before: int | None = None
) -> tuple[list[HistoryEntry], bool]:
    """What happened to a person before an event, the newest first, and whether there is more; two queries.

    of_them: their invitations, whose events are theirs.
    """
    about = (
        AuditEvent.subject_type == "invitations",
        AuditEvent.subject_id.in_([each.id for each in of_them]),
    )
    theirs = and_(*about)
    if isinstance(person, User):
        theirs = or_(
            theirs, and_(AuditEvent.subject_type == "users", AuditEvent.subject_id == person.id)
        )
    wanted = (
        select(AuditEvent, User.name).outerjoin(User, User.id == AuditEvent.actor_id).where(theirs)
    )
    if before:
        wanted = wanted.where(AuditEvent.id < before)
    events = db.session.execute(wanted.order_by(AuditEvent.id.desc()).limit(HISTORY + 1)).all()
    ids = {event.details.get("batch") for event, _ in events}
    batches = {
        batch.id: batch
        for batch in db.session.scalars(
            select(Batch).where(Batch.id.in_([person_id for person_id in ids if person_id]))
        )
    }
    return [_history_entry(event, name, batches) for event, name in events[:HISTORY]], len(
        events
    ) > HISTORY


def _history_entry(event: AuditEvent, name: str | None, batches: dict[int, Batch]) -> HistoryEntry:
    details = event.details
    before, after = _groups(details.get("before")), _groups(details.get("after"))
    if before is None or after is None or before == after:
        before = after = []
    return HistoryEntry(
        event,
        actor=name or event.actor or "Muster",
        text=event.subject.join(describe(event.action, details, event.count, event.subject)),
        kept=[group for group in before if group in after],
        added=[group for group in after if group not in before],
        removed=[group for group in before if group not in after],
        batch=batches.get(details.get("batch") or 0),
    )


def _groups(access: object) -> list[str] | None:
    groups = access.get("groups") if isinstance(access, dict) else None
    if groups == ALL_GROUPS:
        return [ALL_GROUPS]
    return groups if isinstance(groups, list) else None


def current_access(person: User | Invitation, part: str) -> list[str]:
    """What a form shows as chosen: the id of the role, or the ids of the groups ("all" for All groups)."""
    if part == "role":
        return [str(person.role_id)]
    return [ALL] if person.all_groups else [str(group.id) for group in person.groups]


def access_key(person: User | Invitation) -> str:
    """A person's access as one word, which a form carries to notice a change in between."""
    return ":".join([*current_access(person, "role"), *current_access(person, "groups")])


def change_access(
    kind: Kind, person_id: int, action: Action, by: User, *, as_seen: str | None, proven: bool
) -> str:
    """Change one person. as_seen: `access_key` of what the form showed. -> the sentence for the toast.

    proven: `by` has just given their password. Raises PasswordRequiredError, ConflictError where somebody else changed it in
    between, and what `actions.do_now` raises.
    """
    person, registry = get_person(kind, person_id), lookup.registry()
    if as_seen is not None and as_seen != access_key(person):
        raise ConflictError(
            "Someone else changed this person’s access in the meantime. Load the page again, then choose."
        )
    held_now, wanted = (
        registry.role_by_id[person.role_id],
        registry.role_by_id.get(action.role or 0),
    )
    if action.do is Do.REACTIVATE:
        becomes = held_now if held_now.manages_people and not held_now.is_owner else None
    else:
        becomes = (
            wanted if wanted and wanted.manages_people and not held_now.manages_people else None
        )
    if becomes and not proven:
        raise PasswordRequiredError(f"Type your password: this person becomes {becomes.name}.")
    return actions.do_now(kind, person_id, action, by)


def get_user_to_sign_out(user_id: int, by: User) -> User:
    """A user whose sessions `by` may end. Raises NotFoundError, RuleViolationError."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError("This user is not here any more.")
    if user.role.rank > by.role.rank:
        raise RuleViolationError("You cannot sign out somebody whose role ranks above yours.")
    return user


def end_sessions(user_id: int, by: User, session_id: int | None = None) -> int:
    """End one or all sessions of a user. -> how many ended. Raises NotFoundError, RuleViolationError."""
    begin_write()
    user = get_user_to_sign_out(user_id, by)
    ended = sessions.end_all(user, only=session_id)
    if ended:
        events.record(by, AuditAction.SESSIONS_ENDED, user, sessions=ended)
    db.session.commit()
    return ended

"""The audit log: events are added by the command that they tell of and share its commit."""

from __future__ import annotations

import json
from collections.abc import Collection
from enum import StrEnum
from typing import Any

from flask import has_request_context, request
from sqlalchemy import ColumnElement, Text, cast, func, or_, select, update

from webapp.core.forgetting import replaced
from webapp.db import db
from webapp.models import AuditEvent, Batch, Group, Invitation, Message, Organisation, Role, User

Subject = User | Group | Invitation | Batch | Organisation | Role | Message


class AuditAction(StrEnum):
    """What is told of; the part before the dot is the noun."""

    SETUP_DONE = "setup.done"
    SIGNED_IN = "session.started"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.ended"
    GROUP_CREATED = "group.created"
    ALIAS_REMEMBERED = "alias.remembered"
    COLUMNS_REMEMBERED = "columns.remembered"
    COLUMNS_FORGOTTEN = "columns.forgotten"
    BATCH_STAGED = "batch.staged"
    BATCH_UPLOADED = "batch.uploaded"
    BATCH_MATCHED = "batch.matched"
    BATCH_FILE_REPLACED = "batch.file_replaced"
    BATCH_CONFIRMED = "batch.confirmed"
    BATCH_PAUSED = "batch.paused"
    BATCH_RESUMED = "batch.resumed"
    BATCH_CANCELLED = "batch.cancelled"
    BATCH_DISCARDED = "batch.discarded"
    BATCH_FINISHED = "batch.finished"
    BATCH_REVERTED = "batch.reverted"
    INVITATION_CREATED = "invitation.created"
    INVITATION_CHANGED = "invitation.changed"
    INVITATION_SENT_AGAIN = "invitation.sent_again"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_LINK_COPIED = "invitation.link_copied"
    USER_CHANGED = "user.changed"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    USER_ERASED = "user.erased"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 -- a kind of event
    PASSWORD_RESET_ASKED = "password.reset_asked"  # noqa: S105
    PASSWORD_LINK_MADE = "password.link_made"  # noqa: S105
    EMAIL_CHANGE_ASKED = "email.change_asked"
    EMAIL_CHANGE_WITHDRAWN = "email.change_withdrawn"
    SECOND_FACTOR_ON = "second_factor.on"
    SECOND_FACTOR_OFF = "second_factor.off"
    RECOVERY_CODES_MADE = "second_factor.codes_made"
    RECOVERY_CODE_USED = "second_factor.code_used"
    OWNER_LINK_MADE = "owner_link.made"
    OWNER_LINK_USED = "owner_link.used"
    MESSAGE_FAILED = "message.failed"
    MESSAGES_RETRIED = "messages.retried"
    TEST_QUEUED = "message.test_queued"


def record(actor: User | None, action: AuditAction, subject: Subject | None = None, **details: Any) -> AuditEvent:
    """Add one event to the running transaction; the caller commits. details: JSON values, such as before and after."""
    event = AuditEvent(
        actor_id=actor.id if actor else None,
        actor=actor.email if actor else "",
        action=action.value,
        subject_type=subject.__tablename__ if subject else "",
        subject_id=subject.id if subject else None,
        subject=_label(subject) if subject else str(details.pop("label", "")),
        address=(request.remote_addr or "") if has_request_context() else "",
        details=details,
    )
    db.session.add(event)
    return event


def _label(subject: Subject) -> str:
    for name in ("email", "recipient", "name"):
        if label := getattr(subject, name, None):
            return str(label)
    return ""


def known_as(user: User) -> set[str]:
    """The names and addresses of this person in the log: those they have, acted under, or had before a change."""
    acted = select(AuditEvent.actor).where(AuditEvent.actor_id == user.id).distinct()
    told = select(AuditEvent.details).where(_is_about(user.id))
    changes = [details.get(side, {}) for details in db.session.scalars(told) for side in ("before", "after")]
    former = {str(change[name]) for change in changes for name in ("name", "email") if name in change}
    return ({user.name, user.email, *db.session.scalars(acted)} | former) - {""}


def forget(user_id: int, email: str, pseudonym: str, also: Collection[str] = ()) -> None:
    """Part of a command: the log speaks of this person by a pseudonym only, as actor, as subject, and in what it tells.

    also: names, and further addresses (`known_as`). A name is replaced only in events that the person made or that are about
    them: others may have the same one.
    """
    texts = {email, *also}
    addresses = {text.lower() for text in texts if "@" in text}
    acted = AuditEvent.actor_id == user_id
    is_about = or_(_is_about(user_id), func.lower(AuditEvent.subject).in_(addresses))
    told = [cast(AuditEvent.details, Text).icontains(json.dumps(text)[1:-1], autoescape=True) for text in addresses]
    for event in db.session.scalars(select(AuditEvent).where(or_(acted, is_about, *told))):
        event.details = replaced(event.details, texts, pseudonym)
    db.session.execute(update(AuditEvent).where(is_about).values(subject=pseudonym))
    db.session.execute(update(AuditEvent).where(acted).values(actor=pseudonym))


def _is_about(user_id: int) -> ColumnElement[bool]:
    return (AuditEvent.subject_type == User.__tablename__) & (AuditEvent.subject_id == user_id)

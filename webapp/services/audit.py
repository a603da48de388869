"""The audit log: events are added by the command that they tell of and share its commit."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask import has_request_context, request

from webapp.db import db
from webapp.models import AuditEvent, Batch, Group, Invitation, Message, Organisation, Role, User

Subject = User | Group | Invitation | Batch | Organisation | Role | Message


class AuditAction(StrEnum):
    """What is told of; the part before the dot is the noun."""

    SETUP_DONE = "setup.done"
    SIGNED_IN = "session.started"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.ended"
    SESSIONS_ENDED = "sessions.ended"
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

"""Reminders of invitations that are about to expire, for the workers' sweep."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import lazyload

from webapp import queue
from webapp.db import begin_write, db, utcnow
from webapp.models import Invitation, InvitationState, Message, MessageKind, MessageState, Priority
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import people_list
from webapp.services.directory.people_list import OTHER
from webapp.services.mail import outbox
from webapp.services.settings import in_force

CHUNK = 200
"""Reminders queued in one transaction."""


def send_reminders() -> int:
    """Queue a reminder for each invitation that is due for one, up to CHUNK, each once. Commits. Returns how many.

    Due are pending invitations that expire within `MUSTER_REMINDER_DAYS`, and whose last e-mail went: none that failed, is
    still to go or was never made. Those that are good for no longer than that anyway get none.
    """
    days = in_force.settings().reminder_days
    if not days:
        return 0
    now = utcnow()
    went = [MessageState.SENT, MessageState.UNCERTAIN]
    due = select(Invitation).where(
        Invitation.state == InvitationState.PENDING,
        Invitation.expires_at > now,
        Invitation.expires_at <= now + timedelta(days=days),
        Invitation.reminded_at.is_(None),
        Invitation.valid_days > days,
        people_list.is_email(went, OTHER.id > Message.id),
    )
    if not db.session.scalar(select(due.exists())):
        return 0
    begin_write()
    due = due.order_by(Invitation.id).limit(CHUNK).options(lazyload("*"))
    found = db.session.scalars(due).all()
    for invitation in found:
        invitation.reminded_at = now
    reminded = [(each.id, each.email) for each in found]
    messages = [
        {"recipient": email, "invitation_id": invitation_id, "priority": Priority.BATCH}
        for invitation_id, email in reminded
    ]
    outbox.add_messages(MessageKind.REMINDER, messages)
    events.record_many(None, AuditAction.INVITATION_REMINDED, Invitation, reminded)
    db.session.commit()
    queue.enqueue_send()
    return len(reminded)

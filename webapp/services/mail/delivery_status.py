"""What became of an invitation's e-mail: the truth as the outbox knows it. Questions only.

That an e-mail was opened is never known: nothing in it tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import lazyload

from webapp.db import db, in_json
from webapp.models import (
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
)
from webapp.services.mail import throttle

KINDS = (MessageKind.INVITATION, MessageKind.REMINDER)
"""The e-mails that carry an invitation's link."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """at: since when it is so. answer: the mail server's words, or our own reason. next_try: when it is due (again)."""

    invitation: Invitation
    stage: str
    """The state of a closed invitation, else of its newest message, or "not_sent", "link" (handed over without an
    e-mail), "put_off", "held_up" (with all sending)."""
    at: datetime
    answer: str = ""
    next_try: datetime | None = None
    is_reminder: bool = False
    """The newest e-mail is the reminder."""


def find_deliveries(ids: Iterable[int]) -> dict[int, Delivery]:
    """The delivery status of these invitations, by id, from the newest e-mail of each; a fixed number of queries."""
    newest = (
        select(func.max(Message.id))
        .where(Message.invitation_id == Invitation.id, Message.kind.in_(KINDS))
        .correlate(Invitation)
        .scalar_subquery()
    )
    query = (
        select(Invitation, Message)
        .outerjoin(Message, Message.id == newest)
        .where(in_json(Invitation.id, ids))
        .options(lazyload(Invitation.groups))
    )
    alarm = throttle.alarm()
    return {
        invitation.id: _describe(invitation, message, alarm)
        for invitation, message in db.session.execute(query)
    }


def _describe(
    invitation: Invitation,
    message: Message | None,
    alarm: MailCircuit | None,
) -> Delivery:
    if invitation.state is not InvitationState.PENDING:
        closed_at = invitation.closed_at or invitation.created_at
        return Delivery(invitation, invitation.state.value, closed_at)
    if message is None:
        stage = "link" if invitation.expires_at else "not_sent"
        return Delivery(invitation, stage, invitation.created_at)
    is_reminder = message.kind is MessageKind.REMINDER
    if alarm and message.state is MessageState.QUEUED:
        since, why = message.created_at, alarm.cause_text
        return Delivery(invitation, "held_up", since, why, alarm.retry_at, is_reminder)
    stage, next_try = message.state.value, None
    if message.state is MessageState.QUEUED:
        next_try = message.due_at
        stage = "put_off" if message.attempts else stage
    at = message.handed_at or message.tried_at or message.created_at
    return Delivery(invitation, stage, at, message.result_text, next_try, is_reminder)

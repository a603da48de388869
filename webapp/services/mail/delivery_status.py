"""What became of an invitation's e-mail: the truth as the outbox knows it. Questions only.

That an e-mail was opened is never known: nothing in it tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import lazyload

from webapp.db import db, in_json
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
    Row,
)

KINDS = (MessageKind.INVITATION, MessageKind.REMINDER)
"""The e-mails that carry an invitation's link."""


class Stage(StrEnum):
    """How far an invitation has come to its person."""

    NOT_SENT = "not_sent"
    LINK = "link"
    """No e-mail was made, but the link was handed over."""
    QUEUED = "queued"
    PUT_OFF = "put_off"
    PAUSED = "paused"
    """Its upload is paused."""
    HELD_UP = "held_up"
    """The mail server cannot be reached."""
    SENDING = "sending"
    HANDED = "handed"
    WRITTEN = "written"
    """As a file, where there is no mail server."""
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Delivery:
    """at: since when it is so. answer: the mail server's words, or our own reason. next_try: when it is due (again)."""

    invitation: Invitation
    stage: Stage
    at: datetime
    answer: str = ""
    next_try: datetime | None = None
    is_reminder: bool = False
    """The newest e-mail is the reminder."""

    @property
    def is_pending(self) -> bool:
        """Expired ones, too."""
        return self.invitation.state is InvitationState.PENDING

    @property
    def is_open(self) -> bool:
        """Pending, and not expired."""
        return self.is_pending and not self.invitation.is_expired


def find_deliveries(ids: Iterable[int]) -> dict[int, Delivery]:
    """The delivery status of these invitations, by id, from the newest e-mail of each; one query."""
    newest = (
        select(func.max(Message.id))
        .where(Message.invitation_id == Invitation.id, Message.kind.in_(KINDS))
        .correlate(Invitation)
        .scalar_subquery()
    )
    query = (
        select(Invitation, Message, Batch.state, MailCircuit)
        .outerjoin(Message, Message.id == newest)
        .outerjoin(Row, Row.id == Message.row_id)
        .outerjoin(Batch, Batch.id == Row.batch_id)
        .outerjoin(MailCircuit, (MailCircuit.id == 1) & MailCircuit.paused_at.is_not(None))
        .where(in_json(Invitation.id, ids))
        .options(lazyload(Invitation.groups))
    )
    return {
        invitation.id: _describe(invitation, message, state, circuit)
        for invitation, message, state, circuit in db.session.execute(query)
    }


def _describe(
    invitation: Invitation,
    message: Message | None,
    state: BatchState | None,
    circuit: MailCircuit | None,
) -> Delivery:
    if invitation.state is not InvitationState.PENDING:
        closed_at = invitation.closed_at or invitation.created_at
        return Delivery(invitation, Stage(invitation.state.value), closed_at)
    if message is None:
        stage = Stage.LINK if invitation.expires_at else Stage.NOT_SENT
        return Delivery(invitation, stage, invitation.created_at)
    stage = Stage.HANDED if message.state is MessageState.SENT else Stage(message.state.value)
    answer, next_try = message.result_text, None
    if message.state is MessageState.QUEUED:
        next_try = message.due_at
        if state is BatchState.PAUSED:
            stage, next_try = Stage.PAUSED, None
        elif circuit:
            stage, answer, next_try = Stage.HELD_UP, circuit.cause_text, circuit.retry_at
        elif message.attempts:
            stage = Stage.PUT_OFF
    at = message.handed_at or message.tried_at or message.created_at
    is_reminder = message.kind is MessageKind.REMINDER
    return Delivery(invitation, stage, at, answer, next_try, is_reminder)

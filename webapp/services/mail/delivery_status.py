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

from webapp.db import db, in_json, utcnow
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
    Role,
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
    """at: since when it is so. answer: the mail server's words, or our own reason. next_try: when it is due (again).

    expires_at: until when the link works; None where its time has not begun, valid_days long.
    """

    stage: Stage
    at: datetime
    answer: str = ""
    next_try: datetime | None = None
    expires_at: datetime | None = None
    valid_days: int = 0
    is_open: bool = False
    """Pending, and not expired."""
    role: Role | None = None
    is_reminder: bool = False
    """The newest e-mail is the reminder."""
    reminded_at: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """Expired ones, too."""
        return self.stage not in (Stage.ACCEPTED, Stage.REVOKED)


def find_deliveries(ids: Iterable[int]) -> dict[int, Delivery]:
    """The delivery status of these invitations, by id, from the newest e-mail of each; one query."""
    newest = (
        select(func.max(Message.id))
        .where(Message.invitation_id == Invitation.id, Message.kind.in_(KINDS))
        .correlate(Invitation)
        .scalar_subquery()
    )
    query = (
        select(Invitation, Role, Message, Batch.state, MailCircuit)
        .join(Role, Role.id == Invitation.role_id)
        .outerjoin(Message, Message.id == newest)
        .outerjoin(Row, Row.id == Message.row_id)
        .outerjoin(Batch, Batch.id == Row.batch_id)
        .outerjoin(MailCircuit, (MailCircuit.id == 1) & MailCircuit.paused_at.is_not(None))
        .where(in_json(Invitation.id, ids))
        .options(lazyload(Invitation.role), lazyload(Invitation.groups))
    )
    return {
        invitation.id: _delivery(
            invitation, role, message, _way(invitation, message, state is BatchState.PAUSED, gate)
        )
        for invitation, role, message, state, gate in db.session.execute(query)
    }


def _delivery(invitation: Invitation, role: Role, message: Message | None, way: _Way) -> Delivery:
    return Delivery(
        *way,
        expires_at=invitation.expires_at,
        valid_days=invitation.valid_days,
        is_open=invitation.state is InvitationState.PENDING and not invitation.is_expired(utcnow()),
        role=role,
        is_reminder=message is not None and message.kind is MessageKind.REMINDER,
        reminded_at=invitation.reminded_at,
    )


_Way = tuple[Stage, datetime, str, datetime | None]


def _way(
    invitation: Invitation, message: Message | None, is_paused: bool, gate: MailCircuit | None
) -> _Way:
    if invitation.state is not InvitationState.PENDING:
        return (
            Stage(invitation.state.value),
            invitation.closed_at or invitation.created_at,
            "",
            None,
        )
    if message is None:
        return (
            (Stage.LINK if invitation.expires_at else Stage.NOT_SENT),
            invitation.created_at,
            "",
            None,
        )
    if message.state is MessageState.QUEUED:
        if is_paused:
            return Stage.PAUSED, message.created_at, message.result_text, None
        if gate:
            return Stage.HELD_UP, message.created_at, gate.cause_text, gate.retry_at
        stage = Stage.PUT_OFF if message.attempts else Stage.QUEUED
        return stage, message.tried_at or message.created_at, message.result_text, message.due_at
    stage = Stage.HANDED if message.state is MessageState.SENT else Stage(message.state.value)
    return (
        stage,
        message.handed_at or message.tried_at or message.created_at,
        message.result_text,
        None,
    )

"""The outbox: adds, retries and cancels messages, and lists those that a person may see.

The worker's half: `claim` (claims and renders), `results` (what became of a message), `throttle` (pace and alarm).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, exists, func, insert, or_, select, update
from sqlalchemy.orm import aliased, lazyload, selectinload

from webapp import queue
from webapp.core.addresses import Address
from webapp.core.errors import NotFoundError
from webapp.db import begin_write, bulk_execute, db, in_json, utcnow
from webapp.mail.mime import ascii_domain
from webapp.models import (
    SECRET_KINDS,
    Batch,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Row,
    User,
)
from webapp.services.audit import events
from webapp.services.directory import lookup
from webapp.services.mail import render, results, throttle
from webapp.services.settings import in_force

PAGE = 50
STATES = {
    "waiting": (MessageState.QUEUED, MessageState.SENDING),
    "sent": (MessageState.SENT, MessageState.UNCERTAIN),
    "files": (MessageState.WRITTEN,),
    "failed": (MessageState.FAILED,),
    "cancelled": (MessageState.CANCELLED,),
}
"""What the list can be narrowed to."""
KINDS = (MessageKind.INVITATION, MessageKind.REMINDER)
"""The e-mails that carry an invitation's link."""


# Queued, as part of a command


def add_message(kind: MessageKind, recipient: str, **columns: Any) -> Message:
    """Add a message that is due now, with a Message-ID of its own. Does not commit.

    columns: the priority, and whom it is about: invitation_id, row_id, user_id, link_id.
    """
    message = Message(kind=kind, recipient=recipient, message_id=_message_id(), **columns)
    db.session.add(message)
    return message


def add_messages(kind: MessageKind, messages: Iterable[Mapping[str, Any]]) -> None:
    """Add messages, each given as its columns, in one statement. Does not commit."""
    values = [{"kind": kind, "message_id": _message_id(), **columns} for columns in messages]
    if values:
        db.session.execute(insert(Message), values)


def _message_id() -> str:
    sender = parseaddr(in_force.settings().mail_from)[1]
    return f"<{uuid4()}@{ascii_domain(sender.rpartition('@')[2])}>"


def commit() -> None:
    """Commit a command that queued e-mails, and ask a worker to send them."""
    db.session.commit()
    queue.enqueue_send()


# Asked for by people


def retry_failed(batch: Batch, by: User) -> int:
    """Send the batch's failed e-mails again, never those that went. -> how many.

    They are the same messages; their tries and their day start again. Left out are invitations that are closed
    by now, that were sent again by other means, or whose role `by` may not grant.
    """
    batch_id = batch.id
    begin_write()
    found = db.session.execute(_failed(batch_id, by)).all()
    if not found:
        db.session.rollback()
        return 0
    for message, row in found:
        message.state = MessageState.QUEUED
        message.attempts = 0
        message.created_at = message.due_at = utcnow()
        message.result = {}
        _let_wait(row)
    results.reopen(batch_id)
    batch = db.session.get_one(Batch, batch_id)
    events.record(by, "messages.retried", batch, messages=len(found))
    lookup.bump_version()
    commit()
    return len(found)


def _failed(batch_id: int, by: User) -> Select[Message, Row]:
    other = aliased(Message)
    is_newer = exists().where(
        other.invitation_id == Message.invitation_id,
        other.kind == MessageKind.INVITATION,
        other.id > Message.id,
    )
    return (
        select(Message, Row)
        .join(Row, Row.id == Message.row_id)
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(
            Row.batch_id == batch_id,
            Row.outcome == Outcome.FAILED,
            Message.state == MessageState.FAILED,
            ~is_newer,
            Invitation.state == InvitationState.PENDING,
            lookup.is_to_grantable(by),
        )
    )


def _let_wait(row: Row) -> None:
    """Let a row wait for an e-mail again. Does not commit."""
    row.outcome = Outcome.WAITING
    row.reason = {}
    row.done_at = None


def unfinished_row(invitation_id: int) -> Row | None:
    """The row that waits for an e-mail of this invitation, or for which it failed."""
    wanted = Row.invitation_id == invitation_id, Row.outcome.in_([Outcome.WAITING, Outcome.FAILED])
    return db.session.scalar(select(Row).where(*wanted).order_by(Row.id.desc()).limit(1))


def reassign_row(row: Row, invitation_id: int, address: Address) -> None:
    """Let the row of a replaced invitation wait for the new message. Does not commit.

    What comes of the old e-mails is the row's no longer.
    """
    was_for = Message.invitation_id == invitation_id, Message.row_id == row.id
    bulk_execute(update(Message).where(*was_for).values(row_id=None))
    db.session.refresh(row)
    _let_wait(row)
    row.email = address.display
    row.email_key = address.key
    results.reopen(row.batch_id)


def cancel_queued(batch: Batch, by: User) -> None:
    """Cancel the batch's messages that were not sent yet, and revoke their invitations. Does not commit.

    A message that is with the mail server at this moment, or may have been taken, goes on.
    """
    rows = select(Row.id).where(Row.batch_id == batch.id)
    of_batch = (Message.kind == MessageKind.INVITATION) & Message.row_id.in_(rows)
    withdrawn = []
    for message in _cancel_unsent(of_batch, "cancelled_unsent"):
        invitation = message.invitation
        if invitation is None or invitation.batch_id != batch.id:
            continue
        if invitation.state is InvitationState.PENDING:
            invitation.state = InvitationState.REVOKED
            invitation.closed_at = utcnow()
            withdrawn.append((invitation.id, invitation.email))
    why = "its upload was cancelled"
    action = "invitation.closed"
    events.record_many(by, action, withdrawn, reason=why, batch=batch.id)
    lookup.bump_version()


def cancel_for_invitations(invitation_ids: Sequence[int]) -> None:
    """Cancel the messages of revoked invitations that were not sent yet. Does not commit."""
    _cancel_unsent(in_json(Message.invitation_id, invitation_ids), "revoked_unsent")


def _cancel_unsent(which: ColumnElement[bool], code: str) -> Sequence[Message]:
    """Cancel messages that were not sent, and skip the rows that wait for them. Does not commit."""
    is_unsent = (Message.state == MessageState.QUEUED) & Message.maybe_sent.is_(False)
    query = select(Message).where(which, is_unsent).options(selectinload(Message.invitation))
    messages = db.session.scalars(query).all()
    with db.session.no_autoflush:  # written together, 2,000 take 0.6 s of CPU; one by one 1.1 s
        for message in messages:
            results.cancel(message, {"code": code})
    return messages


# Questions


def delivery_notice() -> str:
    """What becomes of an e-mail that is queued now, as a sentence; "" where it is sent at once."""
    if not in_force.environment().mail_url:
        return "No email was sent, as no mail server is set: hand the link over yourself."
    return "Email is held up: it goes out when the mail server answers." if throttle.alarm() else ""


def list_messages(
    viewer: User,
    before_id: int | None = None,
    kind: str = "",
    words: str = "",
) -> list[tuple[Message, str]]:
    """Messages that the viewer may see, each with its subject, newest first, older than `before_id`; a few queries.

    kind: a key of STATES. words: part of the recipient's address.
    """
    found = _seen_by(viewer, Message.id)
    if before_id:
        found = found.where(Message.id < before_id)
    if kind in STATES:
        found = found.where(Message.state.in_(STATES[kind]))
    if words:
        found = found.where(Message.recipient.icontains(words, autoescape=True))
    ids = found.order_by(Message.id.desc()).limit(PAGE)
    listed = render.load_messages(Message.id.in_(ids))
    messages = []
    for message in listed:
        is_test = message.kind is MessageKind.TEST  # its upload may be long gone
        subject = "Test of an invitation" if is_test else render.render(message).subject
        messages.append((message, subject))
    return messages


def count_by_kind(viewer: User) -> dict[str, int]:
    """How many of the messages that the viewer may see are in the states of each key of STATES."""
    counted = _seen_by(viewer, Message.state, func.count()).group_by(Message.state)
    counts: dict[MessageState, int] = dict(db.session.execute(counted).all())
    return {kind: sum(counts.get(each, 0) for each in states) for kind, states in STATES.items()}


def get_message(message_id: int, viewer: User) -> Message:
    """One message. Raises NotFoundError, also where the viewer may not see it."""
    found = _seen_by(viewer, Message).where(Message.id == message_id)
    message: Message | None = db.session.scalar(found)
    if message is None:
        raise NotFoundError("There is no such message.")
    return message


def _seen_by(viewer: User, *columns: Any) -> Select[Any]:
    """Select only messages whose link the viewer may see: to roles they may grant, and no links to accounts."""
    return (
        select(*columns)
        .select_from(Message)
        .outerjoin(Invitation, Invitation.id == Message.invitation_id)
        .where(
            Message.kind.not_in(SECRET_KINDS),
            or_(Message.invitation_id.is_(None), lookup.is_to_grantable(viewer)),
        )
    )


# What became of an invitation’s e-mail


@dataclass(frozen=True, slots=True)
class Delivery:
    """at: since when it is so. answer: the mail server's words, or our own reason. next_try: when it is due (again)."""

    invitation: Invitation
    stage: str
    """The state of a closed invitation, else of its newest message, or "not_sent", "link" (handed over without an
    e-mail), "put_off"."""
    at: datetime
    answer: str = ""
    next_try: datetime | None = None
    is_reminder: bool = False
    """The newest e-mail is the reminder."""


def find_deliveries(ids: Iterable[int]) -> dict[int, Delivery]:
    """The delivery status of these invitations, by id, from the newest e-mail of each; a fixed number of queries."""
    ids = list(ids)
    sent = select(Message).where(in_json(Message.invitation_id, ids), Message.kind.in_(KINDS))
    newest = {
        message.invitation_id: message for message in db.session.scalars(sent.order_by(Message.id))
    }
    invitations = select(Invitation).where(in_json(Invitation.id, ids))
    return {
        invitation.id: _describe(invitation, newest.get(invitation.id))
        for invitation in db.session.scalars(invitations.options(lazyload(Invitation.groups)))
    }


def _describe(invitation: Invitation, message: Message | None) -> Delivery:
    if invitation.state is not InvitationState.PENDING:
        closed_at = invitation.closed_at or invitation.created_at
        return Delivery(invitation, invitation.state.value, closed_at)
    if message is None:
        stage = "link" if invitation.expires_at else "not_sent"
        return Delivery(invitation, stage, invitation.created_at)
    is_reminder = message.kind is MessageKind.REMINDER
    stage, next_try = message.state.value, None
    if message.state is MessageState.QUEUED:
        next_try = message.due_at
        stage = "put_off" if message.attempts else stage
    at = message.handed_at or message.tried_at or message.created_at
    return Delivery(invitation, stage, at, message.result_text, next_try, is_reminder)

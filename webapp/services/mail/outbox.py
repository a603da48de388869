"""The outbox: adds, retries and cancels messages, and lists those that a person may see.

The worker's half: `claim` (claims and renders), `results` (what became of a message), `throttle` (pace and alarm).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from email.utils import parseaddr
from functools import cache
from typing import Any, TypeVarTuple
from uuid import uuid4

import idna
from sqlalchemy import Select, func, insert, or_, select, update

from webapp import queue
from webapp.core.addresses import Address
from webapp.core.errors import NotFoundError
from webapp.db import begin_write, bulk_execute, db, in_json, utcnow
from webapp.mail.messages import Email
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
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup
from webapp.services.mail import finish_batch, throttle
from webapp.services.mail.render import render
from webapp.services.settings import in_force

Columns = TypeVarTuple("Columns")

PAGE = 50
GONE = "Test of an upload that was discarded"


# Queued, as part of a command


def add_message(
    kind: MessageKind,
    recipient: str,
    *,
    invitation: Invitation | None = None,
    row_id: int | None = None,
    user_id: int | None = None,
    link_id: int | None = None,
    priority: int,
) -> Message:
    """Add a message that is due now, with a Message-ID of its own. Does not commit.

    user_id: whose account it is about. priority: lower goes first; password resets 0, tests 1, single invites 2, batches 3.
    """
    message = Message(
        kind=kind,
        recipient=recipient,
        message_id=_message_id(),
        invitation_id=invitation.id if invitation else None,
        row_id=row_id,
        user_id=user_id,
        link_id=link_id,
        priority=priority,
    )
    db.session.add(message)
    return message


def add_messages(
    kind: MessageKind, to: Iterable[tuple[int, str, int | None]], *, priority: int
) -> None:
    """Add messages for many invitations (id, address, row or None), in one statement. Does not commit."""
    same = {"kind": kind, "priority": priority}
    messages = [
        {
            **same,
            "recipient": email,
            "message_id": _message_id(),
            "invitation_id": message_id,
            "row_id": row_id,
        }
        for message_id, email, row_id in to
    ]
    if messages:
        db.session.execute(insert(Message), messages)


def _message_id() -> str:
    return f"<{uuid4()}@{_domain(in_force.settings().mail_from)}>"


@cache
def _domain(sender: str) -> str:
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()


# Asked for by people


def retry_failed(batch: Batch, by: User) -> int:
    """Send the batch's failed e-mails again, never those that went. -> how many.

    They are the same messages; their tries and their day start again. Left out are invitations that are closed
    by now, that were sent again by other means, or whose role `by` may not grant.
    """
    batch_id = batch.id
    begin_write()
    newer = (
        select(func.max(Message.id))
        .where(Message.kind == MessageKind.INVITATION)
        .group_by(Message.invitation_id)
    )
    found = db.session.execute(
        select(Message.id, Message.row_id)
        .join(Row, Row.id == Message.row_id)
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(
            Row.batch_id == batch_id,
            Row.outcome == Outcome.FAILED,
            Message.state == MessageState.FAILED,
            Message.id.in_(newer),
            Invitation.state == InvitationState.PENDING,
            lookup.is_to_grantable(by),
        )
        .order_by(Message.id)
    ).all()
    if not found:
        db.session.rollback()
        return 0
    now = utcnow()
    again = {
        "state": MessageState.QUEUED,
        "attempts": 0,
        "created_at": now,
        "due_at": now,
        "result": {},
    }
    db.session.execute(update(Message), [{"id": message_id, **again} for message_id, _ in found])
    waiting: dict[str, Any] = {"outcome": Outcome.WAITING, "reason": {}, "done_at": None}
    db.session.execute(update(Row), [{"id": row_id, **waiting} for _, row_id in found])
    finish_batch.reopen(batch_id)
    events.record(
        by, AuditAction.MESSAGES_RETRIED, db.session.get_one(Batch, batch_id), messages=len(found)
    )
    lookup.bump_version()
    db.session.commit()
    queue.enqueue_send()
    return len(found)


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
    goes_on: dict[str, Any] = {
        "email": address.display,
        "email_key": address.key,
        "outcome": Outcome.WAITING,
        "reason": {},
        "done_at": None,
    }
    bulk_execute(update(Row).where(Row.id == row.id).values(**goes_on))
    db.session.expire(row)
    finish_batch.reopen(row.batch_id)


def cancel_queued(batch: Batch, by: User) -> int:
    """Cancel the batch's messages that were not sent yet, and revoke their invitations. Does not commit.

    A message that is with the mail server at this moment, or may have been taken, goes on. -> how many are withdrawn.
    """
    of_batch = Message.row_id.in_(select(Row.id).where(Row.batch_id == batch.id))
    is_unsent = Message.state == MessageState.QUEUED, Message.maybe_sent.is_(False)
    unsent = of_batch, Message.kind == MessageKind.INVITATION, *is_unsent
    result, now = {"code": "cancelled_unsent"}, utcnow()
    made_here = Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    withdrawn = {"state": InvitationState.REVOKED, "closed_at": now}
    settled = {"outcome": Outcome.SKIPPED, "reason": result, "done_at": now}
    theirs = select(Invitation.id).where(
        *made_here, Invitation.id.in_(select(Message.invitation_id).where(*unsent))
    )
    closed = update(Invitation).where(Invitation.id.in_(theirs))
    gone = bulk_execute(closed.values(**withdrawn).returning(Invitation.id, Invitation.email)).all()
    events.record_many(
        by,
        AuditAction.INVITATION_CLOSED,
        Invitation,
        gone,
        reason="its upload was cancelled",
        batch=batch.id,
    )
    cancelled = update(Message).where(*unsent).values(state=MessageState.CANCELLED, result=result)
    rows = bulk_execute(cancelled.returning(Message.row_id)).scalars().all()
    bulk_execute(update(Row).where(in_json(Row.id, rows)).values(**settled))
    lookup.bump_version()
    return len(gone)


def cancel_for_invitations(invitation_ids: Sequence[int]) -> None:
    """Cancel the messages of revoked invitations that were not sent yet. Does not commit."""
    unsent = (
        in_json(Message.invitation_id, invitation_ids),
        Message.state == MessageState.QUEUED,
        Message.maybe_sent.is_(False),
    )
    result = {"code": "revoked_unsent"}
    settled = {"outcome": Outcome.SKIPPED, "reason": result, "done_at": utcnow()}
    cancelled = update(Message).where(*unsent).values(state=MessageState.CANCELLED, result=result)
    rows = [
        message_id
        for message_id in bulk_execute(cancelled.returning(Message.row_id)).scalars()
        if message_id
    ]
    bulk_execute(
        update(Row).where(in_json(Row.id, rows), Row.outcome == Outcome.WAITING).values(**settled)
    )


# Questions


def delivery_notice() -> str:
    """What becomes of an e-mail that is queued now, as a sentence; "" where it is sent at once."""
    if not in_force.environment().mail_url:
        return "No email was sent, as no mail server is set: hand the link over yourself."
    return "Email is held up: it goes out when the mail server answers." if throttle.alarm() else ""


def list_messages(
    viewer: User, before_id: int | None = None, limit: int = PAGE
) -> list[tuple[Message, str]]:
    """Messages that the viewer may see, each with its subject, newest first, older than `before_id`; a few queries."""
    older = [Message.id < before_id] if before_id else []
    query = _seen_by(viewer, select(Message)).where(*older).order_by(Message.id.desc()).limit(limit)
    listed = db.session.scalars(query).all()
    found = render(listed)
    return [
        (message, write().subject if (write := found[message.id].write) else GONE)
        for message in listed
    ]


def count_by_state(viewer: User) -> Mapping[MessageState, int]:
    """How many of the messages that the viewer may see are in which state."""
    counted = _seen_by(viewer, select(Message.state, func.count())).group_by(Message.state)
    return dict(db.session.execute(counted).all())


def get_message(message_id: int, viewer: User) -> Message:
    """One message. Raises NotFoundError, also where the viewer may not see it."""
    message = db.session.scalar(_seen_by(viewer, select(Message)).where(Message.id == message_id))
    if message is None:
        raise NotFoundError("There is no such message.")
    return message


def render_message(message: Message) -> Email | None:
    """The e-mail as it would be written now, to be read in the portal; None where nothing is left to write."""
    write = render([message])[message.id].write
    return write() if write else None


def _seen_by(viewer: User, query: Select[*Columns]) -> Select[*Columns]:
    """Only messages whose link the viewer may see: to roles they may grant, and no links to accounts."""
    return (
        query.select_from(Message)
        .outerjoin(Invitation, Invitation.id == Message.invitation_id)
        .where(
            Message.kind.not_in(SECRET_KINDS),
            or_(Message.invitation_id.is_(None), lookup.is_to_grantable(viewer)),
        )
    )

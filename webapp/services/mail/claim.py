"""Messages that a worker has claimed: claim, render, begin, release. `results` records what became of them.

A message is claimed under a lease, which its worker renews as long as it lives. A worker that is killed or frozen at any
moment loses nothing: soon its lease has run out, and the message is due again. Before the server is given the message
itself, its phase becomes DATA: a worker that died after that may have sent it, so it goes out once more and is marked
uncertain (docs/rules.md, "Sending"). No transaction is open while SMTP runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, case, exists, func, or_, select, update

from webapp.core import mail_answers
from webapp.core.errors import ConflictError
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.mail.messages import Email
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageState,
    Phase,
    Row,
)
from webapp.services.links import account_links
from webapp.services.mail import finish_batch, results, throttle
from webapp.services.mail.render import render
from webapp.services.settings import in_force
from webapp.settings.settings import Settings

LEASE = timedelta(seconds=40)
"""With the 15 s between two sweeps: what a dead worker had claimed is due again within a minute."""
RENEWAL = 10.0
"""Seconds between two renewals: a lease outlives all time-outs of SMTP, unless its worker is dead or frozen."""


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A claimed message, ready to be sent: a plain value, so that no transaction stays open for it."""

    id: int
    message_id: str
    date: datetime
    sender: str
    reply_to: tuple[str, str]
    email: Email


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of the mail server. pace_codes: the answer by which it slows sending down, or ""."""

    is_held_up: bool
    pace_codes: str
    took_lately: bool


# Claims


def claim(worker: str, limit: int = 20) -> list[int]:
    """Claim what is due for this worker, most urgent first, as far as the throttle allows. Returns the ids.

    Messages whose worker has died are released first. While the mail server is away, one message every 30 s
    goes to see whether it is back.
    """
    begin_write()
    now = utcnow()
    _release(Message.lease_until <= now)
    circuit = throttle.get_circuit()
    limit = min(limit, throttle.quota_left(circuit, now))
    due = (
        select(Message.id)
        .where(Message.state == MessageState.QUEUED, Message.due_at <= now, ~_is_paused())
        .order_by(Message.priority, Message.due_at, Message.id)
        .limit(limit)
    )
    # Two statements: as one, PostgreSQL may run the select once a row, and its limit then holds for nothing.
    ids = list(db.session.scalars(due)) if limit else []
    claimed = {
        "state": MessageState.SENDING,
        "phase": Phase.CLAIMED,
        "claimed_by": worker,
        "lease_until": now + LEASE,
    }
    bulk_execute(update(Message).where(Message.id.in_(ids)).values(**claimed))
    if ids and circuit.paused_at:
        circuit.retry_at = now + throttle.PROBE
    db.session.commit()
    return ids


def renew(worker: str) -> None:
    """Extend the leases of a worker. Messages that another worker took over are left alone. Commits."""
    begin_write()
    own = Message.state == MessageState.SENDING, Message.claimed_by == worker
    bulk_execute(update(Message).where(*own).values(lease_until=utcnow() + LEASE))
    db.session.commit()


def recover() -> None:
    """Make due again what workers that died had claimed."""
    begin_write()
    _release(Message.lease_until <= utcnow())
    db.session.commit()


def release_claims(worker: str) -> None:
    """Make due again what this worker has claimed and not brought to an end."""
    begin_write()
    _release(Message.claimed_by == worker)
    db.session.commit()


def _release(which: ColumnElement[bool], *, surely_unsent: bool = False) -> None:
    """Make messages in `sending` due again. Does not commit."""
    was_begun = (
        Message.maybe_sent
        if surely_unsent
        else or_(Message.maybe_sent, Message.phase == Phase.DATA)
    )
    values = {"state": MessageState.QUEUED, "phase": None, "claimed_by": None, "lease_until": None}
    maybe_sent = case((was_begun, True), else_=False)
    left = Message.state == MessageState.SENDING, which
    bulk_execute(update(Message).where(*left).values(maybe_sent=maybe_sent, **values))


# What a worker learns about the mail server


def server_unreachable(worker: str, cause: CodedText, refused: Sequence[int] = ()) -> None:
    """Hold up sending for all workers, with one alarm: the mail server is away, or refuses the sender.

    What this worker has claimed is due again, and none of it has lost a try. refused: messages that were tried; others
    go first at the next try, so that these alone can hold up nobody.
    """
    begin_write()
    _release(Message.claimed_by == worker, surely_unsent=True)
    bulk_execute(
        update(Message).where(Message.id.in_(refused)).values(due_at=utcnow() + throttle.PROBE)
    )
    throttle.trip(cause)
    db.session.commit()


def slow_down(worker: str, words: str) -> None:
    """Slow sending down: the mail server gets too much. What this worker has claimed waits, and none of it has lost a try."""
    begin_write()
    _release(Message.claimed_by == worker, surely_unsent=True)
    throttle.reset()
    throttle.slow_down(words)
    db.session.commit()


def server_reachable() -> None:
    """End the alarm: the mail server is back."""
    begin_write()
    throttle.reset()
    db.session.commit()


def claim_probe() -> bool:
    """Claim the next try of a mail server that is away, if no message is due that would show whether it is back."""
    if not _needs_probe(utcnow()):
        db.session.rollback()
        return False
    begin_write()
    now = utcnow()
    circuit = throttle.get_circuit()
    is_mine = throttle.probe_is_due(circuit, now)
    if is_mine:
        circuit.retry_at = now + throttle.PROBE
    db.session.commit()
    return is_mine


# Questions


def read_settings() -> Settings:
    """The settings of the mail server; no transaction stays open."""
    settings = in_force.settings()
    db.session.rollback()
    return settings


def server_state() -> ServerState:
    """What is known of the mail server; no transaction stays open."""
    alarm, slowdown = throttle.circuit_status()
    pace_codes = mail_answers.codes(slowdown.words) if slowdown else ""
    state = ServerState(alarm is not None, pace_codes, throttle.count_taken_lately() > 0)
    db.session.rollback()
    return state


def has_work() -> bool:
    """Whether a claim would find something now, or the mail server is to be tried again."""
    now = utcnow()
    if not _is_waiting(now):
        return _needs_probe(now)
    return throttle.quota_left(db.session.get(MailCircuit, 1), now) > 0


def oldest_due() -> datetime | None:
    """Since when the oldest unsent message has been due; None while none waits. What is paused does not count."""
    return db.session.scalar(select(func.min(Message.due_at)).where(_waits(utcnow())))


def _needs_probe(now: datetime) -> bool:
    return throttle.probe_is_due(db.session.get(MailCircuit, 1), now) and not _is_waiting(now)


def _is_waiting(now: datetime) -> bool:
    return bool(db.session.scalar(select(select(Message.id).where(_waits(now)).exists())))


def _waits(now: datetime) -> ColumnElement[bool]:
    """Whether a message is due, or was left behind by a worker that is gone."""
    is_due = (Message.state == MessageState.QUEUED) & (Message.due_at <= now) & ~_is_paused()
    return or_(is_due, (Message.state == MessageState.SENDING) & (Message.lease_until <= now))


def _is_paused() -> ColumnElement[bool]:
    """Whether a message belongs to a paused batch."""
    return exists().where(
        Row.id == Message.row_id, Batch.id == Row.batch_id, Batch.state == BatchState.PAUSED
    )


# Render and begin


def render_claimed(ids: Sequence[int], worker: str) -> list[ClaimedMessage]:
    """Render the claimed messages, in the order of the ids, in a fixed number of queries. Commits.

    A message whose invitation or link is no longer open is cancelled instead. If the server's key was changed,
    the invitation gets the link that is sent.
    """
    begin_write()
    is_claimed = (
        Message.id.in_(ids),
        Message.state == MessageState.SENDING,
        Message.claimed_by == worker,
    )
    messages = {
        message.id: message for message in db.session.scalars(select(Message).where(*is_claimed))
    }
    rendered = render(list(messages.values()), sending=True)
    sender = in_force.settings().mail_from
    reply_to = in_force.reply_to()
    headers = {
        message_id: (message.message_id, message.created_at, sender)
        for message_id, message in messages.items()
    }
    batch_ids = set()
    for message_id, message in messages.items():
        if obstacle := rendered[message_id].obstacle:
            batch_ids.add(results.cancel(message, {"code": obstacle}))
            del headers[message_id]
    db.session.commit()
    finish_batch.finish_all(batch_ids)
    ready = []
    for message_id in ids:
        write = rendered[message_id].write if message_id in headers else None
        email = _write(message_id, worker, write) if write else None
        if email:
            reply = email.reply_to if email.reply_to[1] else reply_to
            ready.append(ClaimedMessage(message_id, *headers[message_id], reply, email))
    return ready


def _write(message_id: int, worker: str, write: Callable[[], Email]) -> Email | None:
    """Call `write`; a message that cannot be written fails by itself and never holds up the others."""
    try:
        return write()
    except Exception:
        current_app.logger.exception("message %s could not be written", message_id)
        finish_batch.finish_all(
            [results.record_failed(message_id, worker, {"code": "failed_here"}, by_server=False)]
        )
        return None


def begin_data(message_id: int, worker: str, *, is_file: bool = False) -> None:
    """Note that the server gets the message itself next. Raises ConflictError if it is not to be sent after all.

    That is so when another worker has taken it over, and when its invitation was closed a moment ago. is_file: it becomes a
    file, which is the same one at a second try, so that nothing about it is ever uncertain.
    """
    begin_write(shared=True)
    now = utcnow()
    is_pending = Invitation.id == Message.invitation_id, Invitation.state == InvitationState.PENDING
    begun = bulk_execute(
        update(Message)
        .where(
            Message.id == message_id,
            Message.state == MessageState.SENDING,
            Message.claimed_by == worker,
            Message.lease_until > now,
            or_(Message.invitation_id.is_(None), exists().where(*is_pending)),
            account_links.is_sendable(now),
        )
        .values(
            phase=Phase.CLAIMED if is_file else Phase.DATA, lease_until=now + LEASE, tried_at=now
        )
    )
    db.session.commit()
    if begun.rowcount != 1:
        raise ConflictError("This message is not to be sent any more, or not by this worker.")

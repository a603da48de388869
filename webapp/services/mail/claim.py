"""Messages that a worker has claimed: claimed, written, begun, given back. What became of them: `outcomes`.

A message is claimed under a lease, which its worker renews as long as it lives. A worker that is killed or frozen at any
moment loses nothing: soon its lease has run out, and the message is due again. Before the server is given the message
itself, its phase becomes DATA: whoever died after that may have sent it, so it goes out once more and is marked uncertain
(docs/rules.md, "Sending"). No transaction is open while SMTP runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, bindparam, case, exists, func, or_, select, update

from webapp.core import mail_answers
from webapp.core.errors import ConflictError
from webapp.db import begin_write, db, in_database, utcnow
from webapp.mail.messages import Email
from webapp.models import Batch, BatchState, Invitation, InvitationState, MailCircuit, Message, MessageState, Phase, Row
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


# Claimed and given back


def claim(worker: str, limit: int = 20) -> list[int]:
    """Claim what is due for this worker, most urgent first, as far as gate and throttle let it. -> ids.

    Messages whose worker has died are recovered first. While the mail server is away, one message every 30 s
    goes to see whether it is back.
    """
    begin_write()
    now = utcnow()
    _release(Message.lease_until <= now)
    held = throttle.lock()
    room = min(limit, throttle.quota_left(held, now))
    found = (
        select(Message.id)
        .where(Message.state == MessageState.QUEUED, Message.due_at <= now, ~_is_paused())
        .order_by(Message.priority, Message.due_at, Message.id)
        .limit(room)
    )
    # Two statements: as one, PostgreSQL may run the select once a row, and its limit then holds for nothing.
    ids = list(db.session.scalars(found)) if room else []
    claim = {"state": MessageState.SENDING, "phase": Phase.CLAIMED, "claimed_by": worker, "lease_until": now + LEASE}
    in_database(update(Message).where(Message.id.in_(ids)).values(**claim))
    if ids and held.paused_at:
        held.retry_at = now + throttle.PROBE
    db.session.commit()
    return ids


def renew(worker: str) -> None:
    """The worker lives: its leases begin anew. Nothing that another has taken over meanwhile is touched."""
    begin_write()
    own = Message.state == MessageState.SENDING, Message.claimed_by == worker
    in_database(update(Message).where(*own).values(lease_until=utcnow() + LEASE))
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


def server_unreachable(worker: str, reason: str, refused: Sequence[int] = ()) -> None:
    """The mail server cannot be reached, or does not take our sender: sending is held up for everybody, with one alarm.

    What this worker has claimed is due again, and none of it has lost a try. refused: messages that were tried; others
    go first at the next try, so that these alone can hold up nobody.
    """
    begin_write()
    _release(Message.claimed_by == worker, surely_unsent=True)
    in_database(update(Message).where(Message.id.in_(refused)).values(due_at=utcnow() + throttle.PROBE))
    throttle.trip(reason)
    db.session.commit()


def slow_down(worker: str, words: str) -> None:
    """The mail server gets too much: what this worker has claimed waits, and none of it has lost a try."""
    begin_write()
    _release(Message.claimed_by == worker, surely_unsent=True)
    throttle.reset()
    throttle.slow_down(words)
    db.session.commit()


def claim_probe() -> bool:
    """Claim the next try of a mail server that is away, where no message is due that would show whether it is back."""
    if not _wants_probe(utcnow()):
        db.session.rollback()
        return False
    begin_write()
    now, held = utcnow(), throttle.lock()
    is_mine = throttle.probe_is_due(held, now)
    if is_mine:
        held.retry_at = now + throttle.PROBE
    db.session.commit()
    return is_mine


def server_reachable() -> None:
    """The mail server is back."""
    begin_write()
    throttle.reset()
    db.session.commit()


def has_work() -> bool:
    """Whether a claim would find something now, or the mail server is to be tried again."""
    now = utcnow()
    if not _is_waiting(now):
        return _wants_probe(now)
    return throttle.quota_left(db.session.get(MailCircuit, 1), now) > 0


def _wants_probe(now: datetime) -> bool:
    return throttle.probe_is_due(db.session.get(MailCircuit, 1), now) and not _is_waiting(now)


def _is_waiting(now: datetime) -> bool:
    return bool(db.session.scalar(select(select(Message.id).where(_waits(now)).exists())))


def server_is_held_up() -> bool:
    """Whether a message goes only to see if the mail server takes it."""
    found = throttle.alarm() is not None
    db.session.rollback()
    return found


def is_known_pace(codes: str) -> bool:
    """Whether the server slows sending down already, by the same answer."""
    slow = throttle.slowdown()
    found = slow is not None and mail_answers.codes(slow.words) == codes
    db.session.rollback()
    return found


def took_messages_lately() -> bool:
    """Whether the server has taken messages within the last minute."""
    found = throttle.count_taken_lately() > 0
    db.session.rollback()
    return found


def oldest_due() -> datetime | None:
    """Since when the oldest message has been due that nobody has sent; None while none waits. What is paused does not count."""
    return db.session.scalar(select(func.min(Message.due_at)).where(_waits(utcnow())))


def _waits(now: datetime) -> ColumnElement[bool]:
    """Whether a message is due, or was left behind by a worker that is gone."""
    is_due = (Message.state == MessageState.QUEUED) & (Message.due_at <= now) & ~_is_paused()
    return or_(is_due, (Message.state == MessageState.SENDING) & (Message.lease_until <= now))


def _is_paused() -> ColumnElement[bool]:
    """Whether a message belongs to a batch that somebody has paused."""
    return exists().where(Row.id == Message.row_id, Batch.id == Row.batch_id, Batch.state == BatchState.PAUSED)


def _release(which: ColumnElement[bool], *, surely_unsent: bool = False) -> None:
    maybe_sent = Message.maybe_sent if surely_unsent else or_(Message.maybe_sent, Message.phase == Phase.DATA)
    values = {"state": MessageState.QUEUED, "phase": None, "claimed_by": None, "lease_until": None}
    in_database(
        update(Message)
        .where(Message.state == MessageState.SENDING, which)
        .values(maybe_sent=case((maybe_sent, True), else_=False), **values)
    )


# Written and begun


def read_settings() -> Settings:
    """The settings by which the mail server is talked to; no transaction stays open for it."""
    found = in_force.settings()
    db.session.rollback()
    return found


def render_claimed(ids: Sequence[int], worker: str) -> list[ClaimedMessage]:
    """A command: the claimed messages, written, in the order of the ids; a fixed number of queries.

    A message whose invitation or link is no longer open is cancelled instead. Where the server's key was changed,
    the invitation gets the link that is sent.
    """
    begin_write()
    is_claimed = Message.id.in_(ids), Message.state == MessageState.SENDING, Message.claimed_by == worker
    claimed = db.session.scalars(select(Message).where(*is_claimed)).all()
    found = render(claimed, sending=True)
    sender, reply_to = in_force.settings().mail_from, in_force.reply_to()
    heads = {message.id: (message.message_id, message.created_at, sender) for message in claimed}
    obstacles = ((message, found[message.id].obstacle) for message in claimed)
    closed = {message.id: results.cancel(message, obstacle) for message, obstacle in obstacles if obstacle}
    db.session.commit()
    for batch_id in set(filter(None, closed.values())):
        finish_batch.finish_if_done(batch_id)
    ready = [(id, found[id].write) for id in ids if id in heads and id not in closed]
    return [
        ClaimedMessage(id, *heads[id], email.reply_to if email.reply_to[1] else reply_to, email)
        for id, write in ready
        if write and (email := _written(id, worker, write))
    ]


def _written(id: int, worker: str, write: Callable[[], Email]) -> Email | None:
    """The e-mail; one that cannot be written fails by itself and never holds up the others."""
    try:
        return write()
    except Exception:
        current_app.logger.exception("message %s could not be written", id)
        if batch_id := results.record_failed(
            id, worker, "Something went wrong on our side while it was written", by_server=False
        ):
            finish_batch.finish_if_done(batch_id)
        return None


def begin_data(id: int, worker: str, *, is_file: bool = False) -> None:
    """Right before the server gets the message itself. Raises ConflictError where it is not to be sent after all.

    That is so when another worker has taken it over, and when its invitation was closed a moment ago. is_file: it becomes a
    file, which is the same one at a second try, so that nothing about it is ever uncertain.
    """
    begin_write(shared=True)
    now, phase = utcnow(), Phase.CLAIMED if is_file else Phase.DATA
    begun = in_database(_BEGIN, {"b_id": id, "b_worker": worker, "b_now": now, "b_until": now + LEASE, "b_phase": phase})
    db.session.commit()
    if begun.rowcount != 1:
        raise ConflictError("This message is not to be sent any more, or not by this worker.")


_is_pending = select(Invitation.id).where(Invitation.id == Message.invitation_id, Invitation.state == InvitationState.PENDING)
_BEGIN = (
    update(Message)
    .where(
        Message.id == bindparam("b_id"),
        Message.state == MessageState.SENDING,
        Message.claimed_by == bindparam("b_worker"),
        Message.lease_until > bindparam("b_now"),
        or_(Message.invitation_id.is_(None), _is_pending.exists()),
        account_links.is_sendable(bindparam("b_now")),
    )
    .values(phase=bindparam("b_phase"), lease_until=bindparam("b_until"), tried_at=bindparam("b_now"))
)
"""Built once: every e-mail comes by here."""

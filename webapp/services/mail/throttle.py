"""The mail server's gate: how many messages may go now, and whether sending is held up, with one alarm for all workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, or_, select, update

from webapp.db import db, in_database, upsert, utcnow
from webapp.models import MailCircuit, Message, MessageState
from webapp.services.settings import in_force

PROBE = timedelta(seconds=30)
"""How often a mail server that is away is tried again."""
MINUTE = timedelta(seconds=60)
PACE_DOUBLES = timedelta(minutes=10)
"""How long a pace holds without another refusal, before twice as much is tried."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The mail server takes no more messages than this. pace: a minute; words: its own."""

    pace: int
    words: str


# Questions


def alarm() -> MailCircuit | None:
    """Why sending is held up, since when, and when it is tried again; None while it is not."""
    return db.session.scalar(select(MailCircuit).where(MailCircuit.id == 1, MailCircuit.paused_at.is_not(None)))


def quota_left(gate: MailCircuit | None, now: datetime) -> int:
    """How many messages may go out now: MUSTER_MAIL_RATE a minute, or the server's own pace where that is slower.

    While sending is held up, it is one to see if the server is back.
    """
    if gate and gate.retry_at and gate.retry_at > now:
        return 0
    if gate and gate.paused_at:
        return 1
    on_their_way = (Message.state == MessageState.SENDING) & (Message.lease_until > now)
    used = select(func.count()).select_from(Message).where(or_(Message.tried_at > now - MINUTE, on_their_way))
    return max(0, _rate(gate, now) - (db.session.scalar(used) or 0))


def slowdown() -> Slowdown | None:
    """How the mail server slows sending down; None where MUSTER_MAIL_RATE is slow enough for it."""
    return _slowdown(db.session.get(MailCircuit, 1))


def circuit_status() -> tuple[MailCircuit | None, Slowdown | None]:
    """`alarm` and `slowdown`, in one query."""
    gate = db.session.get(MailCircuit, 1)
    return (gate if gate and gate.paused_at else None), _slowdown(gate)


def _slowdown(gate: MailCircuit | None) -> Slowdown | None:
    pace = _rate(gate, utcnow())
    is_slow = gate is not None and pace < in_force.environment().mail_rate
    return Slowdown(pace, gate.pace_words) if gate and is_slow else None


def _rate(gate: MailCircuit | None, now: datetime) -> int:
    """Messages a minute. The server's pace doubles as long as it refuses none: its limit may be one of an hour."""
    rate = in_force.environment().mail_rate
    if gate is None or gate.pace is None or gate.paced_at is None:
        return rate
    doublings = max(0, (now - gate.paced_at) // PACE_DOUBLES)
    return min(rate, gate.pace << min(doublings, 20))


def probe_is_due(gate: MailCircuit | None, now: datetime) -> bool:
    """Whether sending is held up and it is time to try the server again."""
    return gate is not None and gate.paused_at is not None and (gate.retry_at is None or gate.retry_at <= now)


def count_taken_lately() -> int:
    """How many messages the server has taken within the last minute."""
    is_taken = Message.state.in_([MessageState.SENT, MessageState.UNCERTAIN]), Message.handed_at > utcnow() - MINUTE
    return db.session.scalar(select(func.count()).select_from(Message).where(*is_taken)) or 0


# Parts of commands


def lock() -> MailCircuit:
    """The circuit's one row, made where it is missing. Does not commit."""
    gate = db.session.get(MailCircuit, 1)
    if gate is None:
        db.session.execute(upsert(MailCircuit).values(id=1, reason="").on_conflict_do_nothing())
        gate = db.session.get_one(MailCircuit, 1)
    return gate


def trip(reason: str) -> None:
    """The server cannot be reached: nothing goes for 30 s, and then one message to see."""
    gate, now = lock(), utcnow()
    if gate.paused_at is None:
        gate.paused_at = now
        current_app.logger.warning("sending is held up: %s", reason)
    gate.reason, gate.retry_at = reason, now + PROBE


def slow_down(words: str) -> None:
    """The server gets too much: nothing goes for a minute, then as many a minute as it took in the last one.

    Where it took none, half of what was tried.
    """
    gate, now = lock(), utcnow()
    gate.pace, gate.paced_at, gate.pace_words = count_taken_lately() or max(1, _rate(gate, now) // 2), now, words
    gate.retry_at = now + MINUTE
    current_app.logger.warning("the mail server takes %d messages a minute: %s", gate.pace, words)


def suspect(reason: str, message_id: int) -> None:
    """The connection broke in the midst of this message: its own affair, or the server's if the last one was another."""
    gate = lock()
    if gate.paused_at is None and gate.suspect_id in (None, message_id):
        gate.suspect_id = message_id
    else:
        trip(reason)


def reset() -> None:
    """The server has answered, whatever it said: it is there."""
    in_database(update(MailCircuit).where(NEEDS_RESET).values(paused_at=None, reason="", retry_at=None, suspect_id=None))


NEEDS_RESET = or_(MailCircuit.paused_at.is_not(None), MailCircuit.suspect_id.is_not(None))
"""Whether an answer of the server would tell something new."""

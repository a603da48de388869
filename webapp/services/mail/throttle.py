"""The throttle of sending, and its circuit breaker: one alarm for all workers while the mail server takes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, or_, select, update

from webapp.core.text.mail_phrases import describe_mail
from webapp.core.text.phrases import CodedText
from webapp.db import bulk_execute, db, upsert, utcnow
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
    return db.session.scalar(
        select(MailCircuit).where(MailCircuit.id == 1, MailCircuit.paused_at.is_not(None))
    )


def slowdown() -> Slowdown | None:
    """How the mail server slows sending down; None if MUSTER_MAIL_RATE is slow enough for it."""
    return _slowdown(db.session.get(MailCircuit, 1))


def circuit_status() -> tuple[MailCircuit | None, Slowdown | None]:
    """`alarm` and `slowdown`, in one query."""
    circuit = db.session.get(MailCircuit, 1)
    return (circuit if circuit and circuit.paused_at else None), _slowdown(circuit)


def quota_left(circuit: MailCircuit | None, now: datetime) -> int:
    """How many messages may go out now: MUSTER_MAIL_RATE a minute, or the server's own pace if that is slower.

    While sending is held up, it is one, to see if the server is back.
    """
    if circuit and circuit.retry_at and circuit.retry_at > now:
        return 0
    if circuit and circuit.paused_at:
        return 1
    is_on_its_way = (Message.state == MessageState.SENDING) & (Message.lease_until > now)
    is_used = or_(Message.tried_at > now - MINUTE, is_on_its_way)
    used = db.session.scalar(select(func.count()).select_from(Message).where(is_used)) or 0
    return max(0, _rate(circuit, now) - used)


def probe_is_due(circuit: MailCircuit | None, now: datetime) -> bool:
    """Whether sending is held up and it is time to try the server again."""
    if circuit is None or circuit.paused_at is None:
        return False
    return circuit.retry_at is None or circuit.retry_at <= now


def count_taken_lately() -> int:
    """How many messages the server has taken within the last minute."""
    is_taken = Message.state.in_([MessageState.SENT, MessageState.UNCERTAIN])
    is_recent = Message.handed_at > utcnow() - MINUTE
    return (
        db.session.scalar(select(func.count()).select_from(Message).where(is_taken, is_recent)) or 0
    )


def _slowdown(circuit: MailCircuit | None) -> Slowdown | None:
    pace = _rate(circuit, utcnow())
    if circuit is None or pace >= in_force.environment().mail_rate:
        return None
    return Slowdown(pace, circuit.pace_words)


def _rate(circuit: MailCircuit | None, now: datetime) -> int:
    """Messages a minute. The server's pace doubles as long as it refuses none: its limit may be one of an hour."""
    rate = in_force.environment().mail_rate
    if circuit is None or circuit.pace is None or circuit.paced_at is None:
        return rate
    doublings = max(0, (now - circuit.paced_at) // PACE_DOUBLES)
    return min(rate, circuit.pace << min(doublings, 20))


# Parts of commands


NEEDS_RESET = or_(MailCircuit.paused_at.is_not(None), MailCircuit.suspect_id.is_not(None))
"""Whether an answer of the server would tell something new."""


def get_circuit() -> MailCircuit:
    """The circuit's one row; adds it if it is missing. Does not commit."""
    circuit = db.session.get(MailCircuit, 1)
    if circuit is None:
        db.session.execute(upsert(MailCircuit).values(id=1).on_conflict_do_nothing())
        circuit = db.session.get_one(MailCircuit, 1)
    return circuit


def trip(cause: CodedText) -> None:
    """Hold up all sending for 30 s; then one message is tried. Does not commit."""
    circuit = get_circuit()
    now = utcnow()
    if circuit.paused_at is None:
        circuit.paused_at = now
        current_app.logger.warning("sending is held up: %s", describe_mail(cause))
    circuit.cause = dict(cause)
    circuit.retry_at = now + PROBE


def slow_down(words: str) -> None:
    """Send nothing for a minute, then as many a minute as the server took in the last one. Does not commit.

    If it took none, half of what was tried.
    """
    circuit = get_circuit()
    now = utcnow()
    circuit.pace = count_taken_lately() or max(1, _rate(circuit, now) // 2)
    circuit.paced_at = now
    circuit.pace_words = words
    circuit.retry_at = now + MINUTE
    current_app.logger.warning(
        "the mail server takes %d messages a minute: %s", circuit.pace, words
    )


def suspect(cause: CodedText, message_id: int) -> None:
    """Note that the connection broke in the middle of this message. Does not commit.

    The first message may be the cause itself; if the next one breaks off too, it is the server.
    """
    circuit = get_circuit()
    if circuit.paused_at is None and circuit.suspect_id in (None, message_id):
        circuit.suspect_id = message_id
    else:
        trip(cause)


def reset() -> None:
    """End the alarm: the server has answered, whatever it said. Does not commit."""
    bulk_execute(
        update(MailCircuit)
        .where(NEEDS_RESET)
        .values(paused_at=None, cause={}, retry_at=None, suspect_id=None)
    )

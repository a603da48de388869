"""The throttle of sending, and its circuit breaker: one alarm for all workers while the mail server takes nothing."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, func, or_, select, update

from webapp.core.text.mail_phrases import describe_mail
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import MailCircuit, Message, MessageState
from webapp.services.settings import in_force

PROBE = timedelta(seconds=30)
"""How often a mail server that is away is tried again."""
MINUTE = timedelta(seconds=60)
PACE_HOLDS = timedelta(minutes=10)
"""How long sending keeps to the server's own pace, before MUSTER_MAIL_RATE is tried again."""


# Questions


def notices() -> dict[str, MailCircuit | None]:
    """`alarm`: why sending is held up; `slow`: how the mail server slows it down. None where it does not."""
    circuit = get_circuit()
    is_slow = _rate(circuit) < in_force.environment().mail_rate
    return {"alarm": alarm(), "slow": circuit if is_slow else None}


def alarm() -> MailCircuit | None:
    """Why sending is held up, since when, and when it is tried again; None while it is not."""
    circuit = get_circuit()
    return circuit if circuit.paused_at else None


def quota_left(circuit: MailCircuit) -> int:
    """How many messages may go out now: MUSTER_MAIL_RATE a minute, or the server's own pace if that is slower.

    While sending is held up, it is one, to see if the server is back.
    """
    now = utcnow()
    if circuit.retry_at and circuit.retry_at > now:
        return 0
    if circuit.paused_at:
        return 1
    is_on_its_way = (Message.state == MessageState.SENDING) & (Message.lease_until > now)
    is_used = or_(Message.tried_at > now - MINUTE, is_on_its_way)
    return max(0, _rate(circuit) - _count_messages(is_used))


def _count_messages(*which: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count(Message.id)).where(*which)) or 0


def _rate(circuit: MailCircuit) -> int:
    """Messages a minute."""
    rate = in_force.environment().mail_rate
    if circuit.pace and circuit.paced_at and circuit.paced_at > utcnow() - PACE_HOLDS:
        return min(rate, circuit.pace)
    return rate


def get_circuit() -> MailCircuit:
    """The circuit's one row."""
    return db.session.get_one(MailCircuit, 1)


# Commands of the worker


def trip(cause: CodedText) -> None:
    """Hold up sending for all workers, with one alarm: the mail server is away, or refuses the sender. Commits.

    After 30 s one message is tried.
    """
    begin_write()
    circuit = get_circuit()
    now = utcnow()
    if circuit.paused_at is None:
        circuit.paused_at = now
        current_app.logger.warning("sending is held up: %s", describe_mail(cause))
    circuit.cause = dict(cause)
    circuit.retry_at = now + PROBE
    db.session.commit()


def slow_down(words: str) -> None:
    """Send nothing for a minute, then as many a minute as the server took in the last one. Commits.

    If it took none, half of what was tried. The server has answered, which ends the alarm.
    """
    begin_write()
    reset()
    circuit = get_circuit()
    now = utcnow()
    is_taken = Message.state.in_([MessageState.SENT, MessageState.UNCERTAIN])
    taken = _count_messages(is_taken, Message.handed_at > now - MINUTE)
    circuit.pace = taken or max(1, _rate(circuit) // 2)
    circuit.paced_at = now
    circuit.pace_words = words
    circuit.retry_at = now + MINUTE
    current_app.logger.warning(
        "the mail server takes %d messages a minute: %s", circuit.pace, words
    )
    db.session.commit()


def reset() -> None:
    """End the alarm: the server has answered, whatever it said. Does not commit."""
    held_up = update(MailCircuit).where(MailCircuit.paused_at.is_not(None))
    bulk_execute(held_up.values(paused_at=None, cause={}, retry_at=None))

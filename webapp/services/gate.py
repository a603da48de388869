"""The mail server's gate: how many messages may go now, and whether sending is held up, with one alarm for all workers."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, or_, select, update

from webapp.db import db, in_database, upsert, utcnow
from webapp.models import MailGate, Message, MessageState
from webapp.services import directory

PROBE = timedelta(seconds=30)
"""How often a mail server that is away is tried again."""
MINUTE = timedelta(seconds=60)


# Questions


def alarm() -> MailGate | None:
    """Why sending is held up, since when, and when it is tried again; None while it is not."""
    return db.session.scalar(select(MailGate).where(MailGate.id == 1, MailGate.paused_at.is_not(None)))


def room(gate: MailGate | None, now: datetime) -> int:
    """How many messages may go out now: MUSTER_MAIL_RATE a minute, or one to see if the server is back."""
    if gate and gate.paused_at:
        return int(gate.retry_at is None or gate.retry_at <= now)
    on_their_way = (Message.state == MessageState.SENDING) & (Message.lease_until > now)
    used = select(func.count()).select_from(Message).where(or_(Message.tried_at > now - MINUTE, on_their_way))
    return max(0, directory.environment().mail_rate - (db.session.scalar(used) or 0))


# Parts of commands


def held() -> MailGate:
    """The gate's one row, locked: claims of several workers take turns."""
    gate = db.session.get(MailGate, 1, with_for_update=True)
    if gate is None:
        db.session.execute(upsert(MailGate).values(id=1, reason="").on_conflict_do_nothing())
        gate = db.session.get_one(MailGate, 1, with_for_update=True)
    return gate


def shut(reason: str) -> None:
    """The server cannot be reached: nothing goes for 30 s, and then one message to see."""
    gate, now = held(), utcnow()
    if gate.paused_at is None:
        gate.paused_at = now
        current_app.logger.warning("sending is held up: %s", reason)
    gate.reason, gate.retry_at = reason, now + PROBE


def doubt(reason: str, message_id: int) -> None:
    """The connection broke in the midst of this message: its own affair, or the server's if the last one was another."""
    gate = held()
    if gate.paused_at is None and gate.suspect_id in (None, message_id):
        gate.suspect_id = message_id
    else:
        shut(reason)


def open_again() -> None:
    """The server has answered, whatever it said: it is there."""
    in_database(update(MailGate).where(IN_DOUBT).values(paused_at=None, reason="", retry_at=None, suspect_id=None))


IN_DOUBT = or_(MailGate.paused_at.is_not(None), MailGate.suspect_id.is_not(None))
"""Whether an answer of the server would tell something new."""

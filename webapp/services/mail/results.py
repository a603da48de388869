"""What became of a message: one command each, for the worker that claimed it; of others' messages nothing is changed.

Each returns the batch whose row has got its outcome by it: call `finishing.finish_if_done` for that, by and by.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, case, select, update

from webapp.db import Base, begin_write, db, utcnow
from webapp.models import MailCircuit, Message, MessageKind, MessageState, Outcome
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.directory import lookup
from webapp.services.mail import throttle
from webapp.services.mail.render import render
from webapp.services.settings import in_force

RETRY_MINUTES = (1, 5, 15, 60)
"""When a message that was put off is due again; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
"""How long a message may be put off before that counts as a refusal."""
UNCERTAIN = "Delivery uncertain: sent again after an interruption"
MAYBE = "An earlier try broke off during the hand-over: it may have arrived"
TWICE = "The connection broke twice during the hand-over: it may have arrived. Retry to send it once more"


def record_sent(id: int, worker: str, answer: str, *, is_file: bool = False) -> int | None:
    """The server has it, or (is_file) the folder. The first hand-over starts the days in which the invitation is good.

    Every e-mail comes by here: a few statements that were built once.
    """
    begin_write(shared=True)
    state = MessageState.WRITTEN if is_file else MessageState.SENT
    now, told = utcnow(), {"b_id": id, "b_worker": worker, "b_answer": answer, "b_state": state.value}
    there = db.session.execute(_READ, told).one_or_none()
    if there is None:  # erased with its person, or too old
        db.session.rollback()
        return None
    invitation_id, valid_days, expires_at, was_in_doubt = there
    told |= {"b_now": now, "b_invitation": invitation_id}
    if invitation_id and expires_at is None:
        db.session.execute(_HAND_OVER, {**told, "b_until": now + timedelta(days=valid_days)})
    message = db.session.execute(_SEND, told).one_or_none()
    if message is None:
        db.session.rollback()
        return None
    batch_id = _settle(message.row_id, message.kind, Outcome.INVITED, UNCERTAIN if message.maybe_sent else "")
    if was_in_doubt:
        throttle.reset()
    db.session.commit()
    return batch_id


_messages, _invitations, _rows = (Base.metadata.tables[name] for name in ("messages", "invitations", "rows"))
_READ = (
    select(_messages.c.invitation_id, _invitations.c.valid_days, _invitations.c.expires_at, throttle.NEEDS_RESET)
    .outerjoin_from(_messages, _invitations, _invitations.c.id == _messages.c.invitation_id)
    .outerjoin(MailCircuit, MailCircuit.id == 1)
    .where(_messages.c.id == bindparam("b_id"))
)
_HAND_OVER = (
    update(_invitations)
    .where(_invitations.c.id == bindparam("b_invitation"), _invitations.c.expires_at.is_(None))
    .values(expires_at=bindparam("b_until"))
)
_SEND = (
    update(_messages)
    .where(
        _messages.c.id == bindparam("b_id"),
        _messages.c.state == MessageState.SENDING,
        _messages.c.claimed_by == bindparam("b_worker"),
    )
    .values(
        state=case((_messages.c.maybe_sent, MessageState.UNCERTAIN.value), else_=bindparam("b_state")),
        answer=bindparam("b_answer"),
        handed_at=bindparam("b_now"),
        tried_at=bindparam("b_now"),
        attempts=_messages.c.attempts + 1,
        phase=None,
        claimed_by=None,
        lease_until=None,
    )
    .returning(_messages.c.maybe_sent, _messages.c.row_id, _messages.c.kind)
)
_SETTLE = (
    update(_rows)
    .where(_rows.c.id == bindparam("b_row"), _rows.c.outcome == Outcome.WAITING)
    .values(outcome=bindparam("b_outcome"), reason=bindparam("b_reason"), done_at=bindparam("b_now"))
    .returning(_rows.c.batch_id)
)


def record_failed(id: int, worker: str, reason: str, *, by_server: bool = True) -> int | None:
    """Refused for good. by_server: the mail server said so, which also shows that it is there."""
    message = _claimed(id, worker)
    if message is None:
        return None
    _tried(message)
    return _end(message, _fail(message, reason), by_server=by_server)


def defer(id: int, worker: str, words: str, *, broke_off: bool = False) -> int | None:
    """Not now, says the server: due again after 1, 5, 15, then every 60 minutes; failed after a day.

    broke_off: it did not say so but ended the connection, which may be the message's own affair or not (`gate.doubt`).
    """
    message = _claimed(id, worker)
    if message is None:
        return None
    _tried(message)
    due_at = utcnow() + timedelta(minutes=RETRY_MINUTES[min(message.attempts, len(RETRY_MINUTES)) - 1])
    if due_at > message.created_at + GIVE_UP_AFTER:
        batch_id = _fail(message, f"Put off by the mail server for a day ({words.rstrip('.')})")
    else:
        message.state, message.due_at, message.answer = MessageState.QUEUED, due_at, words
        clock = due_at.astimezone(in_force.settings().time_zone)
        batch_id = settle_row(message, Outcome.WAITING, f"Due again at {clock:%H:%M}: {words}")
    if broke_off:
        throttle.suspect(words, message.id)
    return _end(message, batch_id, by_server=not broke_off)


def record_uncertain(id: int, worker: str, reason: str) -> int | None:
    """The connection broke during the hand-over: once more at once, marked. The second time, a person decides."""
    message = _claimed(id, worker)
    if message is None:
        return None
    _tried(message)
    if message.maybe_sent:
        return _end(message, _fail(message, TWICE), by_server=False)
    message.state, message.due_at, message.answer = MessageState.QUEUED, utcnow(), reason
    message.maybe_sent = True
    return _end(message, None, by_server=False)


def release(id: int, worker: str) -> int | None:
    """A message that `claims.begin_data` refused: cancelled where its invitation is closed, else due again."""
    message = _claimed(id, worker)
    if message is None:
        return None
    if obstacle := render([message])[message.id].obstacle:
        return _end(message, cancel(message, obstacle), by_server=False)
    message.state = MessageState.QUEUED
    return _end(message, None, by_server=False)


# Parts of these commands


def cancel(message: Message, reason: str) -> int | None:
    """It is not sent any more. -> the batch's id where a row waited."""
    reason = _with_doubt(message, reason)
    message.state, message.answer = MessageState.CANCELLED, reason
    _clear_claim(message)
    return settle_row(message, Outcome.SKIPPED, reason)


def settle_row(message: Message, outcome: Outcome, reason: str) -> int | None:
    """The outcome of the row that the message was for. -> the batch's id where a row waited."""
    return _settle(message.row_id, message.kind, outcome, reason)


def _settle(row_id: int | None, kind: MessageKind, outcome: Outcome, reason: str) -> int | None:
    if row_id is None or kind is MessageKind.TEST:  # a test's row is only its example
        return None
    why = {"code": "text", "text": reason} if reason else {}
    told = {"b_row": row_id, "b_outcome": outcome, "b_reason": why, "b_now": utcnow()}
    batch_id: int | None = db.session.scalar(_SETTLE, told)
    return batch_id


def _claimed(id: int, worker: str) -> Message | None:
    """Begin the command: the message, if it is still this worker's."""
    begin_write()
    message = db.session.get(Message, id)
    if message and message.state is MessageState.SENDING and message.claimed_by == worker:
        return message
    db.session.rollback()
    return None


def _tried(message: Message) -> None:
    message.attempts += 1
    message.tried_at = utcnow()


def _fail(message: Message, reason: str) -> int | None:
    reason = _with_doubt(message, reason)
    message.state, message.answer = MessageState.FAILED, reason
    events.record(None, AuditAction.MESSAGE_FAILED, message, reason=reason, attempts=message.attempts)
    return settle_row(message, Outcome.FAILED, reason)


def _with_doubt(message: Message, reason: str) -> str:
    """The reason, which never says plainly that nothing was sent where an earlier try may have arrived."""
    return f"{reason.rstrip('.')}. {MAYBE}" if message.maybe_sent and reason != TWICE else reason


def _clear_claim(message: Message) -> None:
    message.phase = message.claimed_by = message.lease_until = None


def _end(message: Message, batch_id: int | None, *, by_server: bool = True) -> int | None:
    """Ends the command: the claim is given up, and the commit."""
    _clear_claim(message)
    has_failed = message.state is MessageState.FAILED and message.invitation_id is not None
    db.session.flush()
    if by_server:
        throttle.reset()
    if has_failed:
        lookup.bump_version()  # the next upload plans to send it again
    db.session.commit()
    return batch_id

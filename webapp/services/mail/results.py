"""Records what became of a message, for the worker that claimed it. Messages of other workers are left alone.

Each command commits and returns the id of the batch whose row it settled: call `finish_batch.finish_all` for it afterwards.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, case, select, update

from webapp.core.text.mail_phrases import describe_mail
from webapp.core.text.phrases import CodedText
from webapp.db import Base, begin_write, db, utcnow
from webapp.models import MailCircuit, Message, MessageKind, MessageState, Outcome
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup
from webapp.services.mail import throttle
from webapp.services.mail.render import render
from webapp.services.settings import in_force

RETRY_MINUTES = (1, 5, 15, 60)
"""When a message that was put off is due again; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
"""How long a message may be put off before that counts as a refusal."""


def record_sent(
    message_id: int, worker: str, result: CodedText, *, is_file: bool = False
) -> int | None:
    """The server has the message, or (is_file) the folder. The first hand-over starts the days of the invitation.

    Runs for every message: by the statements below it takes 0.9 ms of CPU, through the ORM's objects 4.6 ms.
    """
    begin_write(shared=True)
    state = MessageState.WRITTEN if is_file else MessageState.SENT
    values: dict[str, Any] = {
        "b_id": message_id,
        "b_worker": worker,
        "b_result": dict(result),
        "b_state": state.value,
        "b_now": utcnow(),
    }
    found = db.session.execute(_READ, values).one_or_none()
    if found is None:  # erased with its person, or too old
        db.session.rollback()
        return None
    invitation_id, valid_days, expires_at, needs_reset = found
    if invitation_id and expires_at is None:
        until = values["b_now"] + timedelta(days=valid_days)
        db.session.execute(_HAND_OVER, {"b_invitation": invitation_id, "b_until": until})
    message = db.session.execute(_SEND, values).one_or_none()
    if message is None:
        db.session.rollback()
        return None
    reason = {"code": "sent_twice"} if message.maybe_sent else {}
    batch_id = _settle(message.row_id, message.kind, Outcome.INVITED, reason)
    if needs_reset:
        throttle.reset()
    db.session.commit()
    return batch_id


_messages, _invitations, _rows = (
    Base.metadata.tables[name] for name in ("messages", "invitations", "rows")
)
_READ = (
    select(
        _messages.c.invitation_id,
        _invitations.c.valid_days,
        _invitations.c.expires_at,
        throttle.NEEDS_RESET,
    )
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
        state=case(
            (_messages.c.maybe_sent, MessageState.UNCERTAIN.value), else_=bindparam("b_state")
        ),
        result=bindparam("b_result"),
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
    .values(
        outcome=bindparam("b_outcome"), reason=bindparam("b_reason"), done_at=bindparam("b_now")
    )
    .returning(_rows.c.batch_id)
)


def record_failed(
    message_id: int, worker: str, result: CodedText, *, by_server: bool = True
) -> int | None:
    """The message was refused for good. by_server: the mail server said so, which also shows that it is there."""
    message = _begin(message_id, worker)
    if message is None:
        return None
    _count_try(message)
    return _end(message, _fail(message, result), by_server=by_server)


def defer(
    message_id: int, worker: str, result: CodedText, *, broke_off: bool = False
) -> int | None:
    """The server puts the message off: it is due again after 1, 5, 15, then every 60 minutes, and fails after a day.

    broke_off: the server did not say so but ended the connection, perhaps because of this message (`throttle.suspect`).
    """
    message = _begin(message_id, worker)
    if message is None:
        return None
    _count_try(message)
    due_at = utcnow() + timedelta(
        minutes=RETRY_MINUTES[min(message.attempts, len(RETRY_MINUTES)) - 1]
    )
    if due_at > message.created_at + GIVE_UP_AFTER:
        batch_id = _fail(message, {"code": "given_up", "answer": result})
    else:
        message.state = MessageState.QUEUED
        message.due_at = due_at
        message.result = dict(result)
        clock = due_at.astimezone(in_force.settings().time_zone)
        reason = {"code": "due_again", "clock": f"{clock:%H:%M}", "answer": result}
        batch_id = settle_row(message, Outcome.WAITING, reason)
    if broke_off:
        throttle.suspect(result, message.id)
    return _end(message, batch_id, by_server=not broke_off)


def record_uncertain(message_id: int, worker: str, result: CodedText) -> int | None:
    """The connection broke during the hand-over: send once more at once, marked. The second time, a person decides."""
    message = _begin(message_id, worker)
    if message is None:
        return None
    _count_try(message)
    if message.maybe_sent:
        return _end(message, _fail(message, {"code": "uncertain_twice"}), by_server=False)
    message.state = MessageState.QUEUED
    message.due_at = utcnow()
    message.result = dict(result)
    message.maybe_sent = True
    return _end(message, None, by_server=False)


def release(message_id: int, worker: str) -> int | None:
    """Let go of a message that `claim.begin_data` refused: cancelled if its invitation is closed, else due again."""
    message = _begin(message_id, worker)
    if message is None:
        return None
    obstacle = render([message])[message.id].obstacle
    if obstacle:
        return _end(message, cancel(message, {"code": obstacle}), by_server=False)
    message.state = MessageState.QUEUED
    return _end(message, None, by_server=False)


# Parts of these commands


def cancel(message: Message, result: CodedText) -> int | None:
    """Cancel a message. Returns the batch's id if a row waited for it. Does not commit."""
    message.state = MessageState.CANCELLED
    message.result = _with_doubt(message, result)
    _clear_claim(message)
    return settle_row(message, Outcome.SKIPPED, message.result)


def settle_row(message: Message, outcome: Outcome, reason: CodedText) -> int | None:
    """Set the outcome of the row that the message was for. Returns the batch's id if a row waited. Does not commit."""
    return _settle(message.row_id, message.kind, outcome, reason)


def _settle(
    row_id: int | None, kind: MessageKind, outcome: Outcome, reason: CodedText
) -> int | None:
    if row_id is None or kind is MessageKind.TEST:  # a test's row is only its example
        return None
    values = {"b_row": row_id, "b_outcome": outcome, "b_reason": dict(reason), "b_now": utcnow()}
    batch_id: int | None = db.session.scalar(_SETTLE, values)
    return batch_id


def _begin(message_id: int, worker: str) -> Message | None:
    """Begin the command: the message, if it is still this worker's."""
    begin_write()
    message = db.session.get(Message, message_id)
    if message and message.state is MessageState.SENDING and message.claimed_by == worker:
        return message
    db.session.rollback()
    return None


def _count_try(message: Message) -> None:
    message.attempts += 1
    message.tried_at = utcnow()


def _fail(message: Message, result: CodedText) -> int | None:
    message.state = MessageState.FAILED
    message.result = _with_doubt(message, result)
    reason = describe_mail(message.result)
    events.record(
        None, AuditAction.MESSAGE_FAILED, message, reason=reason, attempts=message.attempts
    )
    return settle_row(message, Outcome.FAILED, message.result)


def _with_doubt(message: Message, result: CodedText) -> dict[str, object]:
    """The result, marked if an earlier try may have arrived: it must not say plainly that nothing was sent."""
    if message.maybe_sent and result["code"] != "uncertain_twice":
        return {**result, "maybe_sent": True}
    return dict(result)


def _clear_claim(message: Message) -> None:
    message.phase = message.claimed_by = message.lease_until = None


def _end(message: Message, batch_id: int | None, *, by_server: bool = True) -> int | None:
    """End the command: give up the claim and commit."""
    _clear_claim(message)
    has_failed = message.state is MessageState.FAILED and message.invitation_id is not None
    db.session.flush()
    if by_server:
        throttle.reset()
    if has_failed:
        lookup.bump_version()  # the next upload plans to send it again
    db.session.commit()
    return batch_id

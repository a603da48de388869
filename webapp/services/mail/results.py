"""Records what became of a message, for the worker that claimed it. Messages of other workers are left alone.

Each command commits. It may have settled the last row of a batch: call `finish_batch.finish_done` afterwards.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, select, update

from webapp.core.text.mail_phrases import describe_mail
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import Invitation, Message, MessageKind, MessageState, Outcome, Row
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup
from webapp.services.mail import throttle
from webapp.services.settings import in_force

RETRY_MINUTES = (1, 5, 15, 60)
"""When a message that was put off is due again; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
"""How long a message may be put off before that counts as a refusal."""
UNCLAIMED: dict[str, Any] = {"phase": None, "claimed_by": None, "lease_until": None}


def record_sent(message_id: int, worker: str, result: CodedText, *, is_file: bool = False) -> None:
    """The server has the message, or (is_file) the folder. The first hand-over starts the days of the invitation.

    Runs for every message: by statements it takes a third of what it takes through the ORM's objects.
    """
    begin_write(shared=True)
    now = utcnow()
    state = MessageState.WRITTEN if is_file else MessageState.SENT
    sent = bulk_execute(
        update(Message)
        .where(
            Message.id == message_id,
            Message.state == MessageState.SENDING,
            Message.claimed_by == worker,
        )
        .values(
            state=case((Message.maybe_sent, MessageState.UNCERTAIN), else_=state),
            result=dict(result),
            handed_at=now,
            tried_at=now,
            attempts=Message.attempts + 1,
            **UNCLAIMED,
        )
        .returning(Message.maybe_sent, Message.row_id, Message.kind, Message.invitation_id)
    ).one_or_none()
    if sent is None:
        db.session.rollback()
        return
    if sent.invitation_id:
        _start_days(sent.invitation_id, now)
    reason = {"code": "sent_twice"} if sent.maybe_sent else {}
    _settle_row(sent.row_id, sent.kind, Outcome.INVITED, reason)
    throttle.reset()
    db.session.commit()


def _start_days(invitation_id: int, now: datetime) -> None:
    is_first = Invitation.id == invitation_id, Invitation.expires_at.is_(None)
    days = db.session.scalar(select(Invitation.valid_days).where(*is_first))
    if days is not None:
        until = now + timedelta(days=days)
        bulk_execute(update(Invitation).where(*is_first).values(expires_at=until))


def record_failed(
    message_id: int, worker: str, result: CodedText, *, by_server: bool = True
) -> None:
    """The message was refused for good. by_server: the mail server said so, which also shows that it is there."""
    if message := _begin(message_id, worker):
        _fail(message, result)
        _end(message, by_server=by_server)


def defer(message_id: int, worker: str, result: CodedText, *, broke_off: bool = False) -> None:
    """The server puts the message off: it is due again after 1, 5, 15, then every 60 minutes, and fails after a day.

    broke_off: the server did not say so but ended the connection, perhaps because of this message (`throttle.suspect`).
    """
    message = _begin(message_id, worker)
    if message is None:
        return
    minutes = RETRY_MINUTES[min(message.attempts, len(RETRY_MINUTES)) - 1]
    due_at = utcnow() + timedelta(minutes=minutes)
    if due_at > message.created_at + GIVE_UP_AFTER:
        _fail(message, {"code": "given_up", "answer": result})
    else:
        message.state = MessageState.QUEUED
        message.due_at = due_at
        message.result = dict(result)
        clock = due_at.astimezone(in_force.settings().time_zone)
        reason = {"code": "due_again", "clock": f"{clock:%H:%M}", "answer": result}
        _settle_row(message.row_id, message.kind, Outcome.WAITING, reason)
    if broke_off:
        throttle.suspect(result, message.id)
    _end(message, by_server=not broke_off)


def record_uncertain(message_id: int, worker: str, result: CodedText) -> None:
    """The connection broke during the hand-over: send once more at once, marked. The second time, a person decides."""
    message = _begin(message_id, worker)
    if message is None:
        return
    if message.maybe_sent:
        _fail(message, {"code": "uncertain_twice"})
    else:
        message.state = MessageState.QUEUED
        message.due_at = utcnow()
        message.result = dict(result)
        message.maybe_sent = True
    _end(message, by_server=False)


def cancel(message: Message, result: CodedText) -> None:
    """Cancel a message. Does not commit."""
    _close(message, MessageState.CANCELLED, Outcome.SKIPPED, result)


# Parts of these commands


def _begin(message_id: int, worker: str) -> Message | None:
    """Begin the command, and count the try: the message, if it is still this worker's."""
    begin_write()
    message = db.session.get(Message, message_id)
    if message and message.state is MessageState.SENDING and message.claimed_by == worker:
        message.attempts += 1
        message.tried_at = utcnow()
        return message
    db.session.rollback()
    return None


def _fail(message: Message, result: CodedText) -> None:
    _close(message, MessageState.FAILED, Outcome.FAILED, result)
    reason = describe_mail(message.result)
    events.record(
        None, AuditAction.MESSAGE_FAILED, message, reason=reason, attempts=message.attempts
    )
    if message.invitation_id:
        lookup.bump_version()  # the next upload plans to send it again


def _close(message: Message, state: MessageState, outcome: Outcome, result: CodedText) -> None:
    """End a message without sending it. If an earlier try may have arrived, its result says so."""
    message.state = state
    message.result = dict(result)
    if message.maybe_sent and result["code"] != "uncertain_twice":
        message.result = {**result, "maybe_sent": True}
    _clear_claim(message)
    _settle_row(message.row_id, message.kind, outcome, message.result)


def _settle_row(row_id: int | None, kind: MessageKind, outcome: Outcome, reason: CodedText) -> None:
    """Set the outcome of the row that waits for the message. Does not commit."""
    if row_id is None or kind is MessageKind.TEST:  # a test's row is only its example
        return
    waiting = Row.id == row_id, Row.outcome == Outcome.WAITING
    values = {"outcome": outcome, "reason": dict(reason), "done_at": utcnow()}
    bulk_execute(update(Row).where(*waiting).values(**values))


def _clear_claim(message: Message) -> None:
    message.phase = message.claimed_by = message.lease_until = None


def _end(message: Message, *, by_server: bool) -> None:
    """End the command: give up the claim and commit."""
    _clear_claim(message)
    if by_server:
        throttle.reset()
    db.session.commit()

"""Records what became of a message, for the worker that claimed it. Messages of other workers are left alone.

Each command commits. It may have settled the last row of a batch: call `finish_done` afterwards.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, case, exists, func, or_, select, update

from webapp.core.text.mail_phrases import describe_mail
from webapp.core.text.phrases import CodedText
from webapp.db import Base, begin_write, db, utcnow
from webapp.models import (
    Batch,
    BatchState,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Row,
)
from webapp.services.audit import events
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

    Runs for every message: by statements that are built once it takes a fifth of what it takes through the ORM's objects.
    """
    begin_write(shared=True)
    now = utcnow()
    state = MessageState.WRITTEN if is_file else MessageState.SENT
    values = {"b_id": message_id, "b_worker": worker, "b_state": state.value, "b_now": now}
    sent = db.session.execute(_SEND, {**values, "b_result": dict(result)}).one_or_none()
    if sent is None:
        db.session.rollback()
        return
    if sent.days is not None:
        until = now + timedelta(days=sent.days)
        db.session.execute(_START_DAYS, {"b_id": sent.invitation_id, "b_until": until})
    reason = {"code": "sent_twice"} if sent.maybe_sent else {}
    _settle_row(sent.row_id, sent.kind, Outcome.INVITED, reason)
    if sent.is_held_up:
        throttle.reset()
    db.session.commit()


MESSAGES, _INVITATIONS, _ROWS = (
    Base.metadata.tables[name] for name in ("messages", "invitations", "rows")
)
IS_OWN = (
    (MESSAGES.c.id == bindparam("b_id"))
    & (MESSAGES.c.state == MessageState.SENDING)
    & (MESSAGES.c.claimed_by == bindparam("b_worker"))
)
"""Whether it is the message b_id, claimed by b_worker."""
_SEND = (
    update(MESSAGES)
    .where(IS_OWN)
    .values(
        state=case((MESSAGES.c.maybe_sent, MessageState.UNCERTAIN), else_=bindparam("b_state")),
        result=bindparam("b_result"),
        handed_at=bindparam("b_now"),
        tried_at=bindparam("b_now"),
        attempts=MESSAGES.c.attempts + 1,
        **UNCLAIMED,
    )
    .returning(
        MESSAGES.c.maybe_sent,
        MESSAGES.c.row_id,
        MESSAGES.c.kind,
        MESSAGES.c.invitation_id,
        select(_INVITATIONS.c.valid_days)
        .where(_INVITATIONS.c.id == MESSAGES.c.invitation_id, _INVITATIONS.c.expires_at.is_(None))
        .scalar_subquery()
        .label("days"),
        exists().where(MailCircuit.paused_at.is_not(None)).label("is_held_up"),
    )
)
"""days: how long the link works from now on, unless its time runs already."""
_START_DAYS = (
    update(_INVITATIONS)
    .where(_INVITATIONS.c.id == bindparam("b_id"))
    .values(expires_at=bindparam("b_until"))
)
_SETTLE = (
    update(_ROWS)
    .where(_ROWS.c.id == bindparam("b_row"), _ROWS.c.outcome == Outcome.WAITING)
    .values(
        outcome=bindparam("b_outcome"), reason=bindparam("b_reason"), done_at=bindparam("b_now")
    )
)


def record_failed(message_id: int, worker: str, result: CodedText) -> None:
    """The message was refused for good."""
    if message := _begin(message_id, worker):
        _fail(message, result)
        _end(message)


def defer(message_id: int, worker: str, result: CodedText, *, by_server: bool = True) -> None:
    """Put the message off: it is due again after 1, 5, 15, then every 60 minutes, and fails after a day.

    by_server: the mail server said so, which also shows that it is there.
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
    _end(message, by_server=by_server)


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
    events.record(None, "message.failed", message, reason=reason, attempts=message.attempts)
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
    values = {"b_row": row_id, "b_outcome": outcome, "b_reason": dict(reason), "b_now": utcnow()}
    db.session.execute(_SETTLE, values)


def _clear_claim(message: Message) -> None:
    message.phase = message.claimed_by = message.lease_until = None


def _end(message: Message, *, by_server: bool = True) -> None:
    """End the command: give up the claim and commit. Where the server has answered, nothing is held up."""
    _clear_claim(message)
    if by_server:
        throttle.reset()
    db.session.commit()


# Batches


def finish_done() -> None:
    """Finish all running batches that are done. Commits.

    In a transaction of its own: two workers that settle the last two rows at once do not see each other's.
    """
    is_open = exists().where(
        Row.batch_id == Batch.id,
        Row.removed_at.is_(None),
        or_(Row.outcome.is_(None), Row.outcome == Outcome.WAITING),
    )
    running = (BatchState.PROCESSING, BatchState.PAUSED)
    begin_write()
    for batch in db.session.scalars(select(Batch).where(Batch.state.in_(running), ~is_open)).all():
        _finish(batch)
    db.session.commit()


def _finish(batch: Batch) -> None:
    """Finish a batch; a revert marks the batch that it took back. Does not commit."""
    batch.state = BatchState.FINISHED
    batch.finished_at = utcnow()
    query = (
        select(Row.outcome, func.count())
        .where(Row.batch_id == batch.id, Row.outcome.is_not(None))
        .group_by(Row.outcome)
    )
    outcomes = dict(db.session.execute(query).all())
    events.record(None, "batch.finished", batch, outcomes=outcomes)
    if not batch.reverts_id or Outcome.UPDATED not in outcomes:
        return
    original = db.session.get_one(Batch, batch.reverts_id)
    # else it is at work again, or an earlier revert has marked it
    if original.state in (BatchState.FINISHED, BatchState.CANCELLED):
        original.state = BatchState.REVERTED
        by = batch.confirmed_by
        events.record(by, "batch.reverted", original, revert=batch.id)


def reopen(batch_id: int) -> None:
    """Set a finished batch to processing: rows of it wait again. Does not commit."""
    batch = db.session.get_one(Batch, batch_id)
    if batch.state is BatchState.FINISHED:
        batch.state = BatchState.PROCESSING
        batch.finished_at = None

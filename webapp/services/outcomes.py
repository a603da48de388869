"""What became of a message: one command each, for the worker that claimed it; of others' messages nothing is changed.

Each returns the batch whose row has got its outcome by it: call `finishing.finish_if_done` for that, by and by.
Locks, where a command takes several, in this order: invitation, message, row, gate, batch, directory.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from webapp.db import begin_write, db, in_database, utcnow
from webapp.models import Invitation, Message, MessageKind, MessageState, Outcome, Row
from webapp.services import audit, directory, gate
from webapp.services.audit import AuditAction
from webapp.services.drafts import drafts

RETRY_MINUTES = (1, 5, 15, 60)
"""When a message that was put off is due again; the last one repeats."""
PATIENCE = timedelta(hours=24)
"""How long a message may be put off before that counts as a refusal."""
UNCERTAIN = "Delivery uncertain: sent again after an interruption"
TWICE = "The connection broke twice during the hand-over: it may have arrived. Retry to send it once more"


def sent(id: int, worker: str, answer: str) -> int | None:
    """The server, or the folder, has it. The first hand-over starts the days in which the invitation is good."""
    message = _claimed(id, worker)
    if message is None:
        return None
    now = utcnow()
    message.state = MessageState.UNCERTAIN if message.maybe_sent else MessageState.SENT
    message.answer, message.handed_at = answer, now
    _tried(message)
    invitation = db.session.get(Invitation, message.invitation_id) if message.invitation_id else None
    if invitation and invitation.expires_at is None:
        invitation.expires_at = now + timedelta(days=invitation.valid_days)
    return _end(message, settle_row(message, Outcome.INVITED, UNCERTAIN if message.maybe_sent else ""))


def failed(id: int, worker: str, reason: str, *, by_server: bool = True) -> int | None:
    """Refused for good. by_server: the mail server said so, which also shows that it is there."""
    message = _claimed(id, worker)
    if message is None:
        return None
    _tried(message)
    return _end(message, _fail(message, reason), by_server=by_server)


def put_off(id: int, worker: str, words: str) -> int | None:
    """Not now, says the server: due again after 1, 5, 15, then every 60 minutes; failed after a day."""
    message = _claimed(id, worker)
    if message is None:
        return None
    _tried(message)
    due_at = utcnow() + timedelta(minutes=RETRY_MINUTES[min(message.attempts, len(RETRY_MINUTES)) - 1])
    if due_at > message.created_at + PATIENCE:
        return _end(message, _fail(message, f"Put off by the mail server for a day ({words})"))
    message.state, message.due_at, message.answer = MessageState.QUEUED, due_at, words
    clock = due_at.astimezone(directory.settings().time_zone)
    return _end(message, settle_row(message, Outcome.WAITING, f"Due again at {clock:%H:%M}: {words}"))


def interrupted(id: int, worker: str, reason: str) -> int | None:
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


def let_go(id: int, worker: str) -> int | None:
    """A message that `claims.begin_data` refused: cancelled where its invitation is closed, else due again."""
    message = _claimed(id, worker)
    if message is None:
        return None
    if obstacle := drafts([message])[message.id].obstacle:
        return _end(message, cancel(message, obstacle), by_server=False)
    message.state = MessageState.QUEUED
    return _end(message, None, by_server=False)


# Parts of these commands


def cancel(message: Message, reason: str) -> int | None:
    """It is not sent any more. -> the batch's id where a row waited."""
    message.state, message.answer = MessageState.CANCELLED, reason
    _let_loose(message)
    return settle_row(message, Outcome.SKIPPED, reason)


def settle_row(message: Message, outcome: Outcome, reason: str) -> int | None:
    """The outcome of the row that the message was for. -> the batch's id where a row waited."""
    if message.row_id is None or message.kind is MessageKind.TEST:  # a test's row is only its example
        return None
    return in_database(  # type: ignore[no-any-return]
        update(Row)
        .where(Row.id == message.row_id, Row.outcome == Outcome.WAITING)
        .values(outcome=outcome, reason=reason, done_at=utcnow())
        .returning(Row.batch_id)
    ).scalar()


def _claimed(id: int, worker: str) -> Message | None:
    """Begins the command: the message, locked after its invitation, if it is still this worker's."""
    begin_write()
    invitation_id = db.session.scalar(select(Message.invitation_id).where(Message.id == id))
    if invitation_id:
        db.session.get(Invitation, invitation_id, with_for_update={"of": Invitation})
    message = db.session.get(Message, id, with_for_update=True)
    if message and message.state is MessageState.SENDING and message.claimed_by == worker:
        return message
    db.session.rollback()
    return None


def _tried(message: Message) -> None:
    message.attempts += 1
    message.tried_at = utcnow()


def _fail(message: Message, reason: str) -> int | None:
    message.state, message.answer = MessageState.FAILED, reason
    audit.record(None, AuditAction.MESSAGE_FAILED, message, reason=reason, attempts=message.attempts)
    return settle_row(message, Outcome.FAILED, reason)


def _let_loose(message: Message) -> None:
    message.phase = message.claimed_by = message.lease_until = None


def _end(message: Message, batch_id: int | None, *, by_server: bool = True) -> int | None:
    """Ends the command: the claim is given up, and the commit."""
    _let_loose(message)
    has_failed = message.state is MessageState.FAILED and message.invitation_id is not None
    db.session.flush()
    if by_server:
        gate.open_again()
    if has_failed:
        directory.moved()  # the next upload plans to send it again
    db.session.commit()
    return batch_id

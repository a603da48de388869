"""The outbox: what is due is claimed, handed to the mail server, and its outcome written down.

A message is claimed under a lease, so that a worker killed at any moment loses nothing: when the lease has passed,
it is due again. Before the server is given the message itself, its phase becomes DATA: whoever died after that may
have sent it, so it goes out once more and is marked uncertain (docs/rules.md, "Sending"). No transaction is open
while SMTP runs.

Rows are held in the order that `webapp.db` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, TypeVarTuple
from uuid import uuid4

import idna
from flask import current_app
from sqlalchemy import ColumnElement, Select, Update, case, exists, func, insert, or_, select, update

from webapp import queue
from webapp.config import Settings
from webapp.core.addresses import Address
from webapp.core.errors import Conflict, NotThere
from webapp.db import among, begin_write, begun_again, db, hold, upsert, utcnow
from webapp.emails import Email
from webapp.models import (
    SECRET_KINDS,
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    MailGate,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Phase,
    Role,
    Row,
    User,
)
from webapp.services import account_links, audit, directory
from webapp.services.audit import AuditAction
from webapp.services.drafts import drafts

Columns = TypeVarTuple("Columns")

LEASE = timedelta(minutes=3)
"""Longer than all that SMTP may take from DATA to the answer, with `mail`'s time-outs."""
RETRY_MINUTES = (1, 5, 15, 60)
"""When a message that was put off is due again; the last one repeats."""
PATIENCE = timedelta(hours=24)
"""How long a message may be put off before that counts as a refusal."""
PROBE = timedelta(seconds=30)
"""How often a mail server that is away is tried again."""
MINUTE = timedelta(seconds=60)
PAGE = 50
UNCERTAIN = "Delivery uncertain: sent again after an interruption"
GONE = "Test of an upload that was discarded"
TWICE = "The connection broke twice during the hand-over: it may have arrived. Retry to send it once more"


@dataclass(frozen=True, slots=True)
class Letter:
    """A claimed message, ready to be sent: a plain value, so that no transaction stays open for it."""

    id: int
    message_id: str
    date: datetime
    sender: str
    email: Email


# Queued, as part of a command


def queued(
    kind: MessageKind,
    recipient: str,
    *,
    invitation: Invitation | None = None,
    row_id: int | None = None,
    user_id: int | None = None,
    link_id: int | None = None,
    priority: int,
) -> Message:
    """Part of a command: a message that is due now, with a Message-ID of its own.

    user_id: whose account it is about. priority: lower goes first; password resets 0, tests 1, single invites 2, batches 3.
    """
    message = Message(
        kind=kind,
        recipient=recipient,
        message_id=_message_id(),
        invitation_id=invitation.id if invitation else None,
        row_id=row_id,
        user_id=user_id,
        link_id=link_id,
        priority=priority,
    )
    db.session.add(message)
    return message


def queue_to_many(kind: MessageKind, to: Iterable[tuple[int, str]], *, priority: int) -> None:
    """Part of a command: the same for many invitations, each an id and its address, in one statement."""
    rows = [
        {"kind": kind, "recipient": email, "message_id": _message_id(), "invitation_id": id, "priority": priority}
        for id, email in to
    ]
    if rows:
        db.session.execute(insert(Message), rows)


def _message_id() -> str:
    domain = parseaddr(directory.settings().mail_from)[1].rpartition("@")[2]
    return f"<{uuid4()}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}>"


# Claimed


@begun_again
def claim(worker: str, limit: int = 20) -> list[int]:
    """Claim what is due for this worker, most urgent first, as far as gate and throttle let it. -> ids.

    Messages whose worker has died are recovered first. While the mail server is away, one message every 30 s
    goes to see whether it is back.
    """
    begin_write()
    now = utcnow()
    _release(Message.lease_until <= now)
    gate = _gate()
    room = min(limit, _room(gate, now))
    due = (
        select(Message.id)
        .where(Message.state == MessageState.QUEUED, Message.due_at <= now, ~_is_paused())
        .order_by(Message.priority, Message.due_at, Message.id)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    # Two statements: as one, PostgreSQL may run the select once a row, and its limit then holds for nothing.
    ids = list(db.session.scalars(due)) if room else []
    claim = {"state": MessageState.SENDING, "phase": Phase.CLAIMED, "claimed_by": worker, "lease_until": now + LEASE}
    _in_database(update(Message).where(Message.id.in_(ids)).values(**claim))
    if ids and gate.paused_at:
        gate.retry_at = now + PROBE
    db.session.commit()
    return ids


def settings() -> Settings:
    """The settings by which the mail server is talked to; no transaction stays open for it."""
    found = directory.settings()
    db.session.rollback()
    return found


def recover() -> None:
    """Make due again what workers that died had claimed."""
    begin_write()
    _release(Message.lease_until <= utcnow())
    db.session.commit()


def give_back(worker: str) -> None:
    """Make due again what this worker has claimed and not brought to an end."""
    begin_write()
    _release(Message.claimed_by == worker)
    db.session.commit()


def due() -> bool:
    """Whether a claim would find something now."""
    now = utcnow()
    gate = db.session.get(MailGate, 1)
    waits = (Message.state == MessageState.QUEUED) & (Message.due_at <= now) & ~_is_paused()
    left_behind = (Message.state == MessageState.SENDING) & (Message.lease_until <= now)
    if not db.session.scalar(select(select(Message.id).where(or_(waits, left_behind)).exists())):
        return False
    return _room(gate, now) > 0


def _room(gate: MailGate | None, now: datetime) -> int:
    """How many messages may go out now: MUSTER_MAIL_RATE a minute, or one to see if the server is back."""
    if gate and gate.paused_at:
        return int(gate.retry_at is None or gate.retry_at <= now)
    on_their_way = (Message.state == MessageState.SENDING) & (Message.lease_until > now)
    used = select(func.count()).select_from(Message).where(or_(Message.tried_at > now - MINUTE, on_their_way))
    return max(0, directory.environment().mail_rate - (db.session.scalar(used) or 0))


def _is_paused() -> ColumnElement[bool]:
    """Whether a message belongs to a batch that somebody has paused."""
    return exists().where(Row.id == Message.row_id, Batch.id == Row.batch_id, Batch.state == BatchState.PAUSED)


def _gate() -> MailGate:
    """The gate's one row, locked: claims of several workers take turns."""
    gate = db.session.get(MailGate, 1, with_for_update=True)
    if gate is None:
        db.session.execute(upsert(MailGate).values(id=1, reason="").on_conflict_do_nothing())
        gate = db.session.get_one(MailGate, 1, with_for_update=True)
    return gate


def _release(which: ColumnElement[bool], *, surely_unsent: bool = False) -> None:
    maybe_sent = Message.maybe_sent if surely_unsent else or_(Message.maybe_sent, Message.phase == Phase.DATA)
    values = {"state": MessageState.QUEUED, "phase": None, "claimed_by": None, "lease_until": None}
    left = select(Message.id).where(Message.state == MessageState.SENDING, which).order_by(Message.id)
    _in_database(
        update(Message)
        .where(Message.id.in_(left.with_for_update(**hold(skip_locked=True))))
        .values(maybe_sent=case((maybe_sent, True), else_=False), **values)
    )


def _in_database(statement: Update) -> Any:
    """Without bringing what the session has loaded up to date: commands load after this, or end."""
    return db.session.execute(statement, execution_options={"synchronize_session": False})


# Written


@begun_again
def letters(ids: Sequence[int], worker: str) -> list[Letter]:
    """A command: the claimed messages, written, in the order of the ids; a fixed number of queries.

    A message whose invitation or link is no longer open is cancelled instead. Where the server's key was changed,
    the invitation gets the link that is sent.
    """
    begin_write()
    is_claimed = Message.id.in_(ids), Message.state == MessageState.SENDING, Message.claimed_by == worker
    claimed = db.session.scalars(select(Message).where(*is_claimed)).all()
    found = drafts(claimed, sending=True)
    sender = directory.settings().mail_from
    heads = {message.id: (message.message_id, message.created_at, sender) for message in claimed}
    closed = {message.id: _cancel(message, obstacle) for message in claimed if (obstacle := found[message.id].obstacle)}
    db.session.commit()
    for batch_id in set(filter(None, closed.values())):
        finish_if_done(batch_id)
    ready = [(id, found[id].write) for id in ids if id in heads and id not in closed]
    return [Letter(id, *heads[id], email) for id, write in ready if write and (email := _written(id, worker, write))]


def _written(id: int, worker: str, write: Callable[[], Email]) -> Email | None:
    """The e-mail; one that cannot be written fails by itself and never holds up the others."""
    try:
        return write()
    except Exception:
        current_app.logger.exception("message %s could not be written", id)
        failed(id, worker, "Something went wrong on our side while it was written", by_server=False)
        return None


def email_of(message: Message) -> Email | None:
    """The e-mail as it would be written now, to be read in the portal; None where nothing is left to write."""
    write = drafts([message])[message.id].write
    return write() if write else None


@begun_again
def begin_data(id: int, worker: str) -> None:
    """Right before the server gets the message itself. Raises Conflict where it is not to be sent after all.

    That is so when another worker has taken it over, and when its invitation was closed a moment ago.
    """
    begin_write()
    now = utcnow()
    is_pending = select(Invitation.id).where(Invitation.id == Message.invitation_id, Invitation.state == InvitationState.PENDING)
    begun = _in_database(
        update(Message)
        .where(
            Message.id == id,
            Message.state == MessageState.SENDING,
            Message.claimed_by == worker,
            Message.lease_until > now,
            or_(Message.invitation_id.is_(None), is_pending.exists()),
            account_links.is_sendable(),
        )
        .values(phase=Phase.DATA, lease_until=now + LEASE, tried_at=now)
    )
    db.session.commit()
    if begun.rowcount != 1:
        raise Conflict("This message is not to be sent any more, or not by this worker.")


# Outcomes: one command each, for the worker that claimed the message; of others' messages nothing is changed


@begun_again
def sent(id: int, worker: str, answer: str) -> None:
    """The server, or the folder, has it. The first hand-over starts the days in which the invitation is good."""
    message = _claimed(id, worker)
    if message is None:
        return
    now = utcnow()
    message.state = MessageState.UNCERTAIN if message.maybe_sent else MessageState.SENT
    message.answer, message.handed_at = answer, now
    message.attempts += 1
    message.tried_at = utcnow()
    invitation = db.session.get(Invitation, message.invitation_id) if message.invitation_id else None
    if invitation and invitation.expires_at is None:
        invitation.expires_at = now + timedelta(days=invitation.valid_days)
    batch_id = _settle_row(message, Outcome.INVITED, UNCERTAIN if message.maybe_sent else "")
    _end(message, batch_id)


@begun_again
def failed(id: int, worker: str, reason: str, *, by_server: bool = True) -> None:
    """Refused for good. by_server: the mail server said so, which also shows that it is there."""
    if message := _claimed(id, worker):
        message.attempts += 1
        message.tried_at = utcnow()
        _end(message, _fail(message, reason), by_server=by_server)


@begun_again
def put_off(id: int, worker: str, words: str) -> None:
    """Not now, says the server: due again after 1, 5, 15, then every 60 minutes; failed after a day."""
    message = _claimed(id, worker)
    if message is None:
        return
    message.attempts += 1
    message.tried_at = utcnow()
    due_at = utcnow() + timedelta(minutes=RETRY_MINUTES[min(message.attempts, len(RETRY_MINUTES)) - 1])
    if due_at > message.created_at + PATIENCE:
        _end(message, _fail(message, f"Put off by the mail server for a day ({words})"))
        return
    message.state, message.due_at, message.answer = MessageState.QUEUED, due_at, words
    clock = due_at.astimezone(directory.settings().time_zone)
    _end(message, _settle_row(message, Outcome.WAITING, f"Due again at {clock:%H:%M}: {words}"))


@begun_again
def interrupted(id: int, worker: str, reason: str) -> None:
    """The connection broke during the hand-over: once more at once, marked. The second time, a person decides."""
    message = _claimed(id, worker)
    if message is None:
        return
    message.attempts += 1
    message.tried_at = utcnow()
    if message.maybe_sent:
        _end(message, _fail(message, TWICE), by_server=False)
        return
    message.state, message.due_at, message.answer, message.maybe_sent = (
        MessageState.QUEUED,
        utcnow(),
        reason,
        True,
    )
    _end(message, None, by_server=False)


@begun_again
def let_go(id: int, worker: str) -> None:
    """A message that `begin_data` refused: cancelled where its invitation is closed, else due again."""
    message = _claimed(id, worker)
    if message is None:
        return
    if obstacle := drafts([message])[message.id].obstacle:
        _end(message, _cancel(message, obstacle), by_server=False)
        return
    message.state = MessageState.QUEUED
    _end(message, None, by_server=False)


@begun_again
def away(worker: str, reason: str) -> None:
    """The mail server cannot be reached: sending is held up for everybody, with one alarm, until it answers.

    What this worker has claimed is due again, and none of it has lost a try.
    """
    begin_write()
    _release(Message.claimed_by == worker, surely_unsent=True)
    gate = _gate()
    now = utcnow()
    if gate.paused_at is None:
        gate.paused_at = now
        current_app.logger.warning("sending is held up: %s", reason)
    gate.reason, gate.retry_at = reason, now + PROBE
    db.session.commit()


def _claimed(id: int, worker: str) -> Message | None:
    """Begins the command: the message, locked after its invitation, if it is still this worker's."""
    begin_write()
    invitation_id = db.session.scalar(select(Message.invitation_id).where(Message.id == id))
    if invitation_id:
        db.session.get(Invitation, invitation_id, with_for_update=hold(Invitation))
    message = db.session.get(Message, id, with_for_update=hold())
    if message and message.state is MessageState.SENDING and message.claimed_by == worker:
        return message
    db.session.rollback()
    return None


def _end(message: Message, batch_id: int | None, *, by_server: bool = True) -> None:
    """Ends the command: the claim is given up, the commit, and the batch may be done."""
    message.phase = message.claimed_by = message.lease_until = None
    has_failed = message.state is MessageState.FAILED and message.invitation_id is not None
    db.session.flush()
    if by_server:
        _in_database(update(MailGate).where(MailGate.paused_at.is_not(None)).values(paused_at=None, reason="", retry_at=None))
    if has_failed:
        directory.moved()  # the next upload plans to send it again
    db.session.commit()
    if batch_id:
        finish_if_done(batch_id)


def _fail(message: Message, reason: str) -> int | None:
    message.state, message.answer = MessageState.FAILED, reason
    audit.record(None, AuditAction.MESSAGE_FAILED, message, reason=reason, attempts=message.attempts)
    return _settle_row(message, Outcome.FAILED, reason)


def _cancel(message: Message, reason: str) -> int | None:
    message.state, message.answer = MessageState.CANCELLED, reason
    message.phase = message.claimed_by = message.lease_until = None
    return _settle_row(message, Outcome.SKIPPED, reason)


def _settle_row(message: Message, outcome: Outcome, reason: str) -> int | None:
    """The outcome of the row that the message was for. -> the batch's id where a row waited."""
    if message.row_id is None or message.kind is MessageKind.TEST:  # a test's row is only its example
        return None
    return _in_database(  # type: ignore[no-any-return]
        update(Row)
        .where(Row.id == message.row_id, Row.outcome == Outcome.WAITING)
        .values(outcome=outcome, reason=reason, done_at=utcnow())
        .returning(Row.batch_id)
    ).scalar()


@begun_again
def finish_if_done(batch_id: int) -> bool:
    """A command: finish a batch at work of whose rows none is unclaimed or waits. -> whether this call did it.

    In a transaction of its own: two workers that settle the last two rows at once do not see each other's.
    """
    is_open = (
        select(Row.id)
        .where(
            Row.batch_id == batch_id,
            Row.removed_at.is_(None),
            or_(Row.outcome.is_(None), Row.outcome == Outcome.WAITING),
        )
        .exists()
    )
    if db.session.scalar(select(is_open)):
        db.session.rollback()
        return False
    begin_write()
    _hold_batch(batch_id)
    finished = _in_database(
        update(Batch)
        .where(Batch.id == batch_id, Batch.state.in_([BatchState.PROCESSING, BatchState.PAUSED]), ~is_open)
        .values(state=BatchState.FINISHED, finished_at=utcnow())
    ).rowcount
    if finished:
        batch, outcomes = db.session.get_one(Batch, batch_id), _outcomes(batch_id)
        audit.record(None, AuditAction.BATCH_FINISHED, batch, outcomes=outcomes)
        if batch.reverts_id and outcomes.get(Outcome.UPDATED):
            _reverted(batch)
    db.session.commit()
    return bool(finished)


def _hold_batch(batch_id: int) -> None:
    """Part of a command: what is decided of the batch holds until the commit."""
    db.session.execute(select(Batch.id).where(Batch.id == batch_id).with_for_update(**hold())).all()


def _reverted(revert: Batch) -> None:
    """Part of the command that finishes a revert: the batch that it took back says so."""
    undone = Batch.id == revert.reverts_id, Batch.state.in_([BatchState.FINISHED, BatchState.CANCELLED])
    if _in_database(update(Batch).where(*undone).values(state=BatchState.REVERTED)).rowcount != 1:
        return  # it is at work again, or an earlier revert has said so
    original = db.session.get(Batch, revert.reverts_id, populate_existing=True)
    audit.record(revert.confirmed_by, AuditAction.BATCH_REVERTED, original, revert=revert.id)


def _outcomes(batch_id: int) -> dict[str, int]:
    tally = select(Row.outcome, func.count()).where(Row.batch_id == batch_id, Row.outcome.is_not(None)).group_by(Row.outcome)
    return {outcome.value: count for outcome, count in db.session.execute(tally) if outcome}


# Asked for by people


def retry_failed(batch: Batch, by: User) -> int:
    """Send the batch's failed e-mails again, never those that went. -> how many.

    They are the same messages; their tries and their day begin anew. Left out are invitations that are closed
    by now, that were sent again by other means, or whose role `by` may not grant.
    """
    batch_id, rank = batch.id, by.role.rank
    begin_write()
    _hold_batch(batch_id)
    newer = select(func.max(Message.id)).where(Message.kind == MessageKind.INVITATION).group_by(Message.invitation_id)
    found = db.session.execute(
        select(Message.id, Message.row_id)
        .join(Row, Row.id == Message.row_id)
        .join(Invitation, Invitation.id == Message.invitation_id)
        .join(Role, Role.id == Invitation.role_id)
        .where(
            Row.batch_id == batch_id,
            Row.outcome == Outcome.FAILED,
            Message.state == MessageState.FAILED,
            Message.id.in_(newer),
            Invitation.state == InvitationState.PENDING,
            Role.rank <= rank,
        )
        .order_by(Message.id)
    ).all()
    if not found:
        db.session.rollback()
        return 0
    now = utcnow()
    again = {"state": MessageState.QUEUED, "attempts": 0, "created_at": now, "due_at": now, "answer": ""}
    db.session.execute(update(Message), [{"id": id, **again} for id, _ in found])
    waiting = {"outcome": Outcome.WAITING, "reason": "", "done_at": None}
    db.session.execute(update(Row), [{"id": row_id, **waiting} for _, row_id in found])
    _reopen(batch_id)
    audit.record(by, AuditAction.MESSAGES_RETRIED, db.session.get_one(Batch, batch_id), messages=len(found))
    directory.moved()
    db.session.commit()
    queue.ring("webapp.jobs.outbox.send", name="outbox")
    return len(found)


def _reopen(batch_id: int) -> None:
    """Part of a command after which rows of a batch wait again."""
    finished = Batch.id == batch_id, Batch.state == BatchState.FINISHED
    _in_database(update(Batch).where(*finished).values(state=BatchState.PROCESSING, finished_at=None))


def unfinished_row(invitation_id: int) -> Row | None:
    """Part of a command: the row that waits for an e-mail of this invitation, or for which it failed; its batch is held."""
    wanted = Row.invitation_id == invitation_id, Row.outcome.in_([Outcome.WAITING, Outcome.FAILED])
    row = db.session.scalar(select(Row).where(*wanted).order_by(Row.id.desc()).limit(1))
    if row:
        _hold_batch(row.batch_id)
    return row


def hand_row_on(row: Row, invitation_id: int, address: Address) -> None:
    """Part of a command that invites another address in place of an invitation: its row waits for the new e-mail.

    What comes of the old e-mails is the row's no longer.
    """
    was_for = Message.invitation_id == invitation_id, Message.row_id == row.id
    _in_database(update(Message).where(*was_for).values(row_id=None))
    goes_on = {"email": address.display, "email_key": address.key, "outcome": Outcome.WAITING, "reason": "", "done_at": None}
    _in_database(update(Row).where(Row.id == row.id).values(**goes_on))
    db.session.expire(row)
    _reopen(row.batch_id)


# Questions


def cancel_queued(batch: Batch, by: User) -> int:
    """Part of a command: what of this batch has not gone yet never goes, and the invitations that it made are withdrawn.

    A message that is with the mail server at this moment, or may have been taken, goes on. -> how many are withdrawn.
    """
    of_batch = Message.row_id.in_(select(Row.id).where(Row.batch_id == batch.id))
    is_unsent = Message.state == MessageState.QUEUED, Message.maybe_sent.is_(False)
    unsent = of_batch, Message.kind == MessageKind.INVITATION, *is_unsent
    reason, now = "Cancelled before its email went", utcnow()
    made_here = Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    withdrawn = {"state": InvitationState.REVOKED, "closed_at": now}
    settled = {"outcome": Outcome.SKIPPED, "reason": reason, "done_at": now}
    theirs = select(Invitation.id).where(*made_here, Invitation.id.in_(select(Message.invitation_id).where(*unsent)))
    held = db.session.scalars(theirs.order_by(Invitation.id).with_for_update(**hold())).all()
    closed = update(Invitation).where(among(Invitation.id, held))
    gone = _in_database(closed.values(**withdrawn).returning(Invitation.id, Invitation.email)).all()
    audit.record_many(by, AuditAction.INVITATION_CLOSED, Invitation, gone, reason="its upload was cancelled", batch=batch.id)
    cancelled = update(Message).where(*unsent).values(state=MessageState.CANCELLED, answer=reason)
    rows = _in_database(cancelled.returning(Message.row_id)).scalars().all()
    _in_database(update(Row).where(among(Row.id, rows)).values(**settled))
    directory.moved()
    return len(gone)


def withdraw(invitation_id: int) -> None:
    """Part of a command that revokes an invitation, held: what of its e-mails has not gone yet never goes."""
    unsent = Message.invitation_id == invitation_id, Message.state == MessageState.QUEUED, Message.maybe_sent.is_(False)
    reason = "The invitation was revoked before its email went"
    settled = {"outcome": Outcome.SKIPPED, "reason": reason, "done_at": utcnow()}
    cancelled = update(Message).where(*unsent).values(state=MessageState.CANCELLED, answer=reason)
    rows = [id for id in _in_database(cancelled.returning(Message.row_id)).scalars() if id]
    _in_database(update(Row).where(Row.id.in_(rows), Row.outcome == Outcome.WAITING).values(**settled))


def alarm() -> MailGate | None:
    """Why sending is held up, since when, and when it is tried again; None while it is not."""
    return db.session.scalar(select(MailGate).where(MailGate.id == 1, MailGate.paused_at.is_not(None)))


def page(viewer: User, before_id: int | None = None, limit: int = PAGE) -> list[tuple[Message, str]]:
    """Messages that the viewer may see, each with its subject, newest first, older than `before_id`; a few queries."""
    older = [Message.id < before_id] if before_id else []
    query = _seen_by(viewer, select(Message)).where(*older).order_by(Message.id.desc()).limit(limit)
    listed = db.session.scalars(query).all()
    found = drafts(listed)
    return [(message, write().subject if (write := found[message.id].write) else GONE) for message in listed]


def counts(viewer: User) -> Mapping[MessageState, int]:
    """How many of the messages that the viewer may see are in which state."""
    counted = _seen_by(viewer, select(Message.state, func.count())).group_by(Message.state)
    return dict(db.session.execute(counted).all())


def found(id: int, viewer: User) -> Message:
    """One message. Raises NotThere, also where the viewer may not see it."""
    message = db.session.scalar(_seen_by(viewer, select(Message)).where(Message.id == id))
    if message is None:
        raise NotThere("There is no such message.")
    return message


def _seen_by(viewer: User, query: Select[*Columns]) -> Select[*Columns]:
    """Only those to roles that the viewer may grant: an e-mail holds its link. Never a link to somebody's own account."""
    return (
        query.select_from(Message)
        .outerjoin(Invitation, Invitation.id == Message.invitation_id)
        .outerjoin(Role, Role.id == Invitation.role_id)
        .where(
            Message.kind.not_in(SECRET_KINDS),
            or_(Message.invitation_id.is_(None), Role.rank <= viewer.role.rank),
        )
    )

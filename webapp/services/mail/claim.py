"""Messages that a worker has claimed: claim, render, begin, release. `results` records what became of them.

A message is claimed under a lease, which its worker renews as long as it lives. A worker that is killed or frozen at any
moment loses nothing: soon its lease has run out, and the message is due again. Before the server is given the message
itself, its phase becomes DATA: a worker that died after that may have sent it, so it goes out once more and is marked
uncertain (docs/rules.md, "Sending"). No transaction is open while SMTP runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, or_, select, update

from webapp.core.errors import ConflictError
from webapp.db import begin_write, bulk_execute, commit_and_keep, db, utcnow
from webapp.mail import mime
from webapp.mail.errors import PermanentDeliveryError
from webapp.mail.mime import MimeMessage
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    Message,
    MessageState,
    Phase,
    Row,
)
from webapp.services.mail import render, results, throttle
from webapp.services.settings import in_force
from webapp.settings.settings import Settings

LEASE = timedelta(seconds=40)
"""With the 15 s between two sweeps: what a dead worker had claimed is due again within a minute."""
RENEWAL = 10.0
"""Seconds between two renewals: a lease outlives all time-outs of SMTP, unless its worker is dead or frozen."""


def claim(worker: str, limit: int = 20) -> list[int]:
    """Claim what is due for this worker, most urgent first, as far as the throttle allows. Returns the ids.

    Messages whose worker has died are released first. While sending is held up, one message every 30 s goes to see
    whether the mail server is back; where none is due, nothing is held up any more.
    """
    begin_write()
    _release(_is_abandoned())
    circuit = throttle.get_circuit()
    limit = min(limit, throttle.quota_left(circuit))
    order = [Message.due_at, Message.id]
    if not circuit.paused_at:  # else another message goes each time, whatever its priority
        order.insert(0, Message.priority)
    due = select(Message.id).where(_is_due()).order_by(*order).limit(limit)
    # Two statements: as one, PostgreSQL may run the select once a row, and its limit then holds for nothing.
    ids = list(db.session.scalars(due)) if limit else []
    claimed = {
        "state": MessageState.SENDING,
        "phase": Phase.CLAIMED,
        "claimed_by": worker,
        "lease_until": utcnow() + LEASE,
    }
    bulk_execute(update(Message).where(Message.id.in_(ids)).values(**claimed))
    if circuit.paused_at and ids:
        circuit.retry_at = utcnow() + throttle.PROBE
    elif circuit.paused_at and limit:
        is_sending = exists().where(Message.state == MessageState.SENDING)
        if not db.session.scalar(select(is_sending)):
            throttle.reset()
    db.session.commit()
    return ids


def renew(worker: str) -> None:
    """Extend the leases of a worker. Messages that another worker took over are left alone. Commits."""
    begin_write()
    bulk_execute(update(Message).where(_is_of(worker)).values(lease_until=utcnow() + LEASE))
    db.session.commit()


def release(worker: str, *, surely_unsent: bool = False, **values: Any) -> None:
    """Make due again what this worker has claimed and not brought to an end. None of it has lost a try. Commits.

    surely_unsent: the server has not taken the one that was begun, either. values: of columns, e.g. when they are due.
    """
    begin_write()
    _release(_is_of(worker), surely_unsent=surely_unsent, **values)
    db.session.commit()


def _release(which: ColumnElement[bool], *, surely_unsent: bool = False, **values: Any) -> None:
    """Make messages in `sending` due again. Does not commit."""
    was_begun = or_(Message.maybe_sent, Message.phase == Phase.DATA)
    maybe_sent = Message.maybe_sent if surely_unsent else case((was_begun, True), else_=False)
    values |= {"state": MessageState.QUEUED, "maybe_sent": maybe_sent, **results.UNCLAIMED}
    bulk_execute(update(Message).where(which).values(**values))


# Questions


def read_settings() -> Settings:
    """The settings of the mail server; no transaction stays open."""
    settings = in_force.settings()
    db.session.rollback()
    return settings


def oldest_due() -> datetime | None:
    """Since when the oldest unsent message has been due; None while none waits. What is paused does not count."""
    return db.session.scalar(
        select(func.min(Message.due_at)).where(or_(_is_due(), _is_abandoned()))
    )


def _is_due() -> ColumnElement[bool]:
    """Whether a message may be claimed; of a paused batch none is."""
    is_paused = exists().where(
        Row.id == Message.row_id, Batch.id == Row.batch_id, Batch.state == BatchState.PAUSED
    )
    return and_(Message.state == MessageState.QUEUED, Message.due_at <= utcnow(), ~is_paused)


def _is_abandoned() -> ColumnElement[bool]:
    """Whether a message was left behind by a worker that is gone."""
    return (Message.state == MessageState.SENDING) & (Message.lease_until <= utcnow())


def _is_of(worker: str) -> ColumnElement[bool]:
    return (Message.state == MessageState.SENDING) & (Message.claimed_by == worker)


# Render and begin


def render_claimed(ids: Sequence[int], worker: str) -> list[tuple[int, MimeMessage]]:
    """Render the claimed messages, in the order of the ids, in a fixed number of queries. Commits.

    A message whose invitation or link is no longer open is cancelled instead. One that cannot be written fails by
    itself and never holds up the others. If the server's key was changed, the invitation gets the link that is sent.
    """
    begin_write()
    open_messages = []
    for message in render.load_messages(Message.id.in_(ids), _is_of(worker)):
        if code := render.why_not_sent(message):
            results.cancel(message, {"code": code})
        else:
            render.refresh_link(message)
            open_messages.append(message)
    commit_and_keep()
    ready = []
    failed = {}
    sender = in_force.settings().mail_from
    for message in sorted(open_messages, key=lambda message: ids.index(message.id)):
        try:
            email = render.render(message, sending=True)
            made = mime.build(email, sender, message.message_id, message.created_at)
            ready.append((message.id, made))
        except PermanentDeliveryError as error:
            failed[message.id] = error.answer
        except Exception:
            current_app.logger.exception("message %s could not be written", message.id)
            failed[message.id] = {"code": "failed_here"}
    db.session.rollback()
    for message_id, answer in failed.items():
        results.record_failed(message_id, worker, answer)
    return ready


def begin_data(message_id: int, worker: str, *, is_file: bool = False) -> None:
    """Note that the server gets the message itself next. Raises ConflictError if it is not to be sent after all.

    That is so when another worker has taken it over, and when its invitation was closed a moment ago. is_file: it becomes a
    file, which is the same one at a second try, so that nothing about it is ever uncertain.
    """
    begin_write(shared=True)
    now = utcnow()
    phase = Phase.CLAIMED if is_file else Phase.DATA
    values = {"b_id": message_id, "b_worker": worker, "b_phase": phase, "b_now": now}
    begun: Any = db.session.execute(_BEGIN_DATA, {**values, "b_until": now + LEASE})
    db.session.commit()
    if begun.rowcount != 1:
        raise ConflictError("This message is not to be sent any more, or not by this worker.")


_BEGIN_DATA = (
    update(results.MESSAGES)
    .where(
        results.IS_OWN,
        Message.lease_until > bindparam("b_now"),
        Message.invitation_id.is_(None)
        | exists().where(
            Invitation.id == Message.invitation_id, Invitation.state == InvitationState.PENDING
        ),
    )
    .values(
        phase=bindparam("b_phase"), lease_until=bindparam("b_until"), tried_at=bindparam("b_now")
    )
)
"""Runs for every message, and is built once for that."""

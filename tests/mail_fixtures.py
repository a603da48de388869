"""Things that are due, for tests about e-mail; and time, and what dies meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import update
from webapp.core.plan.planner import Plan
from webapp.db import db, utcnow
from webapp.mail.messages import Email
from webapp.models import Batch, BatchState, Invitation, MailCircuit, Message, MessageKind, MessageState, Outcome, Row, User
from webapp.services.mail import claim, outbox, render, results, throttle

from tests.factories import make_batch, make_invitation, make_persona


def make_message(email: str = "ines.carvalho@northfield.example", *, priority: int = 2, **invitation: Any) -> Message:
    """A queued invitation e-mail, committed; `invitation`: see make_invitation."""
    invited = make_invitation(email, **{"expires_in": None, "by": make_persona("Admin"), **invitation})
    message = outbox.add_message(MessageKind.INVITATION, invited.email, invitation_id=invited.id, priority=priority)
    db.session.commit()
    return message


def make_sending_batch(*emails: str, by: User | None = None, state: BatchState = BatchState.PROCESSING) -> Batch:
    """A confirmed batch whose rows all wait for their e-mail to go."""
    by = by or make_persona("Admin")
    batch = make_batch(by, planned_for_id=by.id, confirmed_by_id=by.id, state=state)
    for line, email in enumerate(emails, start=2):
        invitation = make_invitation(email, expires_in=None, by=by)
        cells = {"email": email, "role": "Analyst", "groups": ""}
        row = Row(batch_id=batch.id, line=line, **cells, **{f"read_{name}": value for name, value in cells.items()})
        row.plan, row.outcome, row.email_key, row.invitation_id = (
            Plan.INVITE,
            Outcome.WAITING,
            invitation.email_key,
            invitation.id,
        )
        db.session.add(row)
        db.session.flush()
        outbox.add_message(MessageKind.INVITATION, email, invitation_id=invitation.id, row_id=row.id, priority=3)
    db.session.commit()
    return batch


def due_emails() -> list[Email]:
    """The e-mails that are due, as they would be sent now; they stay due."""
    ids = claim.claim("reader")
    claim.render_claimed(ids, "reader")
    messages = [db.session.get_one(Message, message_id) for message_id in ids]
    emails = [render.render(each, sending=True) for each in messages if each.state is MessageState.SENDING]
    claim.release("reader")
    return [email for email in emails if email]


def message_to(email: str) -> Message:
    """The newest message to this address, as it is in the database now."""
    db.session.rollback()
    return db.session.scalars(db.select(Message).where(Message.recipient == email).order_by(Message.id.desc()).limit(1)).one()


def row_of(email: str) -> Row:
    """The row with this e-mail, as it is in the database now."""
    db.session.rollback()
    return db.session.scalars(db.select(Row).where(Row.email == email)).one()


def invitation_of(email: str) -> Invitation:
    """The invitation of this address, as it is in the database now."""
    db.session.rollback()
    return db.session.scalars(db.select(Invitation).where(Invitation.email == email)).one()


def finish(_: None = None) -> None:
    """After the outcome of a message: its batch may be done, as the job sees a little later."""
    results.finish_done()


def hold_up(worker: str, cause: dict[str, Any]) -> None:
    """The mail server is away, as this worker has seen."""
    throttle.trip(cause)
    claim.release(worker, surely_unsent=True, due_at=utcnow() + throttle.PROBE)


def pass_time(**time: float) -> None:
    """`pass_time(minutes=5)`: everything in the outbox is that much older now."""
    db.session.rollback()
    ago = timedelta(**time)
    for message in db.session.scalars(db.select(Message)):
        for name in ("due_at", "lease_until", "created_at", "handed_at", "tried_at"):
            if moment := getattr(message, name):
                setattr(message, name, moment - ago)
    for gate in db.session.scalars(db.select(MailCircuit)):
        for name in ("paused_at", "retry_at", "paced_at"):
            if moment := getattr(gate, name):
                setattr(gate, name, moment - ago)
    db.session.commit()


def die(worker: str) -> None:
    """The worker is gone: nothing of it is cleaned up, and its leases run out."""
    db.session.rollback()
    is_its = Message.state == MessageState.SENDING, Message.claimed_by == worker
    db.session.execute(update(Message).where(*is_its).values(lease_until=utcnow() - timedelta(seconds=1)))
    db.session.commit()

"""What is deleted because it is older than the settings keep it: docs/rules.md, "What is kept, and how long".

Once a day (UTC) the workers' sweep works off `STEPS`, a small transaction at a time, one worker after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import aliased

from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.mail import transports
from webapp.models import (
    AuditChain,
    Batch,
    BatchFile,
    Invitation,
    InvitationState,
    Message,
    MessageState,
    Row,
    RowEdit,
)
from webapp.services.accounts import sessions
from webapp.services.audit import chain, events
from webapp.services.audit.chain import day_before
from webapp.services.batches import report, review
from webapp.services.settings import in_force

CHUNK = 500
"""Messages deleted in one transaction."""

WAITING = (MessageState.QUEUED, MessageState.SENDING)


# Steps: commands, one transaction each. -> how many were deleted


def delete_rows() -> int:
    """Rows of the batch that ended first, with what was edited in them, and its file. The batch stays, with its counts."""
    days = in_force.settings().retention_days
    if not days:
        return 0
    begin_write()
    batch = db.session.scalar(_due_batches(day_before(days)).limit(1))
    if batch is None:
        db.session.rollback()
        return 0
    tally = report.tally(batch)
    batch.tally = {"by_outcome": dict(tally)}
    batch.rows_deleted_at = utcnow()
    for model in (RowEdit, BatchFile, Row):
        bulk_execute(delete(model).where(model.batch_id == batch.id))
    rows = tally.total()
    if rows:
        events.record(None, "batch.rows_deleted", batch, rows=rows, days=days)
    db.session.commit()
    return 1


def _due_batches(before: datetime) -> Select[Batch]:
    """Batches that ended long enough ago; not while a revert needs to know what they did."""
    ended_at = func.coalesce(Batch.finished_at, Batch.confirmed_at, Batch.created_at)
    revert = aliased(Batch)
    is_reverted = (
        select(revert.id)
        .where(revert.reverts_id == Batch.id, revert.state.in_(review.OPEN_STATES))
        .exists()
    )
    due = (
        Batch.state.not_in(review.OPEN_STATES),
        Batch.rows_deleted_at.is_(None),
        ended_at < before,
        ~is_reverted,
    )
    return select(Batch).where(*due).order_by(ended_at, Batch.id)


def delete_messages() -> int:
    """Messages that went, failed or were cancelled, and their files; not those of invitations that are still pending."""
    days = in_force.settings().retention_days
    if not days:
        return 0
    is_closed = or_(Message.invitation_id.is_(None), Invitation.state != InvitationState.PENDING)
    old = (
        select(Message.id, Message.message_id)
        .outerjoin(Invitation, Invitation.id == Message.invitation_id)
        .where(Message.state.not_in(WAITING), is_closed)
        .where(func.coalesce(Message.handed_at, Message.created_at) < day_before(days))
        .order_by(Message.id)
        .limit(CHUNK)
    )
    begin_write()
    found = {message.id: message.message_id for message in db.session.execute(old)}
    if not found:
        db.session.rollback()
        return 0
    outbox = in_force.environment().data_dir / "outbox"
    transports.delete_files(outbox, found.values())
    bulk_execute(delete(Message).where(Message.id.in_(found)))
    events.record(None, "messages.deleted", messages=len(found), days=days)
    db.session.commit()
    return len(found)


STEPS: Sequence[Callable[[], int]] = (
    chain.prune,
    delete_rows,
    delete_messages,
    sessions.delete_expired,
)


# Once a day


def is_due() -> bool:
    """Whether today's deleting is still to be done."""
    done = db.session.scalar(select(AuditChain.swept_on).where(AuditChain.id == 1))
    db.session.rollback()
    return done != _today()


def mark_done() -> None:
    """Nothing is left to be deleted today."""
    begin_write()
    db.session.get_one(AuditChain, 1).swept_on = _today()
    db.session.commit()


def _today() -> str:
    return utcnow().date().isoformat()

"""What is deleted because it is older than the settings keep it: docs/rules.md, "What is kept, and how long".

Once a day (UTC) the workers' sweep works off `STEPS`, a small transaction at a time, one worker after the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.orm import aliased

from webapp.db import begin_write, db, utcnow
from webapp.mail.files import file_name
from webapp.models import (
    AuditChain,
    Batch,
    BatchFile,
    BatchState,
    Invitation,
    InvitationState,
    Message,
    MessageState,
    Row,
    RowEdit,
)
from webapp.services.accounts import sessions
from webapp.services.audit import chain, events
from webapp.services.audit.actions import AuditAction
from webapp.services.audit.chain import day_before
from webapp.services.batches import report, review
from webapp.services.settings import in_force

CHUNK = 500
"""Rows or messages deleted in one transaction."""
MOST_DAYS = 36_500

ENDED = (BatchState.FINISHED, BatchState.CANCELLED, BatchState.DISCARDED, BatchState.REVERTED)
OVER = (
    MessageState.SENT,
    MessageState.WRITTEN,
    MessageState.UNCERTAIN,
    MessageState.FAILED,
    MessageState.CANCELLED,
)


def _cutoff() -> datetime | None:
    """What ended before it is deleted; None where everything is kept."""
    days = in_force.settings().retention_days
    return day_before(days) if days else None


# Steps: commands, one transaction each. -> how many were deleted


def delete_rows() -> int:
    """Rows of the batch that ended first, with what was edited in them, and its file. The batch stays, with its counts."""
    before = _cutoff()
    if before is None or not (batch_id := db.session.scalar(_due_batch(before))):
        db.session.rollback()
        return 0
    begin_write()
    batch = review.lock_batch(batch_id)
    if batch.rows_deleted_at:
        db.session.rollback()
        return 1  # another worker has just finished it: look for the next
    if batch.tally is None:
        tally = report.tally(batch)
        batch.tally = {"by_outcome": dict(tally.by_outcome), "skipped": dict(tally.skipped)}
    ids = db.session.scalars(
        select(Row.id).where(Row.batch_id == batch_id).order_by(Row.id).limit(CHUNK)
    ).all()
    unchecked = {"synchronize_session": False}
    db.session.execute(delete(RowEdit).where(RowEdit.row_id.in_(ids)), execution_options=unchecked)
    db.session.execute(delete(Row).where(Row.id.in_(ids)), execution_options=unchecked)
    if len(ids) < CHUNK:
        for table in (RowEdit, BatchFile):
            db.session.execute(
                delete(table).where(table.batch_id == batch_id), execution_options=unchecked
            )
        batch.rows_deleted_at = utcnow()
        total, days = sum(batch.tally["by_outcome"].values()), in_force.settings().retention_days
        if total:
            events.record(None, AuditAction.BATCH_ROWS_DELETED, batch, rows=total, days=days)
    db.session.commit()
    return max(len(ids), 1)


def lost_by(typed: str) -> int:
    """Of how many batches the rows would go at the next deleting, were they kept for as many days as was typed, and not if they
    are kept as now. A question."""
    now = in_force.settings().retention_days
    digits = typed.strip().lstrip("0")
    if (
        not digits.isdecimal()
        or len(digits) > 9
        or (days := int(digits)) > MOST_DAYS
        or (now and days >= now)
    ):
        return 0
    return (
        db.session.scalar(
            select(func.count()).select_from(_due_batches(day_before(days)).subquery())
        )
        or 0
    )


def _due_batch(before: datetime) -> Any:
    """The batch that ended first of those."""
    return _due_batches(before).limit(1)


def _due_batches(before: datetime) -> Select[int]:
    """Batches that ended long enough ago; not while a revert needs to know what they did."""
    ended_at = func.coalesce(Batch.finished_at, Batch.confirmed_at, Batch.created_at)
    revert = aliased(Batch)
    is_reverted = (
        select(revert.id)
        .where(revert.reverts_id == Batch.id, revert.state.in_(review.OPEN_STATES))
        .exists()
    )
    due = Batch.state.in_(ENDED), Batch.rows_deleted_at.is_(None), ended_at < before, ~is_reverted
    return select(Batch.id).where(*due).order_by(ended_at, Batch.id)


def delete_messages() -> int:
    """Messages that went, failed or were cancelled; not those of invitations that are still pending."""
    before = _cutoff()
    query = select(Message.id).outerjoin(Invitation, Invitation.id == Message.invitation_id)
    if before is None or not (
        ids := db.session.scalars(
            query.where(_is_old(before)).order_by(Message.id).limit(CHUNK)
        ).all()
    ):
        db.session.rollback()
        return 0
    begin_write()
    still = Message.id.in_(ids), Message.state.in_(OVER)
    gone = db.session.execute(
        delete(Message).where(*still), execution_options={"synchronize_session": False}
    )
    n = gone.rowcount  # type: ignore[attr-defined]
    events.record(
        None, AuditAction.MESSAGES_DELETED, messages=n, days=in_force.settings().retention_days
    )
    db.session.commit()
    return len(ids)


def _is_old(before: datetime) -> ColumnElement[bool]:
    is_closed = or_(Message.invitation_id.is_(None), Invitation.state != InvitationState.PENDING)
    return and_(
        Message.state.in_(OVER),
        func.coalesce(Message.handed_at, Message.created_at) < before,
        is_closed,
    )


def delete_files() -> int:
    """Delete up to CHUNK old messages that were written as files. No transaction is open while files are deleted."""
    before, folder, n = _cutoff(), in_force.environment().data_dir / "outbox", 0
    if before is None or not folder.is_dir():
        db.session.rollback()
        return 0
    old = func.coalesce(Message.handed_at, Message.created_at) < before
    staying = {
        file_name(row_id) for row_id in db.session.scalars(select(Message.message_id).where(old))
    }
    db.session.rollback()
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # another worker was at it
                if (
                    entry.name.endswith(".eml")
                    and entry.name not in staying
                    and entry.stat().st_mtime < before.timestamp()
                ):
                    os.unlink(entry)
                    n += 1
            if n == CHUNK:
                break
    return n


STEPS: Sequence[Callable[[], int]] = (
    chain.prune,
    delete_rows,
    delete_messages,
    delete_files,
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

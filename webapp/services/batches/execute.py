"""Executes confirmed batches: the worker applies their rows; people pause, resume and cancel them."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute

from webapp import queue
from webapp.core.addresses import parse
from webapp.core.errors import ConflictError
from webapp.core.plan.planner import Plan
from webapp.core.text.formatting import plural
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchKind, BatchState, Outcome, Row, User
from webapp.services.audit import events
from webapp.services.batches import apply, people_rows, planner, review
from webapp.services.batches.apply import Obstacle
from webapp.services.directory import lookup
from webapp.services.mail import outbox, results


class BatchNotRunningError(ConflictError):
    """The batch is not, or no longer, in a state that can be paused, resumed or cancelled."""


# Commands of people


def pause(batch_id: int, by: User) -> None:
    """Stop the claiming of rows and the sending of their messages; the one that is with the mail server now goes on."""
    running = (BatchState.QUEUED, BatchState.PROCESSING)
    _change_state(batch_id, running, BatchState.PAUSED, by, "batch.paused")
    db.session.commit()


def resume(batch_id: int, by: User) -> None:
    """Go on where Pause stopped."""
    paused = (BatchState.PAUSED,)
    _change_state(batch_id, paused, BatchState.QUEUED, by, "batch.resumed")
    db.session.commit()
    queue.enqueue_batch(batch_id)


def cancel(batch_id: int, by: User) -> None:
    """Stop for good: rows that no worker has claimed are skipped, and claimed ones whose email has not gone."""
    cancelled = BatchState.CANCELLED
    batch = _change_state(batch_id, review.AT_WORK, cancelled, by, "batch.cancelled")
    batch.finished_at = utcnow()
    _skip_inactive_rows(batch)
    acting = [Plan.INVITE, Plan.UPDATE]
    _settle(batch, acting, Outcome.SKIPPED, {"code": "cancelled"})
    outbox.cancel_queued(batch, by)
    db.session.commit()


def _change_state(
    batch_id: int, old: Sequence[BatchState], new: BatchState, by: User, action: str
) -> Batch:
    """Begin a command on a batch in one of these states. Does not commit."""
    begin_write()
    batch = review.get_batch(batch_id)
    if batch.state not in old:
        raise BatchNotRunningError(
            f"This {batch.kind.value} is {batch.state.value} already; nothing was changed."
        )
    batch.state = new
    events.record(by, action, batch)
    return batch


# Commands of the worker


def run_chunk(batch_id: int, limit: int) -> bool:
    """Claim up to `limit` rows, apply them and commit, all in one transaction. Returns whether rows may be left.

    A crash rolls the claim back with the work, so that no row is ever half done and no lease is needed.
    """
    begin_write()
    batch = review.get_batch(batch_id)
    if batch.state is BatchState.QUEUED:
        batch.state = BatchState.PROCESSING
        _skip_inactive_rows(batch)
    if batch.state is not BatchState.PROCESSING:
        db.session.rollback()
        return False
    unclaimed = select(Row).where(_is_unclaimed(batch_id)).order_by(Row.line).limit(limit)
    rows = db.session.scalars(unclaimed).all()
    if rows:
        assert batch.confirmed_by is not None
        _apply_rows(batch, rows, batch.confirmed_by)
        current_app.logger.info("batch %d: %s worked off", batch_id, plural(len(rows), "row"))
    db.session.commit()
    results.finish_done()
    return len(rows) == limit


def batches_with_work() -> list[int]:
    """Batches at work that still have rows to claim, or with reminders to queue, oldest first; no transaction stays open."""
    is_queued = Batch.state == BatchState.QUEUED
    is_running = Batch.state == BatchState.PROCESSING
    has_rows = exists().where(_is_unclaimed(Batch.id))
    is_asked = Batch.reminded_by_id.is_not(None)
    with_work = select(Batch.id).where(is_queued | (is_running & has_rows) | is_asked)
    found = list(db.session.scalars(with_work.order_by(Batch.id)))
    db.session.rollback()
    return found


def _skip_inactive_rows(batch: Batch) -> None:
    _settle(batch, [Plan.UNCHANGED], Outcome.UNCHANGED, {})
    _settle(batch, [Plan.ATTENTION, Plan.DUPLICATE], Outcome.SKIPPED, {})


def _settle(batch: Batch, plans: list[Plan], outcome: Outcome, reason: CodedText) -> None:
    settled = (
        update(Row)
        .where(_is_unclaimed(batch.id), Row.plan.in_(plans))
        .values(outcome=outcome, reason=reason, done_at=utcnow())
    )
    db.session.execute(settled)


def _is_unclaimed(batch_id: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return (Row.batch_id == batch_id) & Row.outcome.is_(None) & Row.removed_at.is_(None)


# Applying the rows of a chunk


def _apply_rows(batch: Batch, rows: Sequence[Row], by: User) -> None:
    """Apply each row whole or not at all; one that fails never holds up the others. Does not commit."""
    clear = []
    for row, obstacle in zip(rows, _find_obstacles(batch, rows, by), strict=True):
        row.done_at = utcnow()
        if obstacle:
            row.outcome, row.reason = obstacle
        else:
            clear.append(row)
    if not _try_to_apply(batch, clear, by):
        for row in clear:
            if not _try_to_apply(batch, [row], by):
                row.outcome = Outcome.FAILED
                row.reason = {"code": "failed"}
    lookup.bump_version()


def _find_obstacles(
    batch: Batch,
    rows: Sequence[Row],
    by: User,
) -> list[Obstacle | None]:
    """Why each row is not applied, or None."""
    registry = lookup.registry()
    if batch.kind is BatchKind.UPLOAD:
        people = lookup.people([row.email_key for row in rows if row.email_key])
        return [
            apply.why_not(row.change, people.get(row.email_key or ""), registry, by) for row in rows
        ]
    now = people_rows.plan_people(batch, rows, planner.make_policy(batch, by, registry))
    needed = people_rows.permission(batch)
    return [people_rows.why_not(row.change, now[row.line], by, needed) for row in rows]


def _try_to_apply(
    batch: Batch,
    rows: Sequence[Row],
    by: User,
) -> bool:
    """Apply rows in a savepoint, all or none. Returns whether that succeeded. Does not commit."""
    try:
        with db.session.begin_nested():
            if new := [row for row in rows if row.change.before is None]:
                _invite(new, batch, by)
            for row in rows:
                if row.change.before is not None:
                    _update(row, batch, by)
    except OperationalError:
        raise  # the database's trouble, not the rows': the whole chunk is tried again
    except Exception:
        current_app.logger.exception("rows of batch %d could not be applied", batch.id)
        return False
    return True


def _invite(
    rows: Sequence[Row],
    batch: Batch,
    by: User,
) -> None:
    """Invite new people in a few statements: 1.3 ms of CPU a row; one by one it is 11."""
    people = []
    for row in rows:
        assert row.change.after
        domain = (row.email_key or "").rpartition("@")[2]  # it was judged at the review
        address = parse(row.email.strip(), {domain})
        people.append((address, row.full_name, row.change.after, row.id))
    registry = lookup.registry()
    ids = apply.invite(people, by, registry, valid_days=batch.valid_days, batch_id=batch.id)
    for row, invitation_id in zip(rows, ids, strict=True):
        row.outcome = Outcome.WAITING
        row.invitation_id = invitation_id


def _update(row: Row, batch: Batch, by: User) -> None:
    change = row.change
    registry = lookup.registry()
    name = row.full_name if batch.kind is BatchKind.UPLOAD else ""
    row.outcome = apply.apply(change, by, registry, name=name, batch_id=batch.id, row_id=row.id)
    if row.outcome is Outcome.UPDATED:
        row.reason = apply.diff(change, registry)
    elif change.subject:
        row.invitation_id = change.subject[1]

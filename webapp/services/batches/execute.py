"""A confirmed batch at work: worked off by the worker, paused, resumed, cancelled."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from webapp import queue
from webapp.core.addresses import Address, parse
from webapp.core.errors import ConflictError
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import Registry
from webapp.core.text.formatting import plural
from webapp.db import begin_write, begun_again, db, hold, utcnow
from webapp.models import Batch, BatchKind, BatchState, Outcome, Row, User
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.batches import apply, people_rows, planner, review
from webapp.services.directory import lookup
from webapp.services.mail import finish_batch, outbox


class BatchNotRunningError(ConflictError):
    """The batch is not, or no longer, in a state that can be paused, resumed or cancelled."""


# Asked for by a person


def pause(batch_id: int, by: User) -> Batch:
    """Stop the claiming of rows and the sending of their messages; the one that is with the mail server now goes on."""
    return _switch(batch_id, by, (BatchState.QUEUED, BatchState.PROCESSING), BatchState.PAUSED, AuditAction.BATCH_PAUSED)


def resume(batch_id: int, by: User) -> Batch:
    """Go on where Pause stopped."""
    batch = _switch(batch_id, by, (BatchState.PAUSED,), BatchState.QUEUED, AuditAction.BATCH_RESUMED)
    queue.enqueue_batch(batch_id)
    return batch


def cancel(batch_id: int, by: User) -> Batch:
    """Stop for good: what no worker has claimed is skipped, and so is what was claimed while its email has not gone."""
    return _switch(batch_id, by, review.AT_WORK, BatchState.CANCELLED, AuditAction.BATCH_CANCELLED)


def _switch(batch_id: int, by: User, old: Sequence[BatchState], new: BatchState, action: AuditAction) -> Batch:
    begin_write()
    batch = review.locked(batch_id)
    if batch.state not in old:
        db.session.rollback()
        raise BatchNotRunningError(f"This {batch.kind.value} is {batch.state.value} already; nothing was changed.")
    batch.state, withdrawn = new, 0
    if new is BatchState.CANCELLED:
        batch.finished_at = utcnow()
        _skip_inactive_rows(batch)
        for plan in (Plan.INVITE, Plan.UPDATE):
            _settle(batch, plan, Outcome.SKIPPED, "Cancelled before it was done")
        withdrawn = outbox.cancel_queued(batch, by)
    events.record(by, action, batch, **({"withdrawn": withdrawn} if withdrawn else {}))
    db.session.commit()
    return batch


# Called by the worker


def _settle(batch: Batch, plan: Plan, outcome: Outcome, reason: str) -> None:
    db.session.execute(
        update(Row)
        .where(Row.batch_id == batch.id, Row.plan == plan, Row.outcome.is_(None), Row.removed_at.is_(None))
        .values(outcome=outcome, reason=reason, done_at=utcnow())
    )


@begun_again
def run_chunk(batch_id: int, limit: int) -> bool:
    """Claim up to `limit` rows, carry them out and commit, all in one transaction. -> whether rows may be left.

    A crash rolls the claim back with the work, so that no row is ever half done and no lease is needed.
    """
    begin_write()
    batch = _shared(batch_id)
    if batch.state is BatchState.QUEUED:
        _begin_work(batch_id)
        begin_write()
        batch = _shared(batch_id)
    if batch.state is not BatchState.PROCESSING:
        db.session.rollback()
        return False
    rows = _claim_rows(batch, limit)
    if rows:
        _apply_rows(batch, rows)
    db.session.commit()
    if rows:
        current_app.logger.info("batch %d: %s worked off", batch_id, plural(len(rows), "row"))
    finish_batch.finish_if_done(batch_id)
    return len(rows) == limit


def _shared(batch_id: int) -> Batch:
    """The batch, held so that it can be neither paused nor cancelled before this transaction ends; workers share the hold."""
    batch = db.session.get(Batch, batch_id, with_for_update={"read": True, "of": Batch}, populate_existing=True)
    assert batch is not None
    return batch


def _begin_work(batch_id: int) -> None:
    """A command: from queued to processing, once; rows with nothing to do get their outcome in one statement each."""
    begin_write()  # lets go of the shared hold: two workers would wait for each other's
    batch = review.locked(batch_id)
    if batch.state is BatchState.QUEUED:
        batch.state = BatchState.PROCESSING
        _skip_inactive_rows(batch)
    db.session.commit()


def _skip_inactive_rows(batch: Batch) -> None:
    _settle(batch, Plan.UNCHANGED, Outcome.UNCHANGED, "")
    for plan in (Plan.ATTENTION, Plan.DUPLICATE):
        _settle(batch, plan, Outcome.SKIPPED, "")


def _claim_rows(batch: Batch, limit: int) -> list[Row]:
    """Rows that nobody else works on: on PostgreSQL other workers skip what is locked here, on SQLite there is one writer."""
    unclaimed = (
        select(Row.id)
        .where(Row.batch_id == batch.id, Row.outcome.is_(None), Row.removed_at.is_(None))
        .order_by(Row.line)
        .limit(limit)
        .with_for_update(**hold(skip_locked=True))
    )
    ids = db.session.scalars(unclaimed).all()
    claim = update(Row).where(Row.id.in_(ids), Row.outcome.is_(None)).values(attempt=Row.attempt + 1)
    db.session.execute(claim, execution_options={"synchronize_session": False})
    return list(db.session.scalars(select(Row).where(Row.id.in_(ids)).order_by(Row.line)))


def _apply_rows(batch: Batch, rows: Sequence[Row]) -> None:
    """Each row whole or not at all; one that cannot be done never holds up the others."""
    assert batch.confirmed_by is not None
    registry = lookup.registry(batch.confirmed_by)
    obstacles = _find_obstacles(batch, rows, batch.confirmed_by, registry)
    in_order = sorted(rows, key=lambda row: row.email_key or "")  # two batches that invite the same people do not cross
    new = [row for row in in_order if row.line not in obstacles and apply.load_change(row).before is None]
    invited = _invite_together(batch, new, registry)
    for row in in_order:
        if row.id in invited:
            row.outcome, row.invitation_id = Outcome.WAITING, invited[row.id]
        else:
            _apply_single(batch, row, obstacles.get(row.line), registry)
        row.done_at = utcnow()
    if any(row.outcome in (Outcome.WAITING, Outcome.UPDATED) for row in rows):
        lookup.bump_version()


def _invite_together(batch: Batch, rows: Sequence[Row], registry: Registry) -> dict[int, int]:
    """Part of a command: those who are new, all at once. -> their invitations by row; none where that did not go."""
    assert batch.confirmed_by is not None
    if not rows:
        return {}
    try:
        people = [(_address(row), access, row.id) for row in rows if (access := apply.load_change(row).after)]
        with db.session.begin_nested():
            ids = apply.invite(people, batch.confirmed_by, registry, valid_days=batch.valid_days, batch_id=batch.id)
    except OperationalError:
        raise  # the database's trouble, not the rows': the whole chunk is tried again
    except Exception as error:
        current_app.logger.info("rows of batch %s go one by one (%s)", batch.id, type(error).__name__)
        return {}
    return dict(zip((row_id for *_, row_id in people), ids, strict=True))


def _address(row: Row) -> Address:
    """Its domain was judged at the review."""
    return parse(row.email.strip(), {(row.email_key or "").rpartition("@")[2]})


def _apply_single(batch: Batch, row: Row, obstacle: tuple[Outcome, str] | None, registry: Registry) -> None:
    """Part of a command: one row, whatever stands in its way."""
    assert batch.confirmed_by is not None
    try:
        with db.session.begin_nested():
            _apply_row(batch, row, obstacle, registry)
    except IntegrityError:  # somebody else made this person a moment ago
        now = lookup.people([row.email_key or ""]).get(row.email_key or "")
        row.outcome, row.reason = apply.why_not(apply.load_change(row), now, registry, batch.confirmed_by) or _CHANGED
    except OperationalError:
        raise
    except Exception:
        current_app.logger.exception("row %s of batch %s could not be carried out", row.id, batch.id)
        row.outcome, row.reason = Outcome.FAILED, "Something went wrong on our side. Nothing was done for this row"


_CHANGED = (Outcome.SKIPPED, apply.CHANGED)


def _find_obstacles(batch: Batch, rows: Sequence[Row], by: User, registry: Registry) -> dict[int, tuple[Outcome, str]]:
    """Part of a command: why rows are not carried out, by line; their people are held until the commit."""
    if batch.kind is BatchKind.UPLOAD:
        people = lookup.lock_people([row.email_key for row in rows if row.email_key])
        found = ((row, apply.why_not(apply.load_change(row), people.get(row.email_key or ""), registry, by)) for row in rows)
    else:
        anew = people_rows.plan_people(batch, rows, planner.policy_of(batch, by, registry), held=True)
        needed = people_rows.permission(batch)
        found = ((row, people_rows.why_not(apply.load_change(row), anew[row.line], by, needed)) for row in rows)
    return {row.line: obstacle for row, obstacle in found if obstacle}


def _apply_row(batch: Batch, row: Row, obstacle: tuple[Outcome, str] | None, registry: Registry) -> None:
    """Part of a command: one row, as its frozen plan says, unless its person is no longer as the review showed."""
    assert batch.confirmed_by is not None
    if obstacle:
        row.outcome, row.reason = obstacle
        return
    step = apply.load_change(row)
    address = _address(row) if step.before is None else None
    row.outcome, invitation = apply.apply(
        step, address, batch.confirmed_by, registry, valid_days=batch.valid_days, batch_id=batch.id, row_id=row.id
    )
    row.invitation_id = invitation.id if invitation else None
    row.reason = apply.changes(step, registry) if row.outcome is Outcome.UPDATED else ""

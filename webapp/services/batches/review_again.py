"""Reviews again the rows of a finished batch that were skipped because their people had changed."""

from __future__ import annotations

from sqlalchemy import select

from webapp.core.errors import ConflictError
from webapp.core.plan.planner import Plan
from webapp.db import begin_write, db
from webapp.models import Batch, BatchKind, BatchState, Row, User
from webapp.schemas.rows import FIELDS
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import planner, replan, report, review


def stage(batch_id: int, by: User) -> Batch:
    """Make a batch under review from those rows of a finished one whose people had changed since its review.

    Returns the earlier one while it is not done: pressing twice makes one review. Raises ConflictError.
    """
    begin_write()
    old = review.lock_batch(batch_id)
    open_one = select(Batch).where(Batch.again_of_id == old.id, Batch.state.in_(review.OPEN_STATES))
    if found := db.session.scalar(open_one):
        db.session.rollback()
        return found
    rows = report.changed_since(old)
    if not rows:
        raise ConflictError(f"No row of this {old.kind.value} was skipped because of a change.")
    batch = _copy(old, len(rows), by)
    db.session.add(batch)
    db.session.flush()
    db.session.add_all([_copy_row(row, batch) for row in rows])
    db.session.flush()
    # until they are planned below
    planner.update_counts(batch, [(Plan.ATTENTION, {}, [])] * len(rows), +1)
    replan.plan_batch(batch)
    action = (
        AuditAction.BATCH_UPLOADED if batch.kind is BatchKind.UPLOAD else AuditAction.BATCH_STAGED
    )
    events.record(by, action, batch, rows=len(rows), again=old.id)
    db.session.commit()
    return batch


def _copy(old: Batch, rows: int, by: User) -> Batch:
    """A batch that is applied as the old one was."""
    return Batch(
        **{name: getattr(old, name) for name in _COPIED},
        state=BatchState.REVIEWING,
        title={**old.title, "n": rows} if old.kind is BatchKind.ACTION else old.title,
        facts=[{"code": "again", "n": rows, "kind": old.kind.value, "batch": old.id}],
        skip_errors=old.kind is not BatchKind.UPLOAD,
        again_of_id=old.id,
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        counts={},
    )


_COPIED = (
    "kind", "file_name", "header", "columns", "mode", "change_roles", "valid_days", "message", "action", "reverts_id",
)  # fmt: skip


def _copy_row(row: Row, batch: Batch) -> Row:
    """The row with its cells as they were edited."""
    cells = {field: row.cell(field) for field in FIELDS}
    return Row(
        batch_id=batch.id,
        line=row.line,
        email_key=row.email_key,
        change_dict={"subject": row.change_dict["subject"]} if "subject" in row.change_dict else {},
        read_cells=row.read_cells,
        **cells,
        **{f"read_{field}": cell for field, cell in cells.items()},
    )

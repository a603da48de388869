"""Makes batches that do not come from a file: of chosen people, of the rows of a finished batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select

from webapp.core.errors import ConflictError
from webapp.core.plan.planner import Plan, Ref
from webapp.db import begin_write, db, in_json
from webapp.models import Batch, BatchKind, BatchState, Invitation, Row, User
from webapp.schemas.rows import FIELDS
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import replan, report, review
from webapp.services.settings import in_force

NewRow = dict[str, Any]
"""The columns of a new `Row` without its batch and its plan."""


def stage_rows(rows: Sequence[NewRow], by: User, details: dict[str, Any], **columns: Any) -> Batch:
    """Make a batch under review of these rows, and plan it for `by`. Commits.

    details: what the audit log says of it. columns: of the batch.
    """
    usual = {"skip_errors": True, "valid_days": in_force.settings().invite_days}
    whose = {"planned_for_id": by.id, "uploaded_by_id": by.id}
    batch = Batch(state=BatchState.REVIEWING, counts={}, **(usual | whose | columns))
    db.session.add(batch)
    db.session.flush()
    unplanned = {"batch_id": batch.id, "plan": Plan.ATTENTION, "issues": []}
    read = [{f"read_{field}": row[field] for field in FIELDS} for row in rows]
    values = [unplanned | row | cells for row, cells in zip(rows, read, strict=True)]
    db.session.execute(insert(Row), values)
    replan.plan_batch(batch)
    is_upload = batch.kind is BatchKind.UPLOAD
    action = AuditAction.BATCH_UPLOADED if is_upload else AuditAction.BATCH_STAGED
    events.record(by, action, batch, rows=len(rows), **details)
    db.session.commit()
    return batch


def find_people(refs: Iterable[Ref]) -> dict[Ref, NewRow]:
    """A row without its number for each of these people who exists; two queries."""
    wanted = set(refs)
    found: dict[Ref, NewRow] = {}
    models: dict[str, type[User] | type[Invitation]] = {"user": User, "invitation": Invitation}
    for kind, model in models.items():
        ids = [ref_id for of_kind, ref_id in wanted if of_kind == kind]
        query = select(model.id, model.email_key, model.email).where(in_json(model.id, ids))
        for person_id, key, email in db.session.execute(query):
            found[kind, person_id] = {
                "email": email,
                "email_key": key,
                "role": "",
                "groups": "",
                "change_dict": {"subject": [kind, person_id]},
            }
    return found


def stage_again(batch_id: int, by: User) -> Batch:
    """Make a batch under review from those rows of a finished one whose people had changed since its review.

    Returns the earlier one while it is not done: pressing twice makes one review. Raises ConflictError.
    """
    begin_write()
    old = review.lock_batch(batch_id)
    open_one = select(Batch).where(Batch.again_of_id == old.id, Batch.state.in_(review.OPEN_STATES))
    if found := db.session.scalar(open_one):
        db.session.rollback()
        return found
    rows = [_copy_row(row) for row in report.changed_since(old)]
    if not rows:
        raise ConflictError(f"No row of this {old.kind.value} was skipped because of a change.")
    number = {"n": len(rows)}
    return stage_rows(
        rows,
        by,
        {"again": old.id},
        **{name: getattr(old, name) for name in _COPIED},
        title={**old.title, **number} if old.kind is BatchKind.ACTION else old.title,
        facts=[{"code": "again", **number, "kind": old.kind.value, "batch": old.id}],
        skip_errors=old.kind is not BatchKind.UPLOAD,
        again_of_id=old.id,
    )


_COPIED = (
    "kind", "file_name", "header", "columns", "mode", "change_roles", "valid_days", "message", "action", "reverts_id",
)  # fmt: skip


def _copy_row(row: Row) -> NewRow:
    """The row with its cells as they were edited."""
    copied = ("line", "email", "email_key", "role", "groups", "read_cells")
    subject = {name: row.change_dict[name] for name in ("subject",) if name in row.change_dict}
    return {name: getattr(row, name) for name in copied} | {"change_dict": subject}

"""Makes batches that do not come from a file: of chosen people, of the rows of a finished batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select

from webapp.core.errors import ConflictError
from webapp.core.plan.planner import Plan, Ref
from webapp.db import begin_write, db, in_json
from webapp.models import Batch, BatchKind, BatchState, Row, User, UserKind
from webapp.schemas.rows import FIELDS
from webapp.services.audit import events
from webapp.services.batches import planner, report, review
from webapp.services.directory import people_list
from webapp.services.settings import in_force

NewRow = dict[str, Any]
"""The columns of a new `Row` without its batch and its plan."""


def stage_rows(rows: Sequence[NewRow], by: User, details: dict[str, Any], **columns: Any) -> Batch:
    """Make a batch under review of these rows, and plan it for `by`. Commits.

    details: what the audit log says of it. columns: of the batch.
    """
    values = {
        "state": BatchState.REVIEWING,
        "skip_errors": True,
        "valid_days": in_force.settings().invite_days,
        "planned_for_id": by.id,
        "uploaded_by_id": by.id,
        "counts": {},
        **columns,
    }
    batch = Batch(**values)
    db.session.add(batch)
    db.session.flush()
    for row in rows:
        row |= {"batch_id": batch.id, "plan": Plan.ATTENTION, "issues": []}
        for field in FIELDS:
            row[f"read_{field}"] = row[field]
    db.session.execute(insert(Row), rows)
    planner.plan_batch(batch)
    is_upload = batch.kind is BatchKind.UPLOAD
    action = "batch.uploaded" if is_upload else "batch.staged"
    events.record(by, action, batch, rows=len(rows), **details)
    db.session.commit()
    return batch


def find_people(refs: Iterable[Ref]) -> dict[Ref, NewRow]:
    """Make a row, without its number, for each of these people who exist; two queries."""
    wanted = set(refs)
    found: dict[Ref, NewRow] = {}
    for kind, model in people_list.KINDS.items():
        ids = [ref_id for of_kind, ref_id in wanted if of_kind == kind]
        query = select(model.id, model.email_key, model.email, model.name).where(
            in_json(model.id, ids)
        )
        if model is User:
            query = query.where(User.kind == UserKind.PERSON)
        for person_id, key, email, name in db.session.execute(query):
            found[kind, person_id] = {
                "email": email,
                "email_key": key,
                "name": name,
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
    old = review.get_batch(batch_id)
    open_one = select(Batch).where(Batch.again_of_id == old.id, Batch.state.in_(review.OPEN_STATES))
    if found := db.session.scalar(open_one):
        db.session.rollback()
        return found
    rows = [_copy(row, _COPIED_OF_ROW) for row in report.changed_since(old)]
    if not rows:
        raise ConflictError(f"No row of this {old.kind.value} was skipped because of a change.")
    number = {"n": len(rows)}
    return stage_rows(
        rows,
        by,
        {"again": old.id},
        **_copy(old, _COPIED),
        title={**old.title, **number} if old.kind is BatchKind.ACTION else old.title,
        facts=[{"code": "again", **number, "kind": old.kind.value, "batch": old.id}],
        skip_errors=old.kind is not BatchKind.UPLOAD,
        again_of_id=old.id,
    )


def _copy(model: Batch | Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(model, name) for name in names}


_COPIED = (
    "kind",
    "file_name",
    "header",
    "columns",
    "has_names",
    "mode",
    "change_roles",
    "valid_days",
    "message",
    "action",
    "reverts_id",
)
_COPIED_OF_ROW = (
    "line",
    "email",
    "email_key",
    "name",
    "role",
    "groups",
    "read_cells",
    "change_dict",
)

"""Rows under review: a cell edited, a row removed or restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from webapp.core.directory import ALL_GROUPS, Registry, fold
from webapp.core.errors import Conflict, NotThere
from webapp.core.planning import Access, Plan
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, Row, RowEdit, User
from webapp.schemas.rows import FIELDS, RowSchema, split_groups
from webapp.services import batches, directory, plans, steps

LONGEST_CELL = 2000
"""Characters; what is longer is cut when typed, as no e-mail or list of groups comes near."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did. newer: the other person's name where theirs came first and nothing was stored."""

    batch: Batch
    row: Row
    field: str
    twins: Sequence[Row]
    newer: str | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """A row's groups as shown, in names: after the change where a change is planned, else the cell as it stands."""

    kept: Sequence[str]
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    unknown: Sequence[str] = ()


def shown_groups(row: Row, registry: Registry) -> Groups:
    """A question of a row's display; no query."""
    step = steps.stored(row)
    if row.plan is Plan.ATTENTION or step.before is None or step.after is None:
        names = [_official(name, registry) for name in split_groups(row.groups)]
        return Groups(names, unknown=[name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS])
    before, after = _names(step.before, registry), _names(step.after, registry)
    return Groups(
        [name for name in after if name in before],
        [name for name in after if name not in before],
        [name for name in before if name not in after],
    )


def _official(name: str, registry: Registry) -> str:
    if fold(name) == fold(ALL_GROUPS):
        return ALL_GROUPS
    group = registry.group_by_key.get(fold(name))
    return group.name if group else name


def _names(access: Access, registry: Registry) -> list[str]:
    if access.everything:
        return [ALL_GROUPS]
    return sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id)


def shown_role(row: Row, registry: Registry) -> str:
    """The role's own spelling where the cell names one, else the cell."""
    role = registry.role_by_key.get(fold(row.role))
    return role.name if role else row.role


def found(batch_id: int, row_id: int) -> Row:
    """A row that still stands. Raises NotThere."""
    row = db.session.get(Row, row_id)
    if row is None or row.batch_id != batch_id:
        raise NotThere("There is no such row. The upload may have been discarded.")
    return row


def edit(batch_id: int, row_id: int, field: str, value: str, seen: str | None, by: User) -> Edit:
    """Set one cell, judge its row and its twins anew, all in one commit.

    seen: the value that the cell had when the person began; where somebody else changed it since, theirs is kept
    and told, nothing is stored. One's own earlier edit is never in one's own way.
    """
    if field not in FIELDS:
        raise NotThere("There is no such column.")
    value = value.strip()[:LONGEST_CELL]
    begin_write()
    batch = batches.under_review(batch_id)
    row = _standing(batch_id, row_id)
    current = row.cell(field)
    if value == current:
        db.session.rollback()
        return Edit(batch, row, field, [])
    if seen is not None and seen != current and (other := _last_editor(row, field, by)):
        db.session.rollback()
        return Edit(batch, row, field, [], newer=other)
    touched = _with_key(batch, row.email_key)
    setattr(row, field, value)
    _note(batch, row, by, field, current, value)
    twins = _judge_again(batch, [row], touched)
    db.session.commit()
    return Edit(batch, row, field, twins)


def remove(batch_id: int, row_id: int, by: User) -> Edit:
    """Take a row out of the batch; the next with its e-mail takes its place at once."""
    begin_write()
    batch = batches.under_review(batch_id)
    row = _standing(batch_id, row_id)
    touched = [twin for twin in _with_key(batch, row.email_key) if twin.id != row.id]
    row.removed_at = utcnow()
    plans.count(batch, row.plan, row.step, row.problems, -1)
    _note(batch, row, by, "removed", "", "removed")
    twins = _judge_again(batch, [], touched)
    db.session.commit()
    return Edit(batch, row, "removed", twins)


def restore(batch_id: int, row_id: int, by: User) -> Edit:
    """Undo a removal."""
    begin_write()
    batch = batches.under_review(batch_id)
    row = found(batch_id, row_id)
    if row.removed_at is None:
        db.session.rollback()
        return Edit(batch, row, "removed", [])
    row.removed_at = None
    plans.count(batch, row.plan, row.step, row.problems, +1)
    _note(batch, row, by, "removed", "removed", "")
    twins = _judge_again(batch, [row], [])
    db.session.commit()
    return Edit(batch, row, "removed", twins)


def _standing(batch_id: int, row_id: int) -> Row:
    row = found(batch_id, row_id)
    if row.removed_at is not None:
        raise Conflict(f"Row {row.line} was removed in the meantime.")
    return row


def _last_editor(row: Row, field: str, by: User) -> str | None:
    """Who else changed this cell last, by name; None where it was the person themself."""
    last = db.session.execute(
        select(User.id, User.name)
        .join(RowEdit, RowEdit.user_id == User.id)
        .where(RowEdit.row_id == row.id, RowEdit.field == field)
        .order_by(RowEdit.id.desc())
        .limit(1)
    ).first()
    return last.name if last and last.id != by.id else None


def _note(batch: Batch, row: Row, by: User, field: str, before: str, after: str) -> None:
    batch.version += 1
    db.session.add(
        RowEdit(batch_id=batch.id, row_id=row.id, version=batch.version, user_id=by.id, field=field, before=before, after=after)
    )


def _with_key(batch: Batch, email_key: str | None) -> list[Row]:
    """The standing rows of this e-mail, in the file's order."""
    if email_key is None:
        return []
    query = select(Row).where(Row.batch_id == batch.id, Row.email_key == email_key, Row.removed_at.is_(None))
    return list(db.session.scalars(query.order_by(Row.line)))


def _judge_again(batch: Batch, rows: Sequence[Row], touched: Sequence[Row]) -> list[Row]:
    """Judge these rows and all that share, or shared, an e-mail with them; the cost does not grow with the batch.

    -> the other rows whose plan changed.
    """
    db.session.flush()
    registry = directory.registry(batch.planned_for)
    schema = RowSchema(registry)
    new_keys = {plans.candidate(schema, row.line, {f: row.cell(f) for f in FIELDS}).email_key for row in rows}
    affected = {row.id: row for row in (*rows, *touched)}
    for key in new_keys:
        affected |= {row.id: row for row in _with_key(batch, key)}
    in_order = sorted(affected.values(), key=lambda row: row.line)
    judgements = plans.judged_again(batch, in_order)
    changed = plans.stale(in_order, judgements)
    plans.store(batch, in_order, judgements)
    own = {row.id for row in rows}
    return [row for row in changed if row.id not in own]

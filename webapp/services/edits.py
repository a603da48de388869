"""What people change in a batch under review: one step at a time, noted so that it can be undone.

A step is every `RowEdit` of one version of the batch. Whatever changes rows or options makes its changes by `make`,
or notes them by `noted` and calls `settled` itself; nothing else writes a `RowEdit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Integer, cast, insert, select, update

from webapp.db import among, db, utcnow
from webapp.models import Batch, EditState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS, RowSchema
from webapp.services import directory, plans

UNDONE, REDONE = "undone", "redone"
"""Fields of the one `RowEdit` that an undo or a redo leaves: before is the step's version, after its name in words."""
MARKERS = (UNDONE, REDONE)
MANY = 2000
"""From so many changed rows on, the whole batch is read at once instead of the rows that share an e-mail with them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a row, whether a row stands ("removed": "" or "removed"; "added": "" or "added"), or, without a row,
    an option of the batch as text."""

    row: Row | None
    field: str
    before: str
    after: str


def current(batch: Batch, row: Row | None, field: str) -> str:
    """What a change of this field would find as its `before` now."""
    if row is None:
        value = getattr(batch, field)
        return str(value.value if isinstance(value, Enum) else value)
    if field == "removed":
        return "removed" if row.removed_at else ""
    if field == "added":
        return "" if row.removed_at else "added"
    return row.cell(field)


def make(batch: Batch, by: User, changes: Sequence[Change]) -> list[Row]:
    """Part of a command: carry out the changes as one step that `by` can undo. -> see `carried_out`."""
    noted(batch, by, changes)
    return carried_out(batch, changes)


def noted(batch: Batch, by: User, changes: Sequence[Change]) -> None:
    """Part of a command: keep what is changed as one new step of the batch. What `by` had undone cannot come back now."""
    dropped(batch, by)
    batch.version += 1
    same = {"batch_id": batch.id, "version": batch.version, "user_id": by.id, "at": utcnow()}
    db.session.execute(
        insert(RowEdit),
        [same | {"row_id": c.row.id if c.row else None, "field": c.field, "before": c.before, "after": c.after} for c in changes],
    )


def dropped(batch: Batch, by: User) -> None:
    """Part of a command: a new edit ends what this person could still redo."""
    own = (
        RowEdit.batch_id == batch.id,
        RowEdit.user_id == by.id,
        RowEdit.field == UNDONE,
        RowEdit.state == EditState.DONE,
    )
    versions = list(db.session.scalars(select(cast(RowEdit.before, Integer)).where(*own)))
    if not versions:
        return
    unchecked = {"synchronize_session": False}
    undone = (RowEdit.batch_id == batch.id, RowEdit.version.in_(versions), RowEdit.state == EditState.UNDONE)
    db.session.execute(update(RowEdit).where(*undone).values(state=EditState.DROPPED), execution_options=unchecked)
    db.session.execute(update(RowEdit).where(*own).values(state=EditState.DROPPED), execution_options=unchecked)


def carried_out(batch: Batch, changes: Iterable[Change]) -> list[Row]:
    """Part of a command: set every `after`, and judge anew what that bears on. -> other rows whose plan changed."""
    touched: dict[int, Row] = {}
    keys: set[str] = set()
    whole = False
    for change in changes:
        row = change.row
        if row is None:
            _set_option(batch, change.field, change.after)
            whole = True
            continue
        touched[row.id] = row
        if row.email_key:
            keys.add(row.email_key)
        if change.field in ("removed", "added"):
            _set_standing(batch, row, stands=(change.field == "added") == bool(change.after))
        else:
            setattr(row, change.field, change.after)
    return settled(batch, list(touched.values()), keys, whole=whole)


def _set_option(batch: Batch, field: str, text: str) -> None:
    kind = type(getattr(batch, field))
    setattr(batch, field, text == "True" if kind is bool else kind(text))


def _set_standing(batch: Batch, row: Row, *, stands: bool) -> None:
    if stands == (row.removed_at is None):
        return
    row.removed_at = None if stands else utcnow()
    plans.count(batch, row.plan, row.step, row.problems, +1 if stands else -1)


def settled(batch: Batch, rows: Sequence[Row], keys: set[str], *, whole: bool = False) -> list[Row]:
    """Part of a command that changed these rows: judge them anew, and all that share, or shared, an e-mail with them.

    keys: the e-mail keys that the rows had. whole: everything is judged anew, as after a change of an option. The number
    of statements does not depend on the number of rows. -> other rows whose plan changed.
    """
    db.session.flush()
    standing = [row for row in rows if row.removed_at is None]
    wanted: set[str] | None = None
    if whole or len(standing) > MANY:
        is_all = len(standing) == batch.size  # reading fifty thousand rows a second time takes a second
        affected = sorted(standing, key=lambda row: row.line) if is_all else plans.standing_rows(batch)
    else:
        schema = RowSchema(directory.registry(batch.planned_for))
        cells = ((row.line, {field: row.cell(field) for field in FIELDS}) for row in standing)
        wanted = keys | {key for line, row in cells if (key := plans.candidate(schema, line, row).email_key)}
        found = {row.id: row for row in standing}
        if wanted:
            query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None), among(Row.email_key, sorted(wanted)))
            found |= {row.id: row for row in db.session.scalars(query)}
        affected = sorted(found.values(), key=lambda row: row.line)
    judgements = plans.judged_again(batch, affected)
    changed = plans.stale(affected, judgements)
    plans.store(batch, changed, judgements)
    plans.unsettle_parts(batch, wanted)
    own = {row.id for row in rows}
    return [row for row in changed if row.id not in own]

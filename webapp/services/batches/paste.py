"""A block of cells pasted from a spreadsheet: many cells filled, or rows added, in one step that can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.files.table import clean
from webapp.core.plan.planner import Plan
from webapp.core.text.formatting import plural
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import changes as edits
from webapp.services.batches import review
from webapp.services.batches.changes import Change
from webapp.services.settings import in_force

Place = tuple[int, str]
"""A cell: the row's id and the field."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pasted value. seen: what the page showed there when it was pasted."""

    row_id: int
    field: str
    value: str
    seen: str

    @property
    def place(self) -> Place:
        return self.row_id, self.field


@dataclass(frozen=True, slots=True)
class Block:
    """What a paste did. filled: the cells that changed; newer: the cells left alone, with who had changed them meanwhile."""

    batch: Batch
    rows: Sequence[Row]
    twins: Sequence[Row]
    filled: frozenset[Place]
    newer: Mapping[Place, str]
    removed: Sequence[Row] = ()
    """Rows that somebody took out meanwhile; nothing was pasted there."""


def fill(batch_id: int, cells: Sequence[Cell], by: User) -> Block:
    """Set these cells as one step, judged anew in one commit; the number of statements does not depend on theirs.

    As with a single edit, a cell that somebody else changed since it was seen keeps their value. Raises NotFoundError
    where a row is not of this batch.
    """
    begin_write()
    batch = review.under_review(batch_id)
    rows = _rows(batch_id, {cell.row_id for cell in cells})
    changed = [cell for cell in cells if rows[cell.row_id].removed_at is None and _differs(rows[cell.row_id], cell)]
    unseen = [cell for cell in changed if not edits.is_shown_as(rows[cell.row_id].cell(cell.field), cell.seen)]
    newer = _changed_by_others(unseen, by)
    changes = {
        cell.place: edits.change_cell(rows[cell.row_id], cell.field, _stored(cell.value))
        for cell in changed
        if cell.place not in newer
    }
    twins = edits.make(batch, by, list(changes.values())) if changes else []
    _committed([*rows.values(), *twins])
    in_order = sorted(rows.values(), key=lambda row: row.line)
    standing = [row for row in in_order if row.removed_at is None]
    return Block(batch, standing, twins, frozenset(changes), newer, [row for row in in_order if row.removed_at])


def append(batch_id: int, lines: Sequence[Mapping[str, str]], by: User) -> Block:
    """Add a row for each line, below the last one, as one step. Raises ConflictError where that is more than a batch may hold."""
    begin_write()
    batch = review.under_review(batch_id)
    limit = in_force.settings().max_rows
    if batch.size + len(lines) > limit:
        more = f"{plural(len(lines), 'row')} more would make {batch.size + len(lines):,}. The limit is {limit:,}."
        raise ConflictError(f"{more} Nothing was added: upload these lines as a file of their own.")
    last = db.session.scalar(select(func.max(Row.line)).where(Row.batch_id == batch_id)) or 1
    rows = [_empty(batch, line) for line, _ in enumerate(lines, last + 1)]
    db.session.add_all(rows)
    db.session.flush()
    changes = []
    for row, cells in zip(rows, lines, strict=True):
        changes.append(Change(row, "added", "", "added"))
        changes += [edits.change_cell(row, field, value) for field in FIELDS if (value := _stored(cells.get(field, "")))]
    twins = edits.make(batch, by, changes) if changes else []
    _committed([*rows, *twins])
    return Block(batch, rows, twins, frozenset((row.id, field) for row in rows for field in FIELDS), {})


def _rows(batch_id: int, ids: set[int]) -> dict[int, Row]:
    query = select(Row).where(Row.batch_id == batch_id, Row.id.in_(ids))
    rows = {row.id: row for row in db.session.scalars(query)}
    if rows.keys() != ids:
        raise NotFoundError("A row of this block is not in the upload. Load the page again, then paste once more.")
    return rows


def _committed(rows: Sequence[Row]) -> None:
    """Commit, and read these rows again in one statement, instead of one for each when it is drawn."""
    ids = [row.id for row in rows]
    db.session.commit()
    db.session.scalars(select(Row).where(Row.id.in_(ids))).all()


def _stored(value: str) -> str:
    """As it would be read from a file, and without what no database stores: NUL and halves of characters."""
    return clean(value.replace("\0", "").encode(errors="ignore").decode())


def _differs(row: Row, cell: Cell) -> bool:
    return row.cell(cell.field) != _stored(cell.value)


def _changed_by_others(cells: Sequence[Cell], by: User) -> dict[Place, str]:
    """Those of the cells that somebody else changed last, with that person's name."""
    if not cells:
        return {}
    newest = (
        select(func.max(RowEdit.id))
        .where(RowEdit.row_id.in_({cell.row_id for cell in cells}), RowEdit.field.in_(FIELDS))
        .group_by(RowEdit.row_id, RowEdit.field)
    )
    query = (
        select(RowEdit.row_id, RowEdit.field, User.name)
        .join(User, User.id == RowEdit.user_id)
        .where(RowEdit.id.in_(newest), User.id != by.id)
    )
    others = {(row_id, field): name for row_id, field, name in db.session.execute(query)}
    return {cell.place: others[cell.place] for cell in cells if cell.place in others}


def _empty(batch: Batch, line: int) -> Row:
    blank = dict.fromkeys(FIELDS, "") | {f"read_{field}": "" for field in FIELDS}
    row = Row(batch_id=batch.id, line=line, **blank)
    row.plan, row.step, row.issues, row.problems = Plan.ATTENTION, {}, [], ""
    row.removed_at = utcnow()  # until the step puts it there
    return row

"""Cells edited or pasted, rows added, removed and put back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.files.cleaning import clean, clip
from webapp.db import db, in_json, utcnow
from webapp.models import Batch, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import changes
from webapp.services.batches.changes import (
    Change,
    ChangeSet,
    Place,
)
from webapp.services.settings import in_force


@dataclass(frozen=True, slots=True)
class CellEdit:
    """A new value for a cell. seen: what the page showed there when the person began."""

    row_id: int
    field: str
    value: str
    seen: str


def find_row(batch_id: int, row_id: int) -> Row:
    """A row of this batch, removed or not. Raises NotFoundError."""
    return _find_rows(batch_id, {row_id})[row_id]


def edit(
    batch_id: int,
    row_id: int,
    field: str,
    value: str,
    seen: str,
    by: User,
) -> ChangeSet:
    """Set one cell, by the rules of `paste`. Raises ConflictError for a row that was removed."""
    cell = CellEdit(row_id, field, value, seen)
    result = paste(batch_id, by, [cell])
    row = result.rows[0]
    if row.removed_at:
        raise ConflictError(
            f"Row {row.line} was removed in the meantime. Load the page again to put it back."
        )
    return result


@changes.command
def paste(
    batch: Batch,
    by: User,
    cells: Sequence[CellEdit],
) -> ChangeSet:
    """Set these cells as one step; the number of statements does not depend on theirs.

    A cell that somebody else changed since it was `seen` keeps their value (`ChangeSet.newer`); one's own earlier edit is
    never in the way. A row that was removed meanwhile stays as it is. Raises NotFoundError.
    """
    rows = _find_rows(batch.id, {cell.row_id for cell in cells})
    wanted: dict[Place, Change] = {}
    unseen = set()
    for cell in cells:
        changes.check_column(cell.field)
        row = rows[cell.row_id]
        current = row.cell(cell.field)
        value = _clean(cell.value)
        # a page shows the beginning of a long cell
        is_unchanged = value in (current, clip(current))
        if row.removed_at or is_unchanged:
            continue
        place = (row.id, cell.field)
        wanted[place] = Change(row, cell.field, current, value)
        # HTML knows one kind of line break
        if cell.seen.split() not in (
            current.split(),
            clip(current).split(),
        ):
            unseen.add(place)
    newer = _changed_by_others(unseen, by)
    edits = [change for place, change in wanted.items() if place not in newer]
    return ChangeSet(edits, list(rows.values()), newer)


@changes.command
def add_rows(
    batch: Batch,
    _by: User,
    lines: Sequence[Mapping[str, str]],
) -> ChangeSet:
    """Add a row for each of these lines below the last one, as one step. Raises ConflictError where the batch is full."""
    limit = in_force.settings().max_rows
    size = batch.size + len(lines)
    if size > limit:
        raise ConflictError(
            f"That would make {size:,} rows. The limit is {limit:,}. Nothing was added."
        )
    lowest = select(func.max(Row.line)).where(Row.batch_id == batch.id)
    last = db.session.scalar(lowest) or 1
    rows = [
        Row(batch_id=batch.id, line=last + n, removed_at=utcnow())
        for n, _ in enumerate(lines, start=1)
    ]
    db.session.add_all(rows)
    db.session.flush()
    added = [Change(row, "added", "", "added") for row in rows]
    for row, line in zip(rows, lines, strict=True):
        for field in FIELDS:
            value = _clean(line.get(field, ""))
            added.append(Change(row, field, "", value))
    return ChangeSet(added)


def remove(
    batch_id: int,
    row_id: int,
    by: User,
    *,
    restore: bool = False,
) -> ChangeSet:
    """Take a row out of the batch (the next with its e-mail takes its place at once), or put it back."""

    def propose(batch: Batch, _by: User) -> ChangeSet:
        row = find_row(batch_id, row_id)
        before = changes.current(batch, row, "removed")
        after = "" if restore else "removed"
        return ChangeSet([Change(row, "removed", before, after)], [row])

    return changes.apply(propose, batch_id, by, any_kind=True)


def _clean(value: str) -> str:
    """A value as it would be read from a file, without what no database stores: NUL and halves of characters."""
    return clean(value.replace("\0", "").encode(errors="ignore").decode())


def _find_rows(batch_id: int, ids: Collection[int]) -> dict[int, Row]:
    query = select(Row).where(Row.batch_id == batch_id, in_json(Row.id, ids))
    rows = {row.id: row for row in db.session.scalars(query)}
    if len(rows) < len(ids):
        raise NotFoundError(
            "There is no such row in this upload, or it was discarded. Load the page again."
        )
    return rows


def _changed_by_others(places: set[Place], by: User) -> dict[Place, str]:
    """The cells that another person changed last, with that person's name; one query."""
    if not places:
        return {}
    query = (
        select(RowEdit.row_id, RowEdit.field, User.id, User.name)
        .join(User, User.id == RowEdit.user_id)
        .where(RowEdit.row_id.in_({row_id for row_id, _ in places}))
        .order_by(RowEdit.id)
    )
    newer: dict[Place, str] = {}
    for row_id, field, who, name in db.session.execute(query):
        assert row_id
        place = (row_id, field)
        newer.pop(place, None)
        if place in places and who != by.id:
            newer[place] = name
    return newer

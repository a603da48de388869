"""Many rows of a batch under review changed at once: one step, a fixed number of statements, never a request a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import func, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.cleaning import LONGEST_CELL, clean, clip
from webapp.core.lists.row_filter import Find
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.db import db
from webapp.models import Batch, Row, User
from webapp.schemas.rows import FIELDS, split_groups
from webapp.services.batches import changes as edits
from webapp.services.batches import planner, replan, review, row_search
from webapp.services.batches.changes import Change, Prepared
from webapp.services.directory import lookup

Columns = TypeVarTuple("Columns")

EXAMPLES = 10
"""Rows shown as what a replacement would do."""
CHOSEN = 10_000
"""Rows that may be named one by one."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replacement would do: in how many rows, and (line, before, after) of the first of them."""

    count: int
    examples: Sequence[tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a bulk change did. version: its step, to be undone; None where nothing had to change."""

    batch: Batch
    count: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows that were selected: by their ids, or all that `find` finds but for these."""

    ids: frozenset[int] = frozenset()
    find: Find | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Find and replace in a column. whole: the whole cell is meant. exactly: with regard to case."""

    field: str
    find: str
    by: str
    whole: bool = False
    exactly: bool = False

    def __call__(self, cell: str) -> str:
        """The cell afterwards."""
        if self.whole:
            same = cell == self.find if self.exactly else fold(cell) == fold(self.find)
            return self.by if same else cell
        text, find = (cell, self.find) if self.exactly else (_small(cell), _small(self.find))
        found = text.count(find)
        if not found:
            return cell
        if len(cell) + found * (len(self.by) - len(find)) > LONGEST_CELL:  # before anything so long is built
            raise edits.CellTooLongError
        pieces, start = [], 0
        for piece in text.split(find):
            pieces.append(cell[start : start + len(piece)])
            start += len(piece) + len(find)
        return clean(self.by.join(pieces))

    def check(self) -> None:
        """Raises RuleViolationError where there is nothing to look for, or a text is longer than a cell may be."""
        if self.field not in FIELDS:
            raise RuleViolationError("There is no such column.", field="field")
        if not self.find and not self.whole:
            raise RuleViolationError("Enter what to find, or choose “Whole cell” to fill empty cells.", field="find")
        edits.check_length(self.find)
        edits.check_length(self.by)


def _small(text: str) -> str:
    """In small letters, and as long as it was."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


# Find and replace


def replaceable(batch: Batch, replacement: Replacement) -> Preview:
    """What `replace` would do. A question; one query, of the column alone."""
    replacement.check()
    column = getattr(Row, replacement.field)
    query = select(Row.line, column).where(Row.batch_id == batch.id, Row.removed_at.is_(None)).order_by(Row.line)
    count = 0
    examples: list[tuple[int, str, str]] = []
    for line, cell in db.session.execute(query):
        after = replacement(cell)
        if after == cell:
            continue
        count += 1
        if count <= EXAMPLES:
            examples.append((line, clip(cell), clip(after)))
    return Preview(count, examples)


def replace(batch_id: int, replacement: Replacement, by: User) -> Done:
    """Find and replace in a column, in all rows of the batch."""
    replacement.check()

    def found(batch: Batch) -> tuple[list[Row], Replacement]:
        column = getattr(Row, replacement.field)
        standing = select(Row.id, column).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        return _by_id(batch, [id for id, cell in db.session.execute(standing) if replacement(cell) != cell]), replacement

    return change_cells(batch_id, by, replacement.field, found)


def _by_id(batch: Batch, ids: Iterable[int]) -> list[Row]:
    wanted = sorted(ids)
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if len(wanted) > CHOSEN:  # more than a statement should carry: read them all
        known = set(wanted)
        return [row for row in planner.loaded(query) if row.id in known]
    return planner.loaded(query.where(Row.id.in_(wanted)))


def change_cells(
    batch_id: int, by: User, field: str, find: Callable[[Batch], tuple[Iterable[Row], Callable[[str], str]]]
) -> Done:
    """One step: what `find` finds, and what is made of the cells of this field."""

    def changes(batch: Batch) -> list[Change]:
        rows, after = find(batch)
        return [edits.change_cell(row, field, new) for row in rows if (new := after(row.cell(field))) != row.cell(field)]

    return _step(batch_id, by, changes)


def _step(batch_id: int, by: User, find: Callable[[Batch], Iterable[Change]]) -> Done:
    """One step of those changes that change something, and the commit."""

    def prepare(batch: Batch) -> Prepared | None:
        real = [change for change in find(batch) if change.before != change.after]
        return edits.prepared(batch, real) if real else None

    batch, step = review.begun(batch_id, prepare, by)
    if step is None:
        db.session.rollback()
        return Done(batch, 0, None)
    edits.written(batch, by, step)
    version = batch.version
    db.session.commit()
    return Done(batch, len({row_id for row_id, *_ in step.changes}), version)


# Selected rows


def set_role(batch_id: int, chosen: Chosen, role: str, by: User) -> Done:
    """Write one role into the selected rows. Raises RuleViolationError for one that is not theirs to grant."""
    return _change_chosen(batch_id, chosen, by, "role", lambda registry: _role(registry, role, by))


def set_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Write these groups, and no others, into the selected rows."""
    edits.check_length(_joined(names))
    return _change_chosen(batch_id, chosen, by, "groups", lambda registry: lambda cell: _joined(names))


def add_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Add groups to those in the selected rows. All groups hold every other already."""
    edits.check_length(_joined(names))

    def adding(registry: Registry) -> Callable[[str], str]:
        def after(cell: str) -> str:
            present = {_meant(name, registry) for name in split_groups(cell)}
            if _meant(ALL_GROUPS, registry) in present:
                return cell
            new = [name for name in names if _meant(name, registry) not in present]
            return _joined([*split_groups(cell), *new]) if new else cell

        return after

    return _change_chosen(batch_id, chosen, by, "groups", adding)


def remove_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Take groups out of the selected rows, however they are spelt there."""

    def removing(registry: Registry) -> Callable[[str], str]:
        gone = {_meant(name, registry) for name in names}

        def after(cell: str) -> str:
            kept = [name for name in split_groups(cell) if _meant(name, registry) not in gone]
            return ", ".join(kept) if len(kept) < len(split_groups(cell)) else cell

        return after

    return _change_chosen(batch_id, chosen, by, "groups", removing)


def remove(batch_id: int, chosen: Chosen, by: User) -> Done:
    """Take the selected rows out of the batch."""
    return _step(batch_id, by, lambda batch: [Change(row, "removed", "", "removed") for row in _rows(batch, chosen, by)])


def _role(registry: Registry, name: str, by: User) -> Callable[[str], str]:
    role = registry.role_by_key.get(fold(name))
    if role is None or role not in lookup.grantable(by):
        raise RuleViolationError("Choose a role that you may grant.", field="role")
    return lambda cell: role.name


def _joined(names: Sequence[str]) -> str:
    if fold(ALL_GROUPS) in map(fold, names):
        return ALL_GROUPS
    return ", ".join(dict.fromkeys(names))


def united(names: Iterable[str], registry: Registry) -> str:
    """A Groups cell that holds all of these, each once, however they are spelt."""
    found: dict[int | str, str] = {}
    for name in names:
        found.setdefault(_meant(name, registry), name)
    return _joined(list(found.values()))


def _meant(name: str, registry: Registry) -> int | str:
    group = registry.group_by_key.get(fold(name))
    return group.id if group else fold(name)


def _change_chosen(batch_id: int, chosen: Chosen, by: User, field: str, make: Callable[[Registry], Callable[[str], str]]) -> Done:
    return change_cells(batch_id, by, field, lambda batch: (_rows(batch, chosen, by), make(lookup.registry())))


def _rows(batch: Batch, chosen: Chosen, by: User) -> list[Row]:
    """The selected rows that still stand. Raises RuleViolationError where there is none."""
    if chosen.find is not None:
        if chosen.find.is_on:
            replan.follow(batch, by)  # the page may have filtered by plans made on the fly: so does this
        rows = [row for row in row_search.each(batch, chosen.find) if row.id not in chosen.ids]
    else:
        rows = _by_id(batch, sorted(chosen.ids)[:CHOSEN])
    if not rows:
        raise RuleViolationError("None of the selected rows is there any more. Select rows again.")
    return rows


# To a row


def address(batch: Batch, line: int) -> dict[str, Any]:
    """Where the review shows the row of this line: arguments of its address, without a filter. Raises NotFoundError.

    The anchor is the row's e-mail, because a browser gives the focus to an anchor that can take it.
    """
    here = (Row.batch_id == batch.id, Row.removed_at.is_(None))
    row_id = db.session.scalar(select(Row.id).where(*here, Row.line == line))
    if row_id is None:
        raise NotFoundError(f"Row {line} is not there any more.")
    before = db.session.scalar(select(func.count(Row.id)).where(*here, Row.line < line)) or 0
    return {**Find().args(page=before // review.PAGE + 1), "_anchor": f"row-{row_id}-email"}

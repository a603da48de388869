"""Changes many rows of a batch under review: find and replace, selected rows, rows with the same e-mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from webapp.core.errors import (
    ConflictError,
    RuleViolationError,
)
from webapp.core.files.cleaning import clean
from webapp.core.lists.row_filter import Find
from webapp.core.plan.group_cells import Cells, join_groups, key_groups, merge_rows, split_groups
from webapp.core.plan.planner import Mode
from webapp.core.plan.registry import Registry, fold
from webapp.db import db, in_json
from webapp.models import Batch, Row, User
from webapp.services.batches import cell_edit, changes, planner, row_search
from webapp.services.batches.changes import (
    Change,
    ChangeSet,
    check_length,
)
from webapp.services.directory import lookup


@dataclass(frozen=True, slots=True)
class Chosen:
    """Selected rows: by their ids, or all that `find` finds except these."""

    ids: frozenset[int] = frozenset()
    find: Find | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Find and replace in a column. whole: the whole cell has to match. exactly: upper and lower case have to match."""

    field: str
    find: str
    by: str
    whole: bool = False
    exactly: bool = False

    def replace_in(self, cell: str) -> str:
        """The cell afterwards. Raises RuleViolationError."""
        pattern = re.escape(self.find)
        if self.whole:
            pattern = rf"\A{pattern}\Z"
        flags = re.NOFLAG if self.exactly else re.IGNORECASE
        replaced = re.sub(pattern, lambda _: self.by, cell, flags=flags)
        if replaced == cell:
            return cell
        check_length(replaced)
        return clean(replaced)


def change_cells(rows: Iterable[Row], field: str, new: Callable[[str], str]) -> ChangeSet:
    """Make something else of a cell of each of these rows."""
    changed = []
    for row in rows:
        cell = row.cell(field)
        changed.append(Change(row, field, cell, new(cell)))
    return ChangeSet(changed)


def load_rows(batch: Batch, ids: Iterable[int]) -> list[Row]:
    """Those of these rows that were not removed."""
    return planner.load(planner.select_rows(batch).where(in_json(Row.id, ids)))


# Find and replace


def propose_replacement(
    batch: Batch,
    _by: User,
    replacement: Replacement,
) -> ChangeSet:
    """Find and replace in a column, in all rows of the batch. Raises RuleViolationError where there is nothing to look for."""
    field = replacement.field
    changes.check_column(field)
    if not replacement.find and not replacement.whole:
        raise RuleViolationError(
            "Enter what to find, or choose “Whole cell” to fill empty cells.",
            field="find",
        )
    check_length(replacement.find)
    check_length(replacement.by)
    cells = planner.select_rows(batch).with_only_columns(Row.id, getattr(Row, field))
    found = [
        row_id for row_id, cell in db.session.execute(cells) if replacement.replace_in(cell) != cell
    ]
    return change_cells(load_rows(batch, found), field, replacement.replace_in)


replace = changes.command(propose_replacement)


# Selected rows


@changes.command
def set_role(
    batch: Batch,
    by: User,
    chosen: Chosen,
    name: str,
) -> ChangeSet:
    """Write one role into the selected rows. Raises RuleViolationError for one that this person may not grant."""
    role = official_name("role", name, by)
    return change_cells(_selected(batch, chosen), "role", lambda _cell: role)


def official_name(field: str, meant: str, by: User) -> str:
    """The name of the role or group that is meant. Raises RuleViolationError where there is none, or it may not be granted."""
    registry = lookup.registry()
    if field == "role":
        role = registry.role_by_key.get(fold(meant))
        if role is None or role not in lookup.grantable(by):
            raise RuleViolationError("Choose a role that you may grant.", field="role")
        return role.name
    group = registry.group_by_key.get(fold(meant)) if field == "groups" else None
    if group is None:
        raise RuleViolationError("Choose a group.")
    return group.name


@changes.command
def change_groups(
    batch: Batch,
    _by: User,
    chosen: Chosen,
    names: Sequence[str],
    mode: Mode,
) -> ChangeSet:
    """Set the groups of the selected rows, add groups to theirs, or take groups out of them, whatever their spelling there."""
    registry = lookup.registry()
    return change_cells(
        _selected(batch, chosen),
        "groups",
        lambda cell: _regroup(cell, names, mode, registry),
    )


def _regroup(
    cell: str,
    names: Sequence[str],
    mode: Mode,
    registry: Registry,
) -> str:
    """A Groups cell with these groups set, added or removed."""
    present = key_groups(split_groups(cell), registry)
    after = wanted = key_groups(names, registry)
    if mode is Mode.ADD:
        after = {**present, **wanted, **present}
    elif mode is Mode.REMOVE:
        after = {key: name for key, name in present.items() if key not in wanted}
    return cell if after.keys() == present.keys() else join_groups(after)


@changes.command
def remove(
    batch: Batch,
    _by: User,
    chosen: Chosen,
) -> ChangeSet:
    """Take the selected rows out of the batch."""
    return ChangeSet(_removals(_selected(batch, chosen)))


def _removals(rows: Sequence[Row]) -> list[Change]:
    return [Change(row, "removed", "", "removed") for row in rows]


def _selected(batch: Batch, chosen: Chosen) -> list[Row]:
    """The selected rows. Raises RuleViolationError where there is none."""
    if chosen.find is None:
        rows = load_rows(batch, chosen.ids)
    else:
        found = row_search.iterate_rows(batch, chosen.find)
        rows = [row for row in found if row.id not in chosen.ids]
    if not rows:
        raise RuleViolationError("None of the selected rows is there any more. Select rows again.")
    return rows


# Rows with the same e-mail


@changes.command
def merge_duplicates(
    batch: Batch,
    _by: User,
    row_id: int,
) -> ChangeSet:
    """Merge the rows with this row's e-mail: the first gets the groups of all, and a name; the others are removed.

    Raises RuleViolationError where their roles differ.
    """
    first, *later = rows = _with_same_email(batch, row_id)
    cells = [Cells(row.name, row.role, row.groups) for row in rows]
    one = merge_rows(cells, lookup.registry())
    if one is None:
        raise RuleViolationError(
            "Their roles differ, so nothing was merged. Make the roles the same, or choose “Keep this one”."
        )
    merged = [
        Change(first, "groups", first.groups, one.groups),
        Change(first, "name", first.name, one.name),
    ]
    return ChangeSet([*merged, *_removals(later)], rows)


@changes.command
def keep_one(
    batch: Batch,
    _by: User,
    row_id: int,
) -> ChangeSet:
    """Keep this row, and remove the others with its e-mail."""
    rows = _with_same_email(batch, row_id)
    return ChangeSet(_removals([row for row in rows if row.id != row_id]))


def _with_same_email(batch: Batch, row_id: int) -> list[Row]:
    """The rows with this row's e-mail, itself included. Raises ConflictError where it is the only one."""
    key = cell_edit.find_row(batch.id, row_id).email_key
    same = planner.select_rows(batch).where(Row.email_key.is_not(None), Row.email_key == key)
    rows = planner.load(same)
    if len(rows) < 2 or row_id not in [row.id for row in rows]:
        raise ConflictError("No other row has this email any more. Nothing was changed.")
    return rows

"""Rows of a batch under review that have the same e-mail: merged into one, or all but one removed."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.models import Batch, Row, User
from webapp.schemas.rows import split_groups
from webapp.services.batches import bulk_edit, cell_edit, changes, planner
from webapp.services.batches.changes import Change, Proposal, Result
from webapp.services.directory import lookup


def merge(batch_id: int, row_id: int, by: User) -> Result:
    """Merge the rows with this row's e-mail: the first gets the groups of all, the others are removed.

    Raises RuleViolationError where their roles differ.
    """

    def propose(batch: Batch) -> Proposal:
        first, *later = rows = _with_same_email(batch, row_id)
        registry = lookup.registry()
        roles = {registry.role_by_key.get(fold(row.role)) for row in rows}
        if len(roles) > 1 or None in roles:
            raise RuleViolationError(
                "Their roles differ, so nothing was merged. Make the roles the same, or choose “Keep this one”."
            )
        groups = bulk_edit.unite((name for row in rows for name in split_groups(row.groups)), registry)
        return Proposal([Change(first, "groups", first.groups, groups), *_removals(later)], rows)

    return changes.apply(batch_id, by, propose)


def keep(batch_id: int, row_id: int, by: User) -> Result:
    """Keep this row, and remove the others with its e-mail."""

    def propose(batch: Batch) -> Proposal:
        return Proposal(_removals([row for row in _with_same_email(batch, row_id) if row.id != row_id]))

    return changes.apply(batch_id, by, propose)


def _removals(rows: Sequence[Row]) -> list[Change]:
    return [Change(row, "removed", "", "removed") for row in rows]


def _with_same_email(batch: Batch, row_id: int) -> list[Row]:
    """The rows with this row's e-mail, itself included. Raises ConflictError where it is the only one."""
    row = cell_edit.find_row(batch.id, row_id)
    if row.removed_at or row.email_key is None:
        raise ConflictError("That row was removed or changed in the meantime. Nothing was changed.")
    rows = planner.load(planner.select_rows(batch).where(Row.email_key == row.email_key))
    if len(rows) < 2:
        raise ConflictError("No other row has this email any more. Nothing was changed.")
    return rows

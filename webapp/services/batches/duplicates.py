"""Rows under review with the same e-mail: merge them, or keep one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.db import begin_write, db
from webapp.models import Batch, Row, User
from webapp.schemas.rows import split_groups
from webapp.services.batches import bulk_edit, planner, review
from webapp.services.batches import changes as edits
from webapp.services.batches.changes import Change
from webapp.services.directory import lookup


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. count: rows that were removed, or made one. version: the step, to be undone."""

    batch: Batch
    count: int
    version: int


def merge(batch_id: int, row_id: int, by: User) -> Done:
    """Make one of all rows that have this row's e-mail: the first gets the groups of all, the others are removed.

    Raises RuleViolationError where their roles differ.
    """
    batch, twins, _ = _held(batch_id, row_id)
    registry = lookup.registry()
    roles = {registry.role_by_key.get(fold(row.role)) for row in twins}
    if len(roles) > 1 or None in roles:
        raise RuleViolationError("Their roles differ, so nothing was merged. Make the roles the same, or choose “Keep this one”.")
    leader, *later = twins
    union = bulk_edit.united((name for row in twins for name in split_groups(row.groups)), registry)
    changes = [edits.change_cell(leader, "groups", union), *(Change(row, "removed", "", "removed") for row in later)]
    return _done(batch, by, changes, len(twins))


def keep(batch_id: int, row_id: int, by: User) -> Done:
    """Of all rows that have this row's e-mail keep this one; the others are removed."""
    batch, twins, kept = _held(batch_id, row_id)
    changes = [Change(row, "removed", "", "removed") for row in twins if row.id != kept.id]
    return _done(batch, by, changes, len(changes))


def _held(batch_id: int, row_id: int) -> tuple[Batch, list[Row], Row]:
    """The locked batch, its standing rows with this row's e-mail in the order of lines, and the row itself. Does not commit.

    Raises ConflictError where there is only one.
    """
    begin_write()
    batch = review.under_review(batch_id)
    row = db.session.get(Row, row_id)
    if row is None or row.batch_id != batch.id or row.removed_at is not None or row.email_key is None:
        raise ConflictError("That row was removed or changed in the meantime. Nothing was changed.")
    same_email = planner.standing(batch).where(Row.email_key == row.email_key).order_by(Row.line)
    twins = list(db.session.scalars(same_email))
    if len(twins) < 2:
        raise ConflictError("No other row has this email any more. Nothing was changed.")
    return batch, twins, row


def _done(batch: Batch, by: User, changes: Iterable[Change], count: int) -> Done:
    """Carry out what changes anything as one step, and commit."""
    edits.make(batch, by, [change for change in changes if change.before != change.after])
    db.session.commit()
    return Done(batch, count, batch.version)

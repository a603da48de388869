"""Rows under review: a cell edited, a row removed or restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.files.cleaning import clip
from webapp.core.files.table import clean
from webapp.core.plan.planner import Plan
from webapp.core.text import action_phrases
from webapp.core.text.formatting import plural
from webapp.db import begin_write, commit_and_keep, db, utcnow
from webapp.models import Batch, BatchKind, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import changes, review
from webapp.services.batches.changes import Change
from webapp.services.directory import lookup
from webapp.services.settings import in_force


@dataclass(frozen=True, slots=True)
class Stood:
    """How a row and its batch stood at one moment, as far as more than the edited cell shows it."""

    shown: str
    counts: Mapping[str, int]
    issues: Sequence[Mapping[str, Any]]
    step: Mapping[str, Any]

    @classmethod
    def of(cls, batch: Batch, row: Row) -> Stood:
        return cls(batch.shown, batch.counts, row.issues, row.step)

    @property
    def is_plain(self) -> bool:
        """Whether the row invites somebody new and there is nothing to say of it: each of its cells shows itself alone."""
        return not self.issues and not self.step.get("before") and "likely_domain" not in self.step


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did. newer: the other person's name where theirs came first and nothing was stored.

    before: how it all stood; None where nothing was stored.
    """

    batch: Batch
    row: Row
    field: str
    twins: Sequence[Row]
    newer: str | None = None
    before: Stood | None = None

    def moved(self, seen: str | None) -> set[str]:
        """What else of a page shows something new, where it showed the batch as it was `seen` (`Batch.shown`) throughout:
        "row" (its other cells), "counts", "offers", and "all" where anything may have changed meanwhile, by others or in
        another tab."""
        before, after = self.before, Stood.of(self.batch, self.row)
        if before is None or before.shown != seen:
            return {"row", "counts", "offers", "all"}
        is_plain = before.is_plain and after.is_plain
        found = {"counts"} if before.counts != after.counts else set()
        return found | (set() if is_plain else {"row"}) | (set() if is_plain and not self.twins else {"offers"})


def found(batch_id: int, row_id: int) -> Row:
    """A row that still stands. Raises NotFoundError."""
    row = db.session.get(Row, row_id)
    if row is None or row.batch_id != batch_id:
        raise NotFoundError("There is no such row. The upload may have been discarded.")
    return row


def edit(batch_id: int, row_id: int, field: str, value: str, seen: str | None, by: User) -> Edit:
    """Set one cell, judge its row and its twins anew, all in one commit. Raises RowRemovedError where the row was removed.

    seen: the value that the cell had when the person began; where somebody else changed it since, theirs is kept
    and told, nothing is stored. One's own earlier edit is never in one's own way.
    """
    if field not in FIELDS:
        raise NotFoundError("There is no such column.")
    value = clean(value)
    begin_write()
    batch = review.under_review(batch_id)
    row = _standing(batch_id, row_id)
    current = row.cell(field)
    if seen is None:
        raise RuleViolationError("The request does not say what the cell held. Load the page again and repeat the edit.")
    if value == current or value == clip(current):  # a page shows the beginning of a long cell
        db.session.rollback()
        return Edit(batch, row, field, [])
    if not changes.is_shown_as(current, seen) and (other := _last_editor(row, field, by)):
        db.session.rollback()
        return Edit(batch, row, field, [], newer=other)
    before = Stood.of(batch, row)
    twins = changes.make(batch, by, [changes.change_cell(row, field, value)])
    commit_and_keep()
    return Edit(batch, row, field, twins, before=before)


def remove(batch_id: int, row_id: int, by: User) -> Edit:
    """Take a row out of the batch; the next with its e-mail takes its place at once.

    Raises RowRemovedError where somebody did.
    """
    begin_write()
    batch = review.under_review(batch_id, any_kind=True)
    row = _standing(batch_id, row_id)
    twins = changes.make(batch, by, [Change(row, "removed", "", "removed")])
    _renamed(batch)
    db.session.commit()
    return Edit(batch, row, "removed", twins)


def restore(batch_id: int, row_id: int, by: User) -> Edit:
    """Put a removed row back."""
    begin_write()
    batch = review.under_review(batch_id, any_kind=True)
    row = found(batch_id, row_id)
    if row.removed_at is None:
        db.session.rollback()
        return Edit(batch, row, "removed", [])
    twins = changes.make(batch, by, [Change(row, "removed", "removed", "")])
    _renamed(batch)
    db.session.commit()
    return Edit(batch, row, "removed", twins)


def _renamed(batch: Batch) -> None:
    """Part of a command: an action is called by how many it is for."""
    if batch.kind is BatchKind.ACTION and batch.doing:
        batch.name = action_phrases.name_action(batch.doing, batch.size, lookup.registry())


def add(batch_id: int, by: User) -> Edit:
    """A new, empty row below the last one, to be filled in by hand. Raises ConflictError where the batch is full."""
    begin_write()
    batch = review.under_review(batch_id)
    limit = in_force.settings().max_rows
    if batch.size >= limit:
        raise ConflictError(f"The limit is {plural(limit, 'row')} in one upload. Nothing was added.")
    last = db.session.scalar(select(func.max(Row.line)).where(Row.batch_id == batch_id)) or 1
    empty = dict.fromkeys(FIELDS, "")
    row = Row(batch_id=batch_id, line=last + 1, **empty, **{f"read_{field}": "" for field in FIELDS})
    row.plan, row.step, row.issues, row.problems = Plan.ATTENTION, {}, [], ""
    row.removed_at = utcnow()  # until the step below puts it there
    db.session.add(row)
    db.session.flush()
    twins = changes.make(batch, by, [Change(row, "added", "", "added")])
    db.session.commit()
    return Edit(batch, row, "added", twins)


class RowRemovedError(ConflictError):
    """The row was removed meanwhile; nothing was changed."""

    def __init__(self, row: Row) -> None:
        super().__init__(f"Row {row.line} was removed in the meantime. Put it back, then repeat your edit.")
        self.batch_id, self.row_id = row.batch_id, row.id


def _standing(batch_id: int, row_id: int) -> Row:
    row = found(batch_id, row_id)
    if row.removed_at is not None:
        db.session.rollback()
        raise RowRemovedError(row)
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

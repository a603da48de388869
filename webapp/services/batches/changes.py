"""Every change of a batch under review: one lock, one length rule, one step that can be undone, one result.

`apply` is the only code that changes cells, removes or adds rows, or sets options of a batch under review.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import insert
from sqlalchemy.orm.attributes import set_committed_value

from webapp.core.addresses import key_of
from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.db import begin_write, commit_and_keep, db, in_json, utcnow
from webapp.models import Batch, BatchKind, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.audit import events
from webapp.services.batches import planner, review
from webapp.services.directory import lookup

OF_PLANS = ("mode", "change_roles", "skip_errors")
"""Options that plans depend on. The others only change what is written to people."""

Asked = ParamSpec("Asked")
Place = tuple[int, str]
"""A cell: the row's id and the field."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a row; or whether a row is there ("removed": "" or "removed"; "added": "" or "added"); or, without a
    row, an option of the batch as text."""

    row: Row | None
    field: str
    before: str
    after: str


@dataclass(slots=True)
class ChangeSet:
    """What a command wants to change in the locked batch; after `apply`, what it changed.

    rows: further rows that the answer shows; afterwards with those that were changed, in the order of lines. newer: cells that
    keep somebody else's newer value, with that person's name. log: how the step is logged, where it is an undo or a redo;
    name: that step in words. is_written: something else was written, which is kept even where no cell changes.

    Set by `apply`: version: of the step; None where nothing was stored. others: further rows whose plan changed.
    had_problems: whether one of the rows has a problem, or had one before.
    """

    changes: Sequence[Change]
    rows: Sequence[Row] = ()
    newer: Mapping[Place, str] = field(default_factory=dict)
    log: Callable[[], None] | None = None
    name: str = ""
    is_written: bool = False
    batch: Batch = field(init=False)
    version: int | None = None
    others: Sequence[Row] = ()
    had_problems: bool = False

    @property
    def new_version(self) -> int | None:
        """The version of a new step, which can be undone; None where nothing was stored, and of an undo or a redo."""
        return None if self.name else self.version

    @property
    def places(self) -> set[Place]:
        """The cells that were changed."""
        return {(change.row.id, change.field) for change in self.changes if change.row}

    @property
    def count(self) -> int:
        """How many rows were changed."""
        return len({row_id for row_id, _ in self.places})


Step = TypeVar("Step", bound=ChangeSet)


def check_length(text: str) -> None:
    """The one rule for what is typed, pasted, replaced or merged: nothing is cut. Raises RuleViolationError."""
    if len(text) > LONGEST_CELL:
        raise RuleViolationError(
            f"A cell holds at most {LONGEST_CELL:,} characters. Shorten it; nothing was changed."
        )


def check_column(field: str) -> None:
    """Raise NotFoundError for what is no column of the review."""
    if field not in FIELDS:
        raise NotFoundError("There is no such column.")


def apply(
    propose: Callable[..., Step],
    batch_id: int,
    by: User,
    *args: Any,
    any_kind: bool = False,
    **details: Any,
) -> Step:
    """Carry out what `propose` finds in the locked batch, as one step that can be undone. Commits once.

    any_kind: also for an action or a revert, whose rows can only be removed and put back. Raises NotUnderReview,
    RuleViolationError. Everything happens under the lock: changing 10,000 rows holds it for about a second.
    """
    begin_write()
    batch = review.lock_under_review(batch_id, any_kind=any_kind)
    step = propose(batch, by, *args, **details)
    step.batch = batch
    step.changes = [change for change in step.changes if change.before != change.after]
    rows = {*step.rows, *(change.row for change in step.changes if change.row)}
    step.rows = sorted(rows, key=lambda row: row.line)
    if not step.changes:
        commit_and_keep() if step.is_written else db.session.rollback()
        return step
    if step.log is None:  # what is put back may be longer: a file's cell was
        for change in step.changes:
            if change.row:
                check_length(change.after)
    had_problems = _have_problems(step.rows)
    step.others = _carry_out(batch, by, step.changes)
    step.had_problems = had_problems or _have_problems(step.rows)
    batch.version += 1
    step.version = batch.version
    if step.log:
        step.log()
    else:
        _log(batch, by, step.changes)
    commit_and_keep()
    return step


def command(
    propose: Callable[Concatenate[Batch, User, Asked], ChangeSet],
) -> Callable[Concatenate[int, User, Asked], ChangeSet]:
    """Make a command of a function that proposes changes: it takes a batch's id, and applies what is proposed."""
    return partial(apply, propose)


@command
def set_options(batch: Batch, _by: User, /, **wanted: object) -> ChangeSet:
    """Set options of a batch (mode, change_roles, skip_errors, valid_days, message) as one step.

    Plans that depend on them are made again.
    """
    changes = []
    for name, value in wanted.items():
        changes.append(Change(None, name, current(batch, None, name), str(value)))
    return ChangeSet(changes)


def _have_problems(rows: Iterable[Row]) -> bool:
    return any(row.issues or row.likely_domain for row in rows)


def current(
    batch: Batch,
    row: Row | None,
    field: str,
) -> str:
    """What a change of this field would have as its `before` now."""
    if row is None:
        return str(getattr(batch, field))
    if field == "removed":
        return "removed" if row.removed_at else ""
    if field == "added":
        return "" if row.removed_at else "added"
    return row.cell(field)


def _carry_out(
    batch: Batch,
    by: User,
    changes: Sequence[Change],
) -> Sequence[Row]:
    """Change rows and options, and plan again what depends on them. Does not commit. -> other rows whose plan changed."""
    others = _change_rows(batch, changes)
    options = {change.field: change.after for change in changes if change.row is None}
    if options:
        before = {name: getattr(batch, name) for name in options}
        for name, text in options.items():
            kind = type(before[name])
            setattr(batch, name, text == "True" if kind is bool else kind(text))
        after = {name: getattr(batch, name) for name in options}
        events.record(by, "batch.changed", batch, before=before, after=after)
    if options.keys() & set(OF_PLANS):
        planner.plan_batch(batch)
    if batch.kind is BatchKind.ACTION:  # it is called by how many it is for
        batch.title = {**batch.title, "n": batch.size}
    return others


def _change_rows(batch: Batch, changes: Sequence[Change]) -> list[Row]:
    """Set the cells, and plan these rows and all that share, or shared, an e-mail with them. Does not commit.

    The number of statements does not depend on the number of rows. -> other rows whose plan changed.
    """
    touched = {change.row.id: change.row for change in changes if change.row}
    if not touched:
        return []
    before = [planner.row_values(row) for row in touched.values() if not row.removed_at]
    keys = {row.email_key for row in touched.values()}
    for change in changes:
        _set(change)
    standing = [row for row in touched.values() if not row.removed_at]
    allowed = lookup.registry().allowed_domains
    keys |= {key_of(row.email, allowed) for row in standing}
    same_email = planner.select_rows(batch).where(
        in_json(Row.email_key, filter(None, keys)),
        ~in_json(Row.id, touched),
    )
    sharing = list(db.session.scalars(same_email))
    in_order = sorted([*standing, *sharing], key=lambda row: row.line)
    plans = planner.plan_stored_rows(batch, in_order)
    others = planner.find_changed(sharing, plans)
    before += map(planner.row_values, others)
    after = [plans[row.line] for row in (*standing, *others)]
    for row in (*standing, *others):
        planner.set_plan(row, plans[row.line])
    counts = Counter(batch.counts) + planner.count_rows(after)
    batch.counts = dict(counts - planner.count_rows(before))
    planner.write_rows([planner.row_values(row) for row in (*touched.values(), *others)])
    return others


def _set(change: Change) -> None:
    """Put one change into its row as loaded."""
    if change.row is None:
        return
    if change.field in FIELDS:
        set_committed_value(change.row, change.field, change.after)
        return
    is_there = (change.field == "added") == bool(change.after)
    set_committed_value(change.row, "removed_at", None if is_there else utcnow())


# The log of changes


def _log(
    batch: Batch,
    by: User,
    changes: Sequence[Change],
) -> None:
    """Keep what is changed as one new step. Does not commit."""
    step = {"batch_id": batch.id, "version": batch.version, "user_id": by.id, "at": utcnow()}
    logged = [
        {
            **step,
            "row_id": change.row.id if change.row else None,
            "field": change.field,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]
    db.session.connection().execute(insert(RowEdit), logged)

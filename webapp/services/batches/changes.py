"""What people change in a batch under review: one step at a time, noted so that it can be undone.

A step is every `RowEdit` of one version of the batch. Whatever changes rows makes its changes by `make`, or prepares them
before it takes the lock and writes them by `written`; nothing else writes a `RowEdit`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Integer, bindparam, case, cast, func, insert, select, update

from webapp.core.errors import RuleViolationError
from webapp.core.files.cleaning import LONGEST_CELL, clip
from webapp.core.plan.planner import Plan
from webapp.db import among, db, utcnow
from webapp.models import Batch, EditState, Row, RowEdit, User
from webapp.schemas.rows import RowSchema
from webapp.services.batches import planner
from webapp.services.directory import lookup

UNDONE, REDONE = "undone", "redone"
"""Fields of the one `RowEdit` that an undo or a redo leaves: before is the step's version, after its name in words."""
MARKERS = (UNDONE, REDONE)
MANY = 2000
"""From so many changed rows on, the whole batch is read at once instead of the rows that share an e-mail with them."""
OF_PLANS = ("mode", "change_roles", "skip_errors")
"""Options that plans go by. The others only say what is written to people."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a row, whether a row stands ("removed": "" or "removed"; "added": "" or "added"), or, without a row,
    an option of the batch as text."""

    row: Row | None
    field: str
    before: str
    after: str


class CellTooLongError(RuleViolationError):
    """A cell would hold more than it may. Nothing is cut, nothing is stored."""

    def __init__(self) -> None:
        super().__init__(f"A cell holds at most {LONGEST_CELL:,} characters. Shorten it; nothing was changed.")


def check_length(text: str) -> None:
    """Raises CellTooLongError: the one rule for whatever is typed, pasted, replaced or put together."""
    if len(text) > LONGEST_CELL:
        raise CellTooLongError


def change_cell(row: Row, field: str, value: str) -> Change:
    """The change that puts this value into a cell. Raises CellTooLongError."""
    check_length(value)
    return Change(row, field, row.cell(field), value)


Noted = tuple[int | None, str, str, str]
"""A change as it is kept: (row_id, field, before, after)."""


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


def is_shown_as(value: str, seen: str) -> bool:
    """Whether a page that shows this value says that it has `seen` that: HTML knows one kind of line break."""
    return seen in (value, clip(value)) or _BREAK.sub("\n", value) == _BREAK.sub("\n", seen)


_BREAK = re.compile("\r\n?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step that is judged and only has to be written: plain values, that outlive the transaction in which they were read.

    options: of the batch, by field. rows: as `plans.write` takes them. others: further rows whose plan changes.
    """

    changes: Sequence[Noted]
    options: Mapping[str, Any]
    rows: Sequence[dict[str, Any]]
    counts: dict[str, int]
    others: Sequence[Row]


def make(batch: Batch, by: User, changes: Sequence[Change]) -> Sequence[Row]:
    """Part of a command: carry out the changes as one step that `by` can undo. -> other rows whose plan changed."""
    return written(batch, by, prepared(batch, changes))


def written(batch: Batch, by: User, step: Prepared) -> Sequence[Row]:
    """Part of a command: write a step that `by` can undo. -> other rows whose plan changed."""
    with db.session.no_autoflush:  # the batch is written once, with the commit
        noted(batch, by, step.changes)
        return carried_out(batch, step)


def noted(batch: Batch, by: User, changes: Sequence[Noted]) -> None:
    """Part of a command: keep what is changed as one new step of the batch. What `by` had undone cannot come back now."""
    dropped(batch, by)
    batch.version += 1
    same = {"batch_id": batch.id, "version": batch.version, "user_id": by.id, "at": utcnow(), "state": EditState.DONE}
    db.session.execute(
        _NOTE,
        [same | dict(zip(("row_id", "field", "before", "after"), change, strict=True)) for change in changes],
    )


_NOTE = insert(RowEdit.__table__)  # type: ignore[arg-type]


def dropped(batch: Batch, by: User) -> None:
    """Part of a command: a new edit ends what this person could still redo."""
    whose = {"batch": batch.id, "user": by.id}
    versions = list(db.session.scalars(_UNDONE, whose))
    if not versions:
        return
    unchecked = {"synchronize_session": False}
    undone = (RowEdit.batch_id == batch.id, RowEdit.version.in_(versions), RowEdit.state == EditState.UNDONE)
    db.session.execute(update(RowEdit).where(*undone).values(state=EditState.DROPPED), execution_options=unchecked)
    db.session.execute(update(RowEdit).where(*_OWN).values(state=EditState.DROPPED), whose, execution_options=unchecked)


_OWN = (
    RowEdit.batch_id == bindparam("batch"),
    RowEdit.user_id == bindparam("user"),
    RowEdit.field == UNDONE,
    RowEdit.state == EditState.DONE,
)
_UNDONE = select(cast(RowEdit.before, Integer)).where(*_OWN)


def prepared(batch: Batch, changes: Sequence[Change], *, judge: bool = True) -> Prepared:
    """Set every `after` in the rows as loaded, and judge anew what that bears on; nothing is written.

    judge: False where every plan is made anew once the step is written. The number of statements does not depend on the number
    of rows.
    """
    options = {change.field: _option(batch, change.field, change.after) for change in changes if change.row is None}
    touched: dict[int, Row] = {}
    keys = _twins_of_wrong(batch) if judge and "skip_errors" in options else set()
    whole = judge and ("mode" in options or "change_roles" in options)
    came: list[Row] = []
    went: list[Row] = []
    now = utcnow()
    for change in changes:
        row = change.row
        if row is None:
            continue
        touched[row.id] = row
        if row.email_key:
            keys.add(row.email_key)
        if change.field not in ("removed", "added"):
            planner.set_value(row, change.field, change.after)
        elif (stands := (change.field == "added") == bool(change.after)) != (row.removed_at is None):
            planner.set_value(row, "removed_at", None if stands else now)
            (came if stands else went).append(row)
    counts = Counter(batch.counts)
    planner.tally(counts, map(planner.counted, came), +1)
    planner.tally(counts, map(planner.counted, went), -1)
    named = {change.row.id for change in changes if change.row and change.field in ("email", "added")}
    in_order = _affected(batch, touched, keys, named, sum(counts[plan] for plan in Plan), whole=whole)
    judgements = planner.judged_again(batch, in_order, **{name: options[name] for name in OF_PLANS if name in options})
    moved = planner.stale(in_order, judgements)
    planner.plan_anew(counts, moved, judgements)
    others = [row for row in moved if row.id not in touched]
    kept: list[Noted] = [(change.row.id if change.row else None, change.field, change.before, change.after) for change in changes]
    rows = [planner.written(row) for row in (*touched.values(), *others)]
    return Prepared(kept, options, rows, {key: n for key, n in counts.items() if n}, others)


def _twins_of_wrong(batch: Batch) -> set[str]:
    """E-mail keys of rows in attention that other rows have, too: whether wrong rows are skipped bears on these alone,
    since a row that is skipped is nobody's twin. One query, and none where nothing is wrong."""
    if not batch.counts.get(Plan.ATTENTION, 0):
        return set()
    is_wrong = Row.plan == Plan.ATTENTION
    keys = planner.standing(batch).with_only_columns(Row.email_key)
    shared = keys.group_by(Row.email_key).having(func.count() > 1, func.sum(case((is_wrong, 1), else_=0)) > 0)
    return {key for key in db.session.scalars(shared) if key}


def _new_keys(batch: Batch, rows: Sequence[Row]) -> set[str]:
    """The e-mail keys that rows get whose e-mail was set."""
    if not rows:
        return set()
    schema = RowSchema(lookup.registry(batch.uploaded_by))
    addresses = (schema.cell("email", row.email)[0] for row in rows)
    return {address.key for address in addresses if address}


def _affected(batch: Batch, touched: Mapping[int, Row], keys: set[str], named: set[int], size: int, *, whole: bool) -> list[Row]:
    """The rows that are to be judged anew: those that were touched, and all that share, or shared, an e-mail with them."""
    standing = [row for row in touched.values() if row.removed_at is None]
    if whole or len(standing) > MANY:
        is_all = len(standing) == size  # reading fifty thousand rows a second time takes a second
        others = [] if is_all else planner.standing_rows(batch)
    else:
        wanted = keys | _new_keys(batch, [row for row in standing if row.id in named])
        others = _sharing(batch, wanted, touched)
    affected = {row.id: row for row in (*others, *standing) if row.removed_at is None}
    return sorted(affected.values(), key=lambda row: row.line)


def _sharing(batch: Batch, keys: set[str], touched: Mapping[int, Row]) -> list[Row]:
    """The standing rows with these e-mails beside those that were touched."""
    if not keys:
        return []
    if len(keys) == len(touched) == 1:
        return list(db.session.scalars(_SHARING_ONE, {"batch": batch.id, "key": next(iter(keys)), "row": next(iter(touched))}))
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None), among(Row.email_key, sorted(keys)))
    return list(db.session.scalars(query.where(~among(Row.id, touched))))


_SHARING_ONE = select(Row).where(  # made once: most edits ask it
    Row.batch_id == bindparam("batch"),
    Row.removed_at.is_(None),
    Row.email_key == bindparam("key"),
    Row.id != bindparam("row"),
)


def carried_out(batch: Batch, step: Prepared) -> Sequence[Row]:
    """Part of a command: write a step's rows and options, without noting it. -> other rows whose plan changed."""
    for field, value in step.options.items():
        setattr(batch, field, value)
    planner.write(step.rows)
    batch.counts = step.counts
    return step.others


def _option(batch: Batch, field: str, text: str) -> Any:
    """An option of the batch, from its text."""
    kind = type(getattr(batch, field))
    return text == "True" if kind is bool else kind(text)

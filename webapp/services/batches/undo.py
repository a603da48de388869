"""Undo and redo of what was changed in a batch under review: kept on the server, one step at a time.

docs/rules.md, "Undo and redo".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, select, update

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.text.formatting import plural
from webapp.db import bulk_execute, db
from webapp.models import MARKERS, REDONE, UNDONE, Batch, BatchKind, EditState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import changes
from webapp.services.batches.changes import Change, Proposal, Result

RECENT = 10
"""Steps in the list of recent changes."""

_OPTIONS = {
    "mode": "what happens to groups",
    "change_roles": "the tick “Also change roles of existing users”",
    "skip_errors": "the tick “Skip them”",
    "message": "the personal message",
    "valid_days": "how long the links work",
}


@dataclass(frozen=True, slots=True)
class Available:
    """Whether there is something of one's own to undo, and to redo."""

    undo: bool
    redo: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the list of recent changes."""

    version: int
    who: str
    words: str
    at: datetime


def describe_step(field: str | None, after: str, rows: int, line: int | None) -> str:
    """A step in words: "changed Role in row 12", "removed 7 rows". field: None where it changed several columns."""
    where = f"row {line}" if rows == 1 else plural(rows, "row")
    if rows == 0:
        return f"changed {_OPTIONS.get(field or '', 'several options')}"
    if field in ("removed", "added"):
        return f"{field} {where}" if after else f"put {where} back"
    return f"changed {field.capitalize() if field else 'several cells'} in {where}"


def available(batch: Batch, by: User) -> Available:
    """What the buttons offer; one query."""
    if batch.kind is not BatchKind.UPLOAD:
        return Available(undo=False, redo=False)
    undo = _own(batch, by).where(RowEdit.field.not_in(MARKERS))
    redo = _own_undos(batch, by)
    can_undo, can_redo = db.session.execute(select(undo.exists(), redo.exists())).one()
    return Available(can_undo, can_redo)


def recent(batch: Batch) -> list[Step]:
    """The last steps that were not undone, newest first, of all people; one query."""
    query = (
        select(
            RowEdit.version,
            User.name,
            func.min(RowEdit.field),
            func.max(RowEdit.field),
            func.max(RowEdit.after),
            func.count(RowEdit.row_id.distinct()),
            func.min(Row.line),
            func.max(RowEdit.at),
        )
        .join(User, User.id == RowEdit.user_id)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(
            RowEdit.batch_id == batch.id,
            RowEdit.state == EditState.DONE,
            RowEdit.field.not_in(MARKERS),
        )
        .group_by(RowEdit.version, User.name)
        .order_by(RowEdit.version.desc())
        .limit(RECENT)
    )
    steps = []
    for version, who, first, last, after, rows, line, at in db.session.execute(query):
        field = first if first in (last, "added") else None
        steps.append(Step(version, who, describe_step(field, after, rows, line), at))
    return steps


def undo(batch_id: int, by: User, version: int | None = None) -> Result:
    """Take back one's own last step, or the one of this version, of anybody.

    Raises ConflictError, and changes nothing, where somebody changed one of its cells since.
    """

    def propose(batch: Batch) -> Proposal:
        wanted = version or _last_step(batch, by)
        step = _find_step(batch, wanted, EditState.DONE)
        if not step or wanted is None:
            raise RuleViolationError("There is nothing left to undo.")
        backwards = [
            Change(change.row, change.field, change.after, change.before)
            for change in reversed(step)
        ]
        return _replay(batch, by, wanted, backwards, UNDONE, _name(step))

    return changes.apply(batch_id, by, propose)


def redo(batch_id: int, by: User) -> Result:
    """Do again what one undid last. Raises ConflictError, and changes nothing, where it no longer fits."""

    def propose(batch: Batch) -> Proposal:
        newest = _own_undos(batch, by).order_by(RowEdit.id.desc()).limit(1)
        wanted = db.session.scalar(newest.with_only_columns(RowEdit.before))
        step = _find_step(batch, int(wanted), EditState.UNDONE) if wanted else []
        if not step or wanted is None:
            raise RuleViolationError("There is nothing left to redo.")
        return _replay(batch, by, int(wanted), step, REDONE, _name(step))

    return changes.apply(batch_id, by, propose)


def _own(batch: Batch, by: User) -> Select[int]:
    """This person's edits that were not undone, and their undos."""
    return select(RowEdit.id).where(
        RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, RowEdit.state == EditState.DONE
    )


def _own_undos(batch: Batch, by: User) -> Select[int]:
    """This person's undos that can be redone: those after their last new step."""
    steps = select(RowEdit.version).where(
        RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, RowEdit.field.not_in(MARKERS)
    )
    last_step = steps.order_by(RowEdit.version.desc()).limit(1).scalar_subquery()
    return _own(batch, by).where(
        RowEdit.field == UNDONE, RowEdit.version > func.coalesce(last_step, 0)
    )


def _last_step(batch: Batch, by: User) -> int | None:
    """The version of this person's last step that was not undone."""
    own = _own(batch, by).where(RowEdit.field.not_in(MARKERS))
    return db.session.scalar(own.with_only_columns(func.max(RowEdit.version)))


def _of_step(batch: Batch, version: int | None) -> ColumnElement[bool]:
    return and_(
        RowEdit.batch_id == batch.id, RowEdit.version == version, RowEdit.field.not_in(MARKERS)
    )


def _find_step(batch: Batch, version: int | None, state: EditState) -> list[Change]:
    """What a step changed, in its order; two queries."""
    of_step = _of_step(batch, version)
    logged = db.session.scalars(
        select(RowEdit).where(of_step, RowEdit.state == state).order_by(RowEdit.id)
    ).all()
    of_rows = select(Row).where(Row.id.in_(select(RowEdit.row_id).where(of_step)))
    rows = {row.id: row for row in db.session.scalars(of_rows)}
    return [
        Change(rows[edit.row_id] if edit.row_id else None, edit.field, edit.before, edit.after)
        for edit in logged
    ]


def _replay(
    batch: Batch, by: User, version: int, step: Sequence[Change], marker: str, name: str
) -> Proposal:
    """Carry out a step backwards (UNDONE) or again (REDONE). Raises ConflictError."""
    _check(batch, step, marker)
    state = EditState.UNDONE if marker == UNDONE else EditState.DONE

    def log() -> None:
        bulk_execute(update(RowEdit).where(_of_step(batch, version)).values(state=state))
        # Who undid the step can redo it. Once it is redone, or undone by somebody else, no earlier undo counts.
        earlier = (
            RowEdit.batch_id == batch.id,
            RowEdit.field == UNDONE,
            RowEdit.state == EditState.DONE,
            RowEdit.before == str(version),
        )
        bulk_execute(update(RowEdit).where(*earlier).values(state=EditState.UNDONE))
        db.session.add(
            RowEdit(
                batch_id=batch.id,
                version=batch.version,
                user_id=by.id,
                field=marker,
                before=str(version),
                after=name,
            )
        )

    return Proposal(step, log=log, name=name)


def _check(batch: Batch, step: Sequence[Change], marker: str) -> None:
    """Raises ConflictError where a cell is no longer as the step left it, or its row was removed since."""
    moving = {
        change.row.id for change in step if change.row and change.field in ("removed", "added")
    }
    for change in step:
        row = change.row
        is_gone = row is not None and row.removed_at is not None and row.id not in moving
        is_filled = change.field == "added" and marker == UNDONE and _holds_more(row, step)
        if is_gone or is_filled or changes.current(batch, row, change.field) != change.before:
            sentence = _who_changed(batch, change, is_gone=is_gone)
            raise ConflictError(f"{sentence} Nothing was {marker}.")


def _holds_more(row: Row | None, step: Sequence[Change]) -> bool:
    """Whether an added row holds more than the step itself put there: undoing the addition would lose it."""
    own = {change.field for change in step if change.row is row}
    return row is not None and any(row.cell(field) for field in FIELDS if field not in own)


def _who_changed(batch: Batch, change: Change, *, is_gone: bool) -> str:
    """Who changed this cell, or row, last: "Role in row 12 was changed since by Ana Silva."."""
    row = change.row
    field = "removed" if is_gone else change.field
    last = (
        select(User.name)
        .join(RowEdit, RowEdit.user_id == User.id)
        .where(
            RowEdit.batch_id == batch.id,
            RowEdit.row_id == (row.id if row else None),
            RowEdit.field.in_(FIELDS if field == "added" else (field,)),
            RowEdit.state == EditState.DONE,
        )
        .order_by(RowEdit.id.desc())
        .limit(1)
    )
    who = db.session.scalar(last)
    if row is None:
        what = _OPTIONS[field]
    else:
        column = "" if field in ("removed", "added") else f"{field.capitalize()} in "
        what = f"{column}row {row.line}"
    by = f" by {who}" if who else ""
    return f"{what[:1].upper()}{what[1:]} was changed since{by}."


def _name(step: Sequence[Change]) -> str:
    fields = {change.field for change in step}
    lines = {change.row.line for change in step if change.row}
    field = fields.pop() if len(fields) == 1 else "added" if "added" in fields else None
    return describe_step(field, step[0].after, len(lines), min(lines, default=None))

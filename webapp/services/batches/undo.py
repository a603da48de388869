"""Undo and redo of what was changed in a batch under review: kept on the server, one step at a time.

docs/rules.md, "Undo and redo".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, cast, func, select, update

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.text.formatting import plural
from webapp.db import db
from webapp.models import Batch, BatchKind, EditState, Row, RowEdit, User
from webapp.services.batches import changes as edits
from webapp.services.batches import planner, review
from webapp.services.batches.changes import MARKERS, REDONE, UNDONE, Change, Prepared

RECENT = 10
"""Steps in the list of what was changed last."""

_OPTIONS = {
    "mode": "what happens to groups",
    "change_roles": "the tick “Also change roles of existing users”",
    "skip_errors": "the tick “Skip them”",
    "message": "the personal message",
    "valid_days": "how long the links work",
}


@dataclass(frozen=True, slots=True)
class Offered:
    """Whether there is something of one's own to undo, and to redo."""

    undo: bool
    redo: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What an undo or a redo did. name: the step in words. row and field: where it was one cell, else None."""

    batch: Batch
    name: str
    version: int
    row: Row | None
    field: str | None
    twins: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the list of recent ones tells it."""

    version: int
    who: str
    said: str
    at: datetime


def named(field: str | None, after: str, rows: int, line: int | None) -> str:
    """A step in words: "Role in row 12", "removing 7 rows". field: None where it changed several columns."""
    where = f"row {line}" if rows == 1 else plural(rows, "row")
    if rows == 0:
        return _OPTIONS.get(field or "", "several options")
    if field in ("removed", "added"):
        return f"{'removing' if field == 'removed' else 'adding'} {where}" if after else f"putting {where} back"
    return f"{field.capitalize() if field else 'several cells'} in {where}"


def told(field: str | None, after: str, rows: int, line: int | None) -> str:
    """What somebody did, after their name: "changed Role in row 12", "removed 7 rows"."""
    where = f"row {line}" if rows == 1 else plural(rows, "row")
    if rows and field in ("removed", "added"):
        return f"{field} {where}" if after else f"put {where} back"
    name = named(field, after, rows, line)
    return f"changed {name if field else name[:1].lower() + name[1:]}"


class UndoConflictError(ConflictError):
    """A cell of the step was changed since; nothing was undone. version: the step's, so that the one before it can be."""

    def __init__(self, sentence: str, version: int) -> None:
        super().__init__(sentence)
        self.version = version


def offered(batch: Batch, by: User, before: int | None = None) -> Offered:
    """A question of the buttons; one query. before: only steps before this version are left to undo."""
    if batch.kind is not BatchKind.UPLOAD:
        return Offered(False, False)
    own = (RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, RowEdit.state == EditState.DONE)
    left = () if before is None else (RowEdit.version < before,)
    undo = select(RowEdit.id).where(*own, RowEdit.field.not_in(MARKERS), *left).exists()
    redo = select(RowEdit.id).where(*own, RowEdit.field == UNDONE).exists()
    can_undo, can_redo = db.session.execute(select(undo, redo)).one()
    return Offered(can_undo, can_redo)


def recent(batch: Batch) -> list[Step]:
    """The last steps that stand, newest first, whoever made them; one query."""
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
        .where(RowEdit.batch_id == batch.id, RowEdit.state == EditState.DONE, RowEdit.field.not_in(MARKERS))
        .group_by(RowEdit.version, User.name)
        .order_by(RowEdit.version.desc())
        .limit(RECENT)
    )
    return [
        Step(version, who, told(first if first in (last, "added") else None, after, rows, line), at)
        for version, who, first, last, after, rows, line, at in db.session.execute(query)
    ]


def undo(batch_id: int, by: User, version: int | None = None, before: int | None = None) -> Done:
    """Take back one's own last step, of those before a version where one is given; or the named one, whoever made it.

    Raises UndoConflictError, and changes nothing, where somebody changed one of its cells since.
    """

    def prepare(batch: Batch) -> _Move:
        wanted = version or _last_of(batch, by, before)
        changes = _changes(batch, wanted, EditState.DONE) if wanted else []
        if not changes or wanted is None:
            raise RuleViolationError("There is nothing left to undo.")
        backwards = [Change(c.row, c.field, before=c.after, after=c.before) for c in reversed(changes)]
        try:
            return _prepared(batch, wanted, backwards, _name(changes), UNDONE)
        except ConflictError as conflict:
            raise UndoConflictError(str(conflict), wanted) from conflict

    batch, move = review.begun(batch_id, prepare)
    return _moved(batch, by, move)


def redo(batch_id: int, by: User) -> Done:
    """Do again what one undid last. Raises ConflictError, and changes nothing, where it no longer fits."""

    def prepare(batch: Batch) -> _Move:
        wanted = _undone_by(batch, by)
        changes = _changes(batch, wanted, EditState.UNDONE) if wanted else []
        if not changes or wanted is None:
            raise RuleViolationError("There is nothing left to redo.")
        return _prepared(batch, wanted, changes, _name(changes), REDONE)

    batch, move = review.begun(batch_id, prepare)
    return _moved(batch, by, move)


def _last_of(batch: Batch, by: User, before: int | None) -> int | None:
    """The version of this person's last step that stands, or of the last one before that version."""
    own = [RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, RowEdit.state == EditState.DONE]
    if before is not None:
        own.append(RowEdit.version < before)
    return db.session.scalar(select(func.max(RowEdit.version)).where(*own, RowEdit.field.not_in(MARKERS)))


def _undone_by(batch: Batch, by: User) -> int | None:
    """The version of the step that this person undid last and may redo."""
    own = (RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, RowEdit.state == EditState.DONE)
    undone = select(RowEdit.before).where(*own, RowEdit.field == UNDONE).order_by(RowEdit.id.desc()).limit(1)
    before = db.session.scalar(undone)
    return int(before) if before else None


@dataclass(frozen=True, slots=True)
class _Move:
    """A step to be carried out backwards (UNDONE) or forwards again (REDONE), judged already.

    only: the row and the field, where it moves a single cell.
    """

    version: int
    marker: str
    name: str
    step: Prepared
    only: tuple[int, str] | None


def _prepared(batch: Batch, version: int, changes: Sequence[Change], name: str, marker: str) -> _Move:
    _check(batch, changes, marker)
    only = changes[0] if len(changes) == 1 and changes[0].field not in ("removed", "added") else None
    where = (only.row.id, only.field) if only and only.row else None
    return _Move(version, marker, name, edits.prepared(batch, changes), where)


def _changes(batch: Batch, version: int, state: EditState) -> list[Change]:
    """What a step changed, in its order; two queries. A cell that it changed twice counts once."""
    of_step = (RowEdit.batch_id == batch.id, RowEdit.version == version, RowEdit.field.not_in(MARKERS))
    query = select(RowEdit.row_id, RowEdit.field, RowEdit.before, RowEdit.after).where(*of_step, RowEdit.state == state)
    noted = db.session.execute(query.order_by(RowEdit.id)).all()
    within = select(RowEdit.row_id).where(*of_step)
    rows = {row.id: row for row in planner.loaded(select(Row).where(Row.id.in_(within)))}
    found: dict[tuple[int | None, str], Change] = {}
    for row_id, field, before, after in noted:
        earlier = found.get((row_id, field))
        row = rows[row_id] if row_id is not None else None
        found[row_id, field] = Change(row, field, earlier.before if earlier else before, after)
    return list(found.values())


def _moved(batch: Batch, by: User, move: _Move) -> Done:
    """Carry it out, and note that: one transaction."""
    state = EditState.UNDONE if move.marker == UNDONE else EditState.DONE
    unchecked = {"synchronize_session": False}
    of_step = (RowEdit.batch_id == batch.id, RowEdit.version == move.version, RowEdit.field.not_in(MARKERS))
    db.session.execute(update(RowEdit).where(*of_step).values(state=state), execution_options=unchecked)
    # Whoever undid the step can redo it; once it is redone, or undone by somebody else, nobody's earlier undo counts.
    earlier = (
        RowEdit.batch_id == batch.id,
        RowEdit.field == UNDONE,
        RowEdit.state == EditState.DONE,
        cast(RowEdit.before, Integer) == move.version,
    )
    db.session.execute(update(RowEdit).where(*earlier).values(state=EditState.UNDONE), execution_options=unchecked)
    batch.version += 1
    told = {"field": move.marker, "before": str(move.version), "after": move.name}
    db.session.add(RowEdit(batch_id=batch.id, version=batch.version, user_id=by.id, **told))
    twins = edits.carried_out(batch, move.step)
    db.session.commit()
    row = db.session.get(Row, move.only[0]) if move.only else None
    return Done(batch, move.name, move.version, row, move.only[1] if move.only else None, twins)


def _check(batch: Batch, changes: Sequence[Change], marker: str) -> None:
    """Raises ConflictError where a cell is no longer as the step left it, or its row was removed since."""
    moving = {change.row.id for change in changes if change.row and change.field in ("removed", "added")}
    for change in changes:
        row = change.row
        gone = row is not None and row.removed_at is not None and row.id not in moving
        filled = change.field == "added" and marker == UNDONE and _was_filled(row, changes)
        if gone or filled or edits.current(batch, row, change.field) != change.before:
            raise ConflictError(f"{_overtaken(batch, change, gone=gone)} Nothing was {marker}.")


def _was_filled(row: Row | None, changes: Sequence[Change]) -> bool:
    """Whether an added row holds more than the step itself put there: undoing the addition would lose it."""
    own = {change.field for change in changes if change.row is row}
    return row is not None and any(row.cell(field) for field in ("email", "role", "groups") if field not in own)


def _overtaken(batch: Batch, change: Change, *, gone: bool) -> str:
    row = change.row
    field = "removed" if gone else change.field
    fields = ("email", "role", "groups") if field == "added" else (field,)
    last = (
        select(User.name)
        .join(RowEdit, RowEdit.user_id == User.id)
        .where(RowEdit.batch_id == batch.id, RowEdit.row_id == row.id if row else RowEdit.row_id.is_(None))
        .where(RowEdit.field.in_(fields), RowEdit.state == EditState.DONE)
        .order_by(RowEdit.id.desc())
        .limit(1)
    )
    who = db.session.scalar(last)
    what = named(field, "" if gone else change.after, 1 if row else 0, row.line if row else None)
    if row and (gone or field in ("removed", "added")):
        what = f"Row {row.line}"
    return f"{what[:1].upper()}{what[1:]} was changed since{f' by {who}' if who else ''}."


def _name(changes: Sequence[Change]) -> str:
    fields = {change.field for change in changes}
    lines = {change.row.line for change in changes if change.row}
    field = "added" if "added" in fields else fields.pop() if len(fields) == 1 else None
    return named(field, changes[0].after, len(lines), min(lines, default=None))

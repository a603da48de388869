"""Undo and redo of what was changed in a batch under review: kept on the server, one step at a time.

docs/rules.md, "Undo and redo".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.text.formatting import plural
from webapp.db import bulk_execute, db
from webapp.models import (
    MARKERS,
    REDONE,
    TIDIED,
    UNDONE,
    Batch,
    EditState,
    Row,
    RowEdit,
    User,
)
from webapp.schemas.rows import FIELDS
from webapp.services.batches import changes
from webapp.services.batches.changes import Change, ChangeSet

RECENT = 10
"""Steps in the list of recent changes."""

_OPTIONS = {
    "mode": "what happens to groups",
    "change_roles": "the tick “Also change roles of existing users”",
    "skip_errors": "the tick “Skip them”",
    "message": "the personal message",
    "valid_days": "how long the links work",
}


IS_STEP = RowEdit.field.not_in(MARKERS)
IS_DONE = RowEdit.state == EditState.DONE


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the list of recent changes. made: how many groups were created with it; an undo leaves them.

    cell: before and after, where it changed one cell.
    """

    version: int
    user_id: int
    who: str
    words: str
    at: datetime
    made: int = 0
    cell: tuple[str, str] | None = None


def describe_step(
    field: str | None,
    after: str,
    rows: int,
    line: int | None,
) -> str:
    """A step in words: "changed Role in row 12", "removed 7 rows". field: None where it changed several columns."""
    where = f"row {line}" if rows == 1 else plural(rows, "row")
    if rows == 0:
        return f"changed {_OPTIONS.get(field or '', 'several options')}"
    if field in ("removed", "added"):
        return f"{field} {where}" if after else f"put {where} back"
    return f"changed {field.capitalize() if field else 'several cells'} in {where}"


def available(batch: Batch, by: User) -> dict[str, bool]:
    """Whether there is something of one's own to "undo" and to "redo"."""
    return {
        "undo": _last_step(batch, by) is not None,
        "redo": _last_undone(batch, by) is not None,
    }


def list_steps(batch: Batch, *wanted: ColumnElement[bool]) -> list[Step]:
    """The last of these steps, newest first, of all people; two queries."""
    query = (
        select(
            RowEdit.version,
            User.id,
            User.name,
            func.max(RowEdit.before),
            func.min(RowEdit.field),
            func.max(RowEdit.field),
            func.max(RowEdit.after),
            func.count(RowEdit.row_id.distinct()),
            func.min(Row.line),
            func.max(RowEdit.at),
        )
        .join(User, User.id == RowEdit.user_id)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(RowEdit.batch_id == batch.id, IS_STEP, *wanted)
        .group_by(RowEdit.version, User.id, User.name)
        .order_by(RowEdit.version.desc())
        .limit(RECENT)
    )
    found = db.session.execute(query).all()
    marks = _find_marks(batch, [version for version, *_ in found])
    steps = []
    for version, user_id, who, before, first, last, after, rows, line, at in found:
        field = first if first in (last, "added") else None
        words = describe_step(field, after, rows, line)
        fixes, made = marks.get(version, (0, 0))
        if fixes:
            words = f"tidied up {plural(fixes, 'fix', 'fixes')}"
        is_one = rows == 1 and field in FIELDS
        cell = (before, after) if is_one else None
        steps.append(Step(version, user_id, who, words, at, made, cell))
    return steps


def _find_marks(batch: Batch, versions: Sequence[int]) -> dict[int, tuple[int, int]]:
    """How many fixes each step of Tidy up among these made, and how many groups it created."""
    # no join: one of 20,000 cells would look through 20,000 edits for each
    query = select(RowEdit.version, RowEdit.before, RowEdit.after).where(
        RowEdit.batch_id == batch.id,
        RowEdit.version.in_(versions),
        RowEdit.field == TIDIED,
    )
    marks = db.session.execute(query)
    return {version: (int(fixes), int(made)) for version, fixes, made in marks}


@changes.command
def undo(
    batch: Batch,
    by: User,
    version: int | None = None,
) -> ChangeSet:
    """Take back one's own last step, or the one of this version, of anybody.

    Raises ConflictError, and changes nothing, where somebody changed one of its cells since.
    """
    return _replay(batch, by, version or _last_step(batch, by), UNDONE)


@changes.command
def redo(
    batch: Batch,
    by: User,
) -> ChangeSet:
    """Do again what one undid last. Raises ConflictError, and changes nothing, where it no longer fits."""
    return _replay(batch, by, _last_undone(batch, by), REDONE)


def _last_step(batch: Batch, by: User) -> int | None:
    """The version of this person's last step that was not undone."""
    edit = _newest(batch, by, IS_STEP, IS_DONE)
    return edit.version if edit else None


def _last_undone(batch: Batch, by: User) -> int | None:
    """The version of the step that this person undid last, if they made no step since."""
    edit = _newest(batch, by, IS_STEP)
    undo = _newest(batch, by, RowEdit.field == UNDONE, IS_DONE)
    if undo is None or (edit and edit.version > undo.version):
        return None
    return int(undo.before)


def _newest(batch: Batch, by: User, *wanted: ColumnElement[bool]) -> RowEdit | None:
    own = select(RowEdit).where(RowEdit.batch_id == batch.id, RowEdit.user_id == by.id, *wanted)
    return db.session.scalar(own.order_by(RowEdit.version.desc()).limit(1))


def _replay(
    batch: Batch,
    by: User,
    version: int | None,
    marker: str,
) -> ChangeSet:
    """Carry out a step backwards (UNDONE) or again (REDONE). Raises RuleViolationError, ConflictError."""
    is_undo = marker == UNDONE
    of_step = [RowEdit.batch_id == batch.id, RowEdit.version == version, IS_STEP]
    state, new_state = EditState.UNDONE, EditState.DONE
    if is_undo:
        state, new_state = new_state, state
    logged = (
        select(RowEdit, Row)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(*of_step, RowEdit.state == state)
        .order_by(RowEdit.id)
    )
    step = []
    for edit, row in db.session.execute(logged):
        before, after = edit.before, edit.after
        if is_undo:
            before, after = after, before
        step.append(Change(row, edit.field, before, after))
    if not step:
        raise RuleViolationError(f"There is nothing left to {'undo' if is_undo else 'redo'}.")
    replayed = list_steps(batch, RowEdit.version == version)[0]
    name = replayed.words
    if is_undo:
        step.reverse()
        if made := replayed.made:
            name += f". {plural(made, 'group')} {'stays' if made == 1 else 'stay'}"
    _check(batch, step, marker)

    def log() -> None:
        bulk_execute(update(RowEdit).where(*of_step).values(state=new_state))
        # Who undid the step can redo it. Once it is redone, or undone by somebody else, no earlier undo counts.
        earlier = [
            RowEdit.batch_id == batch.id,
            RowEdit.field == UNDONE,
            RowEdit.before == str(version),
        ]
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

    return ChangeSet(step, log=log, name=name)


def _check(
    batch: Batch,
    step: Sequence[Change],
    marker: str,
) -> None:
    """Raises ConflictError where a cell is no longer as the step left it, or its row was removed since."""
    places = {(change.row, change.field) for change in step}
    for change in step:
        row, field = change.row, change.field
        is_overtaken = changes.current(batch, row, field) != change.before
        if row and row.removed_at:
            # a step that moves rows may find them removed
            is_overtaken |= not places & {(row, "removed"), (row, "added")}
        if row and field == "added" and marker == UNDONE:
            # undoing the addition would lose what others filled in
            others = [each for each in FIELDS if (row, each) not in places]
            is_overtaken |= any(row.cell(each) for each in others)
        if is_overtaken:
            is_here = RowEdit.row_id == (row.id if row else None)
            fields = FIELDS if field == "added" else (field, "removed")
            why = "What it changed is no longer as it was."
            for last in list_steps(batch, IS_DONE, is_here, RowEdit.field.in_(fields))[:1]:
                why = f"{last.who} has since {last.words}."
            raise ConflictError(f"{why} Nothing was {marker}.")

"""The rows of an upload: judged, stored, split into parts, and exchanged for those of another file."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from json.encoder import encode_basestring_ascii as quoted
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, delete, exists, func, or_, select, update

from webapp.core.files.columns import Cells
from webapp.core.files.table import Table, UnreadableFileError
from webapp.core.plan.planner import PlannedChange, plan
from webapp.core.text.formatting import plural
from webapp.db import db, insert_as_is, utcnow
from webapp.models import Batch, BatchState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS, RowSchema
from webapp.services.batches import planner
from webapp.services.directory import lookup

MOST_PARTS = 100
"""Uploads that one file is split into at most: nobody reviews more one after another."""
PIECE = 1000
"""Rows that are made ready and stored at once, so that not all of a long file lie there in a third form."""


class TooManyRowsError(UnreadableFileError):
    """More users than one upload may have. parts: into how many uploads it can be split, 0 where that is too many."""

    def __init__(self, users: int, limit: int) -> None:
        parts = -(-users // limit)
        self.parts = parts if parts <= MOST_PARTS else 0
        advice = "Nothing was sent."
        if not self.parts:
            advice += f" It would make {parts:,} uploads. Split the file, or have the limit raised (MUSTER_MAX_ROWS)."
        super().__init__(f"This file has {plural(users, 'user')}. The limit is {limit:,} per file.", advice)


class EditsLostError(UnreadableFileError):
    """Replacing the file loses edits: so many of so many."""

    def __init__(self, lost: int, edits: int) -> None:
        self.lost = lost
        of = f"{lost:,} of your {plural(edits, 'edit')}" if edits > 1 else "Your edit"
        verb = "is" if lost == 1 else "are"
        rows = "on a row that is" if lost == 1 else "on rows that are"
        super().__init__(f"{of} {verb} {rows} not in the new file.", "Replacing the file loses them. Nothing was changed yet.")


# Stored


class New(NamedTuple):
    """A row to be stored: the person and the whole line as read, the e-mail's key, what is planned, what the file hints at."""

    person: Cells
    whole: Sequence[str]
    email_key: str | None
    step: PlannedChange
    hint: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """Rows to be stored, without their batch: a list for each batch that the file makes. When their plans were made."""

    parts: Sequence[Sequence[New]]
    directory_version: int
    at: datetime


def planned(
    batch: Batch, table: Table, people: Sequence[Cells], by: User, split: bool, hints: Mapping[int, str] = MappingProxyType({})
) -> Planned:
    """A file's rows with their plans, as the batch is applied and `by` confirms it; the batch is not touched.

    Each part is planned by itself. Raises TooManyRowsError unless split. Not for a transaction that writes: it takes a while.
    """
    limit = lookup.settings().max_rows
    if len(people) > limit:
        refusal = TooManyRowsError(len(people), limit)
        if not (split and refusal.parts):
            raise refusal
    made_at = lookup.version(), utcnow()  # first: what comes later is newer
    policy = planner.policy_of(batch, by, lookup.registry(batch.uploaded_by or by))
    schema = RowSchema(policy.registry)
    candidates = [planner.candidate(schema, *person) for person in people]
    known = lookup.people(planner.email_keys(candidates))
    lines = dict(table.lines)
    parts = []
    for start in range(0, len(people), limit):
        part = candidates[start : start + limit]
        steps = plan(part, known, policy)
        rows = [
            New(person, lines[person.line], candidate.email_key, steps[person.line], hints.get(person.line))
            for person, candidate in zip(people[start : start + limit], part, strict=True)
        ]
        parts.append(rows)
    return Planned(parts, *made_at)


def fill(first: Batch, ready: Planned, name: str) -> list[Batch]:
    """Part of a command: the rows go into a batch, and into a new one for each further part. -> all of them.

    name: the file's, of which parts have theirs.
    """
    parts = ready.parts
    first.directory_version, first.planned_at = ready.directory_version, ready.at
    found = [first, *(_another(first) for _ in parts[1:])]
    for number, batch in enumerate(found, start=1):
        batch.state, batch.counts = BatchState.REVIEWING, {}
        if len(parts) > 1:
            batch.name = f"{name[:200]}, part {number} of {len(parts)}"
            batch.part, batch.parts, batch.parts_id = number, len(parts), first.id
    db.session.add_all(found)
    db.session.flush()
    for batch, rows in zip(found, parts, strict=True):
        _store(batch, rows)
    return found


_COLUMNS = (
    "batch_id", "line", "read_email", "read_role", "read_groups", "read_cells", "hint", "email", "role", "groups", "email_key",
    "issues", "problems", "likely_domain", "plan", "step", "attempt", "reason",
)  # fmt: skip


def _store(batch: Batch, rows: Sequence[New]) -> None:
    """Part of a command: the batch has these rows, too, and its counts know of them."""
    counts = Counter(batch.counts)
    for start in range(0, len(rows), PIECE):
        piece = rows[start : start + PIECE]
        values = planner.of_each((row.step for row in piece), planner.values_of)
        ends = {key: _stored(value) for key, value in values.items()}
        stored = []
        for (line, *cells), whole, email_key, step, hint in piece:
            read_cells = f"[{', '.join(map(quoted, whole))}]"
            stored.append((batch.id, line, *cells, read_cells, hint, *cells, email_key, *ends[id(step)]))
        insert_as_is(Row.__table__, _COLUMNS, stored)  # type: ignore[arg-type]
        for key, n in Counter(id(row.step) for row in piece).items():
            planner.tally(counts, [(values[key]["plan"], values[key]["step"], values[key]["problems"])], n)
    batch.counts = {key: n for key, n in counts.items() if n}


def _stored(value: dict[str, Any]) -> tuple[Any, ...]:
    """The last of _COLUMNS: what a plan says, and that nothing was done yet."""
    issues, step = dumps(value["issues"]), dumps(value["step"])
    return issues, value["problems"], value["likely_domain"], value["plan"].value, step, 0, ""


_SHARED = (
    "kind", "content_hash", "facts", "header", "columns", "notices", "mode", "change_roles", "skip_errors", "valid_days",
    "message", "directory_version", "planned_at", "planned_for_id", "uploaded_by_id",
)  # fmt: skip


def _another(first: Batch) -> Batch:
    return Batch(**{name: getattr(first, name) for name in _SHARED})


def parts_of(batch: Batch) -> Sequence[Batch]:
    """All parts of the file that this batch is a part of, in order; [] for a file of its own."""
    if batch.parts == 1:
        return []
    return db.session.scalars(select(Batch).where(Batch.parts_id == batch.parts_id).order_by(Batch.part)).all()


# Exchanged


def edited(batch: Batch) -> int:
    """How many edits would be lost if the rows were read anew: changed cells, and rows removed or added; one query."""
    cells = [case((getattr(Row, name) != getattr(Row, f"read_{name}"), 1), else_=0) for name in FIELDS]
    removed = case((Row.removed_at.is_not(None), 1), else_=0)
    of_row = case((_is_added(), 1 - removed), else_=cells[0] + cells[1] + cells[2] + removed)
    return db.session.scalar(select(func.coalesce(func.sum(of_row), 0)).where(Row.batch_id == batch.id)) or 0


def _is_added() -> ColumnElement[bool]:
    return exists().where(RowEdit.row_id == Row.id, RowEdit.field == "added")


def _touched(batch: Batch) -> list[tuple[Row, bool]]:
    """The rows that people changed, in the file's order, and whether one was added by hand."""
    added = _is_added()
    changed = or_(*(getattr(Row, name) != getattr(Row, f"read_{name}") for name in FIELDS), Row.removed_at.is_not(None), added)
    query = select(Row, added).where(Row.batch_id == batch.id, changed).order_by(Row.line)
    return [(row, is_added) for row, is_added in db.session.execute(query)]


def _edits_of(row: Row, is_added: bool) -> int:
    if is_added:
        return 0 if row.removed_at else 1
    cells = [name for name in FIELDS if row.cell(name) != getattr(row, f"read_{name}")]
    return len(cells) + (row.removed_at is not None)


def exchange(batch: Batch, table: Table, people: Sequence[Cells], hints: Mapping[int, str], *, lose: bool) -> int:
    """Part of a command: the old rows go, but for those that somebody edited and that the new file has too.

    They keep their id, and so what can be undone of them. -> how many edits were lost. Raises EditsLostError.
    """
    new: defaultdict[tuple[str, ...], deque[Cells]] = defaultdict(deque)
    for person in people:
        new[person.email, person.role, person.groups].append(person)
    stay: list[tuple[Row, int]] = []
    by_hand: list[Row] = []
    lost = total = 0
    for old, is_added in _touched(batch):
        edits = _edits_of(old, is_added)
        total += edits
        if is_added:
            by_hand.append(old)
        elif same := new[old.read_email, old.read_role, old.read_groups]:
            stay.append((old, same.popleft().line))
        else:
            lost += edits
    if lost and not lose:
        db.session.rollback()
        raise EditsLostError(lost, total)
    last = max(person.line for person in people)
    stay += [(row, last + place) for place, row in enumerate(by_hand, start=1)]
    _put(batch, stay, people, dict(table.lines), hints)
    return lost


def _put(
    batch: Batch,
    stay: Sequence[tuple[Row, int]],
    people: Sequence[Cells],
    lines: Mapping[int, Sequence[str]],
    hints: Mapping[int, str],
) -> None:
    """Part of a command: the batch holds those of its rows that stay, each at its new line, and for the other lines `people`.

    Rows move by way of lines below zero, because a line is there once.
    """
    kept = {line: (row.id, row.removed_at is None) for row, line in stay}
    by_hand = {line: Cells(line, row.email, row.role, row.groups) for row, line in stay}
    standing = {person.line: person for person in people} | by_hand
    made_at = lookup.version(), utcnow()
    policy = planner.policy_of(batch, batch.planned_for, lookup.registry(batch.uploaded_by))
    in_order = [standing[line] for line in sorted(standing) if line not in kept or kept[line][1]]
    judgements = planner.judged(in_order, policy)
    moved = [
        {"id": id, "line": -line, "read_cells": list(lines.get(line, ())), "hint": hints.get(line)}
        | (dict(judgements[line].values) if stands else {})
        for line, (id, stands) in kept.items()
    ]
    for stands in (True, False):  # rows of one statement have the same columns
        if same := [row for row in moved if ("plan" in row) is stands]:
            db.session.execute(update(Row), same)
    unchecked = {"synchronize_session": False}
    db.session.execute(delete(Row).where(Row.batch_id == batch.id, Row.line > 0), execution_options=unchecked)
    db.session.execute(update(Row).where(Row.batch_id == batch.id).values(line=-Row.line), execution_options=unchecked)
    db.session.expire_all()
    batch.counts = {}
    made = (judgements[line].values for line, (_, stands) in kept.items() if stands)
    planner.count(batch, ((values["plan"], values["step"], values["problems"]) for values in made), +1)
    new = [person for person in people if person.line not in kept]
    _store(batch, [New(person, lines[person.line], *judgements[person.line][:2], hints.get(person.line)) for person in new])
    batch.directory_version, batch.planned_at = made_at

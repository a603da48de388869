"""Plans and stores the rows of a file, splits a long file into parts, and replaces the rows by those of another file."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, exists, insert, or_, select

from webapp.core.files.columns import Places
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells
from webapp.core.files.table import Table
from webapp.core.text.formatting import plural
from webapp.core.text.notices import Notice
from webapp.core.text.phrases import CodedText
from webapp.db import db
from webapp.models import Batch, BatchState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import planner
from webapp.services.directory import lookup
from webapp.services.settings import in_force

MOST_PARTS = 100
"""Most uploads that one file is split into."""
PIECE = 1000
"""Rows that are inserted at once: it bounds the memory that a long file takes."""


class TooManyRowsError(UnreadableFileError):
    """More users than one upload may have. parts: into how many uploads it can be split, 0 where that is too many."""

    def __init__(self, users: int, limit: int) -> None:
        parts = -(-users // limit)
        self.parts = parts if parts <= MOST_PARTS else 0
        advice = "Nothing was sent."
        if not self.parts:
            advice += f" It would make {parts:,} uploads. Split the file, or have the limit raised (MUSTER_MAX_ROWS)."
        super().__init__(
            f"This file has {plural(users, 'user')}. The limit is {limit:,} per file.", advice
        )


def refuse_too_many(people: Sequence[Cells], split: bool = False) -> None:
    """Raises TooManyRowsError if these are more than one upload may have. split: if they are more than can be split."""
    limit = in_force.settings().max_rows
    if len(people) > limit:
        refusal = TooManyRowsError(len(people), limit)
        if not (split and refusal.parts):
            raise refusal


class EditsLostError(UnreadableFileError):
    """Replacing the file loses edits: so many of so many."""

    def __init__(self, lost: int, edits: int) -> None:
        self.lost = lost
        super().__init__(
            f"Replacing the file loses {lost:,} of your {plural(edits, 'edit')}.",
            "The rows are not in the new file. Nothing was changed yet.",
        )


# Insert


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. places: None while a person has to match its columns. facts: how it was read.

    notices: what a person should look at; hints: the rows that these are about, by line.
    """

    table: Table
    places: Places | None
    people: Sequence[Cells] = ()
    facts: Sequence[CodedText] = ()
    notices: Sequence[Notice] = ()
    hints: Mapping[int, str] = field(default_factory=dict)


Values = dict[str, Any]
"""The columns of a new `Row`, without its batch."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Planned rows, as a list for each part of the file, and the directory's version when they were planned."""

    parts: Sequence[Sequence[Values]]
    directory_version: int


def plan_rows(batch: Batch, reading: Reading, by: User, split: bool) -> ImportPlan:
    """Plan a file's rows with the options of this batch, as if `by` confirmed it. Each part is planned by itself.

    Slow: call it before `begin_write()`. Raises TooManyRowsError unless `split`.
    """
    people = reading.people
    refuse_too_many(people, split)
    version = lookup.directory_version()  # first: what changes from here on makes these plans stale
    policy = planner.make_policy(batch, by, lookup.registry(batch.uploaded_by or by))
    limit = in_force.settings().max_rows
    parts = []
    for start in range(0, len(people), limit):
        part = people[start : start + limit]
        parts.append(_row_values(reading, part, planner.plan_rows(part, policy)))
    return ImportPlan(parts, version)


def _row_values(
    reading: Reading, people: Sequence[Cells], planned: Mapping[int, Mapping[str, Any]]
) -> list[Values]:
    lines = dict(reading.table.lines)
    return [
        {
            "line": line,
            "read_email": email,
            "read_role": role,
            "read_groups": groups,
            "read_cells": list(lines[line]),
            "hint": reading.hints.get(line),
            "email": email,
            "role": role,
            "groups": groups,
            **planned[line],
        }
        for line, email, role, groups in people
    ]


def insert_parts(first: Batch, ready: ImportPlan) -> list[Batch]:
    """Insert the rows into this batch, and into a new batch for each further part. -> all of them. Does not commit."""
    first.directory_version = ready.directory_version
    batches = [first]
    for _ in ready.parts[1:]:
        batches.append(Batch(**{name: getattr(first, name) for name in _SHARED_BY_PARTS}))
    for number, batch in enumerate(batches, start=1):
        batch.state = BatchState.REVIEWING
        batch.counts = {}
        if len(batches) > 1:
            batch.part = number
            batch.parts = len(batches)
            batch.parts_id = first.id
    db.session.add_all(batches)
    db.session.flush()
    for batch, rows in zip(batches, ready.parts, strict=True):
        _insert(batch, rows)
    return batches


_SHARED_BY_PARTS = (
    "kind", "file_name", "content_hash", "facts", "header", "columns", "notices", "mode", "change_roles", "skip_errors",
    "valid_days", "message", "directory_version", "planned_for_id", "uploaded_by_id",
)  # fmt: skip


def _insert(batch: Batch, rows: Sequence[Values]) -> None:
    """Insert these rows and add them to the batch's counts. Does not commit."""
    with db.session.no_autoflush:  # the batch is written once, with the commit
        for start in range(0, len(rows), PIECE):
            piece = rows[start : start + PIECE]
            for row in piece:
                row["batch_id"] = batch.id
            db.session.execute(insert(Row), piece)
            batch.counts = dict(Counter(batch.counts) + planner.count_rows(piece))


# Replace


_IS_ADDED = exists().where(RowEdit.row_id == Row.id, RowEdit.field == "added")


def count_edits(batch: Batch) -> int:
    """How many edits would be lost if the rows were read again. One query."""
    return sum(n for _, _, n in _find_edits(batch))


def _find_edits(batch: Batch) -> list[tuple[Row, bool, int]]:
    """The edited rows: whether each was added by hand, and how many edits it holds (changed cells, its removal or addition)."""
    changed = [getattr(Row, name) != getattr(Row, f"read_{name}") for name in FIELDS]
    is_edited = or_(*changed, Row.removed_at.is_not(None), _IS_ADDED)
    query = select(Row, _IS_ADDED).where(Row.batch_id == batch.id, is_edited).order_by(Row.line)
    found = []
    for row, is_added in db.session.execute(query):
        is_removed = row.removed_at is not None
        cells = sum(row.cell(name) != getattr(row, f"read_{name}") for name in FIELDS)
        found.append((row, is_added, int(not is_removed) if is_added else cells + is_removed))
    return found


def replace_rows(batch: Batch, reading: Reading, *, lose: bool) -> int:
    """Replace the rows by those of another file. -> how many edits were lost. Does not commit.

    An edited row stays, with its id and its undo, where the new file has the same row. Raises EditsLostError unless `lose`.
    """
    edits = _find_edits(batch)
    staying = _find_same_rows([(row, is_added) for row, is_added, _ in edits], reading.people)
    kept = set(staying.values())
    lost = sum(n for row, _, n in edits if row not in kept)
    if lost and not lose:
        db.session.rollback()
        raise EditsLostError(lost, sum(n for _, _, n in edits))
    _delete_others(batch, staying)
    batch.directory_version = lookup.directory_version()
    new = [person for person in reading.people if person.line not in staying]
    standing = [
        Cells(line, row.email, row.role, row.groups)
        for line, row in staying.items()
        if row.removed_at is None
    ]
    policy = planner.make_policy(batch, batch.planned_for, lookup.registry(batch.uploaded_by))
    planned = planner.plan_rows(sorted([*new, *standing]), policy)
    lines = dict(reading.table.lines)
    for line, row in staying.items():
        row.read_cells = list(lines.get(line, ()))
        row.hint = reading.hints.get(line)
        if row.removed_at is None:
            for name, value in planned[line].items():
                setattr(row, name, value)
    db.session.flush()
    batch.counts = dict(planner.count_rows(planned[each.line] for each in standing))
    _insert(batch, _row_values(reading, new, planned))
    return lost


def _find_same_rows(edited: Sequence[tuple[Row, bool]], people: Sequence[Cells]) -> dict[int, Row]:
    """Those that stay, by their new line: where a line of the new file reads the same. Rows added by hand come last."""
    same: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)
    for line, *cells in people:
        same[tuple(cells)].append(line)
    next_line = max(person.line for person in people) + 1
    staying: dict[int, Row] = {}
    for row, is_added in edited:
        if is_added:
            staying[next_line] = row
            next_line += 1
        elif lines := same[row.read_email, row.read_role, row.read_groups]:
            staying[lines.popleft()] = row
    return staying


def _delete_others(batch: Batch, staying: Mapping[int, Row]) -> None:
    """Delete all rows but these, and give these their new lines: by way of lines below zero, since a line is unique."""
    for line, row in staying.items():
        row.line = -line
    db.session.flush()
    db.session.execute(delete(Row).where(Row.batch_id == batch.id, Row.line > 0))
    for line, row in staying.items():
        row.line = line
    db.session.flush()

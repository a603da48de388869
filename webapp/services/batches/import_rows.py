"""Plans and stores the rows of a file, splits a long file into parts, and replaces the rows by those of another file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    TableClause,
    delete,
    insert,
    inspect,
    literal_column,
    or_,
    select,
)

from webapp.core.addresses import split_name
from webapp.core.files.columns import Places
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells
from webapp.core.files.table import Table
from webapp.core.text.formatting import plural
from webapp.core.text.notices import Notice
from webapp.core.text.phrases import CodedText
from webapp.db import db
from webapp.models import Batch, Row, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import planner
from webapp.services.directory import lookup
from webapp.services.settings import in_force

PIECE = 1000
"""Rows that are inserted at once: it bounds the memory that a long file takes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what a person said of it. header_row: None to have it found, 0 for none. columns: None to go by the names.
    role: the one of all rows, where no column holds it."""

    data: bytes
    name: str
    sheet: str | None = None
    header_row: int | None = None
    columns: Places | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. places: None while a person has to match its columns. facts: how it was read.

    notices: what a person should look at; hints: the rows that these are about, by line.
    directory_version: when it was read, so that a later one makes its plans stale.
    """

    source: Source
    table: Table
    directory_version: int
    places: Places | None = None
    people: Sequence[Cells] = ()
    facts: Sequence[CodedText] = ()
    notices: Sequence[Notice] = ()
    hints: Mapping[int, str] = field(default_factory=dict)


Values = dict[str, Any]
"""The columns of a new `Row`, without its batch."""


# Insert


_READ = {name: f"read_{name}" for name in FIELDS}
"""The column of a cell as read, by that of the cell."""


def plan_rows(
    batch: Batch,
    reading: Reading,
    by: User,
    *,
    split: bool = False,
) -> list[list[Values]]:
    """Plan a file's rows with the options of this batch, as if `by` confirmed it: each part of a long file by itself.

    Slow: call it before `begin_write()`. Raises UnreadableFileError where there are too many, unless `split`.
    """
    people = reading.people
    limit = in_force.settings().max_rows
    if len(people) > limit and not split:
        raise UnreadableFileError(
            f"This file has {plural(len(people), 'user')}. The limit is {limit:,} per file.",
            "Nothing was sent.",
            parts=-(-len(people) // limit),
        )
    policy = planner.make_policy(batch, by, lookup.registry())
    lines = dict(reading.table.lines)
    parts = []
    for start in range(0, len(people) or 1, limit):
        part = people[start : start + limit]
        plans = planner.plan_rows(part, policy)
        rows = []
        for person in part:
            line = person.line
            values = dict(plans[line])
            values["line"] = line
            for name, read_name in _READ.items():
                values[read_name] = values[name] = getattr(person, name)
            values["read_cells"] = lines[line]
            values["hint"] = reading.hints.get(line)
            rows.append(values)
        parts.append(rows)
    return parts


def insert_parts(
    first: Batch,
    parts: Sequence[Sequence[Values]],
) -> list[Batch]:
    """Insert the rows into this stored batch, and into a new batch for each further part. -> all of them. Does not commit."""
    shared = {}
    for column in inspect(Batch).column_attrs:
        value = getattr(first, column.key)
        if value is not None and column.key not in ("id", "request_key"):
            shared[column.key] = value
    batches: list[Batch] = []
    for number, rows in enumerate(parts, start=1):
        batch = Batch(**shared) if batches else first
        batch.part = number
        batch.parts = len(parts)
        batch.parts_id = first.id
        batch.counts = dict(planner.count_rows(rows))
        batches.append(batch)
    db.session.add_all(batches)
    db.session.flush()
    for batch, rows in zip(batches, parts, strict=True):
        _insert(batch, rows)
    return batches


_INSERT = insert(cast(TableClause, Row.__table__)).values(reason=literal_column("'{}'"))
"""By columns, not by the mapper: 10,000 rows take 0.16 s, not 0.21."""


def _insert(
    batch: Batch,
    rows: Sequence[Values],
) -> None:
    """Insert these rows. Does not commit."""
    for start in range(0, len(rows), PIECE):
        piece = rows[start : start + PIECE]
        for row in piece:
            row["batch_id"] = batch.id
        db.session.connection().execute(_INSERT, piece)


# Replace


def find_edited_rows(batch: Batch) -> Sequence[Row]:
    """The rows that were edited or removed, in the file's order. One query."""
    changed = [getattr(Row, name) != getattr(Row, f"read_{name}") for name in FIELDS]
    query = select(Row).where(Row.batch_id == batch.id, or_(*changed, Row.removed_at.is_not(None)))
    return db.session.scalars(query.order_by(Row.line)).all()


def count_edits(rows: Sequence[Row]) -> int:
    """How many edits these rows hold: changed cells, and removals. An added row that was removed holds none."""
    return sum(
        row.changed_cells + bool(row.removed_at)
        for row in rows
        if row.read_cells or not row.removed_at
    )


def replace_rows(
    batch: Batch,
    people: Sequence[Cells],
    new: Sequence[Values],
    *,
    lose: bool,
) -> int:
    """Replace the rows by those of another file. -> how many edits were lost. Does not commit.

    An edited row stays, with its id and its undo, where the new file has the same row. Raises UnreadableFileError where edits
    would be lost, unless `lose`.
    """
    edited = find_edited_rows(batch)
    staying = _find_same_rows(edited, people)
    kept = set(staying.values())
    lost = count_edits([row for row in edited if row not in kept])
    if lost and not lose:
        db.session.rollback()
        raise UnreadableFileError(
            f"Replacing the file loses {lost:,} of your {plural(count_edits(edited), 'edit')}.",
            "The rows are not in the new file. Nothing was changed yet.",
            lost=lost,
        )
    # by way of lines below zero, since a line is unique
    for line, row in staying.items():
        row.line = -line
    db.session.flush()
    db.session.execute(delete(Row).where(Row.batch_id == batch.id, Row.line > 0))
    fresh = []
    for values in new:
        if same := staying.get(values["line"]):
            same.read_cells = values["read_cells"]
            same.hint = values["hint"]
        else:
            fresh.append(values)
    for line, row in staying.items():
        row.line = line
    db.session.flush()
    _insert(batch, fresh)
    planner.plan_batch(batch)
    return lost


def _as_read(row: Row) -> tuple[str, ...]:
    """What a row says in its file. Rows of earlier versions have the name beside the address still."""
    email, name = split_name(row.read_email)
    return email, row.read_role, row.read_groups, row.read_name or name


def _find_same_rows(
    edited: Sequence[Row],
    people: Sequence[Cells],
) -> dict[int, Row]:
    """Those that stay, by their new line: where a line of the new file reads the same. Rows added by hand come last."""
    same: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for line, *cells in reversed(people):
        same[tuple(cells)].append(line)
    next_line = people[-1].line + 1
    staying: dict[int, Row] = {}
    for row in edited:
        if not row.read_cells:
            staying[next_line] = row
            next_line += 1
        elif lines := same[_as_read(row)]:
            staying[lines.pop()] = row
    return staying

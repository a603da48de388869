"""From a file, or a pasted table, to a batch: read, its columns matched or to be matched, its rows staged, split, replaced.

The file is kept with its batch until that is confirmed or discarded, so that it can be read again in another way.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_values
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, exists, func, insert, or_, select, update

from webapp.core import columns, tables, workbooks
from webapp.core.directory import fold
from webapp.core.errors import Conflict
from webapp.core.fields import Field
from webapp.core.tables import Table, UnreadableFile
from webapp.core.words import plural
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchFile, BatchKind, BatchState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS, split_groups
from webapp.services import aliases, audit, batches, directory, downloads, plans
from webapp.services.audit import AuditAction

PASTED = "Pasted table"
"""The name of a batch whose rows were pasted."""
TOLD = 3
"""Remembered words that are named; of others, how many."""
MOST_PARTS = 100
"""Uploads that one file is split into at most: nobody reviews more one after another."""


class TooLong(UnreadableFile):
    """More users than one upload may have. parts: into how many uploads it can be split, 0 where that is too many."""

    def __init__(self, users: int, limit: int) -> None:
        parts = -(-users // limit)
        self.parts = parts if parts <= MOST_PARTS else 0
        advice = "Nothing was sent."
        if not self.parts:
            advice += f" It would make {parts:,} uploads. Split the file, or have the limit raised (MUSTER_MAX_ROWS)."
        super().__init__(f"This file has {plural(users, 'user')}. The limit is {limit:,} per file.", advice)


class WouldLose(UnreadableFile):
    """Replacing the file loses edits: so many of so many."""

    def __init__(self, lost: int, edits: int) -> None:
        self.lost = lost
        of = f"{lost:,} of your {plural(edits, 'edit')}" if edits > 1 else "Your edit"
        verb = "is" if lost == 1 else "are"
        rows = "on a row that is" if lost == 1 else "on rows that are"
        super().__init__(f"{of} {verb} {rows} not in the new file.", "Replacing the file loses them. Nothing was changed yet.")


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what a person said of it. header_row: None to have it found, 0 for none. columns: {} to go by the names;
    without the role, where a person said one for all rows."""

    data: bytes
    name: str
    sheet: str | None = None
    header_row: int | None = None
    columns: Mapping[Field, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. mapping: None while a person has to match its columns. facts: how it was read, in words."""

    table: Table
    mapping: columns.Mapping | None
    facts: Sequence[str] = ()
    people: Sequence[columns.Cells] = ()


# Reading


def read(source: Source, table: Table | None = None) -> Reading:
    """Read a file and match its columns: as a person said, else as remembered, else by their names.

    Raises UnreadableFile where nobody could make sense of it.
    """
    table = table or read_table(source)
    if source.name == PASTED:
        table = with_values(table, encoding="")  # as it came, whatever it is kept as
    told = "columns as you chose"
    if source.columns:
        mapping: columns.Mapping | None = columns.mapping(dict(source.columns), table.header, (Field.EMAIL,))
    else:
        table, mapping, told = _matched(source, table)
    if mapping is None:
        return Reading(table, None)
    extract = columns.extract(table, mapping)
    facts = [*columns.describe(table, mapping, extract), *_translated(extract.cells)]
    if downloads.is_ours(table.header):
        facts.insert(0, "downloaded from Muster before")
    return Reading(table, mapping, [*facts, told] if told else facts, extract.cells)


def _translated(people: Sequence[columns.Cells]) -> list[str]:
    """Which remembered words were understood, and as what."""
    registry = directory.registry()
    kinds = {
        "role": (registry.role_aliases, {role.id: role.name for role in registry.roles}),
        "groups": (registry.group_aliases, {group.id: group.name for group in registry.groups}),
    }
    if not any(known for known, _ in kinds.values()):
        return []
    said: dict[tuple[str, str], str] = {}
    rows: Counter[tuple[str, str]] = Counter()
    for person in people:
        for kind, words in (("role", [person.role]), ("groups", split_groups(person.groups))):
            for word in words:
                if fold(word) in kinds[kind][0]:
                    said.setdefault((kind, fold(word)), word)
                    rows[kind, fold(word)] += 1
    facts = []
    for (kind, key), n in rows.most_common(TOLD):
        known, names = kinds[kind]
        facts.append(f"“{said[kind, key]}” read as {names[known[key]]} in {plural(n, 'row')}")
    more = len(rows) - TOLD
    return [*facts, f"{plural(more, 'more remembered word')} understood"] if more > 0 else facts


def read_table(source: Source) -> Table:
    """The file's lines; one whose first line is a person already has no header. Raises UnreadableFile."""
    try:
        return tables.read(source.data, source.name, sheet=source.sheet, header_row=source.header_row)
    except UnreadableFile:
        if source.header_row is not None:
            raise
        bare = tables.read(source.data, source.name, sheet=source.sheet, header_row=0)
        if any("@" in cell for cell in bare.lines[0].cells):
            return bare
        raise


def _matched(source: Source, table: Table) -> tuple[Table, columns.Mapping | None, str]:
    remembered = "columns as remembered for files with these headers"
    known = aliases.columns_of({table.header_row: table.header}) if table.header_row else None
    if known and _has_all(table, known[1]):
        return table, columns.mapping(known[1], table.header), remembered
    try:
        mapping = columns.match(table.header)
    except columns.UnmatchedColumns:
        if places := downloads.columns_of(table.header):
            return table, columns.mapping(places, table.header), "columns as in that upload"
        if source.header_row is None and (again := _remembered_elsewhere(source)):
            return again[0], columns.mapping(again[1], again[0].header), remembered
        return table, None, ""
    if source.sheet is None and table.other_sheets and _several_fit(source.data):
        return table, None, ""
    return table, mapping, ""


def _remembered_elsewhere(source: Source) -> tuple[Table, dict[Field, int]] | None:
    """The table below another of the first lines, where that one is a remembered header."""
    bare = tables.read(source.data, source.name, sheet=source.sheet, header_row=0)
    lines = {line.number: line.cells for line in bare.lines[: tables.HEADER_WITHIN]}
    if (known := aliases.columns_of(lines)) is None:
        return None
    number, held = known
    table = tables.read(source.data, source.name, sheet=source.sheet, header_row=number)
    return (table, held) if _has_all(table, held) else None


def _has_all(table: Table, held: Mapping[Field, int]) -> bool:
    """Whether the columns that are remembered are there: those without a name are only where something stands in them."""
    return max(held.values()) < len(table.header)


def _several_fit(data: bytes) -> bool:
    """Whether several sheets of a workbook have a header that is recognised."""

    def fits(cells: Sequence[str]) -> bool:
        try:
            return bool(columns.match([tables.clean(cell) for cell in cells]))
        except columns.UnmatchedColumns:
            return False

    sheets = workbooks.open_workbook(data).sheets
    return sum(any(fits(cells) for _, cells in sheet.head) for sheet in sheets) > 1


# Staging


def stage(data: bytes, name: str, by: User, *, split: bool = False) -> Batch:
    """Read an uploaded file into a batch: under review, or waiting for its columns to be matched. One commit.

    split: a file that is too long becomes several batches, in order; the first is returned.
    Raises UnreadableFile, with a title and what to do, where nothing can be staged; TooLong unless split.
    """
    source = Source(data, _file_name(name))
    return _staged(source, read(source), by, split)


def stage_pasted(text: str, by: User, *, split: bool = False) -> Batch:
    """The same for a table that was copied from a spreadsheet."""
    if not text.strip():
        raise UnreadableFile(
            "Nothing was pasted.", "Copy the rows in your spreadsheet, with or without the header, and paste them here."
        )
    table = tables.pasted(text)
    source = Source(_as_file(text, table), PASTED)
    return _staged(source, read(source, table), by, split)


def _as_file(text: str, table: Table) -> bytes:
    """The pasted text as a file that is read in the same way again: with its separator, and with quotes that fit."""
    data = f"sep={table.delimiter}\n{text}".encode("utf-8", "replace")
    try:
        tables.read(data, PASTED, header_row=table.header_row)
    except UnreadableFile:
        lines = {line.number: line.cells for line in table.lines}
        if table.header_row:
            lines[table.header_row] = table.raw_header
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter=table.delimiter)
        writer.writerows(lines.get(number, ()) for number in range(1, max(lines) + 1))
        data = f"sep={table.delimiter}\n{file.getvalue()}".encode()
    return data


def _file_name(name: str) -> str:
    """The last part of the name, printable, at most 255 characters."""
    printable = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return printable[-255:] or "upload.csv"


def _staged(source: Source, reading: Reading, by: User, split: bool) -> Batch:
    batch = Batch(
        kind=BatchKind.UPLOAD,
        state=BatchState.REVIEWING if reading.mapping else BatchState.MAPPING,
        name=source.name,
        mode=directory.settings().upload_mode,
        change_roles=False,
        skip_errors=False,
        valid_days=directory.settings().invite_days,
        message="",
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        version=1,
        part=1,
        parts=1,
        counts={},
    )
    describe(batch, source, reading)
    plan = planned(batch, reading, by, split) if reading.mapping else None
    begin_write()
    db.session.add(batch)
    db.session.flush()
    found = fill(batch, plan, source) if plan else [batch]
    if batch.parts == 1:
        db.session.add(BatchFile(batch_id=batch.id, data=source.data, columns={}))
    sizes = map(len, plan.parts) if plan else [len(reading.table.lines)]
    for each, rows in zip(found, sizes, strict=True):
        audit.record(by, AuditAction.BATCH_UPLOADED, each, rows=rows)
    db.session.commit()
    return batch


def describe(batch: Batch, source: Source, reading: Reading) -> None:
    """Part of a command: what the batch knows of the file as a whole."""
    batch.content_hash = hashlib.sha256(source.data).hexdigest()
    batch.facts = list(reading.facts)
    batch.header = list(reading.table.header)


@dataclass(frozen=True, slots=True)
class Planned:
    """Rows to be stored, without their batch: a list for each batch that the file makes. When their plans were made."""

    parts: Sequence[Sequence[Mapping[str, Any]]]
    directory_version: int
    at: datetime


def planned(batch: Batch, reading: Reading, by: User, split: bool) -> Planned:
    """A file's rows with their plans, as the batch is applied and `by` confirms it; the batch is not touched.

    Duplicates are judged across all parts. Raises TooLong unless split. Not for a transaction that writes: it takes a while.
    """
    limit = directory.settings().max_rows
    cells = [(row.line, {"email": row.email, "role": row.role, "groups": row.groups}) for row in reading.people]
    part_of = {line: place // limit + 1 for place, (line, _) in enumerate(cells)} if len(cells) > limit else None
    if part_of:
        refusal = TooLong(len(cells), limit)
        if not (split and refusal.parts):
            raise refusal
    made_at = directory.version(), utcnow()  # first: what comes later is newer
    policy = plans.policy_of(batch, by, directory.registry(by))
    judgements = plans.judged(cells, policy, part_of=part_of)
    rows = [row | judgements[row["line"]].values for row in _as_read(reading)]
    return Planned([rows[start : start + limit] for start in range(0, len(rows), limit)], *made_at)


def _as_read(reading: Reading) -> list[dict[str, Any]]:
    """Each person of a file as the columns of `Row`, not planned yet."""
    whole = {line.number: list(line.cells) for line in reading.table.lines}
    rows = []
    for person in reading.people:
        cells = {"email": person.email, "role": person.role, "groups": person.groups}
        read_as = {f"read_{name}": cell for name, cell in cells.items()}
        rows.append({"line": person.line, "read_cells": whole[person.line], **cells, **read_as})
    return rows


def fill(first: Batch, plan: Planned, source: Source) -> list[Batch]:
    """Part of a command: the rows go into a batch, and into a new one for each further part. -> all of them."""
    parts = plan.parts
    first.directory_version, first.planned_at = plan.directory_version, plan.at
    found = [first, *(_another(first) for _ in parts[1:])]
    for number, (batch, rows) in enumerate(zip(found, parts, strict=True), start=1):
        batch.state, batch.counts = BatchState.REVIEWING, {}
        if len(parts) > 1:
            batch.name = f"{source.name[:200]}, part {number} of {len(parts)}"
            batch.part, batch.parts, batch.parts_id = number, len(parts), first.id
        plans.count(batch, ((row["plan"], row["step"], row["problems"]) for row in rows), +1)
    db.session.add_all(found)
    db.session.flush()
    stored = [{"batch_id": batch.id, **row} for batch, rows in zip(found, parts, strict=True) for row in rows]
    db.session.execute(insert(Row), stored)
    return found


_SHARED = (
    "kind", "content_hash", "facts", "header", "mode", "change_roles", "skip_errors", "valid_days", "message",
    "directory_version", "planned_at", "planned_for_id", "uploaded_by_id",
)  # fmt: skip


def _another(first: Batch) -> Batch:
    return Batch(**{name: getattr(first, name) for name in _SHARED})


# The file that is kept


def kept(batch: Batch) -> Source:
    """The batch's file, as it was read. Raises Conflict where it is not kept."""
    file = db.session.get(BatchFile, batch.id)
    if file is None:
        raise Conflict(_why_not_kept(batch))
    held = {Field(name): place for name, place in file.columns.items()}
    return Source(file.data, batch.name, file.sheet, file.header_row, held)


def _why_not_kept(batch: Batch) -> str:
    if batch.parts > 1:
        return "This upload is one part of a long file, and its columns stay as they are. Discard the parts to start anew."
    return "The file of this upload is not kept any more. Upload it again to start anew."


def is_kept(batch: Batch) -> bool:
    """Whether the batch can still be read anew; one small query."""
    return bool(db.session.scalar(select(exists().where(BatchFile.batch_id == batch.id))))


def keep(batch: Batch, source: Source) -> None:
    """Part of a command: the batch's file is this one now."""
    held = {name.value: place for name, place in source.columns.items()}
    values = {"data": source.data, "sheet": source.sheet, "header_row": source.header_row, "columns": held}
    db.session.execute(update(BatchFile).where(BatchFile.batch_id == batch.id).values(**values))


def parts_of(batch: Batch) -> Sequence[Batch]:
    """All parts of the file that this batch is a part of, in order; [] for a file of its own."""
    if batch.parts == 1:
        return []
    return db.session.scalars(select(Batch).where(Batch.parts_id == batch.parts_id).order_by(Batch.part)).all()


# Another file in its place


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


def replace(batch_id: int, data: bytes, name: str, by: User, *, lose: bool = False) -> Batch:
    """Put another file in the place of a batch's; edits of rows that are read the same stay. One commit.

    Raises UnreadableFile, TooLong, and WouldLose where edits would be lost and `lose` does not agree to that.
    """
    batch = batches.found(batch_id)
    source, reading = _as_before(Source(data, _file_name(name)), kept(batch), batch.header)
    if reading.mapping is None:
        raise UnreadableFile(
            "The columns of this file are not recognised.",
            "Upload it as a file of its own, so that its columns can be matched. Nothing was changed.",
        )
    if len(reading.people) > (limit := directory.settings().max_rows):
        refusal = TooLong(len(reading.people), limit)
        refusal.parts = 0
        raise refusal
    begin_write()
    batch = batches.under_review(batch_id)
    if not is_kept(batch):
        raise Conflict(_why_not_kept(batch))
    old_name, lost = batch.name, _exchange(batch, reading, lose)
    batch.name = source.name
    describe(batch, source, reading)
    keep(batch, source)
    batch.version += 1
    batch.moved_version = batch.version  # pages that show the old file are too old to be confirmed
    audit.record(by, AuditAction.BATCH_FILE_REPLACED, batch, before=old_name, rows=len(reading.people), lost_edits=lost)
    db.session.commit()
    return batch


def _as_before(source: Source, old: Source, header: Sequence[str]) -> tuple[Source, Reading]:
    """The new file, read as a person had said of the old one where its columns are the same; else on its own."""
    if old.columns or old.header_row is not None:
        same = Source(source.data, source.name, old.sheet, old.header_row, old.columns)
        try:
            table = read_table(same)
            if aliases.header_key(table.header) == aliases.header_key(header):
                return same, read(same, table)
        except UnreadableFile:
            pass  # another sheet, or nothing in that row: it is a file of its own
    return source, read(source)


def _exchange(batch: Batch, reading: Reading, lose: bool) -> int:
    """Part of a command: the old rows go, but for those that somebody edited and that the new file has too.

    They keep their id, and so what can be undone of them. -> how many edits were lost. Raises WouldLose.
    """
    new: defaultdict[tuple[str, ...], deque[columns.Cells]] = defaultdict(deque)
    for row in reading.people:
        new[row.email, row.role, row.groups].append(row)
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
        raise WouldLose(lost, total)
    last = max(row.line for row in reading.people)
    stay += [(row, last + place) for place, row in enumerate(by_hand, start=1)]
    _put(batch, stay, {row["line"]: row for row in _as_read(reading)})
    return lost


def _put(batch: Batch, stay: Sequence[tuple[Row, int]], rows: dict[int, dict[str, Any]]) -> None:
    """Part of a command: the batch holds those of its rows that stay, each at its new line, and for the other lines `rows`.

    Rows move by way of lines below zero, because a line is there once.
    """
    kept = {line: (row.id, row.removed_at is None, {name: row.cell(name) for name in FIELDS}) for row, line in stay}
    cells = {line: {name: row[name] for name in FIELDS} for line, row in rows.items()}
    cells |= {line: values for line, (_, _, values) in kept.items()}
    standing = [(line, values) for line, values in sorted(cells.items()) if line not in kept or kept[line][1]]
    made_at = directory.version(), utcnow()
    judgements = plans.judged(
        standing, plans.policy_of(batch, batch.planned_for, directory.registry(batch.planned_for)), batch=batch
    )
    moved = [
        {"id": id, "line": -line, "read_cells": rows[line]["read_cells"] if line in rows else []}
        | (judgements[line].values if stands else {})
        for line, (id, stands, _) in kept.items()
    ]
    for stands in (True, False):  # rows of one statement have the same columns
        if same := [row for row in moved if ("plan" in row) is stands]:
            db.session.execute(update(Row), same)
    unchecked = {"synchronize_session": False}
    db.session.execute(delete(Row).where(Row.batch_id == batch.id, Row.line > 0), execution_options=unchecked)
    db.session.execute(update(Row).where(Row.batch_id == batch.id).values(line=-Row.line), execution_options=unchecked)
    if new := [{"batch_id": batch.id} | row | judgements[line].values for line, row in rows.items() if line not in kept]:
        db.session.execute(insert(Row), new)
    db.session.expire_all()
    batch.counts = {}
    made = (judgement.values for judgement in judgements.values())
    plans.count(batch, ((values["plan"], values["step"], values["problems"]) for values in made), +1)
    batch.directory_version, batch.planned_at = made_at

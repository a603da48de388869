"""From a file, or a pasted table, to a batch: read, its columns matched or to be matched, its rows staged, split, replaced.

The file is kept with its batch until that is confirmed or discarded, so that it can be read again in another way.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_values

from sqlalchemy import exists, select, update

from webapp.core.errors import ConflictError
from webapp.core.files import columns
from webapp.core.files import table as tables
from webapp.core.files.columns import Places
from webapp.core.files.fields import Field
from webapp.core.files.table import Table, UnreadableFileError, UnreadableWorkbookError
from webapp.core.plan.registry import fold
from webapp.core.text import notices
from webapp.core.text.formatting import plural
from webapp.core.text.notices import Notice
from webapp.db import begin_write, db
from webapp.models import Batch, BatchFile, BatchKind, BatchState, User
from webapp.schemas.rows import split_groups
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.batches import export, import_rows, review
from webapp.services.directory import aliases, lookup
from webapp.services.settings import in_force

PASTED = "Pasted table"
"""The name of a batch whose rows were pasted."""
TOLD = 3
"""Remembered words that are named; of others, how many."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what a person said of it. header_row: None to have it found, 0 for none. columns: None to go by the names;
    without the role, where a person said one for all rows."""

    data: bytes
    name: str
    sheet: str | None = None
    header_row: int | None = None
    columns: Places | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. mapping: None while a person has to match its columns. facts: how it was read, in words.

    notices: what a person should look at; hints: the rows that these are about, by line.
    """

    table: Table
    mapping: columns.Mapping | None
    facts: Sequence[str] = ()
    people: Sequence[columns.Cells] = ()
    notices: Sequence[Notice] = ()
    hints: Mapping[int, str] = field(default_factory=dict)


# Reading


def read(source: Source, table: Table | None = None) -> Reading:
    """Read a file and match its columns: as a person said, else as remembered, else by their names.

    Raises UnreadableFileError where nobody could make sense of it.
    """
    table = table or read_table(source)
    if source.name == PASTED:
        table = with_values(table, encoding="")  # as it came, whatever it is kept as
    told = "columns as you chose"
    if source.columns:
        mapping: columns.Mapping | None = columns.mapping(source.columns, table.header, (Field.EMAIL,))
    else:
        table, mapping, told = _matched(source, table)
    if mapping is None:
        return Reading(table, None)
    extract = columns.extract(table, mapping)
    facts = [*columns.describe(table, mapping, extract), *_translated(extract.cells)]
    if export.places_in(table.header):
        facts.insert(0, "downloaded from Muster before")
    found, hints = notices.find(table, mapping, extract)
    return Reading(table, mapping, [*facts, told] if told else facts, extract.cells, found, hints)


def _translated(people: Sequence[columns.Cells]) -> list[str]:
    """Which remembered words were understood, and as what."""
    registry = lookup.registry()
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
    """The file's lines; one whose first line is a person already has no header. Raises UnreadableFileError."""
    try:
        return tables.read(source.data, source.name, sheet=source.sheet, header_row=source.header_row)
    except UnreadableWorkbookError:
        raise
    except UnreadableFileError:
        if source.header_row is not None:
            raise
        bare = tables.read(source.data, source.name, sheet=source.sheet, header_row=0)
        if any("@" in cell for cell in bare.lines[0].cells):
            return bare
        raise


def _matched(source: Source, table: Table) -> tuple[Table, columns.Mapping | None, str]:
    remembered = "columns as remembered for files with these headers"
    known = aliases.columns_of({table.header_row: table.header}) if table.header_row else None
    if known and (places := known[1].within(len(table.header))):
        return table, columns.mapping(places, table.header), remembered
    if places := export.places_in(table.header):
        return table, columns.mapping(places, table.header), ""
    try:
        mapping = columns.match(table.header)
    except columns.UnmatchedColumnsError:
        if source.header_row is None and (again := _remembered_elsewhere(source)):
            return again[0], columns.mapping(again[1], again[0].header), remembered
        return table, None, ""
    if source.sheet is None and table.other_sheets and _several_fit(source):
        return table, None, ""
    if columns.named_like_groups(table.header, [line.cells for line in table.lines], _group_names()):
        return table, None, ""
    return table, mapping, ""


def _group_names() -> list[str]:
    return [group.name for group in lookup.registry().groups]


def _remembered_elsewhere(source: Source) -> tuple[Table, Places] | None:
    """The table below another of the first lines, where that one is a remembered header."""
    bare = tables.read(source.data, source.name, sheet=source.sheet, header_row=0)
    lines = {line.number: line.cells for line in bare.lines[: tables.HEADER_WITHIN]}
    if (known := aliases.columns_of(lines)) is None:
        return None
    number, held = known
    table = tables.read(source.data, source.name, sheet=source.sheet, header_row=number)
    places = held.within(len(table.header))  # columns without a name are only where something stands in them
    return (table, places) if places else None


def _several_fit(source: Source) -> bool:
    """Whether several sheets of a workbook have a header that is recognised."""

    def fits(cells: Sequence[str]) -> bool:
        try:
            return bool(columns.match([tables.clean(cell) for cell in cells]))
        except columns.UnmatchedColumnsError:
            return False

    return sum(any(map(fits, head)) for head in tables.heads(source.data, source.name)) > 1


# Staged


def stage(data: bytes, name: str, by: User, *, split: bool = False) -> Batch:
    """Read an uploaded file into a batch: under review, or waiting for its columns to be matched. One commit.

    split: a file that is too long becomes several batches, in order; the first is returned.
    Raises UnreadableFileError, with a title and what to do, where nothing can be staged; TooManyRowsError unless split.
    """
    source = Source(data, _file_name(name))
    return _staged(source, read(source), by, split)


def stage_pasted(text: str, by: User, *, split: bool = False) -> Batch:
    """The same for a table that was copied from a spreadsheet."""
    if not text.strip():
        raise UnreadableFileError(
            "Nothing was pasted.", "Copy the rows in your spreadsheet, with or without the header, and paste them here."
        )
    table = tables.pasted(text)
    if table.header_row == 0 and "@" not in text:
        raise UnreadableFileError(
            "There is no email in what was pasted.", "Copy the rows in your spreadsheet, the emails with them."
        )
    source = Source(_as_file(text, table), PASTED)
    return _staged(source, read(source, table), by, split)


def _as_file(text: str, table: Table) -> bytes:
    """The pasted text as a file that is read in the same way again: with its separator, and with quotes that fit."""
    if table.is_list:
        return text.encode("utf-8", "replace")
    data = f"sep={table.delimiter}\n{text}".encode("utf-8", "replace")
    try:
        tables.read(data, PASTED, header_row=table.header_row)
    except UnreadableFileError:
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
        mode=in_force.settings().upload_mode,
        change_roles=False,
        skip_errors=False,
        valid_days=in_force.settings().invite_days,
        message="",
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        version=1,
        part=1,
        parts=1,
        counts={},
    )
    describe(batch, source, reading)
    plan = None
    if reading.mapping:
        plan = import_rows.plan_rows(batch, reading.table, reading.people, by, split, reading.hints)
    begin_write()
    db.session.add(batch)
    db.session.flush()
    found = import_rows.insert_parts(batch, plan, source.name) if plan else [batch]
    if batch.parts == 1:
        db.session.add(BatchFile(batch_id=batch.id, data=source.data, columns={}))
    sizes = map(len, plan.parts) if plan else [len(reading.table.lines)]
    for each, rows in zip(found, sizes, strict=True):
        events.record(by, AuditAction.BATCH_UPLOADED, each, rows=rows)
    db.session.commit()
    return batch


def describe(batch: Batch, source: Source, reading: Reading) -> None:
    """Part of a command: what the batch knows of the file as a whole."""
    batch.content_hash = hashlib.sha256(source.data).hexdigest()
    batch.facts = list(reading.facts)
    batch.header = list(reading.table.header)
    batch.columns = reading.mapping.places.as_dict() if reading.mapping else {}
    batch.notices = [notice.as_dict() for notice in reading.notices]


# The file that is kept


def kept(batch: Batch) -> Source:
    """The batch's file, as it was read. Raises ConflictError where it is not kept."""
    file = db.session.get(BatchFile, batch.id)
    if file is None:
        raise ConflictError(_why_not_kept(batch))
    held = Places.from_dict(file.columns) if file.columns else None
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
    held = source.columns.as_dict() if source.columns else {}
    values = {"data": source.data, "sheet": source.sheet, "header_row": source.header_row, "columns": held}
    db.session.execute(update(BatchFile).where(BatchFile.batch_id == batch.id).values(**values))


def parts_of(batch: Batch) -> Sequence[Batch]:
    """All parts of the file that this batch is a part of, in order; [] for a file of its own."""
    if batch.parts == 1:
        return []
    return db.session.scalars(select(Batch).where(Batch.parts_id == batch.parts_id).order_by(Batch.part)).all()


# Another file in its place


def replace(batch_id: int, data: bytes, name: str, by: User, *, lose: bool = False) -> Batch:
    """Put another file in the place of a batch's; edits of rows that are read the same stay. One commit.

    Raises UnreadableFileError, TooManyRowsError, and EditsLostError where edits would be lost and `lose` does not agree to that.
    """
    batch = review.found(batch_id)
    source, reading = _as_before(Source(data, _file_name(name)), kept(batch), batch.header)
    if reading.mapping is None:
        raise UnreadableFileError(
            "The columns of this file are not recognised.",
            "Upload it as a file of its own, so that its columns can be matched. Nothing was changed.",
        )
    if len(reading.people) > (limit := in_force.settings().max_rows):
        refusal = import_rows.TooManyRowsError(len(reading.people), limit)
        refusal.parts = 0
        raise refusal
    begin_write()
    batch = review.under_review(batch_id)
    if not is_kept(batch):
        raise ConflictError(_why_not_kept(batch))
    old_name, lost = batch.name, import_rows.replace_rows(batch, reading.table, reading.people, reading.hints, lose=lose)
    batch.name = source.name
    describe(batch, source, reading)
    keep(batch, source)
    batch.version += 1
    events.record(by, AuditAction.BATCH_FILE_REPLACED, batch, before=old_name, rows=len(reading.people), lost_edits=lost)
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
        except UnreadableWorkbookError:
            raise
        except UnreadableFileError:
            pass  # another sheet, or nothing in that row: it is a file of its own
    return source, read(source)

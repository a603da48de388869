"""Reads an uploaded or pasted table into a batch, and replaces a batch's file by another.

The file is kept with its batch until that is confirmed or discarded, so that it can be read again in another way.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import find_named_like_groups
from webapp.core.files.columns import Places, match_columns
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import extract_people
from webapp.core.files.fields import Field
from webapp.core.files.source_file import choose_sheet, open_file, open_pasted
from webapp.core.files.table import Sheet, Table
from webapp.core.text.notices import find_notices
from webapp.db import begin_write, db
from webapp.models import Batch, BatchFile, BatchState, User
from webapp.services.audit import events
from webapp.services.batches import export, import_rows, review, same_list
from webapp.services.batches.import_rows import Reading, Source, Values
from webapp.services.directory import aliases, lookup
from webapp.services.settings import in_force

PASTED = "Pasted table"
"""The name of a batch whose rows were pasted."""


# Read


def open_source(source: Source) -> list[Sheet]:
    """The sheets of a file. Raises UnreadableFileError."""
    if source.name == PASTED:
        return open_pasted(source.data.decode("utf-8", "replace"))
    return open_file(source.data)


def read(
    source: Source,
    sheets: Sequence[Sheet] | None = None,
) -> Reading:
    """Read a file and match its columns: as a person said, else as remembered, else by their names.

    sheets: those of the file, if it is open already. Raises UnreadableFileError where nobody could make sense of it.
    """
    version = lookup.directory_version()
    table, places, how = _match(source, sheets or open_source(source))
    if places is None:
        return Reading(source, table, version)
    people, facts = extract_people(table, places)
    if how:
        facts.append({"code": how})
    notices, hints = find_notices(table, places, people)
    return Reading(source, table, version, places, people, facts, notices, hints)


def _match(
    source: Source,
    sheets: Sequence[Sheet],
) -> tuple[Table, Places | None, str]:
    """The table, which column holds what (None: a person has to say), and the code of how that is known."""
    sheet = choose_sheet(sheets, source.sheet)
    table = sheet.table(source.header_row)
    if source.columns:
        return table, source.columns, "chosen"
    heads = {
        line.number: line.cells for line in sheet.head if source.header_row in (None, line.number)
    }
    if known := aliases.columns_of(heads):
        row, places, how = known
        return sheet.table(row), places, how
    if export.is_download(table.header):
        first = export.find_first_columns(table.header)
        return table, match_columns(first), "downloaded"
    fitting = [each for each in sheets if any(match_columns(line.cells) for line in each.head)]
    is_open = source.sheet is None and len(fitting) > 1
    if is_open or find_named_like_groups(table, lookup.registry()):
        return table, None, ""
    return table, match_columns(table.header), ""


# Stage


def stage(
    data: bytes,
    name: str,
    by: User,
    *,
    split: bool = False,
) -> Batch:
    """Read an uploaded file into a batch: under review, or waiting for its columns to be matched. One commit.

    split: a file that is too long becomes several batches, in order; the first is returned.
    Raises UnreadableFileError, with a title and what to do, where nothing can be staged, or the file is too long.
    """
    source = Source(data, file_name(name))
    return create_batch(new_batch(by), read(source), by, split)


def stage_pasted(
    text: str,
    by: User,
    *,
    split: bool = False,
) -> Batch:
    """The same for a table that was copied from a spreadsheet."""
    if "@" not in text:
        raise UnreadableFileError(
            "There is no email in what was pasted.",
            "Copy the rows in your spreadsheet, the emails with them, and paste them here.",
        )
    source = Source(text.encode("utf-8", "replace"), PASTED)
    return create_batch(new_batch(by), read(source), by, split)


def file_name(name: str) -> str:
    """The last part of the name, printable, at most 255 characters. Raises UnreadableFileError where there is none."""
    if not name:
        raise UnreadableFileError(
            "No file was chosen.",
            "Choose a CSV, Excel or OpenDocument file and upload it.",
        )
    printable = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return "upload.csv" if printable in ("", PASTED) else printable[-255:]


def new_batch(by: User, **options: Any) -> Batch:
    """A batch with the usual options, or with these. It is not stored."""
    usual = {
        "mode": in_force.settings().upload_mode,
        "valid_days": in_force.settings().invite_days,
    }
    return Batch(uploaded_by_id=by.id, **usual | options)


def create_batch(
    batch: Batch,
    reading: Reading,
    by: User,
    split: bool,
) -> Batch:
    """Store a new batch with what a file says. One commit. -> it, or the one that the same request has made already."""
    parts = import_rows.plan_rows(batch, reading, by, split=split)
    key = batch.request_key
    begin_write()
    if key and (same := find_by_key(key, by)):
        db.session.rollback()
        return same
    for each, rows in zip(store(batch, reading, parts, by), parts, strict=True):
        n = len(rows) or len(reading.table.lines)
        events.record(by, "batch.uploaded", each, rows=n)
    db.session.commit()
    return batch


def find_by_key(key: str, by: User) -> Batch | None:
    """The batch that a request of this user with this key has made."""
    is_it = Batch.uploaded_by_id == by.id, Batch.request_key == key
    return db.session.scalar(select(Batch).where(*is_it))


def store(
    batch: Batch,
    reading: Reading,
    parts: Sequence[Sequence[Values]],
    by: User,
) -> Sequence[Batch]:
    """Store a file with its rows in a batch, and in further ones if there are several parts. -> all of them. Does not commit."""
    batch.state = BatchState.REVIEWING if reading.places else BatchState.MAPPING
    batch.planned_for_id = by.id
    store_reading(batch, reading)
    batches = import_rows.insert_parts(batch, parts)
    if len(batches) > 1:
        db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch.id))
    same_list.recognise(batches)
    return batches


def store_reading(
    batch: Batch,
    reading: Reading,
) -> None:
    """Store the file, and what the batch knows of it as a whole. Does not commit."""
    source = reading.source
    batch.file_name = source.name
    batch.content_hash = hashlib.sha256(source.data).hexdigest()
    batch.directory_version = reading.directory_version
    batch.facts = list(reading.facts)
    batch.header = list(reading.table.header)
    batch.columns = reading.places.as_dict() if reading.places else {}
    has_column = Field.NAME in batch.columns.values()
    batch.has_names = has_column or any(person.name for person in reading.people)
    batch.notices = [asdict(notice) for notice in reading.notices]
    db.session.add(batch)
    db.session.flush()
    file = BatchFile(
        batch_id=batch.id,
        data=source.data,
        sheet=source.sheet,
        header_row=source.header_row,
        columns=source.columns.as_dict() if source.columns else {},
    )
    db.session.merge(file)


# The file that is kept


def load_source(batch: Batch) -> Source:
    """The batch's file, as it was read. Raises ConflictError where it is not kept."""
    file = db.session.get(BatchFile, batch.id)
    if file is None:
        raise ConflictError(
            "The file of this upload is not kept, so its columns stay as they are. Discard it and upload it again to start over."
        )
    held = Places.from_dict(file.columns) if file.columns else None
    return Source(file.data, batch.file_name, file.sheet, file.header_row, held)


def is_file_kept(batch: Batch) -> bool:
    """Whether the batch's file can still be read again; one small query."""
    kept = select(BatchFile.batch_id).where(BatchFile.batch_id == batch.id)
    return db.session.scalar(kept) is not None


def parts_of(batch: Batch) -> Sequence[Batch]:
    """All parts of the file that this batch is a part of, in order; [] for a file of its own."""
    if batch.parts == 1:
        return []
    parts = select(Batch).where(Batch.parts_id == batch.parts_id)
    return db.session.scalars(parts.order_by(Batch.part)).all()


# Another file in its place


def replace(
    batch_id: int,
    data: bytes,
    name: str,
    by: User,
    *,
    lose: bool = False,
) -> Batch:
    """Put another file in the place of a batch's; edits of rows that are read the same stay. One commit.

    Raises UnreadableFileError, also where edits would be lost and `lose` does not agree to that.
    """
    batch = review.get_batch(batch_id)
    reading = _read_as_before(Source(data, file_name(name)), batch)
    if reading.places is None:
        raise UnreadableFileError(
            "The columns of this file are not recognised.",
            "Upload it as a file of its own, so that its columns can be matched. Nothing was changed.",
        )
    [rows] = import_rows.plan_rows(batch, reading, by)
    begin_write()
    batch = review.lock_under_review(batch_id)
    load_source(batch)
    lost = import_rows.replace_rows(batch, reading.people, rows, lose=lose)
    old_name = batch.file_name
    store_reading(batch, reading)
    same_list.recognise([batch])
    batch.version += 1
    events.record(
        by,
        "batch.file_replaced",
        batch,
        before=old_name,
        rows=len(reading.people),
        lost_edits=lost,
    )
    db.session.commit()
    return batch


def _read_as_before(
    source: Source,
    batch: Batch,
) -> Reading:
    """Read a file as a person had said of the batch's where its columns are the same; else on its own."""
    sheets = open_source(source)
    same = dataclasses.replace(load_source(batch), data=source.data, name=source.name)
    # another sheet, or nothing in that row: it is a file of its own
    with suppress(UnreadableFileError):
        reading = read(same, sheets)
        if aliases.header_key(reading.table.header) == aliases.header_key(batch.header):
            return reading
    return read(source, sheets)

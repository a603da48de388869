"""Reads an uploaded or pasted table into a batch, and replaces a batch's file by another.

The file is kept with its batch until that is confirmed or discarded, so that it can be read again in another way.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from dataclasses import replace as with_values

from sqlalchemy import exists, select

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import find_named_like_groups
from webapp.core.files.columns import Places, match_columns
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells, extract_people
from webapp.core.files.source_file import choose_sheet, open_file, open_pasted
from webapp.core.files.table import Sheet, Table
from webapp.core.plan.registry import fold
from webapp.core.text.notices import find_notices
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, db
from webapp.models import Batch, BatchFile, BatchKind, BatchState, User
from webapp.schemas.rows import split_groups
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import export, import_rows, review
from webapp.services.batches.import_rows import Reading
from webapp.services.directory import aliases, lookup
from webapp.services.settings import in_force

PASTED = "Pasted table"
"""The name of a batch whose rows were pasted."""
NAMED_ALIASES = 3
"""Remembered words that are named in the banner; of others, how many."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what a person said of it. header_row: None to have it found, 0 for none. columns: None to go by the names;
    without the role, where a person said one for all rows."""

    data: bytes
    name: str
    sheet: str | None = None
    header_row: int | None = None
    columns: Places | None = None

    def open(self) -> list[Sheet]:
        """Raises UnreadableFileError."""
        if self.name == PASTED:
            return open_pasted(self.data.decode("utf-8", "replace"))
        return open_file(self.data)


# Read


def read(source: Source, sheets: Sequence[Sheet] | None = None) -> Reading:
    """Read a file and match its columns: as a person said, else as remembered, else by their names.

    sheets: those of the file, if it is open already. Raises UnreadableFileError where nobody could make sense of it.
    """
    table, places, how = _match(source, sheets or source.open())
    if places is None:
        return Reading(table, None)
    people, facts = extract_people(table, places)
    facts += _describe_aliases(people)
    if how:
        facts.append({"code": how})
    return Reading(table, places, people, facts, *find_notices(table, places, people))


def _match(source: Source, sheets: Sequence[Sheet]) -> tuple[Table, Places | None, str]:
    """The table, which column holds what (None: a person has to say), and the code of how that is known."""
    sheet = choose_sheet(sheets, source.sheet)
    table = sheet.table(source.header_row)
    if source.columns:
        if not source.columns.fits(table.header):
            raise UnreadableFileError(
                "The columns that were chosen are not in this file.", "Choose other ones."
            )
        return table, source.columns, "chosen"
    heads = {
        line.number: line.cells
        for line in sheet.head
        if source.header_row is None or line.number == source.header_row
    }
    if known := aliases.columns_of(heads):
        below = sheet.table(known[0])
        if known[1].fits(below.header):
            return below, known[1], "remembered"
    if downloaded := export.places_in(table.header):
        return table, downloaded, "downloaded"
    named = match_columns(table.header)
    fitting = [each for each in sheets if any(match_columns(line.cells) for line in each.head)]
    is_open = source.sheet is None and len(fitting) > 1
    if is_open or find_named_like_groups(table, lookup.registry()):
        return table, None, ""
    return table, named, ""


def _describe_aliases(people: Sequence[Cells]) -> list[CodedText]:
    """Which remembered words were understood, and as what."""
    registry = lookup.registry()
    if not (registry.role_aliases or registry.group_aliases):
        return []
    rows: Counter[tuple[str, str]] = Counter()
    for person in people:
        if fold(person.role) in registry.role_aliases:
            rows[person.role, registry.role_name(person.role)] += 1
        for word in split_groups(person.groups):
            if fold(word) in registry.group_aliases:
                rows[word, registry.group_name(word)] += 1
    named = rows.most_common(NAMED_ALIASES)
    facts: list[CodedText] = [
        {"code": "word", "word": word, "meaning": meaning, "n": n} for (word, meaning), n in named
    ]
    if more := len(rows) - len(named):
        facts.append({"code": "more_words", "n": more})
    return facts


# Stage


def stage(data: bytes, name: str, by: User, *, split: bool = False) -> Batch:
    """Read an uploaded file into a batch: under review, or waiting for its columns to be matched. One commit.

    split: a file that is too long becomes several batches, in order; the first is returned.
    Raises UnreadableFileError, with a title and what to do, where nothing can be staged; TooManyRowsError unless split.
    """
    source = Source(data, _file_name(name))
    return _create_batch(source, read(source), by, split)


def stage_pasted(text: str, by: User, *, split: bool = False) -> Batch:
    """The same for a table that was copied from a spreadsheet."""
    if "@" not in text:
        raise UnreadableFileError(
            "There is no email in what was pasted.",
            "Copy the rows in your spreadsheet, the emails with them, and paste them here.",
        )
    source = Source(text.encode("utf-8", "replace"), PASTED)
    return _create_batch(source, read(source), by, split)


def _file_name(name: str) -> str:
    """The last part of the name, printable, at most 255 characters."""
    printable = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return "upload.csv" if printable in ("", PASTED) else printable[-255:]


def _create_batch(source: Source, reading: Reading, by: User, split: bool) -> Batch:
    batch = Batch(
        kind=BatchKind.UPLOAD,
        state=BatchState.REVIEWING if reading.places else BatchState.MAPPING,
        file_name=source.name,
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
    store_reading(batch, source, reading)
    plan = None
    if reading.places:
        plan = import_rows.plan_rows(batch, reading, by, split)
    begin_write()
    db.session.add(batch)
    db.session.flush()
    found = import_rows.insert_parts(batch, plan) if plan else [batch]
    if batch.parts == 1:
        store_source(batch, source)
    sizes = map(len, plan.parts) if plan else [len(reading.table.lines)]
    for each, rows in zip(found, sizes, strict=True):
        events.record(by, AuditAction.BATCH_UPLOADED, each, rows=rows)
    db.session.commit()
    return batch


def store_reading(batch: Batch, source: Source, reading: Reading) -> None:
    """Store what the batch knows of the file as a whole. Does not commit."""
    batch.content_hash = hashlib.sha256(source.data).hexdigest()
    batch.facts = list(reading.facts)
    batch.header = list(reading.table.header)
    batch.columns = reading.places.as_dict() if reading.places else {}
    batch.notices = [asdict(notice) for notice in reading.notices]


# The file that is kept


def load_source(batch: Batch) -> Source:
    """The batch's file, as it was read. Raises ConflictError where it is not kept."""
    file = db.session.get(BatchFile, batch.id)
    if file is None:
        if batch.parts > 1:
            raise ConflictError(
                "This upload is one part of a long file, and its columns stay as they are. Discard the parts to start again."
            )
        raise ConflictError(
            "The file of this upload is not kept any more. Upload it again to start over."
        )
    held = Places.from_dict(file.columns) if file.columns else None
    return Source(file.data, batch.file_name, file.sheet, file.header_row, held)


def is_file_kept(batch: Batch) -> bool:
    """Whether the batch's file can still be read again; one small query."""
    return bool(db.session.scalar(select(exists().where(BatchFile.batch_id == batch.id))))


def store_source(batch: Batch, source: Source) -> None:
    """Replace the batch's file by this one. Does not commit."""
    file = BatchFile(batch_id=batch.id, data=source.data)
    file.sheet = source.sheet
    file.header_row = source.header_row
    file.columns = source.columns.as_dict() if source.columns else {}
    db.session.merge(file)


def parts_of(batch: Batch) -> Sequence[Batch]:
    """All parts of the file that this batch is a part of, in order; [] for a file of its own."""
    if batch.parts == 1:
        return []
    return db.session.scalars(
        select(Batch).where(Batch.parts_id == batch.parts_id).order_by(Batch.part)
    ).all()


# Another file in its place


def replace(batch_id: int, data: bytes, name: str, by: User, *, lose: bool = False) -> Batch:
    """Put another file in the place of a batch's; edits of rows that are read the same stay. One commit.

    Raises UnreadableFileError, TooManyRowsError, and EditsLostError where edits would be lost and `lose` does not agree to that.
    """
    source, reading = _read_as_before(Source(data, _file_name(name)), review.get_batch(batch_id))
    if reading.places is None:
        raise UnreadableFileError(
            "The columns of this file are not recognised.",
            "Upload it as a file of its own, so that its columns can be matched. Nothing was changed.",
        )
    import_rows.refuse_too_many(reading.people)
    begin_write()
    batch = review.lock_under_review(batch_id)
    load_source(batch)
    lost = import_rows.replace_rows(batch, reading, lose=lose)
    old_name = batch.file_name
    batch.file_name = source.name
    store_reading(batch, source, reading)
    store_source(batch, source)
    batch.version += 1
    events.record(
        by,
        AuditAction.BATCH_FILE_REPLACED,
        batch,
        before=old_name,
        rows=len(reading.people),
        lost_edits=lost,
    )
    db.session.commit()
    return batch


def _read_as_before(source: Source, batch: Batch) -> tuple[Source, Reading]:
    """A file, read as a person had said of the batch's where its columns are the same; else on its own."""
    sheets = source.open()
    same = with_values(load_source(batch), data=source.data, name=source.name)
    # another sheet, or nothing in that row: it is a file of its own
    with suppress(UnreadableFileError):
        reading = read(same, sheets)
        if aliases.header_key(reading.table.header) == aliases.header_key(batch.header):
            return same, reading
    return source, read(source, sheets)

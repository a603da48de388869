"""Reads an uploaded or pasted table into a batch, and replaces a batch's file by another.

The file is kept with its batch until that is confirmed or discarded, so that it can be read again in another way.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_values

from sqlalchemy import exists, select, update

from webapp.core.errors import ConflictError
from webapp.core.files import columns
from webapp.core.files.column_guesses import find_named_like_groups
from webapp.core.files.columns import Places
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells, extract_people
from webapp.core.files.fields import Field
from webapp.core.files.reading_facts import find_reading_facts
from webapp.core.files.source_file import SourceFile, open_file, open_pasted
from webapp.core.files.table import Table
from webapp.core.plan.registry import fold
from webapp.core.text import notices
from webapp.core.text.notices import Notice
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, db
from webapp.models import Batch, BatchFile, BatchKind, BatchState, User
from webapp.schemas.rows import split_groups
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import export, import_rows, review
from webapp.services.directory import aliases, lookup
from webapp.services.settings import in_force

PASTED = "Pasted table"
"""The name of a batch whose rows were pasted."""
NAMED_ALIASES = 3
"""Remembered words that are named in the banner; of others, how many."""
REMEMBERED = "remembered"


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what a person said of it. header_row: None to have it found, 0 for none. columns: None to go by the names;
    without the role, where a person said one for all rows."""

    data: bytes
    name: str
    sheet: str | None = None
    header_row: int | None = None
    columns: Places | None = None

    def open(self) -> SourceFile:
        """Raises UnreadableFileError."""
        if self.name == PASTED:
            return open_pasted(self.data.decode("utf-8", "replace"))
        return open_file(self.data, self.name)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. mapping: None while a person has to match its columns. facts: how it was read.

    notices: what a person should look at; hints: the rows that these are about, by line.
    """

    table: Table
    mapping: columns.Mapping | None
    facts: Sequence[CodedText] = ()
    people: Sequence[Cells] = ()
    notices: Sequence[Notice] = ()
    hints: Mapping[int, str] = field(default_factory=dict)


# Read


def read(source: Source, file: SourceFile | None = None) -> Reading:
    """Read a file and match its columns: as a person said, else as remembered, else by their names.

    file: the source, if it is open already. Raises UnreadableFileError where nobody could make sense of it.
    """
    file = file or source.open()
    if source.columns:
        table = file.table(source.sheet, source.header_row)
        mapping: columns.Mapping | None = columns.map_chosen(
            source.columns, table.header, (Field.EMAIL,)
        )
        how = "chosen"
    else:
        table, mapping, how = _match(source, file)
    if mapping is None:
        return Reading(table, None)
    extract = extract_people(table, mapping)
    facts = find_reading_facts(table, mapping, extract) + _describe_aliases(extract.cells)
    if export.places_in(table.header):
        facts.insert(0, {"code": "downloaded"})
    if how:
        facts.append({"code": how})
    found, hints = notices.find_notices(table, mapping, extract)
    return Reading(table, mapping, facts, extract.cells, found, hints)


def _match(source: Source, file: SourceFile) -> tuple[Table, columns.Mapping | None, str]:
    """The table, which column holds what (None: a person has to say), and how that is known."""
    table = file.table(source.sheet, source.header_row)
    if table.header_row and (places := _recall_columns(table)):
        return table, columns.map_chosen(places, table.header), REMEMBERED
    if places := export.places_in(table.header):
        return table, columns.map_chosen(places, table.header), ""
    try:
        mapping = columns.match_columns(table.header)
    except columns.UnmatchedColumnsError:
        if source.header_row is None and (below := _find_remembered_header(source, file)):
            table, places = below
            return table, columns.map_chosen(places, table.header), REMEMBERED
        return table, None, ""
    if source.sheet is None and table.other_sheets and _do_several_sheets_fit(file):
        return table, None, ""
    groups = [group.name for group in lookup.registry().groups]
    if find_named_like_groups(table.header, [line.cells for line in table.lines], groups):
        return table, None, ""
    return table, mapping, ""


def _recall_columns(table: Table) -> Places | None:
    known = aliases.columns_of({table.header_row: table.header})
    return known[1].within(len(table.header)) if known else None


def _find_remembered_header(source: Source, file: SourceFile) -> tuple[Table, Places] | None:
    """The table below another of the first lines, where that one is a remembered header."""
    known = aliases.columns_of({line.number: line.cells for line in file.grid(source.sheet).head()})
    if known is None:
        return None
    number, held = known
    table = file.table(source.sheet, number)
    # columns without a name are only where something stands in them
    places = held.within(len(table.header))
    return (table, places) if places else None


def _do_several_sheets_fit(file: SourceFile) -> bool:
    """Whether several sheets of a workbook have a header that is recognised."""
    return sum(any(map(_is_header, head)) for head in file.heads()) > 1


def _is_header(cells: Sequence[str]) -> bool:
    try:
        columns.match_columns(cells)
    except columns.UnmatchedColumnsError:
        return False
    return True


def _describe_aliases(people: Sequence[Cells]) -> list[CodedText]:
    """Which remembered words were understood, and as what."""
    registry = lookup.registry()
    if not (registry.role_aliases or registry.group_aliases):
        return []
    meanings = {("role", key): registry.role_name(key) for key in registry.role_aliases}
    meanings |= {("groups", key): registry.group_name(key) for key in registry.group_aliases}
    spelling: dict[tuple[str, str], str] = {}
    rows: Counter[tuple[str, str]] = Counter()
    for person in people:
        words = [("role", person.role), *(("groups", word) for word in split_groups(person.groups))]
        for kind, word in words:
            key = kind, fold(word)
            if key in meanings:
                spelling.setdefault(key, word)
                rows[key] += 1
    named = rows.most_common(NAMED_ALIASES)
    facts: list[CodedText] = [
        {"code": "word", "word": spelling[key], "meaning": meanings[key], "n": n}
        for key, n in named
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
    if not text.strip():
        raise UnreadableFileError(
            "Nothing was pasted.",
            "Copy the rows in your spreadsheet, with or without the header, and paste them here.",
        )
    source = Source(text.encode("utf-8", "replace"), PASTED)
    file = source.open()
    if file.table().header_row == 0 and "@" not in text:
        raise UnreadableFileError(
            "There is no email in what was pasted.",
            "Copy the rows in your spreadsheet, the emails with them.",
        )
    return _create_batch(source, read(source, file), by, split)


def _file_name(name: str) -> str:
    """The last part of the name, printable, at most 255 characters."""
    printable = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return "upload.csv" if printable in ("", PASTED) else printable[-255:]


def _create_batch(source: Source, reading: Reading, by: User, split: bool) -> Batch:
    batch = Batch(
        kind=BatchKind.UPLOAD,
        state=BatchState.REVIEWING if reading.mapping else BatchState.MAPPING,
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
    if reading.mapping:
        plan = import_rows.plan_rows(batch, reading.table, reading.people, by, split, reading.hints)
    begin_write()
    db.session.add(batch)
    db.session.flush()
    found = import_rows.insert_parts(batch, plan) if plan else [batch]
    if batch.parts == 1:
        db.session.add(BatchFile(batch_id=batch.id, data=source.data, columns={}))
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
    batch.columns = reading.mapping.places.as_dict() if reading.mapping else {}
    batch.notices = [notice.as_dict() for notice in reading.notices]


# The file that is kept


def load_source(batch: Batch) -> Source:
    """The batch's file, as it was read. Raises ConflictError where it is not kept."""
    file = db.session.get(BatchFile, batch.id)
    if file is None:
        raise ConflictError(_why_no_file(batch))
    held = Places.from_dict(file.columns) if file.columns else None
    return Source(file.data, batch.file_name, file.sheet, file.header_row, held)


def _why_no_file(batch: Batch) -> str:
    if batch.parts > 1:
        return "This upload is one part of a long file, and its columns stay as they are. Discard the parts to start again."
    return "The file of this upload is not kept any more. Upload it again to start over."


def is_file_kept(batch: Batch) -> bool:
    """Whether the batch's file can still be read again; one small query."""
    return bool(db.session.scalar(select(exists().where(BatchFile.batch_id == batch.id))))


def store_source(batch: Batch, source: Source) -> None:
    """Replace the batch's file by this one. Does not commit."""
    held = source.columns.as_dict() if source.columns else {}
    values = {
        "data": source.data,
        "sheet": source.sheet,
        "header_row": source.header_row,
        "columns": held,
    }
    db.session.execute(update(BatchFile).where(BatchFile.batch_id == batch.id).values(**values))


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
    batch = review.get_batch(batch_id)
    source, reading = _read_as_before(
        Source(data, _file_name(name)), load_source(batch), batch.header
    )
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
    batch = review.lock_under_review(batch_id)
    if not is_file_kept(batch):
        raise ConflictError(_why_no_file(batch))
    old_name, lost = (
        batch.file_name,
        import_rows.replace_rows(batch, reading.table, reading.people, reading.hints, lose=lose),
    )
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


def _read_as_before(source: Source, old: Source, header: Sequence[str]) -> tuple[Source, Reading]:
    """The new file, read as a person had said of the old one where its columns are the same; else on its own."""
    file = source.open()
    if old.columns or old.header_row is not None:
        same = with_values(source, sheet=old.sheet, header_row=old.header_row, columns=old.columns)
        try:
            table = file.table(same.sheet, same.header_row)
            if aliases.header_key(table.header) == aliases.header_key(header):
                return same, read(same, file)
        except UnreadableFileError:
            pass  # another sheet, or nothing in that row: it is a file of its own
    return source, read(source, file)

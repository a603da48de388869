"""Which column of a file holds what, as a person chooses on the mapping page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, or_

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import LOOKED_AT, find_named_like_groups, guess_columns
from webapp.core.files.columns import MEMBER, Places, is_secret, name_of, names_of
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells, find_prefilled, read_people
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.files.source_file import choose_sheet
from webapp.core.files.table import HEADER_WITHIN, Line, Sheet, Table
from webapp.core.lists.row_filter import EVERYTHING
from webapp.db import begin_write, db
from webapp.models import (
    MARKERS,
    Batch,
    BatchState,
    Row,
    RowEdit,
    User,
)
from webapp.services.audit import events
from webapp.services.batches import bulk_edit, import_rows, review, upload
from webapp.services.batches.import_rows import Source
from webapp.services.directory import aliases, lookup

PREVIEWED = 3
"""Rows in the preview of the mapping page, and cells of a column that are shown."""
HIDDEN = "••••••"
"""In place of what stands in a column of passwords."""


@dataclass(slots=True)
class Column:
    """A column of the file as the page shows it. state: "recognised" by its name, a "guess", or "" for a person's choice.

    is_like_group: it is named like one, so that its ticks may say who is in it.
    """

    place: int
    name: str
    samples: Sequence[str]
    use: str | None
    state: str
    is_like_group: bool


@dataclass(slots=True)
class MappingPage:
    """The mapping page. `refusal` says why this sheet or header row cannot be read; then there are no columns.

    doubled: fields that two columns are used for. to_choose: required ones that no column is used for, nor a role said for all
    rows.
    """

    header_row: int
    sheets: Sequence[Sheet] = ()
    sheet: str = ""
    head: Sequence[Line] = ()
    columns: Sequence[Column] = ()
    rows: int = 0
    preview: Sequence[Cells] = ()
    to_choose: list[Field] = field(default_factory=list)
    role: str = ""
    doubled: Sequence[Field] = ()
    refusal: UnreadableFileError | None = None

    @property
    def is_complete(self) -> bool:
        return not (self.refusal or self.to_choose or self.doubled)


def show_mapping(
    source: Source,
) -> MappingPage:
    """What the mapping page shows of a file as it would be read; how need not make sense."""
    page = MappingPage(source.header_row or 0)
    try:
        page.sheets = upload.open_source(source)
        sheet = choose_sheet(page.sheets, source.sheet)
        page.sheet = sheet.name
        page.head = _mask(sheet.head)
        table = sheet.table(source.header_row)
    except UnreadableFileError as refusal:
        page.refusal = refusal
        return page
    _show_columns(page, table, source)
    return page


def _show_columns(
    page: MappingPage,
    table: Table,
    source: Source,
) -> None:
    """Add what the columns hold, or seem to hold where nobody said, and what is missing."""
    header = Line(table.header_row, table.header)
    shown = replace(table, lines=_mask([header, *table.lines[:LOOKED_AT]])[1:])
    registry = lookup.registry()
    guessed, certain = guess_columns(shown, registry)
    places = source.columns or Places(guessed)
    uses = places.uses
    like_groups = find_named_like_groups(shown, registry)
    columns = []
    for place in range(len(table.header)):
        use = uses.get(place)
        state = ""
        if use and use == guessed.get(place):
            state = "recognised" if place in certain else "guess"
        cells = filter(None, [line.cell(place) for line in shown.lines])
        samples = list(dict.fromkeys(cells))[:PREVIEWED]
        is_like_group = place in like_groups or use == MEMBER
        title = name_of(table.header, place)
        columns.append(Column(place, title, samples, use, state, is_like_group))
    page.columns = columns
    counts = Counter(uses.values())
    page.doubled = [each for each in REQUIRED if counts[each] > 1]
    page.to_choose = [each for each in REQUIRED if not counts[each]]
    if source.role and Field.ROLE in page.to_choose:
        page.role = source.role
        page.to_choose.remove(Field.ROLE)
    page.header_row = table.header_row
    page.rows = len(table.lines) - len(find_prefilled(table, places))
    page.preview = list(read_people(shown, shown.lines[:PREVIEWED], places))


def _mask(lines: Sequence[Line]) -> list[Line]:
    """The same lines without what stands below a name of passwords in one of the first."""
    secret: set[int] = set()
    masked = []
    for number, cells in lines:
        shown = list(cells)
        for place in secret & set(range(len(cells))):
            shown[place] = shown[place] and HIDDEN
        masked.append(Line(number, tuple(shown)))
        if len(masked) <= HEADER_WITHIN:
            secret.update(place for place, cell in enumerate(cells) if is_secret(cell))
    return masked


def choose(
    batch_id: int,
    source: Source,
    by: User,
    *,
    remember: bool = False,
    split: bool = False,
    version: int | None = None,
) -> Batch:
    """Read the batch's file as a person says, and stage its rows in place of those there were. One commit.

    remember: from now on for every file with this header; else what was remembered for it is forgotten.
    version: the batch's version that the page showed; edits made since are not thrown away unseen.
    A role for all rows is written into them as a step of its own, which can be undone.
    Raises UnreadableFileError, also where fields are missing, and ConflictError.
    """
    batch = review.get_batch(batch_id)
    held = source.columns or Places({})
    role = "" if held.of(Field.ROLE) else source.role
    if len(held.of(Field.EMAIL)) != 1 or len(held.of(Field.ROLE)) != (not role):
        raise UnreadableFileError(
            "One column has to hold the email addresses, and one the roles.",
            "Choose these, or one role for all rows, and go on.",
        )
    if role:
        bulk_edit.official_name("role", role, by)
    reading = upload.read(source)
    parts = import_rows.plan_rows(batch, reading, by, split=split)
    begin_write()
    batch = _lock_batch(batch_id, version)
    of_rows = or_(RowEdit.row_id.is_not(None), RowEdit.field.in_(MARKERS))
    db.session.execute(delete(RowEdit).where(RowEdit.batch_id == batch_id, of_rows))
    db.session.execute(delete(Row).where(Row.batch_id == batch_id))
    batch.version += 1
    batches = upload.store(batch, reading, parts, by)
    header = reading.table.header
    if reading.table.header_row and not role:
        if remember:
            aliases.remember_columns(header, held, batch, by)
        elif known := aliases.find_columns(header):
            aliases.forget_columns(known, by)
    named = names_of(held, header)
    events.record(by, "batch.matched", batch, columns=named, rows=len(reading.people))
    db.session.commit()
    if role:
        for part in batches:
            everyone = bulk_edit.Chosen(find=EVERYTHING)
            bulk_edit.set_role(part.id, by, everyone, role)
    return batch


def _lock_batch(
    batch_id: int,
    version: int | None,
) -> Batch:
    """The locked batch, whose columns can still be matched."""
    batch = review.get_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise review.NotUnderReviewError(batch)
    upload.load_source(batch)
    if version is not None and version != batch.version:
        raise ConflictError(
            "Somebody changed this upload in the meantime. Look at it again, then match its columns. Nothing was lost."
        )
    return batch

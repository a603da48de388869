"""Which column of a file holds what, as a person chooses on the mapping page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, or_

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import (
    A_LITTLE,
    LOOKED_AT,
    find_likeliest,
    find_named_like_groups,
    guess_columns,
)
from webapp.core.files.columns import (
    MEMBER,
    Places,
    Uses,
    is_secret,
    name_of,
    names_of,
)
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
from webapp.services.directory import aliases, lookup

PREVIEWED = 3
"""Rows in the preview of the mapping page, and cells of a column that are shown."""
HIDDEN = "••••••"
"""In place of what stands in a column of passwords."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says of a file. columns: None: not asked yet. role: the one of all rows, where no column holds it."""

    sheet: str | None = None
    header_row: int | None = None
    columns: Uses | None = None
    role: str = ""


@dataclass(slots=True)
class Column:
    """A column of the file as the page shows it. state: "recognised" by its name, a "guess", or "" for a person's choice.

    is_like_group: it is named like one, so that its ticks may say who is in it. wanted: the required field that no column holds
    yet, and that this one would be for.
    """

    place: int
    name: str
    samples: Sequence[str]
    use: str | None
    state: str
    is_like_group: bool
    wanted: Field | None = None


@dataclass(slots=True)
class MappingPage:
    """The mapping page. `refusal` says why this sheet or header row cannot be read; then there are no columns.

    doubled: fields that two columns are used for. to_choose: required ones that no column is used for, nor a role said for all
    rows; unplaced: of these, what no column looks like.
    """

    header_row: int
    sheets: Sequence[Sheet] = ()
    sheet: str = ""
    head: Sequence[Line] = ()
    columns: Sequence[Column] = ()
    rows: int = 0
    preview: Sequence[Cells] = ()
    to_choose: list[Field] = field(default_factory=list)
    unplaced: list[Field] = field(default_factory=list)
    role: str = ""
    doubled: Sequence[Field] = ()
    refusal: UnreadableFileError | None = None

    @property
    def is_complete(self) -> bool:
        return not (self.refusal or self.to_choose or self.doubled)


def show_mapping(
    batch: Batch,
    choice: Choice,
) -> MappingPage:
    """What the mapping page shows for a choice that need not be a good one. Raises ConflictError: the file is not kept."""
    source = upload.load_source(batch)
    if choice.sheet is None and choice.header_row is None:
        choice = replace(choice, sheet=source.sheet, header_row=source.header_row)
    page = MappingPage(choice.header_row or 0)
    try:
        page.sheets = upload.open_source(source)
        sheet = choose_sheet(page.sheets, choice.sheet)
        page.sheet = sheet.name
        page.head = _mask(sheet.head)
        table = sheet.table(choice.header_row)
    except UnreadableFileError as refusal:
        page.refusal = refusal
        return page
    uses = choice.columns
    is_as_read = (choice.sheet, choice.header_row) == (source.sheet, source.header_row)
    if uses is None and is_as_read and batch.columns:
        uses = Places.from_dict(batch.columns).uses
    _show_columns(page, table, uses, choice.role)
    return page


def _show_columns(
    page: MappingPage,
    table: Table,
    chosen: Uses | None,
    role: str,
) -> None:
    """Add what the columns hold, and what is missing. chosen: None to show what they seem to hold."""
    header = Line(table.header_row, table.header)
    shown = replace(table, lines=_mask([header, *table.lines[:LOOKED_AT]])[1:])
    registry = lookup.registry()
    guessed, certain = guess_columns(shown, registry)
    uses = guessed if chosen is None else chosen
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
    if role and Field.ROLE in page.to_choose:
        page.role = role
        page.to_choose.remove(Field.ROLE)
    free = {
        column.place: column
        for column in columns
        if not column.use and HIDDEN not in column.samples
    }
    for wanted in page.to_choose:
        best = find_likeliest(wanted, free, shown, registry, A_LITTLE)
        if best is None:
            page.unplaced.append(wanted)
        else:
            free.pop(best).wanted = wanted
    places = Places(uses)
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
    choice: Choice,
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
    Raises UnreadableFileError, also where fields are missing, TooManyRowsError unless split, and ConflictError.
    """
    batch = review.get_batch(batch_id)
    held = Places(choice.columns or {})
    role = "" if held.of(Field.ROLE) else choice.role
    if len(held.of(Field.EMAIL)) != 1 or len(held.of(Field.ROLE)) != (not role):
        raise UnreadableFileError(
            "One column has to hold the email addresses, and one the roles.",
            "Choose these, or one role for all rows, and go on.",
        )
    if role:
        bulk_edit.official_name("role", role, by)
    source = replace(
        upload.load_source(batch), sheet=choice.sheet, header_row=choice.header_row, columns=held
    )
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
    batch = review.lock_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise review.NotUnderReviewError(batch)
    upload.load_source(batch)
    if version is not None and version != batch.version:
        raise ConflictError(
            "Somebody changed this upload in the meantime. Look at it again, then match its columns. Nothing was lost."
        )
    return batch

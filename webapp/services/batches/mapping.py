"""Which column of a file holds what, as a person chooses on the mapping page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, or_

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import (
    LOOKED_AT,
    Uses,
    find_named_like_groups,
    guess_best_column,
    guess_columns,
)
from webapp.core.files.columns import MEMBER, Places, is_secret, name_of, names_of
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import find_prefilled, read_cells
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.files.source_file import choose_sheet
from webapp.core.files.table import HEADER_WITHIN, Line, Sheet, Table
from webapp.core.lists.row_filter import EVERYTHING
from webapp.db import begin_write, db
from webapp.models import MARKERS, Batch, BatchFile, BatchState, Row, RowEdit, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import bulk_edit, import_rows, review, turns, upload
from webapp.services.directory import aliases, lookup

PREVIEWED = 3
"""Rows in the preview of the mapping page, and cells of a column that are shown."""
HIDDEN = "••••••"
"""In place of what stands in a column of passwords."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says of a file. columns: what those that are used are used as; None: not asked yet.

    role: the one of all rows, where no column holds it.
    """

    sheet: str | None = None
    header_row: int | None = None
    columns: Uses | None = None
    role: str = ""


@dataclass(slots=True)
class Column:
    """A column of the file as the page shows it. state: "recognised" by its name, a "guess", or "" for a person's choice.

    wanted: the required field that no column holds yet, and that this one would be for. is_like_group: it is named like one,
    so that its ticks may say who is in it.
    """

    place: int
    name: str
    samples: Sequence[str]
    use: Field | str | None
    state: str
    is_like_group: bool
    is_doubled: bool = False
    wanted: Field | None = None


@dataclass(slots=True)
class MappingPage:
    """The mapping page. `refusal` says why this sheet or header row cannot be read; then there are no columns.

    to_choose: required fields that are missing and that nothing else was said of; unplaced: those that no column looks like.
    """

    header_row: int
    sheets: Sequence[Sheet] = ()
    sheet: str = ""
    head: Sequence[Line] = ()
    columns: Sequence[Column] = ()
    rows: int = 0
    preview: Sequence[Mapping[Field, str]] = ()
    missing: Sequence[Field] = ()
    to_choose: Sequence[Field] = ()
    unplaced: Sequence[Field] = ()
    role: str = ""
    doubled: Sequence[Field] = ()
    refusal: UnreadableFileError | None = None

    @property
    def is_complete(self) -> bool:
        return not (self.refusal or self.to_choose or self.doubled)


def show_mapping(batch: Batch, choice: Choice) -> MappingPage:
    """What the mapping page shows for a choice that need not be a good one. Raises ConflictError: the file is not kept."""
    source = upload.load_source(batch)
    if choice.sheet is None and choice.header_row is None:
        choice = replace(choice, sheet=source.sheet, header_row=source.header_row)
    page = MappingPage(choice.header_row or 0)
    try:
        with turns.preview():
            page.sheets = source.open()
        sheet = choose_sheet(page.sheets, choice.sheet)
        page.sheet = sheet.name
        page.head = _mask(sheet.head)
        table = sheet.table(choice.header_row)
    except UnreadableFileError as refusal:
        page.refusal = refusal
        return page
    uses = choice.columns
    if uses is None:
        uses = _recall_uses(source, choice, table)
    _show_columns(page, table, uses, choice.role)
    return page


def _recall_uses(source: upload.Source, choice: Choice, table: Table) -> Uses | None:
    """What the columns were used as before, in this file or in one with the same header."""
    places = None
    if (source.sheet, source.header_row) == (choice.sheet, choice.header_row):
        places = source.columns
    if not places and table.header_row:
        known = aliases.columns_of({table.header_row: table.header})
        places = known[1] if known else None
    if not places:
        return None
    uses: dict[int, Field | str] = {place: field for field, place in places.fields.items()}
    uses |= dict.fromkeys(places.more, Field.GROUPS)
    return uses | dict.fromkeys(places.members, MEMBER)


def _show_columns(page: MappingPage, table: Table, chosen: Uses | None, role: str) -> None:
    """Add what the columns hold, and what is missing. chosen: None to show what they seem to hold."""
    header = Line(table.header_row, table.header)
    shown = replace(table, lines=_mask([header, *table.lines[:LOOKED_AT]])[1:])
    registry = lookup.registry()
    guessed, certain = guess_columns(shown, registry)
    uses = guessed if chosen is None else chosen
    like_groups = find_named_like_groups(shown, registry)
    page.doubled = _find_doubled(uses)
    page.missing = [field for field in REQUIRED if field not in uses.values()]
    page.role = role if Field.ROLE in page.missing else ""
    page.to_choose = [field for field in page.missing if not (field is Field.ROLE and page.role)]
    samples = [_sample(shown, place) for place in range(len(table.header))]
    secret = {place for place, cells in enumerate(samples) if HIDDEN in cells}
    wanted: dict[int, Field] = {}
    for field in page.to_choose:
        free = set(range(len(samples))) - secret - uses.keys() - wanted.keys()
        place = guess_best_column(field, free, shown, registry)
        if place is not None:
            wanted[place] = field
    page.unplaced = [field for field in page.to_choose if field not in wanted.values()]
    page.columns = [
        Column(
            place,
            name_of(table.header, place),
            cells,
            use := uses.get(place),
            _describe_state(place, use, guessed, certain),
            place in like_groups or use == MEMBER,
            use in page.doubled,
            wanted.get(place),
        )
        for place, cells in enumerate(samples)
    ]
    places = make_places(uses)
    prefilled = find_prefilled(table, places) if Field.EMAIL in places.fields else ()
    page.header_row = table.header_row
    page.rows = len(table.lines) - len(prefilled)
    page.preview = [
        read_cells(shown, line, places, places.end(table.header))
        for line in shown.lines[:PREVIEWED]
    ]


def _describe_state(
    place: int, use: Field | str | None, guessed: Uses, certain: Collection[int]
) -> str:
    if use is None or use != guessed.get(place):
        return ""
    return "recognised" if place in certain else "guess"


def _sample(table: Table, place: int) -> list[str]:
    """The first different cells of a column."""
    cells = (line.cell(place) for line in table.lines)
    return list(dict.fromkeys(filter(None, cells)))[:PREVIEWED]


def _mask(lines: Sequence[Line]) -> list[Line]:
    """The same lines without what stands below a name of passwords in one of the first."""
    secret: set[int] = set()
    masked = []
    for number, cells in lines:
        shown = [HIDDEN if cell and place in secret else cell for place, cell in enumerate(cells)]
        masked.append(Line(number, tuple(shown)))
        if len(masked) <= HEADER_WITHIN:
            secret.update(place for place, cell in enumerate(cells) if is_secret(cell))
    return masked


def _find_doubled(uses: Uses) -> list[Field]:
    """The fields that two columns are used for, though one may be."""
    counts = Counter(uses.values())
    return [field for field in REQUIRED if counts[field] > 1]


def make_places(uses: Uses) -> Places:
    """The columns that are used; of those for the same field, except Groups, the first."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, use in sorted(uses.items()):
        places[use].append(place)
    fields = {field: places[field][0] for field in Field if places[field]}
    return Places(fields, tuple(places[Field.GROUPS][1:]), tuple(places[MEMBER]))


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
    held = _check_columns(choice)
    role = choice.role if Field.ROLE not in held.fields else ""
    if role:
        bulk_edit.official_name("role", role, lookup.registry(), by)
    source = replace(
        upload.load_source(batch), sheet=choice.sheet, header_row=choice.header_row, columns=held
    )
    reading = upload.read(source)
    plan = import_rows.plan_rows(batch, reading, by, split)
    begin_write()
    batch = _lock_batch(batch_id, version)
    batch.planned_for_id = by.id
    upload.store_reading(batch, source, reading)
    of_rows = (
        RowEdit.batch_id == batch_id,
        or_(RowEdit.row_id.is_not(None), RowEdit.field.in_(MARKERS)),
    )
    db.session.execute(delete(RowEdit).where(*of_rows))
    db.session.execute(delete(Row).where(Row.batch_id == batch_id))
    batch.version += 1
    import_rows.insert_parts(batch, plan)
    if batch.parts > 1:
        db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch_id))
    else:
        upload.store_source(batch, source)
    header = reading.table.header
    if reading.table.header_row and not role:
        if remember:
            aliases.remember_columns(header, held, batch, by)
        elif known := aliases.find_columns(header):
            aliases.forget_columns(known, by)
    named = names_of(held, header)
    events.record(by, AuditAction.BATCH_MATCHED, batch, columns=named, rows=len(reading.people))
    db.session.commit()
    if role:
        for part in upload.parts_of(batch) or [batch]:
            bulk_edit.set_role(part.id, bulk_edit.Chosen(find=EVERYTHING), role, by)
    return batch


def _check_columns(choice: Choice) -> Places:
    """The chosen columns. Raises UnreadableFileError where a field has none, or two."""
    uses = choice.columns or {}
    for field in _find_doubled(uses):
        raise UnreadableFileError(
            f"Two columns are used as {field.heading}.",
            "Choose “Ignore” for the one that does not count.",
        )
    held = make_places(uses)
    if Field.EMAIL not in held.fields:
        raise UnreadableFileError(
            "No column is chosen for the email addresses.", "Choose one and go on."
        )
    if Field.ROLE not in held.fields and not choice.role:
        raise UnreadableFileError(
            "No column is chosen for the roles.", "Choose one, or one role for all rows, and go on."
        )
    return held


def _lock_batch(batch_id: int, version: int | None) -> Batch:
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

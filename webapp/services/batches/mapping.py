"""Which column of a file holds what, as a person chooses on the mapping page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, or_

from webapp.core.errors import ConflictError
from webapp.core.files import columns
from webapp.core.files.column_guesses import (
    Guess,
    find_named_like_groups,
    guess_best_column,
    guess_columns,
)
from webapp.core.files.columns import Places
from webapp.core.files.csv_reader import HEADER_WITHIN
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import find_prefilled, read_groups
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.files.source_file import Sheet
from webapp.core.files.table import Line, Table
from webapp.core.lists.row_filter import EVERYTHING
from webapp.db import begin_write, db
from webapp.models import MARKERS, Batch, BatchFile, BatchState, Row, RowEdit, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import bulk_edit, import_rows, review, turns, upload
from webapp.services.directory import aliases, lookup

PREVIEWED = 3
"""Rows in the preview of the mapping page."""
HIDDEN = "••••••"
"""In place of what stands in a column of passwords."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says of a file. columns: place -> field, or MEMBER, of those that are used; None: not asked yet.

    role: the one of all rows, where no column holds it.
    """

    sheet: str | None = None
    header_row: int | None = None
    columns: Mapping[int, Field | str] | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file as the page shows it. state: "recognised" by its name, a "guess", or "" for a person's choice.

    wanted: the required field that no column holds yet, and that this one would be for. is_member: used for the ticks in it.
    can_be_member: it is named like a group.
    """

    place: int
    name: str
    samples: Sequence[str]
    field: Field | None
    state: str
    is_doubled: bool = False
    wanted: Field | None = None
    is_member: bool = False
    can_be_member: bool = False

    @property
    def is_used(self) -> bool:
        return bool(self.field) or self.is_member


@dataclass(frozen=True, slots=True)
class MappingPage:
    """The mapping page. `refusal` says why this sheet or header row cannot be read; then there are no columns."""

    sheets: Sequence[Sheet]
    sheet: str | None
    head: Sequence[Line]
    header_row: int
    columns: Sequence[Column] = ()
    rows: int = 0
    preview: Sequence[Mapping[Field, str]] = ()
    missing: Sequence[Field] = ()
    role: str = ""
    doubled: Sequence[Field] = ()
    refusal: UnreadableFileError | None = None

    @property
    def has_ticks(self) -> bool:
        """Whether a column is named like a group, so that it may say who is in it."""
        return any(column.can_be_member for column in self.columns)

    @property
    def unplaced(self) -> list[Field]:
        """Missing fields that no column looks like."""
        offered = {column.wanted for column in self.columns}
        return [field for field in self.to_choose if field not in offered]

    @property
    def is_complete(self) -> bool:
        return not (self.refusal or self.to_choose or self.doubled)

    @property
    def to_choose(self) -> Sequence[Field]:
        """Those that are missing and that nothing else was said of."""
        return [field for field in self.missing if not (field is Field.ROLE and self.role)]


def show_mapping(batch: Batch, choice: Choice) -> MappingPage:
    """What the mapping page shows for a choice that need not be a good one. Raises ConflictError: the file is not kept."""
    source = upload.load_source(batch)
    if choice.sheet is None and choice.header_row is None:
        choice = replace(choice, sheet=source.sheet, header_row=source.header_row)
    try:
        with turns.preview():
            return _show(source, choice)
    except UnreadableFileError as refusal:
        return MappingPage([], choice.sheet, [], 0, refusal=refusal)


def _show(source: upload.Source, choice: Choice) -> MappingPage:
    file = source.open()
    grid = file.grid(choice.sheet)
    page = MappingPage(
        file.sheets, grid.about.get("sheet"), _mask(grid.head()), choice.header_row or 0
    )
    try:
        table = grid.table(choice.header_row)
    except UnreadableFileError as refusal:
        return replace(page, refusal=refusal)
    chosen = choice.columns
    if (
        chosen is None
        and source.columns
        and (source.sheet, source.header_row) == (choice.sheet, choice.header_row)
    ):
        chosen = _uses(source.columns)
    lines = [line.cells for line in table.lines]
    registry = lookup.registry()
    roles = [role.name for role in registry.roles]
    groups = [group.name for group in registry.groups]
    secret = _secret_places([table.header, *lines[:HEADER_WITHIN]])
    guesses = guess_columns(table.header, lines, roles, groups)
    like_groups = set(find_named_like_groups(table.header, lines, groups))
    if (
        chosen is None
        and table.header_row
        and (known := aliases.columns_of({table.header_row: table.header}))
    ):
        chosen = _uses(known[1])
    shown = [
        _show_column(guess, chosen, guess.place in secret, guess.place in like_groups)
        for guess in guesses
    ]
    held = Counter(column.field for column in shown if column.field)
    doubled = [field for field in Field if held[field] > 1 and field is not Field.GROUPS]
    missing = [field for field in REQUIRED if field not in held]
    page = replace(
        page,
        header_row=table.header_row,
        rows=len(table.lines) - _count_prefilled(table, shown),
        preview=_preview(table, shown, secret),
        missing=missing,
        role=choice.role if Field.ROLE not in held else "",
        doubled=doubled,
    )
    wanted: dict[int, Field] = {}
    for field in page.to_choose:
        free = {column.place for column in shown if not column.is_used} - secret - wanted.keys()
        place = guess_best_column(field, free, lines, roles, groups)
        if place is not None:
            wanted[place] = field
    return replace(
        page,
        columns=[
            replace(column, is_doubled=column.field in doubled, wanted=wanted.get(column.place))
            for column in shown
        ],
    )


def _show_column(
    guess: Guess, chosen: Mapping[int, Field | str] | None, is_secret: bool, is_like_group: bool
) -> Column:
    """A column, used as was chosen, else as it seems."""
    guessed = columns.MEMBER if guess.is_member else guess.field
    use = guessed if chosen is None else chosen.get(guess.place)
    state = ""
    if use is not None and use == guessed:
        state = "recognised" if guess.certain else "guess"
    is_member = use == columns.MEMBER
    return Column(
        guess.place,
        guess.name,
        [HIDDEN] if guess.samples and is_secret else guess.samples,
        None if is_member or use is None else Field(use),
        state,
        is_member=is_member,
        can_be_member=is_member or is_like_group,
    )


def _mask(head: Sequence[Line]) -> list[Line]:
    """The first lines, without columns that are named like passwords."""
    secret: set[int] = set()
    masked = []
    for line in head:
        cells = [
            HIDDEN if cell and place in secret else cell for place, cell in enumerate(line.cells)
        ]
        masked.append(Line(line.number, tuple(cells)))
        secret |= _secret_places([line.cells])
    return masked


def _secret_places(lines: Sequence[Sequence[str]]) -> set[int]:
    """The columns that hold passwords, as far as one of these lines is their header."""
    return {place for cells in lines for place, cell in enumerate(cells) if columns.is_secret(cell)}


def _uses(places: Places) -> dict[int, Field | str]:
    """What each column is used as."""
    uses: dict[int, Field | str] = {place: field for field, place in places.fields.items()}
    uses |= dict.fromkeys(places.more, Field.GROUPS)
    return uses | dict.fromkeys(places.members, columns.MEMBER)


def _places_in_use(shown: Sequence[Column]) -> Places:
    """The columns that are used; of those chosen for the same field, except Groups, the first."""
    fields: dict[Field, int] = {}
    more = []
    for column in shown:
        if column.field is Field.GROUPS and column.field in fields:
            more.append(column.place)
        elif column.field:
            fields.setdefault(column.field, column.place)
    members = tuple(column.place for column in shown if column.is_member)
    return Places(fields, tuple(more), members)


def _count_prefilled(table: Table, shown: Sequence[Column]) -> int:
    places = _places_in_use(shown)
    return len(find_prefilled(table, places)) if Field.EMAIL in places.fields else 0


def _preview(table: Table, shown: Sequence[Column], secret: set[int]) -> list[dict[Field, str]]:
    places = _places_in_use(shown)
    lines = []
    for line in table.lines[:PREVIEWED]:
        cells = {}
        for field, place in places.fields.items():
            cell = line.cell(place)
            cells[field] = HIDDEN if cell and place in secret else cell
        if Field.GROUPS in cells or places.members:
            cells[Field.GROUPS] = ", ".join(read_groups(table.header, line.cells, places))
        lines.append(cells)
    return lines


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
    Raises UnmatchedColumnsError where fields are missing, UnreadableFileError, TooManyRowsError unless split, and ConflictError.
    """
    batch = review.get_batch(batch_id)
    held = _make_places(choice.columns or {})
    role = choice.role if Field.ROLE not in held.fields else ""
    if role:
        bulk_edit.official_name("role", role, lookup.registry(), by)
    elif Field.ROLE not in held.fields:
        raise columns.UnmatchedColumnsError(
            "No column is chosen for the roles.", "Choose one, or one role for all rows, and go on."
        )
    source = replace(
        upload.load_source(batch), sheet=choice.sheet, header_row=choice.header_row, columns=held
    )
    reading = upload.read(source)
    plan = import_rows.plan_rows(batch, reading.table, reading.people, by, split, reading.hints)
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
        else:
            aliases.forget_columns(header, batch, by)
    named = columns.names_of(held, header)
    events.record(by, AuditAction.BATCH_MATCHED, batch, columns=named, rows=plan.size)
    db.session.commit()
    if role:
        for part in upload.parts_of(batch) or [batch]:
            bulk_edit.set_role(part.id, bulk_edit.Chosen(find=EVERYTHING), role, by)
    return batch


def _make_places(chosen: Mapping[int, Field | str]) -> Places:
    """The chosen columns. Raises UnmatchedColumnsError if two columns are used for one field."""
    fields: dict[Field, int] = {}
    more, members = [], []
    for place, use in sorted(chosen.items()):
        if use == columns.MEMBER:
            members.append(place)
        elif (field := Field(use)) not in fields:
            fields[field] = place
        elif field is Field.GROUPS:
            more.append(place)
        else:
            raise columns.UnmatchedColumnsError(
                f"Two columns are used as {field.heading}.",
                "Choose “Ignore” for the one that does not count.",
            )
    return Places(fields, tuple(more), tuple(members))


def _lock_batch(batch_id: int, version: int | None) -> Batch:
    """The locked batch, whose columns can still be matched."""
    batch = review.lock_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise review.NotUnderReviewError(batch)
    if not upload.is_file_kept(batch):
        raise ConflictError(
            "This upload was split into parts in the meantime. The list of uploads shows them."
        )
    if version is not None and version != batch.version:
        raise ConflictError(
            "Somebody changed this upload in the meantime. Look at it again, then match its columns. Nothing was lost."
        )
    return batch

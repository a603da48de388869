"""Which column of a file holds what, as a person chooses on the mapping page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, or_

from webapp.core.errors import ConflictError
from webapp.core.files.column_guesses import LOOKED_AT, find_named_like_groups, guess_columns
from webapp.core.files.columns import MEMBER, Places, is_secret, name_of, names_of
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import find_prefilled, read_people
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.files.source_file import choose_sheet
from webapp.core.files.table import HEADER_WITHIN, Line, Table
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


def show_mapping(source: Source) -> dict[str, Any]:
    """Return what the mapping page shows of a file if it is read in this way. The way may be wrong.

    sheets: of the file, and sheet: the name of this one. head: its first lines, one of them the header_row. rows: how many
    people it has. refusal: why this sheet or header row cannot be read, None where it can; then there are `_list_columns`, too.
    """
    page: dict[str, Any] = {"header_row": source.header_row, "rows": 0, "refusal": None}
    try:
        page["sheets"] = upload.open_source(source)
        sheet = choose_sheet(page["sheets"], source.sheet)
        page["sheet"] = sheet.name
        page["head"] = _mask(sheet.head)
        table = sheet.table(source.header_row)
    except UnreadableFileError as refusal:
        return {**page, "refusal": refusal}
    return {**page, **_list_columns(table, source)}


def _list_columns(
    table: Table,
    source: Source,
) -> dict[str, Any]:
    """What the columns hold, or seem to hold where nobody said, and what is missing.

    columns: each with its state: "recognised" by its name, a "guess", or "" for a person's choice. doubled: fields that two
    columns are used for. to_choose: required ones that no column is used for. role: the one of all rows, without a column.
    """
    header = Line(table.header_row, table.header)
    shown = replace(table, lines=_mask([header, *table.lines[:LOOKED_AT]])[1:])
    registry = lookup.registry()
    guessed, certain = guess_columns(shown, registry)
    places = source.columns or Places(guessed)
    like_groups = find_named_like_groups(shown, registry)
    columns = []
    for place in range(len(table.header)):
        use = places.uses.get(place)
        state = ""
        if use and use == guessed.get(place):
            state = "recognised" if place in certain else "guess"
        cells = filter(None, [line.cell(place) for line in shown.lines])
        column = {
            "place": place,
            "name": name_of(table.header, place),
            "samples": list(dict.fromkeys(cells))[:PREVIEWED],
            "use": use,
            "state": state,
            "is_like_group": place in like_groups or use == MEMBER,
        }
        columns.append(column)
    counts = Counter(places.uses.values())
    role = "" if counts[Field.ROLE] else source.role
    doubled = [each for each in REQUIRED if counts[each] > 1]
    to_choose = [
        each for each in REQUIRED if not counts[each] and not (each is Field.ROLE and role)
    ]
    return {
        "columns": columns,
        "doubled": doubled,
        "to_choose": to_choose,
        "is_complete": not (doubled or to_choose),
        "role": role,
        "header_row": table.header_row,
        "rows": len(table.lines) - len(find_prefilled(table, places)),
        "preview": list(read_people(shown, shown.lines[:PREVIEWED], places)),
    }


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

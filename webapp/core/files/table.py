"""From rows to a table: which row is the header, and the lines below it. Rules: docs/rules.md: The file."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from webapp.core.files import errors
from webapp.core.files.cleaning import clean
from webapp.core.files.csv_reader import HEADER_WITHIN, MOST_COLUMNS, Record, find_known_fields
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field, is_address, letters, recognise

MOST_LINES = 100_000
MOST_CELLS = 2_000_000
"""How much of a file is held in memory. What a batch may hold is a setting, and is checked elsewhere."""


class Line(NamedTuple):
    """One row of the file below the header.

    `number` is the row that a spreadsheet shows: blank and hidden rows count, a cell with line breaks does not
    count twice, a `sep=` line does not count. `cells` are cleaned, at least as many as the columns that have names
    (missing ones are ""), and more where the row is longer; then the last one is not empty.
    """

    number: int
    cells: tuple[str, ...]

    def cell(self, place: int) -> str:
        """The cell of a column, "" where the row ends before it."""
        return self.cells[place] if place < len(self.cells) else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it was read.

    `header` are the column names, cleaned; "" for a column without a name. It is as long as the longest line, unless its last
    column holds groups: there, what a row has more are groups. `lines` has at least one line. `trimmed` counts the cells, those
    of the header too, that cleaning changed. `blank` counts the blank rows between the others. `header_row` is the number of the
    row with the names; 0 where there is none, and then the columns are called "Column A" and so on.

    `format` is "CSV", "Excel", "OpenDocument" or "pasted". CSV: `encoding` is "UTF-8", "UTF-8 with BOM", "UTF-16",
    "UTF-8 and Windows-1252" or "Windows-1252" (maybe "with odd letters"), `delimiter` one character (pasted: too,
    without an encoding). A workbook has no encoding, and a delimiter only where one column held whole lines of CSV,
    but the name of the `sheet` that was read and those of the `other_sheets` that could be. `header_delimiter` is the
    separator of the column names, where the rows have another. `is_list`: it was a list of addresses, without columns.
    `hidden` and `merged` are those of the sheet, as `workbook.Sheet` has them.
    """

    header: tuple[str, ...]
    lines: list[Line]
    trimmed: int
    blank: int
    header_row: int = 1
    format: str = "CSV"
    delimiter: str = ""
    header_delimiter: str = ""
    encoding: str = ""
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    is_list: bool = False
    hidden: frozenset[int] = frozenset()
    merged: tuple[tuple[int, ...], ...] = ()


class Row(NamedTuple):
    """A row that is not blank: its number, its cells up to the last that is not empty, how many of them cleaning changed."""

    number: int
    cells: list[str]
    trimmed: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a text or of one sheet. about: the fields of `Table` that say how it was written."""

    rows: Sequence[Row]
    about: dict[str, Any] = field(default_factory=dict)

    def head(self) -> list[Line]:
        """The first rows, among which is the header, if there is one."""
        return [Line(row.number, tuple(row.cells)) for row in self.rows[:HEADER_WITHIN]]

    def table(self, header_row: int | None = None) -> Table:
        """The table below this row; 0: there is no header; None: find it. Raises UnreadableFileError."""
        if not self.rows:
            raise errors.empty()
        header = self._find_header() if header_row is None else self._row(header_row)
        below = (
            [row for row in self.rows if row.number > header.number] if header else list(self.rows)
        )
        if not below:
            raise errors.empty()
        width = max(len(row.cells) for row in below)
        names = (
            list(header.cells) if header else [f"Column {letters(place)}" for place in range(width)]
        )
        lines = [
            Line(row.number, tuple(row.cells + [""] * (len(names) - len(row.cells))))
            for row in below
        ]
        if not _ends_with_groups(names):
            names += [""] * (width - len(names))
        above = header.number if header else below[0].number - 1
        return Table(
            tuple(names),
            lines,
            trimmed=sum(row.trimmed for row in below) + (header.trimmed if header else 0),
            blank=below[-1].number - above - len(below),
            header_row=header.number if header else 0,
            **self.about,
        )

    def _row(self, number: int) -> Row | None:
        if number == 0:
            return None
        for row in self.rows:
            if row.number == number:
                return row
        raise UnreadableFileError(
            f"Row {number} is blank.", "Choose the row that holds the column names."
        )

    def _find_header(self) -> Row | None:
        """The row with the column names; None where the first line is a person already, or nothing pasted is known as a name."""
        head = self.rows[:HEADER_WITHIN]
        known, _ = find_known_header(head)
        if known or self.about.get("format") == "pasted":
            return known
        header = _choose_unknown_header(head)
        return None if any("@" in cell for cell in header.cells) else header


def _ends_with_groups(names: Sequence[str]) -> bool:
    last = recognise(names[-1]) if names else None
    return last is not None and last.field is Field.GROUPS


def find_known_header(head: Sequence[Row]) -> tuple[Row | None, tuple[int, bool, int]]:
    """The row with the most known column names, and how many those are, whether the e-mail is among them, and (below
    zero) how many names are not known.

    A row that holds an e-mail address is a person. Below a person one known name may be a cell of theirs (there
    are groups called "Team"), two are not; but no header is looked for below the people of another one.
    """
    best: Row | None = None
    most = 0, False, 0
    people = False
    for row in head:
        if any(map(is_address, row.cells)):
            if best:
                break
            people = True
            continue
        known = find_known_fields(row.cells)
        score = len(known), Field.EMAIL in known, len(known) - sum(map(bool, row.cells))
        if known and score > most and (len(known) > 1 or not people):
            best, most = row, score
    return best, most


def _choose_unknown_header(head: Sequence[Row]) -> Row:
    """Of rows without a known name the first that is no title, a single cell above a person of several."""
    above = list(itertools.takewhile(lambda row: not any(map(is_address, row.cells)), head))
    if len(above) == len(head):
        return head[0]
    return next((row for row in above if len(row.cells) > 1), head[0])


def read_rows(records: Iterable[Record]) -> list[Row]:
    """The rows that are not blank, with cleaned cells. Raises UnreadableFileError where they are too many or too wide."""
    rows: list[Row] = []
    filled = 0
    for number, record in records:
        cells = [clean(cell) for cell in record]
        trimmed = sum(map(str.__ne__, cells, record))
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise _too_wide(number, len(cells))
        filled += len(cells) - cells.count("")
        if len(rows) > MOST_LINES:
            raise _too_long(
                f"{MOST_LINES:,} rows", "Split it into smaller files and upload them one by one."
            )
        if filled > MOST_CELLS:
            raise _too_long(
                f"{MOST_CELLS:,} cells",
                "Remove the columns that Muster does not need and upload again.",
            )
        rows.append(Row(number, cells, trimmed))
    return rows


def _too_wide(number: int, columns: int) -> UnreadableFileError:
    return UnreadableFileError(
        f"Line {number} has {columns:,} columns.",
        f"Muster reads up to {MOST_COLUMNS}. Remove those that Muster does not need and upload again.",
    )


def _too_long(most: str, advice: str) -> UnreadableFileError:
    return UnreadableFileError(f"This file has more than {most}.", advice)

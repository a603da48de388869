"""From rows to a table: which row is the header, and the lines below it. Rules: docs/rules.md: The file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from webapp.core.files import errors
from webapp.core.files.cleaning import clean
from webapp.core.files.csv_reader import Record, find_known_fields
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field, is_address, letters, recognise
from webapp.core.text.phrases import CodedText

MOST_COLUMNS = 256
MOST_LINES = 100_000
MOST_CELLS = 2_000_000
"""How much of a file is held in memory. What a batch may hold is a setting, and is checked elsewhere."""
HEADER_WITHIN = 20
"""The column names are looked for in so many lines; blank ones do not count."""


class Line(NamedTuple):
    """One row of a file that is not blank.

    `number` is the row that a spreadsheet shows: blank and hidden rows count, a cell with line breaks does not
    count twice, a `sep=` line does not count. `cells` are cleaned, up to the last that is not empty; below a header at
    least as many as the columns that have names (missing ones are "").
    """

    number: int
    cells: tuple[str, ...]

    def cell(self, place: int) -> str:
        """The cell of a column, "" where the row ends before it."""
        return self.cells[place] if place < len(self.cells) else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lines of a text, or of a sheet of a workbook.

    `facts` say how it was written, `trimmed` how many cells were changed by cleaning. `name` is that of the sheet, "" for a text.
    `hidden` are the rows that a sheet hides, `merged` those below the first in a cell of several rows.
    """

    lines: Sequence[Line]
    facts: Sequence[CodedText]
    trimmed: int
    name: str = ""
    hidden: Sequence[int] = ()
    merged: Sequence[int] = ()
    is_pasted: bool = False

    @property
    def head(self) -> Sequence[Line]:
        """The first lines, among which is the header, if there is one."""
        return self.lines[:HEADER_WITHIN]

    def table(self, header_row: int | None = None) -> Table:
        """The table below this row; 0: there is no header; None: find it. Raises UnreadableFileError."""
        if header_row is None:
            header = self._find_header()
        else:
            header = next((line for line in self.lines if line.number == header_row), None)
            if header_row and header is None:
                raise UnreadableFileError(
                    f"Row {header_row} is blank.", "Choose the row that holds the column names."
                )
        start = header.number if header else 0
        below = [line for line in self.lines if line.number > start]
        if not below:
            raise errors.empty()
        width = max(len(line.cells) for line in (header or below[0], *below))
        names = [f"Column {letters(place)}" for place in range(width)]
        if header:
            names = list(header.cells)
        lines = []
        for number, cells in below:
            missing = len(names) - len(cells)
            lines.append(Line(number, cells + ("",) * missing))
        if recognise(names[-1]) is not Field.GROUPS:
            names += [""] * (width - len(names))
        return Table(tuple(names), lines, self, start)

    def _find_header(self) -> Line | None:
        """The line with the column names; None where the first line is a person already, or nothing pasted is known as a name."""
        known, _ = find_known_header(self.head)
        if known or self.is_pasted or not self.lines:
            return known
        above = list(itertools.takewhile(lambda line: not _is_person(line), self.head))
        if len(above) == len(self.head):
            return self.head[0]
        # no name is known: the first that is no title, a single cell above a person of several
        for line in above:
            if len(line.cells) > 1:
                return line
        header = self.head[0]
        return None if "@" in "".join(header.cells) else header


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet below its header.

    `header` are the column names, cleaned; "" for a column without a name. It is as long as the longest line, unless its last
    column holds groups: there, what a row has more are groups. `lines` has at least one line. `header_row` is the number of the
    row with the names; 0 where there is none, and then the columns are called "Column A" and so on.
    """

    header: tuple[str, ...]
    lines: list[Line]
    sheet: Sheet = field(repr=False)
    header_row: int


def make_sheet(records: Iterable[Record], facts: Sequence[CodedText], **about: Any) -> Sheet:
    """The lines of these records. about: further fields of `Sheet`. Raises UnreadableFileError.

    Above the limits it stops at once: 10 MB can hold five million lines, which take a gigabyte.
    """
    lines: list[Line] = []
    filled = trimmed = 0
    for number, record in records:
        cells = [clean(cell) for cell in record]
        changed = sum(map(str.__ne__, cells, record))
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            trimmed += changed
            filled += len(cells)
            lines.append(Line(number, tuple(cells)))
            if len(lines) > MOST_LINES or filled > MOST_CELLS or len(cells) > MOST_COLUMNS:
                raise UnreadableFileError(
                    f"This file has more than {MOST_LINES:,} rows, {MOST_COLUMNS} columns or {MOST_CELLS:,} cells.",
                    "Remove the columns that Muster does not need, or split it into smaller files, and upload again.",
                )
    return Sheet(lines, facts, trimmed, **about)


def _is_person(line: Line) -> bool:
    return any(map(is_address, line.cells))


def find_known_header(head: Sequence[Line]) -> tuple[Line | None, tuple[int, bool, int]]:
    """The line with the most known column names, and how many those are, whether the e-mail is among them, and (below
    zero) how many names are not known.

    A line that holds an e-mail address is a person. Below a person one known name may be a cell of theirs (there
    are groups called "Team"), two are not; but no header is looked for below the people of another one.
    """
    best: Line | None = None
    most = 0, False, 0
    has_people = False
    for line in head:
        if _is_person(line):
            if best:
                break
            has_people = True
            continue
        known = find_known_fields(line.cells)
        unknown = sum(map(bool, line.cells)) - len(known)
        score = len(known), Field.EMAIL in known, -unknown
        if known and score > most and (len(known) > 1 or not has_people):
            best, most = line, score
    return best, most

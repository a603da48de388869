"""From an uploaded file or a pasted table to a header and its lines, or a sentence on why not.

`read` looks at the content, never at the name, to decide what a file is. Whatever the format, the answer
is the same `Table`; what its columns mean is decided in `columns`. Rules: docs/rules.md: The file.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from webapp.core.files import csv_reader, errors, workbook
from webapp.core.files.address_lists import people_in
from webapp.core.files.cleaning import Cleaned, clean
from webapp.core.files.csv_reader import HEADER_WITHIN, MOST_COLUMNS, Record
from webapp.core.files.errors import UnreadableFileError, UnreadableWorkbookError
from webapp.core.files.fields import Field, is_address, letters, recognise
from webapp.core.files.workbook import Reason

__all__ = [
    "HEADER_WITHIN", "MOST_COLUMNS", "Line", "Sheet", "Table", "UnreadableFileError", "UnreadableWorkbookError",
    "clean", "heads", "pasted", "read", "sheets",
]  # fmt: skip

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
class Sheet:
    """A visible sheet of a workbook that holds data, and how many of its rows are not blank."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it was read.

    `header` is cleaned, with "" for a column without a name; it is as wide as the widest line, but where it ends with
    groups: there, what a row has more are groups. `raw_header` is as it stands in the file. `lines` has at least one
    line and no blank one; `blank` counts the blank rows between them. `trimmed` counts the cells, those of the header
    too, that cleaning changed. `header_row` is the number of the row with the names; 0 where there is none, and then
    the columns are called "Column A" and so on, and the first line may be number 1.

    `format` is "CSV", "Excel", "OpenDocument" or "pasted". CSV: `encoding` is "UTF-8", "UTF-8 with BOM", "UTF-16",
    "UTF-8 and Windows-1252" or "Windows-1252" (maybe "with odd letters"), `delimiter` one character (pasted: too,
    without an encoding). A workbook has no encoding, and a delimiter only where one column held whole lines of CSV,
    but the name of the `sheet` that was read and those of the `other_sheets` that could be. `header_delimiter` is the
    separator of the column names, where the rows have another. `is_list`: it was a list of addresses, without columns.
    `hidden` and `merged` are those of the sheet, as `Workbook` has them.
    """

    header: tuple[str, ...]
    lines: list[Line]
    raw_header: tuple[str, ...]
    delimiter: str
    encoding: str
    trimmed: int
    blank: int
    header_row: int = 1
    format: str = "CSV"
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    header_delimiter: str = ""
    is_list: bool = False
    hidden: frozenset[int] = frozenset()
    merged: tuple[tuple[int, ...], ...] = ()


def read(
    data: bytes, filename: str, *, sheet: str | None = None, header_row: int | None = None, delimiter: str | None = None
) -> Table:
    """Read a file as it was uploaded.

    The name only helps to say what an unknown container is; a file may be called anything. Without `sheet`
    the one is read that has the most known column names, else the first with data. Without `header_row` the
    names are looked for in the first lines; 0 says that there are none. `delimiter` overrides what the text
    and its `sep=` line say. What a format does not have is not looked at.

    Raises UnreadableFileError, and nothing else whatever the bytes are.
    """
    if not data:
        raise errors.empty()
    if workbook.is_container(data):
        return _read_workbook(data, filename, sheet, header_row)
    text, encoding = csv_reader.decoded(data)
    text, stated = csv_reader.without_sep_line(text)
    if found := people_in(text):
        return _list(*found, header_row, format="CSV", encoding=encoding)
    rows, delimiter, header_delimiter = csv_reader.rows_of(text, delimiter or stated)
    return _table(rows, header_row, format="CSV", delimiter=delimiter, header_delimiter=header_delimiter, encoding=encoding)


def sheets(data: bytes, filename: str) -> list[Sheet]:
    """The sheets of a workbook among which one can choose, in its order; [] for anything that is text.

    Raises UnreadableFileError where the workbook cannot be read.
    """
    if not workbook.is_container(data):
        return []
    return [Sheet(found.name, found.rows) for found in _workbook(data, filename).sheets]


def heads(data: bytes, filename: str) -> list[list[list[str]]]:
    """The first rows of each sheet of a workbook. Raises UnreadableFileError."""
    return [[cells for _, cells in found.head] for found in _workbook(data, filename).sheets]


# ---- text


def pasted(text: str) -> Table:
    """Read what was copied from a spreadsheet: cells with tabs between them; CSV does as well.

    Where no column name is recognised there is no header (`header_row` 0): `columns.guess` then tells the
    columns by their content. Raises UnreadableFileError.
    """
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise UnreadableFileError("This text cannot be read.", "Copy the cells again and paste them.")
    if found := people_in(text):
        return _list(*found, 1 if found[0] else 0, format="pasted")
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if "\t" in first_line else None
    try:
        rows, delimiter, header_delimiter = csv_reader.rows_of(text, delimiter)
        records = list(rows)
    except UnreadableFileError:
        if delimiter != "\t":
            raise
        # A cell such as `"Best" school` is copied without quotes around it.
        lines = enumerate(io.StringIO(text, newline=None), start=1)
        records = list(_not_too_long((number, line.split("\t")) for number, line in lines))
        header_delimiter = ""
    header, _ = _header_among(_head(records))
    number = header[0] if header else 0
    return _table(records, number, format="pasted", delimiter=delimiter, header_delimiter=header_delimiter)


def _list(heading: str | None, people: list[str], header_row: int | None, *, format: str, encoding: str = "") -> Table:
    """A list of addresses as a table of one column."""
    cells = [heading, *people] if heading else people
    rows = ((number, [cell]) for number, cell in enumerate(cells, start=1))
    return _table(rows, header_row, format=format, encoding=encoding, is_list=True)


# ---- workbooks


_REFUSALS = {
    Reason.PASSWORD: ("This workbook is protected by a password.", "Save it without one and upload again."),
    Reason.ODD: ("This workbook holds what no spreadsheet program writes.", "Open it, save it again and upload that."),
    Reason.LARGE: (
        "This workbook holds too much to be read.",
        "Copy the rows with the users into a new workbook and upload that.",
    ),
    Reason.DAMAGED: ("This workbook is damaged or was not uploaded whole.", "Open it, save it again and upload that."),
    Reason.BUSY: ("Muster is reading other workbooks.", "Upload this one again in a minute."),
    Reason.NO_SHEET: ("The sheet that was chosen is not in this workbook, or holds nothing.", "Choose another one."),
}


def _read_workbook(data: bytes, filename: str, sheet: str | None, header_row: int | None) -> Table:
    workbook = _workbook(data, filename, sheet)
    if not workbook.sheets:
        raise errors.empty()
    if workbook.chosen is None:
        best = max(workbook.sheets, key=lambda each: _header_among(_head(each.head))[1])
        workbook = _workbook(data, filename, best.name)
    others = tuple(each.name for each in workbook.sheets if each.name != workbook.chosen)
    rows, delimiter, header_delimiter = _split_lines(_not_too_long(_with_links(workbook.rows, workbook.links)))
    table = _table(
        rows,
        header_row,
        format=workbook.program,
        delimiter=delimiter,
        header_delimiter=header_delimiter,
        sheet=workbook.chosen,
        other_sheets=others,
    )
    return replace(table, hidden=frozenset(workbook.hidden), merged=tuple(map(tuple, workbook.merged)))


def _with_links(rows: Iterator[Record], links: dict[tuple[int, int], str]) -> Iterator[Record]:
    """The rows, and where none of the cells is an address, but one of them a name that links to one, that one beside the name."""
    for number, cells in rows:
        if links and not any("@" in cell for cell in cells):
            for place, cell in enumerate(cells):
                if cell and (address := links.get((number, place))) and is_address(address):
                    cells[place] = f"{cell} <{address}>"
                    break
        yield number, cells


def _split_lines(rows: Iterator[Record]) -> csv_reader.Text:
    """The rows, split where the sheet has whole lines of CSV in its first column, or only its column names."""
    head = list(itertools.islice(rows, HEADER_WITHIN))
    rows = itertools.chain(head, rows)
    alone = [cells[:1] for _, cells in head if csv_reader.is_first_cell_alone(cells)]
    first_cells = "\n".join(cells[0] for cells in alone)
    if not re.search(r"\w", first_cells):
        return csv_reader.Text(rows, "", "")
    delimiter = csv_reader.delimiter_of(first_cells)
    if max(len(csv_reader.known_in(map(clean, csv_reader.cells_within(cells, delimiter)))) for cells in alone) < 2:
        return csv_reader.Text(rows, "", "")
    if len(alone) == len(head):
        return csv_reader.Text(csv_reader.unwrapped(rows, delimiter), delimiter, "")
    if max(len(csv_reader.known_in(map(clean, cells))) for _, cells in head) < 2:
        return csv_reader.Text(csv_reader.split_first_cells(rows, delimiter), "", delimiter)
    return csv_reader.Text(rows, "", "")


def _workbook(data: bytes, filename: str, sheet: str | None = None) -> workbook.Workbook:
    try:
        return workbook.open_workbook(data, sheet)
    except workbook.CannotOpenError as error:
        if error.reason is Reason.NO_SHEET:
            raise UnreadableFileError(*_REFUSALS[error.reason]) from error
        if error.reason is not Reason.OTHER:
            raise UnreadableWorkbookError(*_REFUSALS[error.reason]) from error
        if filename.lower().endswith(".numbers"):
            raise UnreadableFileError("This is a Numbers file.", "Export it to Excel or CSV and upload that.") from error
        raise errors.not_a_spreadsheet() from error


# ---- from records to a table


_Row = tuple[int, list[str], int, list[str]]
"""A row that is not blank: its number, its cells up to the last that is not empty, how many of them cleaning changed,
and the row as it was."""


def _table(
    records: Iterable[Record],
    header_row: int | None,
    *,
    format: str,
    delimiter: str = "",
    header_delimiter: str = "",
    encoding: str = "",
    sheet: str | None = None,
    other_sheets: tuple[str, ...] = (),
    is_list: bool = False,
) -> Table:
    rows = _nonblank(records)
    header: list[str]
    raw_header: list[str]
    if header_row == 0:
        header, raw_header, trimmed, previous = [], [], 0, 0
    else:
        (previous, header, trimmed, raw_header), rows = _below_header(rows, header_row)
        header_row = previous
    lines: list[Line] = []
    blank = filled = 0
    padding = [""] * len(header)
    for number, cells, changed, _ in rows:
        filled += len(cells) - cells.count("")
        if len(lines) == MOST_LINES:
            raise _too_long(f"{MOST_LINES:,} rows", "Split it into smaller files and upload them one by one.")
        if filled > MOST_CELLS:
            raise _too_long(f"{MOST_CELLS:,} cells", "Remove the columns that Muster does not need and upload again.")
        cells += padding[len(cells) :]
        lines.append(Line(number, tuple(cells)))
        trimmed += changed
        blank += number - previous - 1
        previous = number
    if not lines:
        raise errors.empty()
    width = max(len(line.cells) for line in lines)
    if header_row == 0:
        header = raw_header = [f"Column {letters(place)}" for place in range(width)]
        lines = [Line(line.number, line.cells + ("",) * (width - len(line.cells))) for line in lines]
        blank -= lines[0].number - 1  # those above the first line
    elif not (header and (last := recognise(header[-1])) and last.field is Field.GROUPS):
        header += [""] * (width - len(header))
    return Table(
        tuple(header),
        lines,
        tuple(raw_header),
        delimiter,
        encoding,
        trimmed,
        blank,
        header_row,
        format,
        sheet,
        other_sheets,
        header_delimiter,
        is_list,
    )


def _below_header(rows: Iterator[_Row], header_row: int | None) -> tuple[_Row, Iterator[_Row]]:
    """The row with the column names, and those below it."""
    if header_row is not None:
        found = next((row for row in rows if row[0] >= header_row), None)
        if found is None or found[0] != header_row:
            raise UnreadableFileError(f"Row {header_row} is blank.", "Choose the row that holds the column names.")
        return found, rows
    head = list(itertools.islice(rows, HEADER_WITHIN))
    if not head:
        raise errors.empty()
    header = _header_among(head)[0] or _unknown_header(head)
    _refuse_missing_header(header[1])
    return header, itertools.chain([row for row in head if row[0] > header[0]], rows)


def _header_among(head: list[_Row]) -> tuple[_Row | None, tuple[int, bool, int]]:
    """The row with the most known column names, and how many those are, whether the e-mail is among them, and (below
    zero) how many names are not known.

    A row that holds an e-mail address is a person. Below a person one known name may be a cell of theirs (there
    are groups called "Team"), two are not; but no header is looked for below the people of another one.
    """
    best, most, people = None, (0, False, 0), False
    for row in head:
        if any(map(is_address, row[1])):
            if most[1]:
                break
            people = True
            continue
        known = csv_reader.known_in(row[1])
        score = len(known), Field.EMAIL in known, len(known) - sum(map(bool, row[1]))
        if known and score > most and (len(known) > 1 or not people):
            best, most = row, score
    return best, most


def _unknown_header(head: list[_Row]) -> _Row:
    """Of rows without a known name the first that is no title, a single cell above a person of several."""
    above = list(itertools.takewhile(lambda row: not any(map(is_address, row[1])), head))
    return next((row for row in above if len(row[1]) > 1), head[0]) if len(above) < len(head) else head[0]


def _nonblank(records: Iterable[Record]) -> Iterator[_Row]:
    cleaned = Cleaned()
    for number, record in records:
        if any(record):
            cells = [cleaned[cell] for cell in record]
            changed = 0 if cells == record else sum(map(str.__ne__, cells, record))
            while cells and not cells[-1]:
                cells.pop()
            if len(cells) > MOST_COLUMNS:
                raise _too_wide(number, len(cells))
            if cells:
                yield number, cells, changed, record


def _not_too_long(records: Iterable[Record]) -> Iterator[Record]:
    """The same, with cells no longer than csv takes them."""
    for number, record in records:
        if max(map(len, record)) > csv.field_size_limit():
            raise errors.cell_too_long(number)
        yield number, record


def _head(records: Iterable[Record]) -> list[_Row]:
    return list(itertools.islice(_nonblank(records), HEADER_WITHIN))


def _refuse_missing_header(header: list[str]) -> None:
    """An e-mail address where the names should be: the first line is already a person."""
    if any(map(is_address, header)) or (any("@" in cell for cell in header) and not any(map(recognise, header))):
        email, role, groups = (f"“{field.heading}”" for field in Field)
        raise UnreadableFileError(
            "The header row is missing.",
            f"Add a first row with the column names {email}, {role} and {groups}, and upload again.",
        )


def _too_wide(number: int, columns: int) -> UnreadableFileError:
    return UnreadableFileError(
        f"Line {number} has {columns:,} columns.",
        f"Muster reads up to {MOST_COLUMNS}. Remove those that Muster does not need and upload again.",
    )


def _too_long(most: str, advice: str) -> UnreadableFileError:
    return UnreadableFileError(f"This file has more than {most}.", advice)

"""Opens an uploaded file or a pasted text, or says in a sentence why not.

The content, never the name, decides what a file is. Whatever the format, the answer is the same `Table`; what its columns
mean is decided in `columns`. Rules: docs/rules.md: The file.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webapp.core.files import csv_reader, errors, text_encoding, workbook
from webapp.core.files.address_lists import people_in
from webapp.core.files.cleaning import clean
from webapp.core.files.csv_reader import HEADER_WITHIN, Record
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import is_address
from webapp.core.files.table import Grid, Row, Table, find_known_header, read_rows
from webapp.core.files.workbook import Reason


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet of a workbook that holds data, and how many of its rows are not blank."""

    name: str
    rows: int


class SourceFile:
    """A file that was opened. A text has no sheets; of a workbook each sheet is read when it is asked for, once."""

    def __init__(self, text: Grid | None, book: workbook.Workbook | None = None) -> None:
        self._workbook = book
        self._grids: dict[str | None, Grid] = {None: text} if text else {}

    @property
    def sheets(self) -> list[Sheet]:
        """The sheets among which one can choose, in the workbook's order."""
        return (
            [Sheet(sheet.name, len(sheet.lines)) for sheet in self._workbook.sheets]
            if self._workbook
            else []
        )

    def grid(self, sheet: str | None = None) -> Grid:
        """The rows of this sheet; None: of the one with the most known column names, else the first."""
        if self._workbook is None:
            return self._grids[None]
        if sheet not in self._grids:
            self._grids[sheet] = _read_sheet(self._workbook, sheet)
        return self._grids[sheet]

    def heads(self) -> list[list[list[str]]]:
        """The first rows of each sheet."""
        return (
            [[row.cells for row in head] for head in map(_read_head, self._workbook.sheets)]
            if self._workbook
            else []
        )

    def table(self, sheet: str | None = None, header_row: int | None = None) -> Table:
        """A sheet's table below this row; 0: there is no header; None: find it. Raises UnreadableFileError."""
        return self.grid(sheet).table(header_row)


def open_file(data: bytes, filename: str) -> SourceFile:
    """Open a file as it was uploaded. The name only helps to say what an unknown container is.

    Raises UnreadableFileError, and nothing else whatever the bytes are.
    """
    if not data:
        raise errors.empty()
    if workbook.is_container(data):
        return SourceFile(None, _open_workbook(data, filename))
    text, encoding = text_encoding.decode(data)
    text, delimiter = csv_reader.remove_sep_line(text)
    if people := people_in(text):
        return SourceFile(_list(*people, format="CSV", encoding=encoding))
    found = csv_reader.read_text(text, delimiter)
    about = {
        "delimiter": found.delimiter,
        "header_delimiter": found.header_delimiter,
        "encoding": encoding,
    }
    return SourceFile(Grid(read_rows(found.rows), about))


def open_pasted(text: str) -> SourceFile:
    """Open what was copied from a spreadsheet: cells with tabs between them; CSV does as well. Raises UnreadableFileError.

    Where no column name is recognised there is no header: `columns.guess` then tells the columns by their content.
    """
    text, delimiter = csv_reader.remove_sep_line(text.lstrip("\ufeff"))
    if "\0" in text:
        raise UnreadableFileError(
            "This text cannot be read.", "Copy the cells again and paste them."
        )
    if people := people_in(text):
        return SourceFile(_list(*people, format="pasted"))
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    if "\t" in first_line:
        delimiter = "\t"
    try:
        found = csv_reader.read_text(text, delimiter)
        rows = read_rows(found.rows)
        delimiter, header_delimiter = found.delimiter, found.header_delimiter
    except UnreadableFileError:
        if delimiter != "\t":
            raise
        # A cell such as `"Best" school` is copied without quotes around it.
        lines = enumerate(io.StringIO(text, newline=None), start=1)
        rows = read_rows(_check_length((number, line.split("\t")) for number, line in lines))
        header_delimiter = ""
    return SourceFile(
        Grid(
            rows, {"format": "pasted", "delimiter": delimiter, "header_delimiter": header_delimiter}
        )
    )


def _list(heading: str | None, people: list[str], **about: str) -> Grid:
    """A list of addresses as a grid of one column."""
    cells = [heading, *people] if heading else people
    return Grid(
        read_rows((number, [cell]) for number, cell in enumerate(cells, start=1)),
        {**about, "is_list": True},
    )


_REFUSALS = {
    Reason.PASSWORD: (
        "This workbook is protected by a password.",
        "Save it without one and upload again.",
    ),
    Reason.ODD: (
        "This workbook holds what no spreadsheet program writes.",
        "Open it, save it again and upload that.",
    ),
    Reason.LARGE: (
        "This workbook holds too much to be read.",
        "Copy the rows with the users into a new workbook and upload that.",
    ),
    Reason.DAMAGED: (
        "This workbook is damaged or was not uploaded whole.",
        "Open it, save it again and upload that.",
    ),
    Reason.BUSY: ("Muster is reading other workbooks.", "Upload this one again in a minute."),
}


_NO_SHEET = (
    "The sheet that was chosen is not in this workbook, or holds nothing.",
    "Choose another one.",
)


def _open_workbook(data: bytes, filename: str) -> workbook.Workbook:
    try:
        book = workbook.open_workbook(data)
    except workbook.CannotOpenError as error:
        if error.reason is not Reason.OTHER:
            raise UnreadableFileError(*_REFUSALS[error.reason]) from error
        if filename.lower().endswith(".numbers"):
            raise UnreadableFileError(
                "This is a Numbers file.", "Export it to Excel or CSV and upload that."
            ) from error
        raise errors.not_a_spreadsheet() from error
    if not book.sheets:
        raise errors.empty()
    return book


def _read_head(sheet: workbook.Sheet) -> Sequence[Row]:
    return read_rows(itertools.islice(sheet.rows(), HEADER_WITHIN))


def _read_sheet(book: workbook.Workbook, name: str | None) -> Grid:
    if name is None:
        sheet = max(book.sheets, key=lambda each: find_known_header(_read_head(each))[1])
    else:
        chosen = [each for each in book.sheets if each.name == name]
        if not chosen:
            raise UnreadableFileError(
                "The sheet that was chosen is not in this workbook, or holds nothing.",
                "Choose another one.",
            )
        [sheet] = chosen
    found = _split_lines(list(_check_length(_add_links(sheet))))
    about = {
        "format": book.program,
        "delimiter": found.delimiter,
        "header_delimiter": found.header_delimiter,
        "sheet": sheet.name,
        "other_sheets": tuple(each.name for each in book.sheets if each is not sheet),
        "hidden": frozenset(sheet.hidden),
        "merged": tuple(map(tuple, sheet.merged)),
    }
    return Grid(read_rows(found.rows), about)


def _add_links(sheet: workbook.Sheet) -> Iterator[Record]:
    """The rows. If no cell is an address but a name links to one, the address is added to the name."""
    for number, cells in sheet.rows():
        if sheet.links and not any("@" in cell for cell in cells):
            for place, cell in enumerate(cells):
                address = sheet.links.get((number, place))
                if cell and address and is_address(address):
                    cells[place] = f"{cell} <{address}>"
                    break
        yield number, cells


def _split_lines(rows: list[Record]) -> csv_reader.Text:
    """The rows, split where the sheet has whole lines of CSV in its first column, or only its column names."""
    head = rows[:HEADER_WITHIN]
    alone = [cells[:1] for _, cells in head if csv_reader.is_first_cell_alone(cells)]
    first_cells = "\n".join(cells[0] for cells in alone)
    if not re.search(r"\w", first_cells):
        return csv_reader.Text(rows, "", "")
    delimiter = csv_reader.find_delimiter(first_cells)
    if _most_known(csv_reader.split_cell(cells, delimiter) for cells in alone) < 2:
        return csv_reader.Text(rows, "", "")
    if len(alone) == len(head):
        return csv_reader.Text(csv_reader.unwrap_rows(rows, delimiter), delimiter, "")
    if _most_known(cells for _, cells in head) < 2:
        return csv_reader.Text(csv_reader.split_first_cells(rows, delimiter), "", delimiter)
    return csv_reader.Text(rows, "", "")


def _most_known(rows: Iterable[list[str]]) -> int:
    """The most known column names in one of these rows."""
    return max(len(csv_reader.find_known_fields(map(clean, cells))) for cells in rows)


def _check_length(records: Iterable[Record]) -> Iterator[Record]:
    """The same records. Raises UnreadableFileError for a cell that is longer than csv takes it."""
    for number, record in records:
        if max(map(len, record)) > csv.field_size_limit():
            raise errors.cell_too_long(number)
        yield number, record

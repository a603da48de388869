"""From a text to its rows: which separator, where a cell ends."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from webapp.core.files import errors
from webapp.core.files.cleaning import clean
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import DELIMITERS, Field, is_address, recognise

if TYPE_CHECKING:
    import _csv

MOST_COLUMNS = 256

HEADER_WITHIN = 20
"""The column names are looked for in so many lines; blank ones do not count."""

Record = tuple[int, list[str]]
"""A row as it stands: its number, its cells."""


def find_known_fields(names: Iterable[str]) -> set[Field]:
    """The fields whose columns have such names."""
    return {name.field for name in map(recognise, names) if name}


_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)?"?[,;\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_HEADER_WINDOW = 200_000


class Text(NamedTuple):
    """A text's rows, and their separator. header_delimiter: that of the column names, where theirs is another."""

    rows: Iterable[Record]
    delimiter: str
    header_delimiter: str


def read_text(text: str, delimiter: str | None = None) -> Text:
    """The rows of a text, and the separator, found where it is not given."""
    delimiter, header_delimiter = find_separators(text, delimiter)
    rows = unwrap_rows(
        read_records(_remove_spaces_after_quotes(text, delimiter), delimiter), delimiter
    )
    if header_delimiter:
        rows = split_first_cells(rows, header_delimiter)
    return Text(rows, delimiter, header_delimiter)


def remove_sep_line(text: str) -> tuple[str, str | None]:
    """The text below a first line `sep=;`, and the separator that this states."""
    if sep_line := _SEP_LINE.match(text):
        return text[sep_line.end() :], sep_line[1]
    return text, None


def find_separators(text: str, delimiter: str | None = None) -> tuple[str, str]:
    """The separator of the rows, and that of the column names where theirs is another, else "".

    A comma file that a German Excel shows in one column comes back so: `Email,Role,Groups;;` above `a@x.org;Analyst;Library`.
    """
    found = delimiter or find_delimiter(text)
    for names in DELIMITERS:
        if _is_split(text, names, rows=found):
            return found, names
    if not delimiter:
        for rows in DELIMITERS:
            if _is_split(text, found, rows):
                return rows, found
    return found, ""


def _is_split(text: str, names: str, rows: str) -> bool:
    """Whether the column names are one cell by the separator of the rows, and people are found by that alone."""
    if names == rows or names not in text or rows not in text:
        return False
    is_above = True
    by_rows = 0
    for cells in _first_lines(text, rows):
        is_alone = is_first_cell_alone(cells)
        if is_above and is_alone:
            is_above = len(find_known_fields(map(clean, split_cell(cells[:1], names)))) < 2
        elif not is_above and not is_alone and _is_person(cells):
            # a line that was left as it came tells nothing
            by_rows += 1
    by_names = sum(
        _is_person(cells) and not cells[-1].endswith(rows) for cells in _first_lines(text, names)
    )
    return by_rows > by_names


def _first_lines(text: str, delimiter: str) -> Iterator[list[str]]:
    """The cells of the first lines, as far as they can be read with this separator."""
    try:
        for line in itertools.islice(_reader(text[:_HEADER_WINDOW], delimiter), _LINES_LOOKED_AT):
            yield list(map(clean, line[:MOST_COLUMNS]))
    except csv.Error:  # the last line was cut, or quotes make no sense with this separator
        return


_LINES_LOOKED_AT = 100


def is_first_cell_alone(cells: list[str]) -> bool:
    """Whether the first cell of a row is filled, and no other."""
    return bool(cells and cells[0]) and not any(cells[1:])


def _is_person(cells: list[str]) -> bool:
    """Whether a line has an address and something else. Addresses without a dotted domain prove nothing."""
    has_address = any(is_address(cell) and "." in cell.rpartition("@")[2] for cell in cells)
    return has_address and sum(map(bool, cells)) > 1


def split_first_cells(records: Iterable[Record], delimiter: str) -> Iterator[Record]:
    """The rows, and in place of one with nothing but a first cell the cells that this separator brings out of it."""
    for number, record in records:
        if is_first_cell_alone(record):
            record = split_cell(record[:1], delimiter)
        yield number, record


def find_delimiter(text: str) -> str:
    """The separator that brings the most known names out of one of the first lines, then the most people, then columns.

    Never csv.Sniffer: on unquoted groups it was seen to choose the letter "o".
    """
    first_word = re.search(r"\w", text)
    if first_word is None:
        raise errors.empty()
    before = text[: first_word.start()]
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    window = text[start : start + _HEADER_WINDOW]
    return max(DELIMITERS, key=lambda delimiter: _score(window, delimiter))


def _score(window: str, delimiter: str) -> tuple[int, int, int, int]:
    """How well a separator fits the first lines."""
    lines: list[list[str]] = []
    try:
        for line in itertools.islice(filter(any, _reader(window, delimiter)), HEADER_WITHIN):
            lines.append([clean(cell) for cell in split_cell(line, delimiter)[:MOST_COLUMNS]])
    except csv.Error:  # quotes that make no sense with this separator
        if not lines:
            first_line = io.StringIO(window, newline="").readline()
            return -1, 0, first_line.count(delimiter), 0
    known = max((len(find_known_fields(line)) for line in lines), default=0)
    people = sum(any(map(is_address, line)) for line in lines)
    return known, people, len(lines[0]) if lines else 0, sum(map(len, lines))


def split_cell(record: list[str], delimiter: str) -> list[str]:
    """The cells of a row that some program took for one, and put in quotes as a whole."""
    if len(record) != 1 or delimiter not in record[0]:
        return record
    try:
        lines = list(_reader(record[0], delimiter))
    except csv.Error:
        return record
    return lines[0] if len(lines) == 1 else record


def unwrap_rows(records: Iterable[Record], delimiter: str) -> Iterator[Record]:
    """The rows, and in place of one that was quoted as a whole its cells.

    That is so where column names come out, and below them; also where the rows above have three cells or more, and no
    more come out. A name with a comma that is the only cell of its row stays what it is.
    """
    widest, wrapped = 2, False
    for number, record in records:
        if len(record) == 1:
            inner = split_cell(record, delimiter)
            if (
                inner is not record
                and len(inner) >= widest
                and (wrapped or widest > 2 or find_known_fields(map(clean, inner)))
            ):
                record, wrapped = inner, True
        if len(record) > widest:
            widest = len(record)
        yield number, record


def _reader(text: str, delimiter: str) -> "_csv.Reader":
    # `a, "b, c"`, as people type it: only then, for the spaces that csv skips cannot be counted any more.
    spaced_quotes = (
        ' "' in text
        and re.search(rf'(?:^|{re.escape(delimiter)}) +"', text, re.MULTILINE) is not None
    )
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        skipinitialspace=spaced_quotes,
        strict=True,
    )


def _remove_spaces_after_quotes(text: str, delimiter: str) -> str:
    """Without spaces between a closing quote and the separator (`"a" , "b"`, as people type it), which csv refuses."""
    spaced = re.compile(rf'" +(?={re.escape(delimiter)}|[\r\n]|\Z)')
    if '" ' not in text or not spaced.search(text):
        return text
    try:
        for _ in _reader(text, delimiter):
            pass
    except csv.Error:
        return spaced.sub('"', text)
    return text  # they stand within cells


def read_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the row number that a spreadsheet shows."""
    reader = _reader(text, delimiter)
    number = lines_before = 0
    try:
        for number, record in enumerate(reader, start=1):
            lines_before = reader.line_num
            if record:
                yield number, record
    except csv.Error as error:
        raise _bad_quote(str(error), number + 1, reader.line_num - lines_before) from error


def _bad_quote(error: str, number: int, lines: int) -> UnreadableFileError:
    """What is wrong in the record that began at row `number` and had run over `lines` lines of text.

    A quote that is never closed shows at the next quote, at the longest cell allowed, or at the end of the
    file, whichever comes first: what all three have in common is that the cell runs over its line.
    """
    if lines > 1 or "end of data" in error:
        return UnreadableFileError(
            f"Line {number} has an opening quote without a closing one.",
            "Fix that line and upload again.",
        )
    if "limit" in error:
        return errors.cell_too_long(number)
    return UnreadableFileError(
        f"Line {number} has a quote in the middle of a quoted cell.",
        "Remove it, or write it twice, and upload again.",
    )

"""From a text to its rows: which separator, where a cell ends."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from webapp.core.files.cleaning import clean
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import DELIMITERS, Field, is_address, recognise

if TYPE_CHECKING:
    import _csv

LINES_LOOKED_AT = 100
"""Lines that are looked at to find the separator."""

Record = tuple[int, list[str]]
"""A row as it stands: its number, its cells."""

_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)?"?[,;\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_WINDOW = 200_000


def find_known_fields(names: Iterable[str]) -> set[Field]:
    """The fields whose columns have such names."""
    return set(filter(None, map(recognise, map(clean, names))))


def remove_sep_line(text: str) -> tuple[str, str]:
    """The text below a first line `sep=;`, and the separator that this states."""
    if sep_line := _SEP_LINE.match(text):
        return text[sep_line.end() :], sep_line[1] or ""
    return text, ""


def find_delimiter(text: str) -> str:
    """The separator of the rows. Never csv.Sniffer: on unquoted groups it was seen to choose the letter "o"."""
    return max(DELIMITERS, key=lambda each: _score(text, each))


def _score(
    text: str,
    delimiter: str,
) -> tuple[int, ...]:
    """How well a separator fits the first lines: the most known names in one of them, the people, again the names, the cells.

    A person is a line with an address and something else, and no separator at its end. Names may have a separator of their
    own: a comma file that a German Excel showed in one column was filled in there.
    """
    known = own = people = filled = 0
    for cells in _first_lines(text, delimiter):
        filled += len(cells)
        is_alone = is_first_cell_alone(cells)
        if any(is_address(clean(cell)) for cell in cells):
            people += not (is_alone or cells[-1].endswith(DELIMITERS))
            continue
        own = max(own, len(find_known_fields(cells)))
        if is_alone and "@" not in cells[0]:
            for each in DELIMITERS:
                known = max(known, len(find_known_fields(split_cell(cells[0], each))))
    return max(known, own), people, own, filled


def is_first_cell_alone(cells: list[str]) -> bool:
    """Whether the first cell of a row is filled, and no other."""
    return bool(cells[0]) and not any(cells[1:])


def _first_lines(
    text: str,
    delimiter: str,
) -> Iterator[list[str]]:
    """The cells of the first lines that are not blank, as far as they can be read with this separator."""
    try:
        yield from itertools.islice(filter(any, _read(text[:_WINDOW], delimiter)), LINES_LOOKED_AT)
    except csv.Error:  # the last line was cut, or quotes make no sense with this separator
        return


def split_cell(
    cell: str,
    delimiter: str,
) -> list[str]:
    """The cells of a line that some program took for one cell."""
    lines = list(_first_lines(cell, delimiter))
    return lines[0] if len(lines) == 1 else [cell]


def unwrap_rows(records: Iterator[Record]) -> Iterator[Record]:
    """The rows, and in place of one with nothing but a first cell the cells that a separator brings out of it.

    That is so where column names come out, and below them; also where the rows above have three cells or more, and no
    fewer come out. A name with a comma that is the only cell of its row stays what it is.
    """
    first = list(itertools.islice(records, LINES_LOOKED_AT))
    alone = [cells[0] for _, cells in first if is_first_cell_alone(cells)]
    delimiter = find_delimiter("\n".join(alone))
    widest, is_below = 2, False
    for number, record in itertools.chain(first, records):
        if is_first_cell_alone(record):
            inner = split_cell(record[0], delimiter)
            if len(inner) >= widest and (
                is_below or widest > 2 or len(find_known_fields(inner)) > 1
            ):
                record, is_below = inner, True
        widest = max(widest, len(record))
        yield number, record


def _read(
    text: str,
    delimiter: str,
) -> "_csv.Reader":
    # `a, "b, c"`, as people type it: only then, for the spaces that csv skips cannot be counted any more
    has_spaced_quotes = f'{delimiter} "' in text
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        skipinitialspace=has_spaced_quotes,
        strict=True,
    )


def read_records(
    text: str,
    delimiter: str,
) -> Iterator[Record]:
    """Each record that is not blank, with the row number that a spreadsheet shows. Raises UnreadableFileError."""
    number = 0
    try:
        for number, record in enumerate(_read(text, delimiter), start=1):
            if record:
                yield number, record
    except csv.Error as error:
        raise UnreadableFileError(
            f"Line {number + 1} cannot be read.",
            "It has a quote that is not closed, a quote in the middle of a quoted cell, or a very long cell. "
            "Fix that line and upload again.",
        ) from error

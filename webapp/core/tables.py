"""From the bytes of an uploaded file to a header and its lines, or a sentence on why not.

`read` looks at the content, never at the name, to decide what a file is. Whatever the format, the answer
is the same `Table`; what its columns mean is decided in `columns`. Rules: docs/rules.md: The file.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webapp.core.fields import DELIMITERS, Field, recognise

if TYPE_CHECKING:
    import _csv

FORMULA_STARTS = "=+-@\t\r"
"""A spreadsheet takes a cell that begins so for a formula. Downloads put a ' before it; `clean` drops it."""

MOST_COLUMNS = 256
MOST_LINES = 100_000
"""How much of a file is held in memory. What a batch may hold is a setting, and is checked elsewhere."""


class UnreadableFile(Exception):
    """A file that Muster cannot take: `title` says what is wrong, `advice` what to do, in whole sentences."""

    def __init__(self, title: str, advice: str) -> None:
        super().__init__(title, advice)
        self.title = title
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.title} {self.advice}"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the file below the header.

    `number` is the row that a spreadsheet shows: blank rows count, a cell with line breaks does not count
    twice, a `sep=` line does not count. `cells` are cleaned, at least as many as the header has (missing
    ones are ""), and more where the row is longer than the header; then the last one is not empty.
    """

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it was read.

    `header` is cleaned and ends with a named column; `raw_header` is as it stands in the file. `lines` has at
    least one line and no blank one; `blank` counts the blank rows between them. `trimmed` counts the cells,
    those of the header too, that cleaning changed. `encoding` is "UTF-8", "UTF-8 with BOM", "UTF-16" or
    "Windows-1252"; `delimiter` is one character.
    """

    header: tuple[str, ...]
    lines: list[Line]
    raw_header: tuple[str, ...]
    delimiter: str
    encoding: str
    trimmed: int
    blank: int


def read(data: bytes, filename: str) -> Table:
    """Read a file as it was uploaded.

    The name only helps to say what a locked container is; a CSV file may be called anything.
    Raises UnreadableFile, and nothing else whatever the bytes are.
    """
    if not data:
        raise _empty()
    _refuse_workbook(data, filename)
    text, encoding = _decode(data)
    return _read_csv(text, encoding)


# What is invisible at the edge of a cell: all white space (with no-break spaces), control characters, the
# zero-width ones, and the marks of direction that come along when an address is copied from a dialog.
_EDGES = "".join(
    character
    for character in map(chr, range(0x3001))
    if character.isspace()
    or character < " "
    or character in "\x7f\xad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064"
    or "\u202a" <= character <= "\u202e"
    or "\u2066" <= character <= "\u2069"
) + "\ufeff"  # fmt: skip
_ESCAPED = tuple("'" + start for start in FORMULA_STARTS)


def clean(cell: str) -> str:
    """A cell without what is invisible at its edges, and without one ' before what looks like a formula."""
    cell = cell.strip(_EDGES)
    if cell.startswith(_ESCAPED):
        cell = cell[1:].strip(_EDGES)
    return cell


# ---- what a file is


_WORKBOOKS = {
    "Excel": ("xlsx", "xlsm", "xlsb", "xls"),
    "OpenDocument": ("ods", "fods"),
    "Numbers": ("numbers",),
}
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHER_BINARY = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    _OLE2,
    b"%PDF-",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
)
_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - set(b"\t\n\x0b\x0c\r"))
_MARKUP = re.compile(r"\s*(?:<(?:!|\?|html|head|body|table|meta|style)|\{\\rtf|\{\s*\"|\[\s*\{)", re.IGNORECASE)


def _refuse_workbook(data: bytes, filename: str) -> None:
    if program := _workbook_program(data, filename):
        article = "a" if program == "Numbers" else "an"
        raise UnreadableFile(f"This is {article} {program} file.", "Save it as “CSV UTF-8” and upload that.")
    if data.startswith(_OTHER_BINARY):
        raise _not_a_spreadsheet()


def _workbook_program(data: bytes, filename: str) -> str | None:
    """Which program a workbook is from, by the names of the parts in its container."""
    if data.startswith(b"PK\x03\x04"):
        if b"xl/workbook" in data:
            return "Excel"
        if b"opendocument.spreadsheet" in data[:200]:
            return "OpenDocument"
    elif data.startswith(_OLE2):
        if any(part.encode("utf-16-le") in data for part in ("Workbook", "Book")):
            return "Excel"
    else:
        return None
    # A container that hides its parts (a workbook with a password, Numbers): then its name is all there is.
    ending = filename.rpartition(".")[2].lower()
    return next((program for program, endings in _WORKBOOKS.items() if ending in endings), None)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        codecs_to_try = [("utf-8-sig", "UTF-8 with BOM")]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codecs_to_try = [("utf-16", "UTF-16")]
    elif codec := _utf16_without_bom(data):
        codecs_to_try = [(codec, "UTF-16")]
    elif _is_mostly_binary(data):
        raise _not_a_spreadsheet()
    else:
        codecs_to_try = [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]
    for codec, encoding in codecs_to_try:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" in text:  # damaged, and no database stores it
            break
        return text.lstrip("\ufeff"), encoding
    raise UnreadableFile("The text in this file cannot be read.", "Save it as “CSV UTF-8” and try again.")


def _utf16_without_bom(data: bytes) -> str | None:
    """The codec where every other byte is plainly zero, as in the UTF-16 of mostly Latin text."""
    sample = data[:4096]
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > pairs / 2 and first < pairs / 10:
        return "utf-16-le"
    if first > pairs / 2 and second < pairs / 10:
        return "utf-16-be"
    return None


def _is_mostly_binary(data: bytes) -> bool:
    """More than one control character in 20: compressed data has about one in 10, text none."""
    return (len(data) - len(data.translate(None, _CONTROL_BYTES))) * 20 > len(data)


# ---- CSV


_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)?"?[,;\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_ADDRESS = re.compile(r'(?:[^<>]*<)?[^\s@<>,;|"]+@[^\s@<>,;|"]+>?')
_HEADER_WINDOW = 200_000


def _read_csv(text: str, encoding: str) -> Table:
    if _MARKUP.match(text):
        raise _not_a_spreadsheet()
    delimiter = None
    if sep_line := _SEP_LINE.match(text):
        text, delimiter = text[sep_line.end() :], sep_line[1]
    delimiter = delimiter or _delimiter(text)

    records = _records(text, delimiter)
    for number, raw_header in records:
        header, trimmed = _cleaned(number, raw_header)
        if header:
            break
    else:
        raise _empty()
    _refuse_missing_header(header)

    lines: list[Line] = []
    blank = gap = 0
    padding = [""] * len(header)
    for number, record in records:
        cells, changed = _cleaned(number, record)
        if not cells:
            gap += 1
            continue
        if len(lines) == MOST_LINES:
            raise UnreadableFile(
                f"This file has more than {MOST_LINES:,} rows.",
                "Split it into smaller files and upload them one by one.",
            )
        cells += padding[len(cells) :]
        lines.append(Line(number, tuple(cells)))
        trimmed += changed
        blank += gap
        gap = 0
    if not lines:
        raise _empty()
    return Table(tuple(header), lines, tuple(raw_header), delimiter, encoding, trimmed, blank)


def _delimiter(text: str) -> str:
    """The separator that brings the most known names out of the header, then the most columns.

    Never csv.Sniffer: on unquoted groups it was seen to choose the letter "o".
    """
    first_word = re.search(r"\w", text)
    if first_word is None:
        raise _empty()
    before = text[: first_word.start()]
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    window = text[start : start + _HEADER_WINDOW]
    first_line = io.StringIO(window, newline="").readline()

    def score(delimiter: str) -> tuple[int, int]:
        try:
            header = next(_reader(window, delimiter))
        except csv.Error:  # quotes that make no sense with this separator
            return -1, first_line.count(delimiter)
        known = (recognise(clean(name)) for name in header[:MOST_COLUMNS])
        return len({name.field for name in known if name}), len(header)

    return max(DELIMITERS, key=score)


def _reader(text: str, delimiter: str) -> "_csv.Reader":
    # `a, "b, c"`, as people type it: only then, for the spaces that csv skips cannot be counted any more.
    spaced_quotes = re.search(rf'(?:^|{re.escape(delimiter)}) +"', text, re.MULTILINE) is not None
    lines = io.StringIO(text, newline="")  # not splitlines(), which also breaks at U+2028 and form feeds
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced_quotes, strict=True)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the row number that a spreadsheet shows; blank lines are empty records."""
    reader = _reader(text, delimiter)
    number = lines_before = 0
    try:
        for record in reader:
            number += 1
            lines_before = reader.line_num
            yield number, record
    except csv.Error as error:
        raise _bad_quote(str(error), number + 1, reader.line_num - lines_before) from error


def _bad_quote(error: str, number: int, lines: int) -> UnreadableFile:
    """What is wrong in the record that began at row `number` and had run over `lines` lines of text.

    A quote that is never closed shows at the next quote, at the longest cell allowed, or at the end of the
    file, whichever comes first: what all three have in common is that the cell runs over its line.
    """
    if lines > 1 or "end of data" in error:
        return UnreadableFile(f"Line {number} has an opening quote without a closing one.", "Fix that line and upload again.")
    if "limit" in error:
        return UnreadableFile(f"Line {number} has a cell that is too long.", "Shorten that cell and upload again.")
    return UnreadableFile(
        f"Line {number} has a quote in the middle of a quoted cell.",
        "Remove it, or write it twice, and upload again.",
    )


def _cleaned(number: int, record: list[str]) -> tuple[list[str], int]:
    """The cells up to the last that is not empty, and how many were changed by cleaning."""
    if not any(record):
        return [], 0
    cells = [clean(cell) for cell in record]
    changed = sum(map(str.__ne__, cells, record))
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise UnreadableFile(
            f"Line {number} has {len(cells):,} columns.",
            f"Muster reads up to {MOST_COLUMNS}. Remove those that Muster does not need and upload again.",
        )
    return cells, changed


def _refuse_missing_header(header: list[str]) -> None:
    """An e-mail address where the names should be: the first line is already a person."""
    is_address = any(_ADDRESS.fullmatch(cell) for cell in header)
    if is_address or (any("@" in cell for cell in header) and not any(map(recognise, header))):
        email, role, groups = (f"“{field.heading}”" for field in Field)
        raise UnreadableFile(
            "The header row is missing.",
            f"Add a first row with the column names {email}, {role} and {groups}, and upload again.",
        )


def _empty() -> UnreadableFile:
    return UnreadableFile("This file is empty.", "Add at least one user below the header row.")


def _not_a_spreadsheet() -> UnreadableFile:
    return UnreadableFile("This is not a spreadsheet.", "Muster reads CSV files. Save the sheet as “CSV UTF-8” and upload that.")

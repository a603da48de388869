"""From an uploaded file or a pasted table to a header and its lines, or a sentence on why not.

`read` looks at the content, never at the name, to decide what a file is. Whatever the format, the answer
is the same `Table`; what its columns mean is decided in `columns`. Rules: docs/rules.md: The file.
"""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webapp.core import workbooks
from webapp.core.fields import DELIMITERS, Field, is_address, letters, recognise
from webapp.core.workbooks import Reason

if TYPE_CHECKING:
    import _csv

FORMULA_STARTS = "=+-@\t\r"
"""A spreadsheet takes a cell that begins so for a formula. Downloads put a ' before it; `clean` drops it."""

MOST_COLUMNS = 256
MOST_LINES = 100_000
MOST_CELLS = 2_000_000
"""How much of a file is held in memory. What a batch may hold is a setting, and is checked elsewhere."""

HEADER_WITHIN = 20
"""The column names are looked for in so many lines; blank ones do not count."""


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
    but the name of the `sheet` that was read and those of the `other_sheets` that could be.
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


def read(
    data: bytes, filename: str, *, sheet: str | None = None, header_row: int | None = None, delimiter: str | None = None
) -> Table:
    """Read a file as it was uploaded.

    The name only helps to say what an unknown container is; a file may be called anything. Without `sheet`
    the one is read that has the most known column names, else the first with data. Without `header_row` the
    names are looked for in the first lines; 0 says that there are none. `delimiter` overrides what the text
    and its `sep=` line say. What a format does not have is not looked at.

    Raises UnreadableFile, and nothing else whatever the bytes are.
    """
    if not data:
        raise _empty()
    if workbooks.is_container(data):
        return _read_workbook(data, filename, sheet, header_row)
    text, encoding = _text(data)
    return _read_text(text, encoding, header_row, delimiter)


def sheets(data: bytes, filename: str) -> list[Sheet]:
    """The sheets of a workbook among which one can choose, in its order; [] for anything that is text.

    Raises UnreadableFile where the workbook cannot be read.
    """
    if not workbooks.is_container(data):
        return []
    return [Sheet(found.name, found.rows) for found in _workbook(data, filename).sheets]


def pasted(text: str) -> Table:
    """Read what was copied from a spreadsheet: cells with tabs between them; CSV does as well.

    Where no column name is recognised there is no header (`header_row` 0): `columns.guess` then tells the
    columns by their content. Raises UnreadableFile.
    """
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise UnreadableFile("This text cannot be read.", "Copy the cells again and paste them.")
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if "\t" in first_line else _delimiter(text)
    try:
        records = list(_records(text, delimiter))
    except UnreadableFile:
        if delimiter != "\t":
            raise
        # A cell such as `"Best" school` is copied without quotes around it.
        records = [(number, line.split("\t")) for number, line in enumerate(io.StringIO(text, newline=None), start=1)]
    header, _ = _header_among(_head(records))
    return _table(records, header[0] if header else 0, format="pasted", delimiter=delimiter)


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


_OTHER_BINARY = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b")
_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - set(b"\t\n\x0b\x0c\r"))
_MARKUP = re.compile(
    r"""\s*(?:<(?:!|\?|(?:html|head|body|table|meta|style|svg|div)\b|[\w:]+>\s*<)|\{\\rtf|\{\s*"|\[\s*[{\["]|MIME-Version:|BEGIN:V)""",
    re.IGNORECASE,
)


def _text(data: bytes) -> tuple[str, str]:
    """A text file's text and the name of its encoding."""
    if data.startswith(_OTHER_BINARY):
        raise _not_a_spreadsheet()
    text, encoding = _decode(data)
    if _MARKUP.match(text):
        raise _not_a_spreadsheet()
    return text, encoding


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        ways = [("utf-8-sig", "UTF-8 with BOM")]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        ways = [("utf-16", "UTF-16")]
    elif codec := _utf16_without_bom(data):
        ways = [(codec, "UTF-16")]
    elif _is_mostly_binary(data):
        raise _not_a_spreadsheet()
    else:
        ways = [("utf-8", "UTF-8"), (_MIXED, "UTF-8 and Windows-1252"), ("cp1252", "Windows-1252")]
    for codec, encoding in ways:
        try:
            text = _mixed(data) if codec == _MIXED else data.decode(codec)
        except UnicodeError:
            continue
        if "\0" in text:  # damaged, and no database stores it
            break
        if codec == "cp1252" and _ODD_LETTERS.search(text):
            encoding += " with odd letters"
        return _INNER_BOM.sub("", text).lstrip("\ufeff").removeprefix("ï»¿"), encoding
    raise UnreadableFile("The text in this file cannot be read.", "Save it as “CSV UTF-8” and try again.")


_INNER_BOM = re.compile(r"(?<=[\r\n])\ufeff+(?=\")")
"""Where one file was put behind another; before a quote it would hide that a quoted cell begins."""
_ODD_LETTERS = re.compile("[À-ÿ]{4}|[a-zà-ÿ][¹³¼¾¿£¥¯][a-zà-ÿ]|(?<!\\w)[¯£¥][a-zà-ÿ]{2}")
"""What no Western language has, but Cyrillic, Greek, Chinese, Turkish or Polish text that is taken for Windows-1252."""
_TWO_BYTES_OR_MORE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_MIXED = "both"


def _mixed(data: bytes) -> str:
    """The text where UTF-8 and Windows-1252 were put together: each letter as what it is. Raises UnicodeError.

    What looks like UTF-8 by chance is rare in Windows-1252 (“É” before a typographic quote), so half of what is not
    ASCII, at least, must look so.
    """
    pieces, end, letters, others = [], 0, 0, 0
    for letter in _TWO_BYTES_OR_MORE.finditer(data):
        between = data[end : letter.start()].decode("cp1252")
        pieces += [between, letter[0].decode("utf-8")]
        end, letters, others = letter.end(), letters + 1, others + _beyond_ascii(between)
    rest = data[end:].decode("cp1252")
    if others + _beyond_ascii(rest) > letters:
        raise UnicodeError
    return "".join([*pieces, rest])


def _beyond_ascii(text: str) -> int:
    return 0 if text.isascii() else sum(not letter.isascii() for letter in text)


def _utf16_without_bom(data: bytes) -> str | None:
    """The codec where one of two bytes is often zero and the other never: UTF-16 with some Latin text, separators at least."""
    sample = data[:4096]
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > pairs / 8 and first <= second / 50:
        return "utf-16-le"
    if first > pairs / 8 and second <= first / 50:
        return "utf-16-be"
    return None


def _is_mostly_binary(data: bytes) -> bool:
    """More than one control character in 20: compressed data has about one in 10, text none."""
    return (len(data) - len(data.translate(None, _CONTROL_BYTES))) * 20 > len(data)


# ---- CSV


_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)?"?[,;\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_HEADER_WINDOW = 200_000


def _read_text(text: str, encoding: str, header_row: int | None, delimiter: str | None) -> Table:
    stated = None
    if sep_line := _SEP_LINE.match(text):
        text, stated = text[sep_line.end() :], sep_line[1]
    delimiter = delimiter or stated or _delimiter(text)
    return _table(
        _unwrapped(_records(_tidied(text, delimiter), delimiter), delimiter),
        header_row,
        format="CSV",
        delimiter=delimiter,
        encoding=encoding,
    )


def _delimiter(text: str) -> str:
    """The separator that brings the most known names out of one of the first lines, then the most people, then columns.

    Never csv.Sniffer: on unquoted groups it was seen to choose the letter "o".
    """
    first_word = re.search(r"\w", text)
    if first_word is None:
        raise _empty()
    before = text[: first_word.start()]
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    window = text[start : start + _HEADER_WINDOW]
    first_line = io.StringIO(window, newline="").readline()

    def score(delimiter: str) -> tuple[int, int, int, int]:
        lines: list[list[str]] = []
        try:
            found = (line for line in _reader(window, delimiter) if any(line))
            lines.extend(
                list(map(clean, _inner(line, delimiter)[:MOST_COLUMNS])) for line in itertools.islice(found, HEADER_WITHIN)
            )
        except csv.Error:  # quotes that make no sense with this separator
            if not lines:
                return -1, 0, first_line.count(delimiter), 0
        known = max((len(_known(line)) for line in lines), default=0)
        people = sum(any(map(is_address, line)) for line in lines)
        return known, people, len(lines[0]) if lines else 0, sum(map(len, lines))

    return max(DELIMITERS, key=score)


def _inner(record: list[str], delimiter: str) -> list[str]:
    """The cells of a row that some program took for one, and put in quotes as a whole."""
    if len(record) != 1 or delimiter not in record[0]:
        return record
    try:
        lines = list(_reader(record[0], delimiter))
    except csv.Error:
        return record
    return lines[0] if len(lines) == 1 else record


def _unwrapped(records: Iterable["_Record"], delimiter: str) -> Iterator["_Record"]:
    """The rows, and in place of one that was quoted as a whole its cells.

    That is so where column names come out, and below them; also where the rows above have three cells or more, and no
    more come out. A name with a comma that is the only cell of its row stays what it is.
    """
    widest, wrapped = 2, False
    for number, record in records:
        inner = _inner(record, delimiter)
        if inner is not record and len(inner) >= widest and (wrapped or widest > 2 or _known(map(clean, inner))):
            record, wrapped = inner, True
        widest = max(widest, len(record))
        yield number, record


def _reader(text: str, delimiter: str) -> "_csv.Reader":
    # `a, "b, c"`, as people type it: only then, for the spaces that csv skips cannot be counted any more.
    spaced_quotes = re.search(rf'(?:^|{re.escape(delimiter)}) +"', text, re.MULTILINE) is not None
    lines = io.StringIO(text, newline="")  # not splitlines(), which also breaks at U+2028 and form feeds
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced_quotes, strict=True)


def _tidied(text: str, delimiter: str) -> str:
    """Without spaces between a closing quote and the separator (`"a" , "b"`, as people type it), which csv refuses."""
    spaced = re.compile(rf'" +(?={re.escape(delimiter)}|[\r\n]|\Z)')
    if not spaced.search(text):
        return text
    try:
        for _ in _reader(text, delimiter):
            pass
    except csv.Error:
        return spaced.sub('"', text)
    return text  # they stand within cells


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the row number that a spreadsheet shows, but for blank lines, which only count."""
    reader = _reader(text, delimiter)
    number = lines_before = 0
    try:
        for record in reader:
            number += 1
            lines_before = reader.line_num
            if record:
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
        raise _empty()
    if workbook.chosen is None:
        best = max(workbook.sheets, key=lambda each: _header_among(_head(each.head))[1])
        workbook = _workbook(data, filename, best.name)
    others = tuple(each.name for each in workbook.sheets if each.name != workbook.chosen)
    rows, delimiter = _pasted_lines(workbook.rows)
    return _table(rows, header_row, format=workbook.program, delimiter=delimiter, sheet=workbook.chosen, other_sheets=others)


def _pasted_lines(rows: Iterator["_Record"]) -> tuple[Iterator["_Record"], str]:
    """The rows, and the separator by which they were split where the sheet has whole lines of CSV in its first column."""
    head = list(itertools.islice(rows, HEADER_WITHIN))
    rows = itertools.chain(head, rows)
    if not head or any(len(cells) > 1 for _, cells in head):
        return rows, ""
    delimiter = _delimiter("\n".join(cells[0] for _, cells in head))
    if max(len(_known(map(clean, _inner(cells, delimiter)))) for _, cells in head) < 2:
        return rows, ""
    return _unwrapped(rows, delimiter), delimiter


def _workbook(data: bytes, filename: str, sheet: str | None = None) -> workbooks.Workbook:
    try:
        return workbooks.open_workbook(data, sheet)
    except workbooks.CannotOpen as error:
        if error.reason is not Reason.OTHER:
            raise UnreadableFile(*_REFUSALS[error.reason]) from error
        if filename.lower().endswith(".numbers"):
            raise UnreadableFile("This is a Numbers file.", "Export it to Excel or CSV and upload that.") from error
        raise _not_a_spreadsheet() from error


# ---- from records to a table


_Record = tuple[int, list[str]]
_Row = tuple[int, list[str], int, list[str]]
"""A row that is not blank: its number, its cells up to the last that is not empty, how many of them cleaning changed,
and the row as it was."""


def _table(
    records: Iterable[_Record],
    header_row: int | None,
    *,
    format: str,
    delimiter: str = "",
    encoding: str = "",
    sheet: str | None = None,
    other_sheets: tuple[str, ...] = (),
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
        raise _empty()
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
    )


def _below_header(rows: Iterator[_Row], header_row: int | None) -> tuple[_Row, Iterator[_Row]]:
    """The row with the column names, and those below it."""
    if header_row is not None:
        found = next((row for row in rows if row[0] >= header_row), None)
        if found is None or found[0] != header_row:
            raise UnreadableFile(f"Row {header_row} is blank.", "Choose the row that holds the column names.")
        return found, rows
    head = list(itertools.islice(rows, HEADER_WITHIN))
    if not head:
        raise _empty()
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
        known = _known(row[1])
        score = len(known), Field.EMAIL in known, len(known) - sum(map(bool, row[1]))
        if known and score > most and (len(known) > 1 or not people):
            best, most = row, score
    return best, most


def _unknown_header(head: list[_Row]) -> _Row:
    """Of rows without a known name the first that is no title, a single cell above a person of several."""
    above = list(itertools.takewhile(lambda row: not any(map(is_address, row[1])), head))
    return next((row for row in above if len(row[1]) > 1), head[0]) if len(above) < len(head) else head[0]


def _known(names: Iterable[str]) -> set[Field]:
    return {known.field for known in map(recognise, names) if known}


def _nonblank(records: Iterable[_Record]) -> Iterator[_Row]:
    for number, record in records:
        if any(record):
            cells, changed = _cleaned(number, record)
            if cells:
                yield number, cells, changed, record


def _head(records: Iterable[_Record]) -> list[_Row]:
    return list(itertools.islice(_nonblank(records), HEADER_WITHIN))


def _cleaned(number: int, record: list[str]) -> tuple[list[str], int]:
    """The cells up to the last that is not empty, and how many were changed by cleaning."""
    if max(map(len, record)) > csv.field_size_limit():
        raise UnreadableFile(f"Line {number} has a cell that is too long.", "Shorten that cell and upload again.")
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
    if any(map(is_address, header)) or (any("@" in cell for cell in header) and not any(map(recognise, header))):
        email, role, groups = (f"“{field.heading}”" for field in Field)
        raise UnreadableFile(
            "The header row is missing.",
            f"Add a first row with the column names {email}, {role} and {groups}, and upload again.",
        )


def _too_long(most: str, advice: str) -> UnreadableFile:
    return UnreadableFile(f"This file has more than {most}.", advice)


def _empty() -> UnreadableFile:
    return UnreadableFile("This file is empty.", "Add at least one user below the header row.")


def _not_a_spreadsheet() -> UnreadableFile:
    return UnreadableFile(
        "This is not a spreadsheet.",
        "Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that.",
    )

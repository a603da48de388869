"""From the bytes of a text file to its rows: which encoding, which separator, where a cell ends."""

import codecs
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


def known_in(names: Iterable[str]) -> set[Field]:
    """The fields whose columns have such names."""
    return {name.field for name in map(recognise, names) if name}


# ---- what a file is


_OTHER_BINARY = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b")
_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - set(b"\t\n\x0b\x0c\r"))
_MARKUP = re.compile(
    r"""\s*(?:<(?:!|\?|(?:html|head|body|table|meta|style|svg|div)\b|[\w:]+>\s*<)|\{\\rtf|\{\s*"|\[\s*[{\["]|MIME-Version:|BEGIN:V)""",
    re.IGNORECASE,
)


_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|table|meta|style|div)\b", re.IGNORECASE | re.DOTALL)
_OFFICE_NAME = 55
"""So many bytes has the name in a lock file of Office, with its length before it."""
_LIBRE_OFFICE_LOCK = re.compile(rb",[^,\r\n]*,[^,\r\n]*,\d\d\.\d\d\.\d{4} \d\d:\d\d,file://[^,\r\n]*;\s*")


def _is_lock_file(data: bytes) -> bool:
    """Whether it is what Office (~$staff.xlsx: a length, a name, the name once more) or LibreOffice (.~lock.staff.ods#) leaves
    beside a workbook that is open."""
    is_short = 0 < len(data) < 1000
    return is_short and (_is_office_lock(data) or _LIBRE_OFFICE_LOCK.fullmatch(data) is not None)


def _is_office_lock(data: bytes) -> bool:
    if not 0 < data[0] < _OFFICE_NAME <= len(data) < 200 or data[1 + data[0] : _OFFICE_NAME].strip(b" \0"):
        return False
    return len(data) == _OFFICE_NAME or data[0] in data[_OFFICE_NAME - 1 : _OFFICE_NAME + 2]


def decoded(data: bytes) -> tuple[str, str]:
    """A text file's text and the name of its encoding."""
    if data.startswith(_OTHER_BINARY):
        raise errors.not_a_spreadsheet()
    if _is_lock_file(data):
        raise errors.lock_file()
    text, encoding = _decode(data)
    if _HTML.match(text):
        raise errors.web_page()
    if _MARKUP.match(text):
        raise errors.not_a_spreadsheet()
    return text, encoding


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        ways = [("utf-8-sig", "UTF-8 with BOM")]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        ways = [("utf-16", "UTF-16")]
    elif codec := _utf16_without_bom(data):
        ways = [(codec, "UTF-16")]
    elif _is_mostly_binary(data):
        raise errors.not_a_spreadsheet()
    else:
        ways = [("utf-8", "UTF-8"), (_MIXED, "UTF-8 and Windows-1252"), ("cp1252", "Windows-1252")]
    for codec, encoding in ways:
        try:
            text = _mixed(data) if codec == _MIXED else data.decode(codec)
        except UnicodeError:
            continue
        if "\0" in text:  # damaged, and no database stores it
            break
        if (codec == "cp1252" and _is_odd(text)) or (codec == _MIXED and _BEYOND_LATIN.search(text)):
            encoding += " with odd letters"
        if "\ufeff" in text:
            text = _INNER_BOM.sub("", text).lstrip("\ufeff")
        return text.removeprefix("ï»¿"), encoding
    raise UnreadableFileError("The text in this file cannot be read.", "Save it as “CSV UTF-8” and try again.")


_INNER_BOM = re.compile(r"(?<=[\r\n])\ufeff+(?=\")")
"""Where one file was put behind another; before a quote it would hide that a quoted cell begins."""
_SIGNS = "€‚ƒ„†‡ˆ‰‹›•˜¢£¤¥¦¨¬¯°±²³´µ¶¸¹¼½¾×÷§"
_ODD_LETTERS = re.compile(
    rf"""
    [À-ÿ]{{4}}
    | [a-zà-ÿ] [¹³¼¾¿£¥¯{_SIGNS}“”–—™©®] [a-zà-ÿ] | (?<!\w) [¯£¥] [a-zà-ÿ]{{2}}  # Polish, Czech, Mac Roman
    | [a-z] [ŠŽŸŒ] | [A-Z] Ÿ | [B-DF-HJ-NP-TV-Zb-df-hj-np-qs-tv-z] š [b-df-hj-np-tv-z]  # Mac Roman
    | [À-ÿŠšŽžŸŒœ“”‘’ªº{_SIGNS}] [{_SIGNS}] | [{_SIGNS}] [À-ÿŠšŽžŸŒœ] | [“”‘’] [ªº]  # Korean, Chinese, Japanese
    | [bcfghjkprvwxz] ’ [ao] \b  # Mac Roman
    | ø [áíý]  # Czech
    | [ƒ˜ˆ] [A-Za-z] | [–—] [À-ÿ] [–—]  # Japanese
    """,
    re.VERBOSE,
)
"""What no Western language has, but text in another encoding that is taken for Windows-1252."""
_TURKISH, _ICELANDIC = re.compile("[ðþýÐÞÝ]"), re.compile("[áíóúéæÁÍÓÚÉÆŠšŽž]")
_BEYOND_LATIN = re.compile("[\u0370-\u1cff]")
"""Letters of other scripts: beside Windows-1252 they are bytes of another encoding that look like UTF-8 by chance."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def _is_odd(text: str) -> bool:
    """Whether text that was taken for Windows-1252 is probably in another encoding, one that is not read.

    Turkish text then has letters of Icelandic, which seldom come without the other ones of that language. In Western
    languages letters outside ASCII seldom stand together.
    """
    if text.isascii():
        return False
    if _ODD_LETTERS.search(text) or (_TURKISH.search(text) and not _ICELANDIC.search(text)):
        return True
    runs = [len(run) for run in _NOT_ASCII.findall(text)]
    together = sum(runs) - len(runs)
    return together > 2 and together * 2 > sum(runs)


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


_FEW = 10


def _is_mostly_binary(data: bytes) -> bool:
    """More than one control character in 20: compressed data has about one in 10, text none.

    In a short file a few of them are no sign of that.
    """
    odd = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if odd <= _FEW and len(data.translate(None, _ASCII)) * 2 < len(data):
        return False
    return odd * 20 > len(data)


_ASCII = bytes(range(0x20, 0x7F))


# ---- CSV


_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)?"?[,;\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_HEADER_WINDOW = 200_000
_PIECE = 100_000
"""Letters that are read at once."""


class Text(NamedTuple):
    """A text's rows, and their separator. header_delimiter: that of the column names, where theirs is another."""

    rows: Iterator[Record]
    delimiter: str
    header_delimiter: str


def rows_of(text: str, delimiter: str | None = None) -> Text:
    """The rows of a text, and the separator, found where it is not given."""
    delimiter, header_delimiter = separators(text, delimiter)
    rows = unwrapped(records(_tidied(text, delimiter), delimiter), delimiter)
    if header_delimiter:
        rows = split_first_cells(rows, header_delimiter)
    return Text(rows, delimiter, header_delimiter)


def without_sep_line(text: str) -> tuple[str, str | None]:
    """The text below a first line `sep=;`, and the separator that this states."""
    if sep_line := _SEP_LINE.match(text):
        return text[sep_line.end() :], sep_line[1]
    return text, None


def separators(text: str, delimiter: str | None = None) -> tuple[str, str]:
    """The separator of the rows, and that of the column names where theirs is another, else "".

    A comma file that a German Excel shows in one column comes back so: `Email,Role,Groups;;` above `a@x.org;Analyst;Library`.
    """
    found = delimiter or delimiter_of(text)
    for each in DELIMITERS:
        if _has_its_own(text, each, found):
            return found, each
    if not delimiter:
        for each in DELIMITERS:
            if _has_its_own(text, found, each):
                return each, found
    return found, ""


def _has_its_own(text: str, names: str, rows: str) -> bool:
    """Whether the column names are one cell by the separator of the rows, and people are found by that alone."""
    if names == rows or names not in text or rows not in text:
        return False
    above = True
    by_rows = 0
    for cells in _first_lines(text, rows):
        if not above:
            by_rows += not is_first_cell_alone(cells) and _is_person(cells)  # a line that was left as it came tells nothing
        elif is_first_cell_alone(cells):
            above = len(known_in(map(clean, cells_within(cells[:1], names)))) < 2
    by_names = sum(_is_person(cells) and not cells[-1].endswith(rows) for cells in _first_lines(text, names))
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
    return sum(map(bool, cells)) > 1 and any(map(is_address, cells))


def split_first_cells(records: Iterable[Record], delimiter: str) -> Iterator[Record]:
    """The rows, and in place of one with nothing but a first cell the cells that this separator brings out of it."""
    for number, record in records:
        if is_first_cell_alone(record):
            record = cells_within(record[:1], delimiter)
        yield number, record


def delimiter_of(text: str) -> str:
    """The separator that brings the most known names out of one of the first lines, then the most people, then columns.

    Never csv.Sniffer: on unquoted groups it was seen to choose the letter "o".
    """
    first_word = re.search(r"\w", text)
    if first_word is None:
        raise errors.empty()
    before = text[: first_word.start()]
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    window = text[start : start + _HEADER_WINDOW]
    first_line = io.StringIO(window, newline="").readline()

    def score(delimiter: str) -> tuple[int, int, int, int]:
        lines: list[list[str]] = []
        try:
            found = (line for line in _reader(window, delimiter) if any(line))
            lines.extend(
                list(map(clean, cells_within(line, delimiter)[:MOST_COLUMNS])) for line in itertools.islice(found, HEADER_WITHIN)
            )
        except csv.Error:  # quotes that make no sense with this separator
            if not lines:
                return -1, 0, first_line.count(delimiter), 0
        known = max((len(known_in(line)) for line in lines), default=0)
        people = sum(any(map(is_address, line)) for line in lines)
        return known, people, len(lines[0]) if lines else 0, sum(map(len, lines))

    return max(DELIMITERS, key=score)


def cells_within(record: list[str], delimiter: str) -> list[str]:
    """The cells of a row that some program took for one, and put in quotes as a whole."""
    if len(record) != 1 or delimiter not in record[0]:
        return record
    try:
        lines = list(_reader(record[0], delimiter))
    except csv.Error:
        return record
    return lines[0] if len(lines) == 1 else record


def unwrapped(records: Iterable[Record], delimiter: str) -> Iterator[Record]:
    """The rows, and in place of one that was quoted as a whole its cells.

    That is so where column names come out, and below them; also where the rows above have three cells or more, and no
    more come out. A name with a comma that is the only cell of its row stays what it is.
    """
    widest, wrapped = 2, False
    for number, record in records:
        if len(record) == 1:
            inner = cells_within(record, delimiter)
            if inner is not record and len(inner) >= widest and (wrapped or widest > 2 or known_in(map(clean, inner))):
                record, wrapped = inner, True
        if len(record) > widest:
            widest = len(record)
        yield number, record


def _reader(text: str, delimiter: str) -> "_csv.Reader":
    # `a, "b, c"`, as people type it: only then, for the spaces that csv skips cannot be counted any more.
    spaced_quotes = ' "' in text and re.search(rf'(?:^|{re.escape(delimiter)}) +"', text, re.MULTILINE) is not None
    return csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=spaced_quotes, strict=True)


def _lines(text: str) -> Iterator[str]:
    """The lines, piece by piece, because StringIO takes four bytes for each letter. Not splitlines(), which also breaks at
    U+2028 and form feeds."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _PIECE) + 1 or len(text)
        yield from io.StringIO(text[start:end], newline="")
        start = end


def _tidied(text: str, delimiter: str) -> str:
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


def records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the row number that a spreadsheet shows, but for blank lines, which only count."""
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
            f"Line {number} has an opening quote without a closing one.", "Fix that line and upload again."
        )
    if "limit" in error:
        return errors.cell_too_long(number)
    return UnreadableFileError(
        f"Line {number} has a quote in the middle of a quoted cell.",
        "Remove it, or write it twice, and upload again.",
    )

"""The program that opens somebody else's workbook: run by `workbooks` in a process of its own, never imported by it.

A workbook of a few kilobytes can ask for gigabytes, and can abort the interpreter that reads it (calamine
allocates the whole rectangle between two far-apart cells). So this process sets limits to itself before it
looks at the first byte: memory, processor time, the length of its answer, no core file, and no file or socket
opened from then on. The only argument is JSON: {"sheet": name | null, "memory": bytes of address space, "seconds": of
processor time, "output": bytes of the answer, "rows": of the answer, "unpacked": bytes of all XML in the container,
"entries": of the container}.
The workbook is standard input; the answer is standard output, one JSON value a line:

    {"refused": "password" | "other" | "odd" | "large"}, or
    {"program": "Excel" | "OpenDocument", "sheets": [{"name": ..., "rows": ..., "head": [row, ...]}, ...], "chosen": name | null,
     "hidden": [number, ...], "links": [[number, column, address], ...],
     "merged": [[first row, last row, first column, last column], ...]}
    [number, [cell, ...]]    one such row for each of the chosen sheet that is not blank

`sheets` are the visible ones that hold data; `head` is the first rows of each; `number` is the row that the
spreadsheet shows. Chosen is the sheet that was asked for, or the only one with data; of that are `hidden`, rows that the
sheet or its filter hides, `links`, the addresses that cells write to, and `merged`, cells of several rows that are one
(columns counted from 0).
"""

import codecs
import contextlib
import datetime
import encodings.cp437
import encodings.utf_16  # noqa: F401 - as below
import errno
import html
import io
import itertools
import json
import os
import re
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

HEAD = 20
"""Rows of each sheet that are shown to whoever looks for a header."""

DAMAGED, TOO_MUCH = 1, 3
"""Exit statuses; any other but 0 means that Python or calamine gave up. Only with 0 does the answer count."""

Row = tuple[int, list[str]]
More = tuple[list[int], list[tuple[int, int, str]]]
"""Of a sheet: its hidden rows; and (row, column, address) of the cells with a link to write an e-mail."""


class WorkbookRefusedError(Exception):
    """The word that goes back to the parent instead of the sheets."""


def main() -> None:
    """Answer for the workbook on standard input."""
    asked = json.loads(sys.argv[1])
    _limit(asked)
    try:
        _answer(*_opened(sys.stdin.buffer.read(), asked["unpacked"], asked["entries"]), asked["sheet"], asked["rows"])
    except WorkbookRefusedError as refused:
        _say({"refused": str(refused)})
    except PasswordError:
        _say({"refused": "password"})
    except MemoryError:
        os._exit(TOO_MUCH)  # at once, whatever was said already
    except OSError as error:
        os._exit(TOO_MUCH if error.errno == errno.EFBIG else DAMAGED)
    except (CalamineError, zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, NotImplementedError, ValueError):
        os._exit(DAMAGED)


def _limit(asked: dict[str, Any]) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, asked["memory"]),
        (resource.RLIMIT_CPU, asked["seconds"]),
        (resource.RLIMIT_FSIZE, asked["output"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 3),  # the three there are: what is imported was imported above
    ):
        hardest = resource.getrlimit(kind)[1]
        most = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses the limit of memory; the others still hold
            resource.setrlimit(kind, (most, most))


def _answer(program: str, workbook: CalamineWorkbook, more: dict[str, More], wanted: str | None, most_rows: int) -> None:
    sheets: list[dict[str, Any]] = []
    opened: dict[str, CalamineSheet] = {}
    for about in workbook.sheets_metadata:
        if about.visible != SheetVisibleEnum.Visible or about.typ != SheetTypeEnum.WorkSheet or about.name in opened:
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        head: list[Row] = []
        count = 0
        for row in _rows(sheet):
            count += 1
            if count <= HEAD:
                head.append(row)
        if count:
            opened[about.name] = sheet
            sheets.append({"name": about.name, "rows": count, "head": head})
    chosen = wanted if wanted in opened else next(iter(opened)) if wanted is None and len(opened) == 1 else None
    hidden, links = more.get(chosen or "", ([], []))
    merged = _merged(opened[chosen]) if chosen else []
    _say({"program": program, "sheets": sheets, "chosen": chosen, "hidden": hidden, "links": links, "merged": merged})
    if chosen is not None:
        for row in itertools.islice(_rows(opened[chosen]), most_rows):
            _say(row)
    sys.stdout.flush()


MOST_MERGED = 10_000


def _merged(sheet: CalamineSheet) -> list[list[int]]:
    found = itertools.islice(sheet.merged_cell_ranges or (), MOST_MERGED)
    return [[top + 1, bottom + 1, left, right] for (top, left), (bottom, right) in found if bottom > top]


def _rows(sheet: CalamineSheet) -> Iterator[Row]:
    """The rows that are not blank, with the spreadsheet's own numbers and from its first column on."""
    if sheet.start is None:
        return
    left = [""] * sheet.start[1]  # iter_rows() puts the blank rows above the data back, but not these
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [value if type(value) is str else _text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if any(cell.strip() for cell in cells):
            yield number, [_plain(cell) for cell in left + cells]


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _plain(cell: str) -> str:
    """Without NUL, which no database stores, and without the escapes of control characters in .xlsx
    (ECMA-376 part 1, 22.9.2.19: _x000D_ is a carriage return, _x005F_ an underscore)."""
    if "_x" in cell:
        cell = _ESCAPED.sub(_unescaped, cell)
    return cell.replace("\0", "")


def _unescaped(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    return chr(code) if code < 0x20 or code == 0x5F else escape[0]


def _text(value: Any) -> str:
    """A value as its cell shows it in most formats: whole numbers plain, dates as ISO 8601, times over a day too."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case float():
            return f"{value:.15g}"  # a spreadsheet keeps 15 digits: 0.3, not 0.30000000000000004
        case datetime.timedelta():
            seconds = round(value.total_seconds())
            minutes, seconds = divmod(abs(seconds), 60)
            return f"{'-' if value < datetime.timedelta() else ''}{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case datetime.date() | datetime.time():  # a datetime is a date
            return value.isoformat()
    return str(value)


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")


# ---- the container


_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
_WORKBOOK = re.compile(r"(?:.*/)?workbook\.(?:xml|bin)", re.IGNORECASE)  # in xl/, but a few programs have no folders
_PARTS = re.compile(r".*\.(?:xml|rels|bin)", re.IGNORECASE)
_PICTURES = re.compile(r"xl/(?:media|drawings|charts|theme|printersettings|externallinks|pivot[^/]*)/|xl/vba", re.IGNORECASE)


def _opened(data: bytes, unpacked: int, entries: int) -> tuple[str, CalamineWorkbook, dict[str, More]]:
    """The program, the workbook, and what calamine does not tell of its sheets, by their names."""
    if not data.startswith(b"PK"):
        if _is_protected(data):
            raise WorkbookRefusedError("password")
        return "Excel", CalamineWorkbook.from_filelike(io.BytesIO(data)), {}
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        if len(container.infolist()) > entries:
            raise WorkbookRefusedError("large")
        # Some programs write \ between folders.
        parts = {part.filename.replace("\\", "/"): part for part in container.infolist() if not part.is_dir()}
        if "[Content_Types].xml" in parts and any(map(_WORKBOOK.fullmatch, parts)):
            program, wanted = "Excel", [name for name in parts if _PARTS.fullmatch(name) and not _PICTURES.match(name)]
        elif _is_open_document(container, parts):
            program, wanted = "OpenDocument", [name for name in parts if name == "content.xml"]
        else:
            raise WorkbookRefusedError("other")
        if any(parts[name].flag_bits & 1 for name in wanted):
            raise WorkbookRefusedError("password")
        if sum(parts[name].file_size for name in wanted) > unpacked:
            raise WorkbookRefusedError("large")
        file, more = _repacked(container, {name: parts[name] for name in wanted})
        return program, CalamineWorkbook.from_filelike(file), more


_BEGINNING = re.compile(rb"\x09\x08[\x08\x10]\x00\x00[\x05\x06]\x05\x00")


def _is_protected(data: bytes) -> bool:
    """Whether an .xls has a FilePass record among its first ones (MS-XLS 2.4.117): calamine says only "no workbook"."""
    if beginning := _BEGINNING.search(data):
        at = beginning.start()
        for _ in range(4):
            kind, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
            if kind == 0x2F:
                return True
            at += 4 + length
    return False


def _is_open_document(container: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> bool:
    manifest = b""
    if (entry := parts.get("META-INF/manifest.xml")) and entry.file_size < 1 << 20:
        manifest = container.read(entry)
    kind = parts.get("mimetype")
    stated = container.read(kind) if kind and kind.file_size < 100 else manifest
    if _OPEN_DOCUMENT not in stated:
        return False
    if b"encryption-data" in manifest:
        raise WorkbookRefusedError("password")
    return True


def _repacked(container: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> tuple[io.BytesIO, dict[str, More]]:
    """The same workbook with nothing in it but what is read, each part no longer than it said it was; and what calamine
    does not tell of its sheets."""
    file = io.BytesIO()
    more: dict[str, More] = {}
    formats = next((_formats(_part(container, parts[name])) for name in parts if name.lower().endswith("styles.xml")), {})
    names = _sheet_names(container, parts)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as package:
        if "content.xml" in parts:
            package.writestr("mimetype", _OPEN_DOCUMENT)
            package.writestr("META-INF/manifest.xml", "<manifest/>")
        for name, entry in parts.items():
            part = _part(container, entry)
            if name.lower().endswith((".xml", ".rels")) and b"<!DOCTYPE" in part:
                raise WorkbookRefusedError("odd")  # entities, external ones among them: no spreadsheet program writes any
            if name == "content.xml":
                expat.ParserCreate().Parse(part, True)  # calamine never ends where a table does not
                more = {name: (rows, []) for name, rows in _hidden_in_document(part).items()}
                part = _open_document_sheets(part)
            elif name.lower().endswith(".xml") and not name.lower().endswith("sharedstrings.xml"):
                if name in names:
                    hidden = [int(row[1]) for row in _HIDDEN_ROW.finditer(part)]
                    more[names[name]] = hidden, _links(container, parts, name, part)
                part = _excel_sheet(part, formats)
            package.writestr(name, part)
    file.seek(0)
    return file, more


def _part(container: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    part = container.read(entry)
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # XML may be so; calamine would find nothing in it
        part = part.decode("utf-16").encode()
    return part


_HIDDEN_ROW = re.compile(rb"""<(?:\w+:)?row\s(?=[^<>]*?\shidden=["'](?:1|true)["'])[^<>]*?\br=["'](\d{1,7})["']""")
_ATTRIBUTE = re.compile(rb"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s([^<>]*)>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s([^<>]*)>")


def _attributes(tag: bytes) -> dict[str, str]:
    """The attributes of a tag, without the prefixes of their names."""
    found = _ATTRIBUTE.findall(tag)
    return {name.decode().rpartition(":")[2].lower(): html.unescape((one or other).decode()) for name, one, other in found}


_LINK = re.compile(rb"<(?:\w+:)?hyperlink\s([^<>]*)>")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})(?::.*)?")
MOST_LINKS = 100_000


def _links(container: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo], name: str, part: bytes) -> list[tuple[int, int, str]]:
    folder, _, file = name.rpartition("/")
    relations = f"{folder}/_rels/{file}.rels".lstrip("/")
    if relations not in parts or b"hyperlink" not in part:
        return []
    targets = {}
    for tag in _RELATION.findall(_part(container, parts[relations])):
        about = _attributes(tag)
        if about.get("target", "").lower().startswith("mailto:"):
            targets[about.get("id", "")] = about["target"][len("mailto:") :].partition("?")[0]
    found = []
    for tag in itertools.islice(_LINK.findall(part), MOST_LINKS):
        about = _attributes(tag)
        cell = _CELL.fullmatch(about.get("ref", ""))
        if cell and about.get("id") in targets:
            column = 0
            for letter in cell[1]:
                column = column * 26 + ord(letter) - 64
            found.append((int(cell[2]), column - 1, targets[about["id"]]))
    return found


def _sheet_names(container: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """The names of an Excel workbook's sheets, by their parts."""
    book = next((name for name in parts if name.lower().endswith("workbook.xml")), None)
    folder, _, file = (book or "").rpartition("/")
    relations = f"{folder}/_rels/{file}.rels".lstrip("/")
    if book is None or relations not in parts:
        return {}
    targets = {}
    for tag in _RELATION.findall(_part(container, parts[relations])):
        about = _attributes(tag)
        target = about.get("target", "")
        targets[about.get("id", "")] = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}".lstrip("/")
    named = (_attributes(tag) for tag in _SHEET.findall(_part(container, parts[book])))
    return {targets[about["id"]]: about["name"] for about in named if about.get("id") in targets and "name" in about}


_DIMENSION = re.compile(rb"<((?:\w+:)?dimension)\b[^<>]*(?:/>|>\s*</\1>)")
_ERROR = re.compile(rb"""(<(?:\w+:)?c\s(?:[^<>]*?\s)?t=)(["'])e\2""")


def _excel_sheet(part: bytes, formats: dict[bytes, tuple[str, int, str]]) -> bytes:
    """A sheet without the size that it claims to have, and with its errors (#N/A) as text: calamine drops them.

    Formulas without a stored result are shown as they are, and numbers as their formats show them, as far as those are simple.
    """
    part = _ERROR.sub(rb"\1\2str\2", _DIMENSION.sub(b"", part))
    if b"<f" in part or b":f" in part:
        part = _FORMULA.sub(_without_result, part)
    return _NUMBER.sub(lambda cell: _as_shown(cell, formats), part) if formats else part


_FORMULA = re.compile(
    rb"<((?:\w+:)?)c(\s[^<>]*)>\s*<\1f\b(?:[^<>]*/>|[^<>]*>([^<]*)</\1f>)\s*(?:<\1v\s*/>|<\1v>\s*</\1v>)?\s*</\1c>"
)
_TYPE = re.compile(rb"""\st=["'](\w+)["']""")


def _without_result(cell: re.Match[bytes]) -> bytes:
    """A cell whose formula has no stored result: the formula as text. A stored text may be empty, and then that is the result."""
    prefix, attributes, formula = cell[1], cell[2], cell[3] or b"?"
    kind = _TYPE.search(attributes)
    if kind and kind[1] == b"str":
        return cell[0]
    attributes = _TYPE.sub(b"", attributes)
    return b'<%bc%b t="str"><%bv>=%b</%bv></%bc>' % (prefix, attributes, prefix, formula, prefix, prefix)


_NUMBER = re.compile(rb"""<((?:\w+:)?)c(\s[^<>]*?\bs=["'](\d{1,5})["'][^<>]*)>\s*<\1v>(\d{1,15})</\1v>\s*</\1c>""")


def _as_shown(cell: re.Match[bytes], formats: dict[bytes, tuple[str, int, str]]) -> bytes:
    """A whole number as the cell shows it: 007, Year 7."""
    prefix, attributes, style, digits = cell[1], cell[2], cell[3], cell[4]
    kind = _TYPE.search(attributes)
    if style not in formats or (kind and kind[1] != b"n"):
        return cell[0]
    before, width, after = formats[style]
    text = html.escape(f"{before}{digits.decode().zfill(width)}{after}").encode()
    attributes = _TYPE.sub(b"", attributes)
    return b'<%bc%b t="str"><%bv>%b</%bv></%bc>' % (prefix, attributes, prefix, text, prefix, prefix)


_FORMAT = re.compile(rb"<(?:\w+:)?numFmt\s([^<>]*)>")
_CELL_FORMATS = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_CELL_FORMAT = re.compile(rb"<(?:\w+:)?xf\s([^<>]*)>")
_LITERAL = r'(?:"[^"]*"|\\.|[ \-_()])*'
_SIMPLE = re.compile(rf"({_LITERAL})(0+)({_LITERAL})(?:;.*)?")


def _formats(styles: bytes) -> dict[bytes, tuple[str, int, str]]:
    """The formats of whole numbers with letters or leading zeros, by the number of the cell format: what stands before, how many
    digits there are at least, what stands behind."""
    simple = {}
    for tag in _FORMAT.findall(styles):
        about = _attributes(tag)
        found = _SIMPLE.fullmatch(about.get("formatcode", ""))
        if found and about["formatcode"] != "0":
            simple[about.get("numfmtid")] = _literal(found[1]), len(found[2]), _literal(found[3])
    cell_formats = _CELL_FORMATS.search(styles)
    kinds = (_attributes(tag).get("numfmtid") for tag in _CELL_FORMAT.findall(cell_formats[0] if cell_formats else b""))
    return {str(place).encode(): simple[kind] for place, kind in enumerate(kinds) if kind in simple}


def _literal(text: str) -> str:
    return re.sub(r"\\(.)|\"|_.", lambda found: found[1] or "", text)


_BETWEEN = re.compile(rb">\s+(?=</?table:)|<!--.*?-->", re.DOTALL)
_BREAK = re.compile(rb"<text:(line-break|tab)\b[^<>]*(?:/>|>\s*</text:\1>)")
_ERROR_CELL = re.compile(rb"""<table:(?:covered-)?table-cell\s[^<]*?\bcalcext:value-type=(["'])error\1""")
_VALUE = re.compile(rb"""\soffice:(?:string-)?value=(?:"[^"]*"|'[^']*')|\soffice:value-type=(?:"[^"]*"|'[^']*')""")


_SHAPE_TAG = re.compile(
    rb"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<ends>/?)draw:(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.DOTALL
)
"""The beginning or the end of a drawn shape; or what may hold the letters of one and is none."""


def _without_shapes(part: bytes) -> bytes:
    """The same without drawn shapes and all that is within them; one look at each tag, however deep they are."""
    kept, depth, here = [], 0, 0
    for tag in _SHAPE_TAG.finditer(part):
        if tag["ends"] is None:  # a comment
            continue
        if depth == 0:
            kept.append(part[here : tag.start()])
        if tag["ends"]:
            depth -= 1
        elif not tag[0].endswith(b"/>"):
            depth += 1
        if depth == 0:
            here = tag.end()
    return b"".join(kept) + part[here:]


def _open_document_sheets(part: bytes) -> bytes:
    """The sheets with their errors as text, with the tabs and line breaks within paragraphs, and without white space
    or comments between cells: calamine reads an error as "" or 0, drops the tabs and breaks, and stumbles over those.
    Without drawn shapes too, whose text it takes for that of the cell where they begin."""
    part = _without_shapes(part)
    part = _BETWEEN.sub(lambda found: b">" if found[0].startswith(b">") else b"", part)
    part = _BREAK.sub(lambda found: b"\t" if found[1] == b"tab" else b"\n", part)
    part = _DOCUMENT_FORMULA.sub(_without_result_in_document, part)
    part = _DOCUMENT_NUMBER.sub(_as_shown_in_document, part)
    return _ERROR_CELL.sub(lambda cell: _VALUE.sub(b"", cell[0]) + b' office:value-type="string"', part)


_DOCUMENT_FORMULA = re.compile(
    rb"""<table:table-cell(\s[^<>]*?table:formula=(?:"(?:of:)?([^"]*)"|'(?:of:)?([^']*)')[^<>]*?)(?:/>|></table:table-cell>)"""
)


def _without_result_in_document(cell: re.Match[bytes]) -> bytes:
    """The same in an OpenDocument: a formula without a stored result as text."""
    if b"office:value-type" in cell[1]:
        return cell[0]
    formula = cell[2] or cell[3]
    return b'<table:table-cell%b office:value-type="string"><text:p>%b</text:p></table:table-cell>' % (cell[1], formula)


_DOCUMENT_NUMBER = re.compile(
    rb"""(<table:table-cell\s[^<>]*?office:value=(["'])(\d{1,15})\2[^<>]*>)<text:p>([^<>]*)</text:p></table:table-cell>"""
)
_FLOAT = re.compile(rb"""office:value-type=(["'])float\1""")


def _as_shown_in_document(cell: re.Match[bytes]) -> bytes:
    """A whole number as the cell shows it, where that is the number with zeros before it or words around it."""
    beginning, digits, shown = cell[1], cell[3], cell[4]
    if shown == digits or not _FLOAT.search(beginning) or not re.fullmatch(rb"\D*0*%b\D*" % digits, shown):
        return cell[0]
    beginning = _VALUE.sub(b"", beginning)[:-1] + b' office:value-type="string">'
    return b"%b<text:p>%b</text:p></table:table-cell>" % (beginning, shown)


_TABLE_OR_ROW = re.compile(rb"<table:(table-row|table)(?=[\s/>])([^<>]*)>")


def _hidden_in_document(part: bytes) -> dict[str, list[int]]:
    """The numbers of hidden and filtered rows, by the name of their sheet."""
    hidden: dict[str, list[int]] = {}
    rows: list[int] = []
    number = 0
    for tag in _TABLE_OR_ROW.finditer(part):
        about = _attributes(tag[2])
        if tag[1] == b"table":
            rows = hidden.setdefault(about.get("name", ""), [])
            number = 0
            continue
        repeated = int(about.get("number-rows-repeated", "1")[:7])
        if about.get("visibility") in ("collapse", "filter"):
            rows += range(number + 1, number + 1 + min(repeated, MOST_HIDDEN))
        number += repeated
    return hidden


MOST_HIDDEN = 1000


if __name__ == "__main__":
    main()

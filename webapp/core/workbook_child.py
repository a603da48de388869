"""The program that opens somebody else's workbook: run by `workbooks` in a process of its own, never imported by it.

A workbook of a few kilobytes can ask for gigabytes, and can abort the interpreter that reads it (calamine
allocates the whole rectangle between two far-apart cells). So this process sets limits to itself before it
looks at the first byte: memory, processor time, the length of its answer, no core file, and no file or socket
opened from then on. The only argument is JSON: {"sheet": name | null, "memory": bytes of address space, "seconds": of
processor time, "output": bytes of the answer, "rows": of the answer, "unpacked": bytes of all XML in the container,
"entries": of the container}.
The workbook is standard input; the answer is standard output, one JSON value a line:

    {"refused": "password" | "other" | "odd" | "large"}, or
    {"program": "Excel" | "OpenDocument", "sheets": [{"name": ..., "rows": ..., "head": [row, ...]}, ...], "chosen": name | null}
    [number, [cell, ...]]    one such row for each of the chosen sheet that is not blank

`sheets` are the visible ones that hold data; `head` is the first rows of each; `number` is the row that the
spreadsheet shows. Chosen is the sheet that was asked for, or the only one with data.
"""

import codecs
import contextlib
import datetime
import encodings.cp437
import encodings.utf_16  # noqa: F401 - as below
import errno
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


class Refused(Exception):
    """The word that goes back to the parent instead of the sheets."""


def main() -> None:
    """Answer for the workbook on standard input."""
    asked = json.loads(sys.argv[1])
    _limit(asked)
    try:
        _answer(*_opened(sys.stdin.buffer.read(), asked["unpacked"], asked["entries"]), asked["sheet"], asked["rows"])
    except Refused as refused:
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


def _answer(program: str, workbook: CalamineWorkbook, wanted: str | None, most_rows: int) -> None:
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
    _say({"program": program, "sheets": sheets, "chosen": chosen})
    if chosen is not None:
        for row in itertools.islice(_rows(opened[chosen]), most_rows):
            _say(row)
    sys.stdout.flush()


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


def _opened(data: bytes, unpacked: int, entries: int) -> tuple[str, CalamineWorkbook]:
    if not data.startswith(b"PK"):
        if _is_protected(data):
            raise Refused("password")
        return "Excel", CalamineWorkbook.from_filelike(io.BytesIO(data))
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        if len(container.infolist()) > entries:
            raise Refused("large")
        # Some programs write \ between folders.
        parts = {part.filename.replace("\\", "/"): part for part in container.infolist() if not part.is_dir()}
        if "[Content_Types].xml" in parts and any(map(_WORKBOOK.fullmatch, parts)):
            program, wanted = "Excel", [name for name in parts if _PARTS.fullmatch(name) and not _PICTURES.match(name)]
        elif _is_open_document(container, parts):
            program, wanted = "OpenDocument", [name for name in parts if name == "content.xml"]
        else:
            raise Refused("other")
        if any(parts[name].flag_bits & 1 for name in wanted):
            raise Refused("password")
        if sum(parts[name].file_size for name in wanted) > unpacked:
            raise Refused("large")
        return program, CalamineWorkbook.from_filelike(_repacked(container, {name: parts[name] for name in wanted}))


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
        raise Refused("password")
    return True


def _repacked(container: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> io.BytesIO:
    """The same workbook with nothing in it but what is read, each part no longer than it said it was."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as package:
        if "content.xml" in parts:
            package.writestr("mimetype", _OPEN_DOCUMENT)
            package.writestr("META-INF/manifest.xml", "<manifest/>")
        for name, entry in parts.items():
            part = container.read(entry)
            if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # XML may be so; calamine would find nothing in it
                part = part.decode("utf-16").encode()
            if name.lower().endswith((".xml", ".rels")) and b"<!DOCTYPE" in part:
                raise Refused("odd")  # entities, external ones among them: no spreadsheet program writes any
            if name == "content.xml":
                expat.ParserCreate().Parse(part, True)  # calamine never ends where a table does not
                part = _open_document_sheets(part)
            elif name.lower().endswith(".xml") and not name.lower().endswith("sharedstrings.xml"):
                part = _excel_sheet(part)
            package.writestr(name, part)
    file.seek(0)
    return file


_DIMENSION = re.compile(rb"<((?:\w+:)?dimension)\b[^<>]*(?:/>|>\s*</\1>)")
_ERROR = re.compile(rb"""(<(?:\w+:)?c\s(?:[^<>]*?\s)?t=)(["'])e\2""")


def _excel_sheet(part: bytes) -> bytes:
    """A sheet without the size that it claims to have, and with its errors (#N/A) as text: calamine drops them."""
    return _ERROR.sub(rb"\1\2str\2", _DIMENSION.sub(b"", part))


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
    return _ERROR_CELL.sub(lambda cell: _VALUE.sub(b"", cell[0]) + b' office:value-type="string"', part)


if __name__ == "__main__":
    main()

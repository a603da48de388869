"""The program that opens an uploaded workbook. `workbook` runs it in a process of its own and never imports it.

A workbook of a few kilobytes can ask for gigabytes, and can abort the interpreter that reads it (calamine allocates the
whole rectangle between two far-apart cells). So this process limits itself before it looks at the first byte: memory,
processor time, the length of its answer, no core file, and no file or socket opened from then on.

The only argument is JSON: {"memory": bytes of address space, "seconds": of processor time, "output": bytes of the answer}.
The workbook is standard input. The answer is JSON on standard output; it counts only if the exit status is 0:

    {"program": "Excel" | "OpenDocument", "sheets": [{"name": ..., "records": [[number, [cell, ...]], ...],
     "hidden": [number, ...], "merged": [number, ...]}, ...]}

`sheets` are the visible ones that hold data. `number` is the row that the spreadsheet shows. `hidden` are the rows that an
Excel sheet or its filter hides, `merged` those below the first in a cell of several rows. The exit status is 3 if the workbook is
too large, and 1 for all else that Python or calamine stumbles over.
"""

# ruff: noqa: S314 - XML that expands without end meets the limits of this process, and there are no files to be included

import contextlib
import datetime  # noqa: F401 - for calamine; nothing can be imported later
import encodings.cp437  # noqa: F401 - file names in archives
import io
import itertools
import json
import os
import posixpath
import re
import resource
import sys
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from python_calamine import (
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

MOST_ENTRIES = 10_000
MOST_UNPACKED = 256 << 20
MOST_ROWS = 101_000
MOST_MERGED = 1000
"""Entries of the archive, bytes of its XML, rows of a sheet, and merged cells of a sheet that are told. Further rows are left
out: the caller takes fewer than this, and sees that there are too many."""
LARGE = 3

Contents = dict[str, bytes]
Hidden = dict[str, list[int]]
"""The numbers of hidden rows, by the name of their sheet."""


def main() -> None:
    """Answer for the workbook on standard input."""
    _set_limits(json.loads(sys.argv[1]))
    try:
        program, book, hidden = _open(sys.stdin.buffer.read())
        answer = {"program": program, "sheets": list(_read_sheets(book, hidden))}
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()
    except (MemoryError, OSError):
        os._exit(LARGE)  # at once: an answer that is too long would fail again


def _set_limits(asked: dict[str, int]) -> None:
    limits = {
        resource.RLIMIT_AS: asked["memory"],
        resource.RLIMIT_CPU: asked["seconds"],
        resource.RLIMIT_FSIZE: asked["output"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 3,  # the three there are
    }
    for kind, most in limits.items():
        # refused where a lower one is set already; macOS refuses the limit of memory
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


_PARTS = re.compile(r"mimetype|.*\.(?:xml|rels|bin)", re.IGNORECASE)


def _open(data: bytes) -> tuple[str, CalamineWorkbook, Hidden]:
    """The program that writes such workbooks, the workbook, and its hidden rows."""
    if not data.startswith(b"PK"):
        return "Excel", CalamineWorkbook.from_filelike(io.BytesIO(data)), {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [part for part in archive.infolist() if _PARTS.fullmatch(part.filename)]
        size = sum(part.file_size for part in parts)
        if len(archive.infolist()) > MOST_ENTRIES or size > MOST_UNPACKED:
            raise MemoryError
        # some programs write \ between folders
        contents = {part.filename.replace("\\", "/"): archive.read(part) for part in parts}
    if "content.xml" in contents:
        program, hidden = "OpenDocument", {}
        contents["content.xml"] = _prepare_open_document(contents["content.xml"])
    else:
        program, hidden = "Excel", _prepare_excel(contents)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in list(contents):
            archive.writestr(name, contents.pop(name))
    packed.seek(0)
    return program, CalamineWorkbook.from_filelike(packed), hidden


_HIDDEN_ROW = re.compile(
    rb"""<(?:\w+:)?row\s(?=[^<>]*?\shidden=["'](?:1|true)["'])[^<>]*?\br=["'](\d{1,7})["']"""
)
_ERROR = re.compile(rb"""(<(?:\w+:)?c\s(?:[^<>]*?\s)?t=)(["'])e\2""")
_NO_RESULT = re.compile(
    rb"""(<(\w+:)?c\s[^<>]*?)(?:\st="\w+")?>\s*<(?:\w+:)?f\b[^<>]*>([^<]*)</(?:\w+:)?f>\s*(?:<(?:\w+:)?v\s*/>)?\s*</(?:\w+:)?c>"""
)


def _prepare_excel(contents: Contents) -> Hidden:
    """Turn errors (#N/A) and formulas without a stored result into text, which calamine reads as "". -> the hidden rows."""
    hidden = {}
    for name, path in _find_sheets(contents).items():
        sheet = contents.get(path, b"")
        hidden[name] = [int(number) for number in _HIDDEN_ROW.findall(sheet)]
        sheet = _NO_RESULT.sub(rb'\1 t="str"><\2v>=\3</\2v></\2c>', sheet)
        contents[path] = _ERROR.sub(rb"\1\2str\2", sheet)
    return hidden


def _find_sheets(contents: Contents) -> dict[str, str]:
    """The parts of the sheets by their names. There are none in an .xlsb."""
    if "xl/workbook.xml" not in contents:
        return {}
    relations = ElementTree.fromstring(contents["xl/_rels/workbook.xml.rels"])
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    found = {}
    for sheet in ElementTree.fromstring(contents["xl/workbook.xml"]).iterfind(".//{*}sheet"):
        relation_id = next(value for name, value in sheet.items() if name.endswith("}id"))
        found[sheet.attrib["name"]] = posixpath.join("xl", targets[relation_id]).lstrip("/")
    return found


_BREAK = re.compile(rb"<text:(line-break|tab)\s*/>")
_VALUE_OF_ERROR = re.compile(
    rb"""\soffice:string-value="[^"]*"(?=[^<>]*\scalcext:value-type="error")"""
)


def _prepare_open_document(content: bytes) -> bytes:
    """Keep tabs and line breaks within paragraphs, and the text of errors, which calamine drops."""
    ElementTree.fromstring(content)  # whole, or calamine looks for the end of a table without end
    content = _VALUE_OF_ERROR.sub(b"", content)
    return _BREAK.sub(lambda found: b"\t" if found[1] == b"tab" else b"\n", content)


def _read_sheets(book: CalamineWorkbook, hidden: Hidden) -> Iterator[dict[str, Any]]:
    for about in book.sheets_metadata:
        if about.visible != SheetVisibleEnum.Visible or about.typ != SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(about.name)
        records = list(itertools.islice(_read_rows(sheet), MOST_ROWS))
        if records:
            last = records[-1][0]
            merged: set[int] = set()
            for (top, _), (bottom, _) in (sheet.merged_cell_ranges or ())[:MOST_MERGED]:
                # they count from 0
                merged.update(range(top + 2, min(bottom + 1, last) + 1))
            yield {
                "name": about.name,
                "records": records,
                "hidden": hidden.get(about.name, []),
                "merged": sorted(merged),
            }


def _read_rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the spreadsheet's own numbers and from its first column on."""
    if sheet.start is None:
        return
    # iter_rows() puts the blank rows above the data back, but not these
    left = [""] * sheet.start[1]
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [_format(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if any(cell.strip() for cell in cells):
            yield number, left + cells


def _format(value: Any) -> str:
    """A value as its cell shows it in most formats: whole numbers plain, dates as ISO 8601."""
    if isinstance(value, float):
        # a spreadsheet keeps 15 digits: 0.3, not 0.30000000000000004
        return f"{value:.15g}"
    return str(value).replace("\0", "")  # which no database stores


if __name__ == "__main__":
    main()

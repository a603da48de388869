"""The program that opens an uploaded workbook. `workbook` runs it in a process of its own and never imports it.

A workbook of a few kilobytes can ask for gigabytes, and can abort the interpreter that reads it (calamine allocates the
whole rectangle between two far-apart cells). So this process limits itself before it looks at the first byte: memory,
processor time, the length of its answer, no core file, and no file or socket opened from then on.

The only argument is JSON: {"memory": bytes of address space, "seconds": of processor time, "output": bytes of the answer,
"rows": of each sheet, "unpacked": bytes of all XML in the container, "entries": of the container}. The workbook is standard
input. The answer is standard output, one JSON value a line: first the rows that are not blank, sheet by sheet, as
[number, [cell, ...]], and last either {"refused": "password" | "other" | "odd" | "large"} or

    {"program": "Excel" | "OpenDocument", "sheets": [{"name": ..., "rows": how many, "hidden": [number, ...],
     "links": [[number, column, address], ...], "merged": [[first row, last row, first column, last column], ...]}, ...]}

`sheets` are the visible ones that hold data; `number` is the row that the spreadsheet shows; columns count from 0. `hidden`
are the rows that the sheet or its filter hides, `links` the addresses that cells write to, `merged` cells of several rows.
"""

import contextlib
import datetime
import encodings.cp437
import encodings.utf_16  # noqa: F401 - as below
import errno
import itertools
import json
import os
import re
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

sys.path.append(str(Path(__file__).parents[3]))  # -I leaves it out
from webapp.core.files.workbook_container import Extras, WorkbookRefusedError, open_container

DAMAGED, TOO_MUCH = 1, 3
"""Exit statuses; any other but 0 means that Python or calamine gave up. Only with 0 does the answer count."""
MOST_MERGED = 10_000

Row = tuple[int, list[str]]


def main() -> None:
    """Answer for the workbook on standard input."""
    asked = json.loads(sys.argv[1])
    _set_limits(asked)
    try:
        data = sys.stdin.buffer.read()
        _answer(*open_container(data, asked["unpacked"], asked["entries"]), asked["rows"])
    except WorkbookRefusedError as refused:
        _say({"refused": str(refused)})
    except PasswordError:
        _say({"refused": "password"})
    except MemoryError:
        os._exit(TOO_MUCH)  # at once, whatever was said already
    except OSError as error:
        os._exit(TOO_MUCH if error.errno == errno.EFBIG else DAMAGED)
    except (
        CalamineError,
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        EOFError,
        NotImplementedError,
        ValueError,
    ):
        os._exit(DAMAGED)


def _set_limits(asked: dict[str, Any]) -> None:
    limits = {
        resource.RLIMIT_AS: asked["memory"],
        resource.RLIMIT_CPU: asked["seconds"],
        resource.RLIMIT_FSIZE: asked["output"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 3,  # the three there are: what is imported was imported above
    }
    for kind, most in limits.items():
        hardest = resource.getrlimit(kind)[1]
        if hardest != resource.RLIM_INFINITY:
            most = min(most, hardest)
        # macOS refuses the limit of memory; the others still hold
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _answer(
    program: str, workbook: CalamineWorkbook, extras: dict[str, Extras], most_rows: int
) -> None:
    sheets: dict[str, dict[str, Any]] = {}
    for about in workbook.sheets_metadata:
        is_shown = (
            about.visible == SheetVisibleEnum.Visible and about.typ == SheetTypeEnum.WorkSheet
        )
        if not is_shown or about.name in sheets:
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        count = 0
        for row in itertools.islice(_read_rows(sheet), most_rows):
            _say(row)
            count += 1
        if count:
            more = extras.get(about.name, Extras())
            found = {
                "rows": count,
                "hidden": more.hidden,
                "links": more.links,
                "merged": _find_merged(sheet),
            }
            sheets[about.name] = {"name": about.name, **found}
    _say({"program": program, "sheets": list(sheets.values())})
    sys.stdout.flush()


def _find_merged(sheet: CalamineSheet) -> list[list[int]]:
    found = itertools.islice(sheet.merged_cell_ranges or (), MOST_MERGED)
    return [
        [top + 1, bottom + 1, left, right] for (top, left), (bottom, right) in found if bottom > top
    ]


def _read_rows(sheet: CalamineSheet) -> Iterator[Row]:
    """The rows that are not blank, with the spreadsheet's own numbers and from its first column on."""
    if sheet.start is None:
        return
    # iter_rows() puts the blank rows above the data back, but not these
    left = [""] * sheet.start[1]
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [value if type(value) is str else _format(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if any(cell.strip() for cell in cells):
            yield number, [_unescape(cell) for cell in left + cells]


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _unescape(cell: str) -> str:
    """Without NUL, which no database stores, and without the escapes of control characters in .xlsx
    (ECMA-376 part 1, 22.9.2.19: _x000D_ is a carriage return, _x005F_ an underscore)."""
    if "_x" in cell:
        cell = _ESCAPED.sub(_replace_escape, cell)
    return cell.replace("\0", "")


def _replace_escape(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    return chr(code) if code < 0x20 or code == 0x5F else escape[0]


def _format(value: Any) -> str:
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


if __name__ == "__main__":
    main()

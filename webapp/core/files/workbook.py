"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods), opened in a process of their own, with limits.

Nothing in a workbook is trusted. `workbook_sandbox` reads it under limits of memory and time; whatever happens
there, this process only ever holds the rows that came back, and those have a bounded number of bytes.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MOST_MEMORY = 1 << 30
MOST_SECONDS = 5
MOST_OUTPUT = 32 << 20
MOST_UNPACKED = 256 << 20
MOST_ENTRIES = 10_000
MOST_ROWS = 101_000
"""What a workbook may cost: bytes of address space, seconds of processor time (and ten more by the clock), bytes and
rows of cells that come back, bytes of XML and entries in the container. 100,000 rows take two seconds. Any more rows of
a sheet are left out: whoever asks takes fewer than this, so that they see that there are too many."""

MOST_AT_ONCE = 2
"""Children that run at the same time in this process, so that many uploads at once do not add their memory up."""
WAIT = 1.0
"""Seconds for a turn. Whoever waits holds a thread of the web server, which other people need."""


class Reason(StrEnum):
    """Why a workbook cannot be had."""

    PASSWORD = "password"  # noqa: S105
    OTHER = "other"
    """A container, but of something else: a text document, an archive."""
    ODD = "odd"
    """It has what no spreadsheet program writes, and what is only good for an attack."""
    LARGE = "large"
    """Reading it took more memory or time than is given to it, or it holds more than is kept."""
    DAMAGED = "damaged"
    BUSY = "busy"


class CannotOpenError(Exception):
    """The workbook cannot be had, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


Row = tuple[int, list[str]]
"""The number that the spreadsheet shows, and the cells from column A on: text as it stands, numbers, dates (ISO
8601), truth (TRUE, FALSE) and errors (#N/A, but "" in .xls) as text, formulas by the value last computed."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet with data.

    `hidden` are the rows that it or its filter hides, `links` the addresses that cells write to, by row and column, and
    `merged` cells of several rows: [first row, last row, first column, last column].
    """

    name: str
    hidden: list[int]
    links: dict[tuple[int, int], str]
    merged: list[list[int]]
    lines: Sequence[bytes]

    def rows(self) -> Iterator[Row]:
        """The rows that are not blank."""
        for line in self.lines:
            number, cells = json.loads(line)
            yield number, cells


@dataclass(frozen=True, slots=True)
class Workbook:
    """`program` is "Excel" or "OpenDocument"; there may be no sheets."""

    program: str
    sheets: list[Sheet]


_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOOK = re.compile("book\0".encode("utf-16-le"), re.IGNORECASE)
"""The end of the name of the stream in an .xls: "Workbook", or "Book" before Excel 97."""
_CHILD = Path(__file__).with_name("workbook_sandbox.py")
_TOO_MUCH = 3
"""The child's exit status where it came to the end of its memory, or of the length that its answer may have."""
_turns = threading.BoundedSemaphore(MOST_AT_ONCE)


def is_container(data: bytes) -> bool:
    """Whether the bytes begin like a workbook: as a zip archive or as an OLE2 compound file."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06", _OLE2))


def open_workbook(data: bytes) -> Workbook:
    """Read all sheets with data.

    Raises CannotOpenError. Takes up to 15 seconds for a hostile file; where others are being read it is refused after WAIT.
    """
    if data.startswith(_OLE2):
        if any(
            stream.encode("utf-16-le") in data for stream in ("EncryptedPackage", "EncryptionInfo")
        ):
            raise CannotOpenError(Reason.PASSWORD)
        if not _BOOK.search(data):
            # the directory is not there: the file was cut off before it
            whole = "Root Entry".encode("utf-16-le") in data
            raise CannotOpenError(Reason.OTHER if whole else Reason.DAMAGED)
    *lines, last = _run(data) or [b"{}"]
    about = json.loads(last)
    if "refused" in about:
        raise CannotOpenError(Reason(about["refused"]))
    if "sheets" not in about:
        raise CannotOpenError(Reason.DAMAGED)
    sheets = []
    start = 0
    for sheet in about["sheets"]:
        end = start + sheet["rows"]
        links = {(number, column): address for number, column, address in sheet["links"]}
        sheets.append(
            Sheet(sheet["name"], sheet["hidden"], links, sheet["merged"], lines[start:end])
        )
        start = end
    return Workbook(about["program"], sheets)


def _run(data: bytes) -> list[bytes]:
    """The lines of the child's answer. Files without a name carry both ways: nothing to feed, nothing to drain."""
    asked = {
        "memory": MOST_MEMORY,
        "seconds": MOST_SECONDS,
        "output": MOST_OUTPUT,
        "unpacked": MOST_UNPACKED,
        "entries": MOST_ENTRIES,
        "rows": MOST_ROWS,
    }
    command = [sys.executable, "-I", "-B", str(_CHILD), json.dumps(asked)]
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(data)
        question.seek(0)
        if not _turns.acquire(timeout=WAIT):
            raise CannotOpenError(Reason.BUSY)
        try:
            ended = subprocess.run(
                command,
                stdin=question,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                timeout=MOST_SECONDS + 10,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotOpenError(Reason.LARGE) from None
        finally:
            _turns.release()
        # a limit was reached, or an allocation refused
        if ended.returncode < 0 or ended.returncode == _TOO_MUCH:
            raise CannotOpenError(Reason.LARGE)
        if ended.returncode:
            raise CannotOpenError(Reason.DAMAGED)
        answer.seek(0)
        return answer.readlines()

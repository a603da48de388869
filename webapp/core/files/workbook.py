"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods), read in a process of their own, with limits.

Nothing in a workbook is trusted. `workbook_sandbox` reads it under limits of memory and time; whatever happens
there, this process only ever holds the rows that came back, and those have a bounded number of bytes.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from webapp.core.files.errors import UnreadableFileError

LIMITS = {"memory": 1 << 30, "seconds": 5, "output": 32 << 20}
"""What a workbook may cost: bytes of address space, seconds of processor time (and ten more by the clock), bytes of cells that
come back. 100,000 rows take two seconds."""
MOST_AT_ONCE = 2
"""Children that run at the same time in this process, so that many uploads at once do not add their memory up."""
WAIT = 1.0
"""Seconds for a turn. A request that waits holds a thread of the web server, which other people need."""

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CHILD = Path(__file__).with_name("workbook_sandbox.py")
_LARGE = 3
_turns = threading.BoundedSemaphore(MOST_AT_ONCE)


def is_container(data: bytes) -> bool:
    """Whether the bytes begin like a workbook: as a zip archive or as an OLE2 compound file."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06", _OLE2))


def read_workbook(data: bytes) -> dict[str, Any]:
    """All visible sheets with data, as `workbook_sandbox` says. Raises UnreadableFileError.

    Takes up to 15 seconds for a hostile file; where others are being read it is refused after WAIT.
    """
    if not _turns.acquire(timeout=WAIT):
        raise UnreadableFileError(
            "Muster is reading other workbooks.", "Upload this one again in a minute."
        )
    try:
        status, answer = _run(data)
    finally:
        _turns.release()
    # below zero: a limit was reached, or an allocation refused
    if status < 0 or status == _LARGE:
        raise UnreadableFileError(
            "This workbook holds too much to be read.",
            "Copy the rows with the users into a new workbook and upload that.",
        )
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise UnreadableFileError(
            "This workbook cannot be read. It is damaged, protected by a password, or not a workbook.",
            "Open it, save it again as Excel, OpenDocument or CSV without a password and upload that.",
        ) from None
    return found


def _run(data: bytes) -> tuple[int, bytes]:
    """The child's exit status and its answer, which goes to a file because a file can be limited."""
    with tempfile.TemporaryFile() as answer:
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-B", str(_CHILD), json.dumps(LIMITS)],
                input=data,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                timeout=LIMITS["seconds"] + 10,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _LARGE, b""
        answer.seek(0)
        return ended.returncode, b"" if ended.returncode else answer.read()

"""Lines of the log, alike for web, workers, supervisor and commands: text for people, or one JSON object a line.

On a terminal they go to a file, and people see only what they may want to act on. Without a terminal all go to standard error.
What a line is about (which request, which job) is set once, where it begins, and stands in every line from then on.
Whatever looks like the token of a link or a session is left out, wherever it comes from.
"""

import json
import logging
import os
import re
import sys
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

FIELDS = ("method", "path", "status", "ms", "user")
"""What a line may carry in addition to its words, by `extra`; what libraries add is not taken over."""

LARGEST_FILE = 5_000_000
"""Bytes after which the file is moved aside, in place of the one before."""

_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{40,}")
_about: ContextVar[dict[str, str]] = ContextVar("about")

log = logging.getLogger("muster")


def set_up(program: str, log_format: str, file: Path, *, is_debug: bool) -> None:
    """Once, at the start of a process: from here on everything is logged.

    log_format: "text", "json" or "": text on a terminal, else JSON. On a terminal all lines go to `file`; people see warnings,
    and what the supervisor and commands say (both are called "muster"); with is_debug everything.
    """
    is_quiet = sys.stderr.isatty() and log_format != "json"
    is_json = not is_quiet and log_format != "text"
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Json(program) if is_json else _Text(program))
    handlers: list[logging.Handler] = [stream]
    if is_quiet:
        kept = _LogFile(file, encoding="utf-8", delay=True)
        kept.setFormatter(_Dated(program))
        handlers.append(kept)
        if program != "muster" and not is_debug:
            stream.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.captureWarnings(True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def set_context(**facts: str | None) -> None:
    """Say what every log line of this thread is about from now on: `set_context(request=…, job=…)`."""
    _about.set({name: fact for name, fact in facts.items() if fact})


def request_id() -> str | None:
    """The id of the request that this is done for, in the web or in a job."""
    return _about.get({}).get("request")


def without_tokens(text: str) -> str:
    """The same, with … for whatever looks like a token."""
    return _TOKEN.sub("…", text)


class _Text(logging.Formatter):
    """Formats a line for people: `web: GET /users 200 in 12 ms [5f0c9b1d2a3e]`, then the traceback of a crash."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = f"{self._program}: {record.message}"
        if known_id := request_id():
            line += f" [{known_id}]"
        return line

    def format(self, record: logging.LogRecord) -> str:
        return without_tokens(super().format(record))


class _Dated(_Text):
    """The same with the time in front: for a file."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {super().formatMessage(record)}"


class _Json(_Text):
    """Formats a line as one JSON object, always in the same order, without what is not known."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "program": self._program,
            "process": record.process,
            "logger": record.name,
            "message": without_tokens(record.getMessage()),
            **_about.get({}),
            **{name: getattr(record, name, None) for name in FIELDS},
        }
        if record.exc_info:
            fields["exception"] = without_tokens(self.formatException(record.exc_info))
        known = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(known, ensure_ascii=False, default=str)


class _LogFile(WatchedFileHandler):
    """A file of all processes. The one that finds it too long moves it aside; the others notice, and open the new one.

    A full disk costs lines of the log, and nothing else.
    """

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)
            if os.stat(self.baseFilename).st_size > LARGEST_FILE:
                os.replace(self.baseFilename, f"{self.baseFilename}.1")

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing."""

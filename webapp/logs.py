"""Lines of the log, alike for web, workers, supervisor and commands: text for people, or one JSON object a line.

What a line is about (which request, which job) is set once, where it begins, and stands in every line from then on.
Whatever looks like the token of a link or a session is left out, wherever it comes from.
"""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

FIELDS = ("method", "path", "status", "ms", "user")
"""What a line may carry beside its words, by `extra`; what libraries add is not taken over."""

_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{40,}")
_about: ContextVar[dict[str, str]] = ContextVar("about")

log = logging.getLogger("muster")


def set_up(program: str, log_format: str) -> None:
    """Once, at the start of a process: from here on everything goes to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Json if log_format == "json" else _Text
    handler.setFormatter(formatter(program))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
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

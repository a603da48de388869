"""How this installation is doing: queue, workers, mail and database, by what is cheap to ask."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from webapp import queue
from webapp.db import db
from webapp.models import MailGate, Message, MessageState
from webapp.services import directory, gate, workers


@dataclass(frozen=True, slots=True)
class Health:
    """What has to work for anything to go on. gate: while no e-mail goes out."""

    queue: bool
    workers: int
    gate: MailGate | None

    @property
    def is_well(self) -> bool:
        return self.queue and self.workers > 0 and self.gate is None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told beside the settings. due: messages that wait; handed_at: when one last went; size: the database, in bytes."""

    version: str
    due: int
    handed_at: datetime | None
    size: int


def health() -> Health:
    """Two queries, and at most a third of a second for the queue."""
    return Health(queue.ping(), workers.alive(), gate.alarm())


def facts() -> Facts:
    """Two queries or three."""
    waiting = select(func.count()).select_from(Message).where(Message.state == MessageState.QUEUED)
    due, handed_at = db.session.execute(
        select(waiting.scalar_subquery(), select(func.max(Message.handed_at)).scalar_subquery())
    ).one()
    return Facts(version(), due, handed_at, _size())


@cache
def version() -> str:
    """Of Muster, as pyproject.toml says."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def _size() -> int:
    if db.engine.dialect.name == "postgresql":
        return db.session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    file = Path(make_url(directory.environment().database_url).database or "")
    return sum(each.stat().st_size for each in (file, file.with_name(file.name + "-wal")) if each.is_file())

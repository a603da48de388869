"""Workers: which are alive, by their heartbeat in the database, and what lies there for them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select

from webapp.db import begin_write, db, utcnow
from webapp.models import Worker

SEEN = 30
"""Seconds within which a worker that is alive was seen: two beats of 15 s."""
FORGOTTEN = timedelta(hours=1)
"""After which a worker that was killed is no longer known; one that was stopped says so itself."""


def beat(name: str) -> None:
    """Write down that this worker is alive now, and forget those unseen for an hour. name: of this one process alone."""
    begin_write()
    now = utcnow()
    db.session.merge(Worker(name=name, seen_at=now))
    unseen = Worker.seen_at < now - FORGOTTEN
    db.session.execute(delete(Worker).where(unseen))
    db.session.commit()


def leave(name: str) -> None:
    """This worker stops: it does not count any more, from now on."""
    begin_write()
    db.session.execute(delete(Worker).where(Worker.name == name))
    db.session.commit()


def alive() -> int:
    """How many workers are alive."""
    since = utcnow() - timedelta(seconds=SEEN)
    return db.session.scalar(select(func.count()).where(Worker.seen_at >= since)) or 0

"""How this installation is doing: queue, workers, mail and database, by what is cheap to ask."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from webapp import queue
from webapp.db import count_by, db, utcnow
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    Message,
    MessageState,
)
from webapp.run import data_folder
from webapp.services.mail import claim, throttle
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.version import version


def health() -> dict[str, Any]:
    """What has to work for anything to go on. Two queries, and at most a third of a second for the queue.

    alarm: while no e-mail goes out; slow: while it goes slowly.
    """
    found = {"queue": queue.ping(), "workers": heartbeats.alive(), **throttle.notices()}
    found["is_well"] = found["queue"] and found["workers"] and not found["alarm"]
    return found


def monitor_status() -> dict[str, Any]:
    """What the database tells a monitor, in three queries."""
    waited = utcnow() - (claim.oldest_due() or utcnow())
    return {
        "workers": heartbeats.alive(),
        "mail": "held up" if throttle.alarm() else "ok",
        "oldest_due_seconds": max(0, int(waited.total_seconds())),
    }


def figures() -> dict[str, float | dict[str, int]]:
    """Everything in the database that is counted, in six queries or seven: numbers, or numbers by state."""
    here = monitor_status()
    return {
        "workers_alive": here["workers"],
        "mail_held_up": here["mail"] == "held up",
        "outbox_oldest_due_seconds": here["oldest_due_seconds"],
        "outbox_messages": {**dict.fromkeys(MessageState, 0), **count_by(Message.state)},
        "batches": {**dict.fromkeys(BatchState, 0), **count_by(Batch.state)},
        "invitations_pending": count_by(Invitation.state)[InvitationState.PENDING],
        "database_bytes": _size(),
    }


def machine() -> dict[str, float]:
    """What is known without the database."""
    settings = in_force.environment()
    made_at = data_folder.last_backup(settings.data_dir)
    return {
        "workers_expected": settings.workers,
        "data_free_bytes": shutil.disk_usage(settings.data_dir).free,
        "last_backup_timestamp_seconds": made_at.timestamp() if made_at else 0,
    }


def facts() -> dict[str, Any]:
    """Facts for the page of settings: waiting messages, when the last one went, the size of the database in bytes."""
    went = Message.state.in_([MessageState.SENT, MessageState.UNCERTAIN])
    handed_at = select(func.max(Message.handed_at)).where(went)
    return {
        "version": version(),
        "due": count_by(Message.state)[MessageState.QUEUED],
        "handed_at": db.session.scalar(handed_at),
        "size": _size(),
    }


def _size() -> int:
    if db.engine.dialect.name == "postgresql":
        return db.session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return Path(db.engine.url.database or "").stat().st_size

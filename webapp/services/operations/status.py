"""How this installation is doing: queue, workers, mail and database, by what is cheap to ask."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path

from sqlalchemy import case, func, or_, select, text
from sqlalchemy.engine import make_url

from webapp import queue
from webapp.core.text.phrases import CodedText
from webapp.db import db, seconds_between, utcnow
from webapp.models import (
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageState,
)
from webapp.run import data_folder
from webapp.services.mail import claim, throttle
from webapp.services.mail.throttle import Slowdown
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.version import version


@dataclass(frozen=True, slots=True)
class Health:
    """What has to work for anything to go on. gate: while no e-mail goes out; slow: while it goes slowly."""

    queue: bool
    workers: int
    gate: MailCircuit | None
    slow: Slowdown | None

    @property
    def is_well(self) -> bool:
        return self.queue and self.workers > 0 and self.gate is None


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts for the page of settings. due: waiting messages; handed_at: when the last one went; size: database, in bytes."""

    version: str
    due: int
    handed_at: datetime | None
    size: int


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """What the database tells a monitor. held_up: why no e-mail goes out, as one word without names; "" while it does."""

    workers: int
    held_up: str
    oldest_due_seconds: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database tells of everything that is counted. batch_seconds: how many ended within so many seconds, or fewer."""

    workers: int
    is_mail_held_up: bool
    oldest_due_seconds: int
    messages: dict[str, int]
    batches: dict[str, int]
    batch_seconds: dict[float, int]
    batch_seconds_in_all: float
    pending_invitations: int
    database_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known without the database. backed_up_at: when the last backup was made, None where that is not known."""

    workers_expected: int
    free_bytes: int
    backed_up_at: datetime | None


BATCH_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, inf)

_CAUSES = {
    "starttls_missing": "tls",
    "sign_in_refused": "sign-in",
    "unreachable": "unreachable",
    "not_accepting": "refused",
    "stopped": "refused",
    "session_refused": "broke-off",
    "broken": "broke-off",
    "sender_refused": "sender",
    "folder": "folder",
}
"""What a monitor reads for each code of `MailCircuit.cause`; a certificate that does not pass has a word of its own."""


def health() -> Health:
    """Two queries, and at most a third of a second for the queue."""
    return Health(queue.ping(), heartbeats.alive(), *throttle.circuit_status())


def monitor_status() -> MonitorStatus:
    """Three queries."""
    alarm = throttle.alarm()
    held_up = _monitor_word(alarm.cause) if alarm else ""
    return MonitorStatus(heartbeats.alive(heartbeats.SEEN), held_up, _oldest_due_seconds())


def _monitor_word(cause: CodedText) -> str:
    if cause.get("cause", {}).get("code") == "certificate":
        return "certificate"
    return _CAUSES.get(cause.get("code", ""), "other")


def figures() -> Figures:
    """Six queries, or seven, however much there is."""
    by_state = select(Message.state, func.count()).group_by(Message.state)
    messages = {state.value: 0 for state in MessageState}
    messages |= {state.value: n for state, n in db.session.execute(by_state)}

    seconds = seconds_between(Batch.confirmed_at, Batch.finished_at)
    within = [func.count(case((seconds <= limit, 1))) for limit in BATCH_SECONDS[:-1]]
    ended = select(
        Batch.state, func.count(), func.sum(seconds), *within, func.count(seconds)
    ).group_by(Batch.state)
    batches, sums = {state.value: 0 for state in BatchState}, [0] * len(BATCH_SECONDS)
    in_all = 0.0
    for state, n, lasted, *counted in db.session.execute(ended):
        batches[state.value] = n
        in_all += float(lasted or 0)
        sums = [so_far + more for so_far, more in zip(sums, counted, strict=True)]
    return Figures(
        workers=heartbeats.alive(heartbeats.SEEN),
        is_mail_held_up=throttle.alarm() is not None,
        oldest_due_seconds=_oldest_due_seconds(),
        messages=messages,
        batches=batches,
        batch_seconds=dict(zip(BATCH_SECONDS, sums, strict=True)),
        batch_seconds_in_all=in_all,
        pending_invitations=_pending_invitations(),
        database_bytes=_size(),
    )


def _pending_invitations() -> int:
    """Those whose link still works, or was not sent yet."""
    works = or_(Invitation.expires_at.is_(None), Invitation.expires_at > utcnow())
    pending = (
        select(func.count())
        .select_from(Invitation)
        .where(Invitation.state == InvitationState.PENDING, works)
    )
    return db.session.scalar(pending) or 0


def machine() -> Machine:
    """No query."""
    settings = in_force.environment()
    backup = data_folder.last_backup(settings.data_dir)
    return Machine(
        settings.workers, shutil.disk_usage(settings.data_dir).free, backup[0] if backup else None
    )


def _oldest_due_seconds() -> int:
    since = claim.oldest_due()
    return max(0, int((utcnow() - since).total_seconds())) if since else 0


def facts() -> Facts:
    """Two queries or three."""
    waiting = select(func.count()).select_from(Message).where(Message.state == MessageState.QUEUED)
    went = Message.state.in_([MessageState.SENT, MessageState.UNCERTAIN])
    due, handed_at = db.session.execute(
        select(
            waiting.scalar_subquery(),
            select(func.max(Message.handed_at)).where(went).scalar_subquery(),
        )
    ).one()
    return Facts(version(), due, handed_at, _size())


def _size() -> int:
    if db.engine.dialect.name == "postgresql":
        return db.session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    file = Path(make_url(in_force.environment().database_url).database or "")
    return sum(
        each.stat().st_size for each in (file, file.with_name(file.name + "-wal")) if each.is_file()
    )

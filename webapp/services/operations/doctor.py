"""Checks an installation piece by piece. Each finding is one sentence that says what to do.

Nothing is changed and nothing is sent. No sentence holds a secret: addresses are shown without user and password.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import redis
from alembic.migration import MigrationContext
from sqlalchemy import func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue, upgrade
from webapp.core.text.audit_problems import describe_problems
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.mail import transports
from webapp.mail.errors import MailError
from webapp.models import AuditEvent, Organisation
from webapp.run import data_folder, valkey
from webapp.services.accounts.sessions import Refusal
from webapp.services.audit import chain
from webapp.services.mail import throttle
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.settings.fields import PREFIX
from webapp.settings.parsers import is_loopback
from webapp.timeout import TimedOutError, run_with_timeout

DATABASE_TIMEOUT = 10.0  # seconds
MB, GB = 1024**2, 1024**3
LITTLE, ALMOST_NONE = GB, 100 * MB
"""Free space that is worth a warning, and that is not enough."""
OLD_BACKUP = timedelta(hours=36)


class Level(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    about: str
    level: Level
    words: str


Found = Iterator[tuple[Level, str]]
OK, WARNING, WRONG = Level.OK, Level.WARNING, Level.WRONG


def examine() -> Iterator[Finding]:
    """Run all checks. Those that need the database are left out while it cannot be used; the check of it says why."""
    is_usable = not _database_error() and inspect(db.engine).has_table(Organisation.__tablename__)
    for about, check in CHECKS:
        if check in NEED_DATABASE and not is_usable:
            continue
        try:
            for level, words in check():
                yield Finding(about, level, words)
        except Exception as error:
            yield Finding(about, WRONG, f"This check failed ({_first_line(error)}).")
        finally:
            if is_usable:
                db.session.rollback()


def _database_error() -> str:
    """Why the database gives no answer; "" while it does."""
    try:
        run_with_timeout(lambda: db.session.scalar(text("SELECT 1")), DATABASE_TIMEOUT)
    except (SQLAlchemyError, TimedOutError) as error:
        return _first_line(error)
    return ""


def _settings() -> Found:
    settings = in_force.environment()
    names = [PREFIX + name for name in sorted(settings.given)]
    yield (
        OK,
        f"{plural(len(names), 'setting')} from the environment{': ' if names else ''}{', '.join(names)}.",
    )


def _page_settings() -> Found:
    settings = in_force.environment()
    organisation = db.session.get_one(Organisation, 1)
    for name, sentence in settings.overlaid(organisation.settings)[1].items():
        yield (
            WARNING,
            f"{name} was set on a page and cannot be used. Set it there again. {sentence}",
        )
    if settings.owner_password and organisation.owner_id:
        yield WARNING, "There is an Owner: remove MUSTER_OWNER_EMAIL and MUSTER_OWNER_PASSWORD."


def _data_folder() -> Found:
    folder = in_force.environment().data_dir
    if folder.stat().st_uid != os.geteuid():
        yield (
            WARNING,
            f"{folder} belongs to another user; run this as the user that Muster runs as.",
        )
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield (
            WRONG,
            f"Others on this machine can look into {folder}, which holds everything: chmod 700 it.",
        )
    free = shutil.disk_usage(folder).free
    if free < LITTLE:
        yield (
            (WRONG if free < ALMOST_NONE else WARNING),
            f"{free / GB:.1f} GB free in {folder}: make room, or move the data.",
        )
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"?")
            file.flush()
    except OSError as error:
        yield (
            WRONG,
            f"{folder} cannot be written to ({error.strerror}): change its owner, or make room.",
        )
    else:
        yield OK, f"{folder} can be written to; {free / GB:.1f} GB are free."


def _secret_key() -> Found:
    settings = in_force.environment()
    file = settings.data_dir / "secret_key"
    if "SECRET_KEY" in settings.given:
        yield OK, "Given by MUSTER_SECRET_KEY."
    elif stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield WRONG, f"Others can read {file}: chmod 600 it."
    else:
        yield OK, f"Kept in {file}, which only its owner can read."


def _backup() -> Found:
    found = data_folder.last_backup(in_force.environment().data_dir)
    if found is None:
        yield (
            WARNING,
            "None was made here so far: “flask --app wsgi muster backup FILE” makes one, a timer one every night.",
        )
        return
    age = utcnow() - found[0]
    sentence = (
        f"The last one was made {plural(int(age.total_seconds() // 3600), 'hour')} ago: {found[1]}."
    )
    if age > OLD_BACKUP:
        yield (
            WARNING,
            f"{sentence} Make one every night; “systemctl list-timers” says whether muster-backup.timer is on.",
        )
    else:
        yield OK, sentence


def _database() -> Found:
    url = make_url(in_force.environment().database_url)
    is_sqlite = url.get_backend_name() == "sqlite"
    where = url.database if is_sqlite else f"The server at {url.host or url.query.get('host')}"
    if error := _database_error():
        if is_sqlite:
            yield (
                WRONG,
                f"{where} cannot be read ({error}): restore a backup, or correct MUSTER_DATABASE_URL.",
            )
        else:
            yield (
                WRONG,
                f"{where} does not answer ({error}): start it, or correct MUSTER_DATABASE_URL.",
            )
        return
    if is_sqlite:
        yield from _check_sqlite()
    scripts = upgrade.scripts()
    here = set(MigrationContext.configure(db.session.connection()).get_current_heads())
    if here == set(scripts.get_heads()):
        yield OK, f"{where} answers and is migrated to {', '.join(here)}."
    elif here <= {revision.revision for revision in scripts.walk_revisions()}:
        yield (
            WRONG,
            "Not migrated to this version: run “flask --app wsgi db upgrade”, or start Muster with make run.",
        )
    else:
        yield (
            WRONG,
            "A newer version of Muster has migrated it: run that version, or restore a backup made before.",
        )


def _check_sqlite() -> Found:
    mode = db.session.scalar(text("PRAGMA journal_mode"))
    if mode != "wal":
        yield (
            WRONG,
            f"Its journal is “{mode}” and not WAL, so readers and writers wait for each other: move it to a local disk.",
        )
    try:
        faults = db.session.scalars(text("PRAGMA quick_check(3)")).all()
    except SQLAlchemyError as error:
        faults = [_first_line(error)]
    if faults != ["ok"]:
        yield (
            WRONG,
            f"It is damaged ({' '.join(faults[0].split())}): stop Muster and restore a backup.",
        )
    elif broken := db.session.execute(text("PRAGMA foreign_key_check")).first():
        yield (
            WRONG,
            f"A row of {broken[0]} refers to one that is gone: somebody changed it by hand. Restore a backup.",
        )


def _audit_log() -> Found:
    verdict = chain.verify(chain.NEWEST)
    command = "“flask --app wsgi muster audit verify”"
    if verdict.wrong:
        yield (
            WRONG,
            f"{describe_problems(verdict)[0]} Run {command}: it checks everything and says what to do.",
        )
    else:
        yield (
            OK,
            f"Its newest {plural(verdict.events, 'event')} are unchanged; {command} checks all.",
        )


def _queue() -> Found:
    settings = in_force.environment()
    url = urlsplit(settings.redis_url)
    where = (
        "the embedded server"
        if settings.embedded_queue
        else f"{url.scheme}://{url.hostname or ''}{url.path}"
    )
    try:
        with queue.connect(settings.queue_url, 2) as server:
            info = server.info("server")
    except (redis.RedisError, OSError) as error:
        if _is_stopped():
            yield (
                WARNING,
                "Not checked: the embedded server starts with Muster, which does not run.",
            )
        else:
            yield (
                WRONG,
                f"{where} does not answer ({type(error).__name__}): start it. Work goes on without it, more slowly.",
            )
        return
    version = str(info.get("valkey_version") or info.get("redis_version"))
    if tuple(int(part) for part in version.split(".")[:2]) < valkey.OLDEST:
        yield WRONG, f"{where} has version {version}: use 6.2 or newer."
    else:
        yield OK, f"Version {version}, {where}."


def _workers() -> Found:
    wanted = in_force.environment().workers
    alive = heartbeats.alive(heartbeats.SEEN)
    seen = f"{plural(alive, 'worker')} seen within {heartbeats.SEEN} seconds"
    if alive >= wanted:
        yield OK, f"{seen}."
    elif alive:
        yield (
            WARNING,
            f"{seen}, where MUSTER_WORKERS says {wanted}: see in the log what became of the others.",
        )
    elif _is_stopped():
        yield WARNING, "None, as Muster does not run: make run starts them."
    else:
        yield WRONG, f"{seen}: see in the log why, and start them again."


def _is_stopped() -> bool:
    settings = in_force.environment()
    return settings.embedded_queue and not data_folder.is_locked(settings.data_dir)


def _mail() -> Found:
    settings = in_force.settings()
    db.session.rollback()  # no transaction stays open while a server is asked
    url = urlsplit(settings.mail_url or "")
    try:
        with transports.connect(settings) as transport:
            transport.probe()
    except MailError as error:
        yield WRONG, f"{error} Correct MUSTER_MAIL_URL, or ask who runs that server."
    else:
        if settings.mail_url:
            yield (
                OK,
                f"{url.hostname} answers{' and signs us in' if url.username else ''}; {settings.mail_from} sends.",
            )
        else:
            folder = settings.data_dir / "outbox"
            yield (
                WARNING,
                f"No mail server is set: messages become files in {folder}, which works. Set MUSTER_MAIL_URL.",
            )
    if url.scheme == "smtp" and url.password and not is_loopback(url.hostname or ""):
        yield (
            WRONG,
            "The mail server’s password travels unencrypted: use smtp+starttls:// or smtps://.",
        )
    alarm, slow = throttle.circuit_status()
    if alarm:
        yield (
            WARNING,
            f"Sending is held up: {alarm.cause_text} A worker tries it again every 30 seconds.",
        )
    if slow:
        pace = f"The mail server takes about {plural(slow.pace, 'message')} a minute ({slow.words})"
        yield WARNING, f"{pace}: set MUSTER_MAIL_RATE={slow.pace}."


def _address() -> Found:
    settings = in_force.environment()
    if settings.https:
        yield OK, f"{settings.public_url}; cookies are Secure."
        if not settings.trusted_proxies:
            yield (
                WARNING,
                "No proxy is trusted, so everybody seems to have one address: set MUSTER_TRUSTED_PROXIES=1.",
            )
    elif is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield OK, f"{settings.public_url}, for this machine only."
    else:
        yield (
            WARNING,
            f"{settings.public_url} is not https, so passwords can be read on their way: put a proxy with TLS in front.",
        )
    if settings.trusted_proxies and not is_loopback(settings.host):
        where = f"{settings.host}:{settings.port}"
        yield (
            WARNING,
            f"Who reaches {where} past the proxy can claim any address: close the port to others.",
        )


def _origins() -> Found:
    """Forms that were refused within a day because they seemed to come from another site."""
    lately = AuditEvent.action == Refusal.ORIGIN, AuditEvent.at > utcnow() - timedelta(days=1)
    refused = db.session.scalar(select(func.sum(AuditEvent.count)).where(*lately))
    if refused:
        newest = db.session.scalar(
            select(AuditEvent.subject).where(*lately).order_by(AuditEvent.id.desc()).limit(1)
        )
        forms = f"{plural(refused, 'form')} {'was' if refused == 1 else 'were'} refused within a day as from another site"
        here = f"set MUSTER_PUBLIC_URL to it (it is {in_force.environment().public_url}), or have the proxy pass Host on"
        yield WARNING, f"{forms}, the last one by “{newest}”. If that is this portal, {here}."


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0].strip().rstrip(".")


CHECKS: tuple[tuple[str, Callable[[], Found]], ...] = (
    ("settings", _settings),
    ("settings", _page_settings),
    ("data folder", _data_folder),
    ("backup", _backup),
    ("secret key", _secret_key),
    ("database", _database),
    ("audit log", _audit_log),
    ("queue", _queue),
    ("workers", _workers),
    ("mail", _mail),
    ("address", _address),
    ("address", _origins),
)
NEED_DATABASE = (_page_settings, _audit_log, _workers, _mail, _origins)

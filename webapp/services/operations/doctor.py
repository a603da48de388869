"""What is well and what is not with an installation, asked piece by piece, each in a sentence that says what to do.

Nothing is changed and nothing is sent. No sentence holds a secret: addresses are told without user and password.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import redis
from alembic.migration import MigrationContext
from sqlalchemy import func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from zxcvbn import zxcvbn

from webapp import queue, upgrade
from webapp.core.errors import MailServerUnavailableError, PermanentDeliveryError, TemporaryDeliveryError
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.mail import transports
from webapp.models import AuditEvent, Organisation
from webapp.patience import TimedOutError, ask
from webapp.run import data_folder, valkey
from webapp.services.accounts.sessions import Refusal
from webapp.services.audit import chain
from webapp.services.mail import claim, throttle
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.settings.fields import PREFIX
from webapp.settings.parsers import is_loopback

PATIENCE = 10.0
"""Seconds for the database to answer at all."""
MB, GB = 1024**2, 1024**3
LITTLE, ALMOST_NONE = GB, 100 * MB
"""Free space that is worth a warning, and that will not do."""
SKEW, TOO_MUCH_SKEW = 2.0, 30.0
"""Seconds between two clocks."""
OLD_BACKUP = timedelta(hours=36)
OLDEST_POSTGRESQL = 13
STRONG = 18
"""Guesses that a key withstands, as a power of ten."""


class Level(StrEnum):
    """How good or bad what was found is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    level: Level
    words: str


Found = Iterator[tuple[Level, str]]
OK, WARNING, WRONG = Level.OK, Level.WARNING, Level.WRONG


def examine() -> Iterator[Finding]:
    """Everything, in the order in which one thing rests on another; each as soon as it is known."""
    silent = _why_silent()
    blind = bool(silent) or not inspect(db.engine).has_table(Organisation.__tablename__)
    for about, check in CHECKS.items():
        try:
            for level, words in check(blind):
                yield Finding(about, level, words)
        except Exception as error:
            yield Finding(about, WRONG, f"It could not be looked at to its end ({_cause(error)}).")
        finally:
            if not silent:
                db.session.rollback()


def _why_silent() -> str:
    """Why the database gives no answer; "" while it does. Where it is frozen, nothing of it may be asked by us."""
    try:
        ask(_one, PATIENCE)
    except (SQLAlchemyError, TimedOutError) as error:
        return _cause(error)
    return ""


def _one() -> object:
    return db.session.scalar(text("SELECT 1"))


def _settings(blind: bool) -> Found:
    settings = in_force.environment()
    given = [PREFIX + name for name in sorted(settings.given)]
    yield OK, f"{plural(len(given), 'setting')} from the environment{': ' if given else ''}{', '.join(given)}."
    if blind:
        return
    place = db.session.get(Organisation, 1)
    _, problems = settings.overlaid(place.settings if place else {})
    for name, sentence in problems.items():
        yield WARNING, f"{name} was set on a page and cannot be used. Set it there again. {sentence}"
    if settings.owner_password and place and place.owner_id:
        yield WARNING, "There is an Owner: remove MUSTER_OWNER_EMAIL and MUSTER_OWNER_PASSWORD."


def _data_folder(_: bool) -> Found:
    folder = in_force.environment().data_dir
    found = folder.stat()
    if found.st_uid != os.geteuid():
        yield WARNING, f"{folder} belongs to another user than the one who asks; run this as the user that Muster runs as."
    if stat.S_IMODE(found.st_mode) & 0o077:
        yield WRONG, f"Others on this machine can look into {folder}, which holds everything: chmod 700 it."
    free = shutil.disk_usage(folder).free
    told = f"{free / GB:.1f} GB free in {folder}"
    if free < LITTLE:
        yield (WRONG if free < ALMOST_NONE else WARNING), f"{told}: make room, or move the data."
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"?")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield WRONG, f"{folder} cannot be written to ({error.strerror}): change its owner, or make room."
    else:
        yield OK, f"{told}, which can be written to."


def _backup(_: bool) -> Found:
    found = data_folder.last_backup(in_force.environment().data_dir)
    if found is None:
        yield WARNING, "None was made here so far: “flask --app wsgi muster backup FILE” makes one, a timer one every night."
        return
    made_at, file = found
    age = utcnow() - made_at
    told = f"The last one was made {plural(int(age.total_seconds() // 3600), 'hour')} ago: {file}."
    if age > OLD_BACKUP:
        yield WARNING, f"{told} Make one every night; “systemctl list-timers” says whether muster-backup.timer is on."
    else:
        yield OK, told


def _secret_key(_: bool) -> Found:
    settings = in_force.environment()
    file = settings.data_dir / "secret_key"
    if "SECRET_KEY" not in settings.given:
        mode = stat.S_IMODE(file.stat().st_mode)
        yield (WRONG, f"Others can read {file}: chmod 600 it.") if mode & 0o077 else (OK, f"Kept in {file}, for its owner alone.")
        return
    if zxcvbn(settings.secret_key[:72])["guesses_log10"] < STRONG:
        yield WRONG, "MUSTER_SECRET_KEY can be guessed: set one made by chance, and name this one in MUSTER_SECRET_KEY_FALLBACKS."
    else:
        yield OK, "Given by MUSTER_SECRET_KEY, and long."
    if file.exists():
        yield WARNING, f"{file} is not used, as MUSTER_SECRET_KEY is set; keep it only if links were made with it."


def _database(_: bool) -> Found:
    url = make_url(in_force.environment().database_url)
    if silent := _why_silent():
        if url.get_backend_name() == "sqlite":
            yield WRONG, f"{url.database} cannot be read ({silent}): restore a backup, or correct MUSTER_DATABASE_URL."
        else:
            where = url.host or url.query.get("host")
            yield WRONG, f"The server at {where} does not answer ({silent}): start it, or correct MUSTER_DATABASE_URL."
        return
    yield from _sqlite(Path(url.database or "")) if url.get_backend_name() == "sqlite" else _postgresql()
    scripts = upgrade.scripts()
    here, wanted = set(MigrationContext.configure(db.session.connection()).get_current_heads()), set(scripts.get_heads())
    if here == wanted:
        yield OK, f"Migrated to {', '.join(sorted(wanted))}."
    elif here <= {revision.revision for revision in scripts.walk_revisions()}:
        yield WRONG, "Not migrated to this version: run “flask --app wsgi db upgrade”, or start Muster with make run."
    else:
        yield WRONG, "A newer version of Muster has migrated it: run that version, or restore a backup made before."


def _sqlite(file: Path) -> Found:
    version, mode = db.session.scalar(text("SELECT sqlite_version()")), db.session.scalar(text("PRAGMA journal_mode"))
    yield OK, f"SQLite {version}, {file}, {file.stat().st_size / MB:.1f} MB."
    if mode != "wal":
        yield WRONG, f"Its journal is “{mode}” and not WAL, so readers and writers wait for each other: move it to a local disk."
    try:
        faults = db.session.scalars(text("PRAGMA quick_check(3)")).all()
        broken = db.session.execute(text("PRAGMA foreign_key_check")).first()
    except SQLAlchemyError as error:
        faults, broken = [_cause(error)], None
    if faults != ["ok"]:
        yield WRONG, f"It is damaged ({' '.join(faults[0].split())}): stop Muster and restore a backup."
    elif broken:
        yield WRONG, f"A row of {broken[0]} refers to one that is gone: somebody changed it by hand. Restore a backup."
    else:
        yield OK, "Whole (quick_check, foreign_key_check)."


def _postgresql() -> Found:
    number = int(db.session.scalar(text("SHOW server_version_num")) or 0)
    told = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if number < OLDEST_POSTGRESQL * 10_000:
        yield WARNING, f"{told} is older than Muster is tested with: use {OLDEST_POSTGRESQL} or newer."
    else:
        yield OK, f"{told}."
    if (encoding := db.session.scalar(text("SHOW server_encoding"))) != "UTF8":
        yield WRONG, f"Its encoding is {encoding}: make the database anew with ENCODING 'UTF8'."
    if off := [name for name in ("fsync", "full_page_writes") if db.session.scalar(text(f"SHOW {name}")) == "off"]:
        yield WRONG, f"{' and '.join(off)} is off, so a crash of its machine loses what was done: set it to on."


def _audit_log(blind: bool) -> Found:
    if blind:
        return
    verdict = chain.verify(chain.NEWEST)
    if verdict.wrong:
        told = f"{verdict.problems[0]} Run “flask --app wsgi muster audit verify”, which looks at all of it and says what to do."
        yield WRONG, told
    else:
        yield (
            OK,
            f"Its newest {plural(verdict.events, 'event')} hang together; “flask --app wsgi muster audit verify” checks all.",
        )


def _queue(_: bool) -> Found:
    settings = in_force.environment()
    where = "the embedded server" if settings.embedded_queue else _bare(settings.redis_url)
    try:
        with queue.connect(settings.queue_url, 2) as server:
            info = server.info("server")
            yield from _queue_server(where, server, str(info.get("valkey_version") or info.get("redis_version")))
    except (redis.RedisError, OSError) as error:
        if settings.embedded_queue and not data_folder.is_held(settings.data_dir):
            yield WARNING, "Not looked at: the embedded server starts with Muster, which does not run."
        else:
            yield WRONG, f"{where} does not answer ({type(error).__name__}): start it. Work goes on without it, more slowly."


def _queue_server(where: str, server: redis.Redis, version: str) -> Found:
    if tuple(int(part) for part in version.split(".")[:2]) < valkey.OLDEST:
        yield WRONG, f"{where} has version {version}: use 6.2 or newer."
    else:
        yield OK, f"Version {version}, {where}."
    try:
        policy = server.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.RedisError:
        yield WARNING, "Whether it throws keys away cannot be asked here: see that its maxmemory-policy is noeviction."
        return
    if policy != "noeviction":
        yield WARNING, f"Its maxmemory-policy is {policy}, so it may throw away jobs and tries to sign in: set noeviction."


def _workers(blind: bool) -> Found:
    settings = in_force.environment()
    if blind:
        yield WRONG, "They cannot be counted as the database is now."
    elif alive := heartbeats.alive(heartbeats.SEEN):
        told = f"{plural(alive, 'worker')} seen within {heartbeats.SEEN} seconds"
        if alive < settings.workers:
            yield WARNING, f"{told}, where MUSTER_WORKERS says {settings.workers}: see in the log what became of the others."
        else:
            yield OK, f"{told}."
    elif settings.embedded_queue and not data_folder.is_held(settings.data_dir):
        yield WARNING, "None, as Muster does not run: make run starts them."
    else:
        yield WRONG, f"None was seen within {heartbeats.SEEN} seconds: see in the log why, and start them again."


def _mail(blind: bool) -> Found:
    settings = in_force.environment() if blind else claim.read_settings()
    url, answers = urlsplit(settings.mail_url or ""), False
    try:
        with transports.connect(settings) as transport:
            transport.try_out()
    except (MailServerUnavailableError, TemporaryDeliveryError, PermanentDeliveryError) as error:
        yield WRONG, f"{error} Correct MUSTER_MAIL_URL, or ask who runs that server."
    else:
        answers = True
        if not settings.mail_url:
            folder = settings.data_dir / "outbox"
            yield WARNING, f"No mail server is set: messages become files in {folder}, which works. Set MUSTER_MAIL_URL."
        else:
            done = " and signs us in" if url.username else ""
            yield OK, f"{url.hostname} answers{', over TLS,' if url.scheme != 'smtp' else ''}{done}; {settings.mail_from} sends."
    if url.scheme == "smtp" and url.password and not is_loopback(url.hostname or ""):
        yield WRONG, "The mail server’s password travels unencrypted: use smtp+starttls:// or smtps://."
    if blind:
        return
    alarm, slow = throttle.circuit_status()
    if alarm:
        now = ", and it answers now" if answers else ""
        yield WARNING, f"Sending is held up: {alarm.reason} A worker tries it again every 30 seconds{now}."
    if slow:
        said = f"The mail server takes about {plural(slow.pace, 'message')} a minute ({slow.words})"
        yield WARNING, f"{said}: set MUSTER_MAIL_RATE={slow.pace}."


def _address(blind: bool) -> Found:
    settings = in_force.environment()
    here = settings.public_url
    if settings.https:
        yield OK, f"{here}; cookies are Secure."
    elif is_loopback(urlsplit(here).hostname or ""):
        yield OK, f"{here}, for this machine alone."
    else:
        yield WARNING, f"{here} is not https, so passwords and sessions can be read on their way: put a proxy with TLS in front."
    if settings.https and not settings.trusted_proxies:
        yield WARNING, "No proxy is believed, so all people seem to come from one address: set MUSTER_TRUSTED_PROXIES=1."
    if settings.trusted_proxies and not is_loopback(settings.host):
        yield (
            WARNING,
            f"Who reaches {settings.host}:{settings.port} past the proxy can claim any address: close the port to others.",
        )
    if not blind:
        yield from _origins(here)


def _origins(here: str) -> Found:
    """Forms that were refused within a day because they seemed to come from another site."""
    of_late = AuditEvent.action == Refusal.ORIGIN, AuditEvent.at > utcnow() - timedelta(days=1)
    refused = db.session.scalar(select(func.sum(AuditEvent.count)).where(*of_late))
    if not refused:
        return
    newest = db.session.scalar(select(AuditEvent.subject).where(*of_late).order_by(AuditEvent.id.desc()).limit(1))
    told = f"{plural(refused, 'form')} {'was' if refused == 1 else 'were'} refused within a day as from another site"
    yield (
        WARNING,
        f"{told}, the last one by “{newest}”. If that is this portal, set MUSTER_PUBLIC_URL to it (it is {here}), "
        "or have the proxy pass Host on.",
    )


def _clock(blind: bool) -> Found:
    zone = (in_force.environment() if blind else in_force.settings()).time_zone.key
    yield OK, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; times are shown in {zone}."
    others = {"queue server": _time_of_queue} | ({} if blind else {"database": _time_of_database})
    for name, time_of in others.items():
        theirs = time_of()
        apart = abs((theirs - utcnow()).total_seconds()) if theirs else 0
        if apart > SKEW:
            told = f"The {name}’s clock and this one are {apart:.0f} seconds apart: have both kept by NTP."
            yield (WRONG if apart > TOO_MUCH_SKEW else WARNING), told
    if blind:
        return
    newest = db.session.scalar(select(AuditEvent.at).order_by(AuditEvent.id.desc()).limit(1))
    if newest and (ahead := (newest - utcnow()).total_seconds()) > TOO_MUCH_SKEW:
        yield (
            WRONG,
            f"The audit log is {ahead:.0f} seconds ahead of this clock, which was set back: correct it.",
        )


def _time_of_database() -> datetime | None:
    """None where it is in this process and has no clock of its own."""
    if db.engine.dialect.name == "sqlite":
        return None
    now: datetime = db.session.scalars(text("SELECT clock_timestamp()")).one()
    return now


def _time_of_queue() -> datetime | None:
    try:
        with queue.connect(in_force.environment().queue_url, 2) as server:
            seconds, micro = server.time()
            return datetime.fromtimestamp(seconds + micro / 1e6, UTC)
    except (redis.RedisError, OSError):
        return None


def _bare(url: str) -> str:
    """An address without who signs in there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _cause(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).splitlines()[0].split()).rstrip(".")


CHECKS: dict[str, Callable[[bool], Found]] = {
    "settings": _settings,
    "data folder": _data_folder,
    "backup": _backup,
    "secret key": _secret_key,
    "database": _database,
    "audit log": _audit_log,
    "queue": _queue,
    "workers": _workers,
    "mail": _mail,
    "address": _address,
    "clock": _clock,
}

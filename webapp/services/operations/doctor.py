"""Checks an installation piece by piece. Each finding is one sentence that says what to do.

Nothing is changed and nothing is sent. No sentence holds a secret: addresses are shown without user and password.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue, upgrade
from webapp.core.text.audit_problems import describe_problems
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.mail import transports
from webapp.mail.errors import MailError
from webapp.models import Organisation
from webapp.run import data_folder
from webapp.services.audit import chain
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.settings.parsers import is_loopback
from webapp.timeout import run_with_timeout

DATABASE_TIMEOUT = 10.0  # seconds
GB = 1024**3
OLD_BACKUP = timedelta(hours=36)


class Level(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


Problems = Iterator[tuple[Level, str]]
WARNING, WRONG = Level.WARNING, Level.WRONG


Check = tuple[str, Callable[[], Problems], str]
"""What a check is about, what finds its problems, and the sentence where there are none."""


def examine() -> Iterator[tuple[str, Level, str]]:
    """Run all checks. -> what each is about, how good or bad it is, and in words.

    Those that need the database are left out while it cannot be used; the check of it says why.
    """
    is_usable = not _database_error() and inspect(db.engine).has_table(Organisation.__tablename__)
    for about, find, fine in (*CHECKS, *(CHECKS_OF_DATABASE if is_usable else ())):
        try:
            found = list(find())
        except Exception as error:
            found = [(WRONG, f"This check failed ({_first_line(error)}).")]
        if is_usable:
            db.session.rollback()
        for level, words in found or [(Level.OK, fine)]:
            yield about, level, words


def _database_error() -> str:
    """Why the database gives no answer; "" while it does."""
    try:
        run_with_timeout(lambda: db.session.scalar(text("SELECT 1")), DATABASE_TIMEOUT)
    except (SQLAlchemyError, TimeoutError) as error:
        return _first_line(error)
    return ""


def _settings() -> Problems:
    settings, organisation = in_force.environment(), in_force.organisation()
    for name, sentence in settings.overlaid(organisation.settings)[1].items():
        yield (
            WARNING,
            f"{name} was set on a page and cannot be used. Set it there again. {sentence}",
        )


def _data_folder() -> Problems:
    folder = in_force.environment().data_dir
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield (
            WRONG,
            f"Others on this machine can look into {folder}, which holds everything: chmod 700 it.",
        )
    free = shutil.disk_usage(folder).free
    if free < GB:
        yield WARNING, f"{free / GB:.1f} GB free in {folder}: make room, or move the data."


def _backup() -> Problems:
    found = data_folder.last_backup(in_force.environment().data_dir)
    if found is None:
        yield (
            WARNING,
            "None was made here so far: “flask --app wsgi muster backup FILE” makes one, a timer one every night.",
        )
    elif utcnow() - found[0] > OLD_BACKUP:
        yield (
            WARNING,
            f"The last one was made on {found[0]:%Y-%m-%d}: {found[1]}. "
            "Make one every night; “systemctl list-timers” says whether muster-backup.timer is on.",
        )


def _database() -> Problems:
    if error := _database_error():
        yield (
            WRONG,
            f"It does not answer ({error}): start it, correct MUSTER_DATABASE_URL, or restore a backup.",
        )
        return
    if db.engine.dialect.name == "sqlite":
        answer = db.session.scalar(text("PRAGMA quick_check(1)"))
        if answer != "ok":
            yield WRONG, "It is damaged: stop Muster and restore a backup."
    scripts = upgrade.scripts()
    here = set(MigrationContext.configure(db.session.connection()).get_current_heads())
    if here == set(scripts.get_heads()):
        return
    if here <= {revision.revision for revision in scripts.walk_revisions()}:
        yield (
            WRONG,
            "Not migrated to this version: run “flask --app wsgi db upgrade”, or start Muster with make run.",
        )
    else:
        yield (
            WRONG,
            "A newer version of Muster has migrated it: run that version, or restore a backup made before.",
        )


def _audit_log() -> Problems:
    verdict = chain.verify()
    if verdict.wrong:
        yield (
            WRONG,
            f"{describe_problems(verdict)[0]} Run “flask --app wsgi muster audit verify”: "
            "it says what to do.",
        )


def _queue() -> Problems:
    if not queue.ping():
        yield (
            WRONG,
            "The server does not answer: start Muster, or the server of MUSTER_REDIS_URL. Work goes on without it, more slowly.",
        )


def _workers() -> Problems:
    wanted = in_force.environment().workers
    alive = heartbeats.alive()
    if alive < wanted:
        seen = f"{plural(alive, 'worker')} seen within {heartbeats.SEEN} seconds"
        yield (
            WARNING if alive else WRONG,
            f"{seen}, where MUSTER_WORKERS says {wanted}: start Muster, or see in the log what became of the others.",
        )


def _mail() -> Problems:
    settings = in_force.settings()
    db.session.rollback()  # no transaction stays open while a server is asked
    url = urlsplit(settings.mail_url or "")
    try:
        with transports.connect(settings):
            pass
    except MailError as error:
        yield WRONG, f"{error} Correct MUSTER_MAIL_URL, or ask who runs that server."
    if not settings.mail_url:
        yield WARNING, "No mail server is set: messages become files. Set MUSTER_MAIL_URL."
    if url.scheme == "smtp" and url.password and not is_loopback(url.hostname or ""):
        yield (
            WRONG,
            "The mail server’s password travels unencrypted: use smtp+starttls:// or smtps://.",
        )


def _address() -> Problems:
    settings = in_force.environment()
    if settings.https and not settings.trusted_proxies:
        yield (
            WARNING,
            "No proxy is trusted, so everybody seems to have one address: set MUSTER_TRUSTED_PROXIES=1.",
        )
    if not settings.https and not settings.opens_here_only:
        yield (
            WARNING,
            f"{settings.public_url} is not https, so passwords can be read on their way: put a proxy with TLS in front.",
        )
    if settings.trusted_proxies and not is_loopback(settings.host):
        yield (
            WARNING,
            f"Who reaches {settings.host}:{settings.port} past the proxy can claim any address: close the port to others.",
        )


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0].strip().rstrip(".")


CHECKS: tuple[Check, ...] = (
    ("data folder", _data_folder, "It has room, and only its owner can read it."),
    ("backup", _backup, "The last one is not older than a day and a half."),
    ("database", _database, "It answers and has the tables of this version."),
    ("queue", _queue, "The server answers."),
    ("address", _address, "People reach Muster safely."),
)
CHECKS_OF_DATABASE: tuple[Check, ...] = (
    ("settings", _settings, "Those of the pages and of the environment can be used."),
    ("audit log", _audit_log, "Its newest entries are unchanged."),
    ("workers", _workers, "As many are seen as MUSTER_WORKERS says."),
    ("mail", _mail, "The mail server answers."),
)

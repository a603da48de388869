"""Checks an installation piece by piece, and says what to do.

Nothing is changed and nothing is sent. No sentence holds a secret: addresses are shown without user and password.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue, upgrade
from webapp.core.errors import ProviderError
from webapp.core.plan.registry import fold
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.mail import transports
from webapp.mail.errors import MailError
from webapp.run import data_folder
from webapp.services.audit import chain
from webapp.services.directory import lookup
from webapp.services.operations import heartbeats
from webapp.services.settings import in_force
from webapp.settings.parsers import is_loopback
from webapp.timeout import run_with_timeout

DATABASE_TIMEOUT = 10.0  # seconds
GB = 1024**3
OLD_BACKUP = timedelta(hours=36)

OK, WARNING, WRONG = "ok", "warning", "wrong"

Finding = tuple[str, str]
"""How good or bad something is, and in words."""


def examine() -> Iterator[tuple[str, str, str]]:
    """Run the checks, up to a database that cannot be used. -> what each is about, how good or bad it is, and in words."""
    for about, find in CHECKS.items():
        try:
            level, words = find()
        except Exception as error:
            level, words = WRONG, f"This check failed ({_first_line(error)})."
        db.session.rollback()
        yield about, level, words
        if find is _database and level == WRONG:
            return


def _data_folder() -> Finding:
    folder = in_force.environment().data_dir
    free = shutil.disk_usage(folder).free
    if free < GB:
        return WARNING, f"{free / GB:.1f} GB free in {folder}: make room, or move the data."
    return OK, "It has room."


def _backup() -> Finding:
    made_at = data_folder.last_backup(in_force.environment().data_dir)
    if made_at is None:
        return (
            WARNING,
            "None was made here so far: “muster backup FILE” makes one, a timer one every night.",
        )
    if utcnow() - made_at > OLD_BACKUP:
        return (
            WARNING,
            f"The last one was made on {made_at:%Y-%m-%d}. "
            "Make one every night; “systemctl list-timers” says whether muster-backup.timer is on.",
        )
    return OK, "The last one is not older than a day and a half."


def _queue() -> Finding:
    if queue.ping():
        return OK, "The server answers."
    return (
        WRONG,
        "The server does not answer: start Muster, or the server of MUSTER_REDIS_URL. Work goes on without it, more slowly.",
    )


def _address() -> Finding:
    settings = in_force.environment()
    if settings.https and not settings.trusted_proxies:
        return (
            WARNING,
            "No proxy is trusted, so everybody seems to have one address: set MUSTER_TRUSTED_PROXIES=1.",
        )
    if not settings.https and not settings.opens_here_only:
        return (
            WARNING,
            f"{settings.public_url} is not https, so passwords can be read on their way: put a proxy with TLS in front.",
        )
    return OK, "People reach Muster safely."


def _secrets() -> Finding:
    """Where secrets come from; what they are is in no answer of the doctor."""
    sources = in_force.environment().secret_sources
    if not sources:
        return OK, "None is set: the key is in the data folder."
    return OK, "; ".join(f"{name}: {source}" for name, source in sources.items()) + "."


def _database() -> Finding:
    try:
        run_with_timeout(lambda: db.session.scalar(text("SELECT 1")), DATABASE_TIMEOUT)
    except (SQLAlchemyError, TimeoutError) as error:
        return (
            WRONG,
            f"It does not answer ({_first_line(error)}): start it, correct MUSTER_DATABASE_URL, or restore a backup.",
        )
    is_sqlite = db.engine.dialect.name == "sqlite"
    if is_sqlite and db.session.scalar(text("PRAGMA quick_check(1)")) != "ok":
        return WRONG, "It is damaged: stop Muster and restore a backup."
    here = MigrationContext.configure(db.session.connection()).get_current_revision()
    if here == upgrade.revisions()[0]:
        return OK, "It answers and has the tables of this version."
    return (
        WRONG,
        "It has the tables of another version: run “muster prepare --upgrade”, or start the newer Muster that made them.",
    )


def _audit_log() -> Finding:
    if chain.verify().problems:
        return (
            WRONG,
            "It was changed: run “muster audit verify”, which says where, and what to do.",
        )
    return OK, "Its newest entries are unchanged."


def _workers() -> Finding:
    wanted = in_force.environment().workers
    alive = heartbeats.alive()
    if alive >= wanted:
        return OK, "As many are seen as MUSTER_WORKERS says."
    return (
        WARNING if alive else WRONG,
        f"{plural(alive, 'worker')} seen within {heartbeats.SEEN} seconds, where MUSTER_WORKERS says {wanted}: "
        "start Muster, or see in the log what became of the others.",
    )


def _mail() -> Finding:
    settings = in_force.settings()
    db.session.rollback()  # no transaction stays open while a server is asked
    if not settings.mail_url:
        return WARNING, "No mail server is set: messages become files. Set MUSTER_MAIL_URL."
    url = urlsplit(settings.mail_url)
    if url.scheme == "smtp" and url.password and not is_loopback(url.hostname or ""):
        return (
            WRONG,
            "The mail server’s password travels unencrypted: use smtp+starttls:// or smtps://.",
        )
    try:
        with transports.connect(settings):
            return OK, "The mail server answers."
    except MailError as error:
        return WRONG, f"{error} Correct MUSTER_MAIL_URL, or ask who runs that server."


def _directory() -> Finding:
    settings = in_force.environment()
    if not settings.ldap_url:
        return OK, "None is set."
    from webapp import ldap

    db.session.rollback()  # no transaction stays open while a server is asked
    try:
        ldap.find_person(settings, "nobody@example.com")
    except ldap.LdapError as error:
        return WRONG, str(error)
    return OK, "It answers."


def _single_sign_on() -> Finding:
    settings = in_force.environment()
    if settings.proxy_email_header and not settings.oidc_issuer:
        return OK, "The proxy in front names people."
    if not settings.oidc_issuer:
        return OK, "None is set."
    from webapp import oidc  # only where it is used

    registry = lookup.registry()
    db.session.rollback()  # no transaction stays open while the provider is asked
    try:
        oidc.Provider(settings).check()
    except ProviderError as error:
        return (
            WRONG,
            f"The provider cannot be used ({_first_line(error)}). Correct MUSTER_OIDC_ISSUER, or ask who runs it.",
        )
    highest = settings.oidc_max_role
    if highest and fold(highest) not in registry.role_by_key:
        return (
            WARNING,
            f"There is no role {highest}, so the provider gives none: correct MUSTER_OIDC_MAX_ROLE.",
        )
    return OK, "The provider answers, and is the one of MUSTER_OIDC_ISSUER."


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0].strip().rstrip(".")


CHECKS: dict[str, Callable[[], Finding]] = {
    "data folder": _data_folder,
    "backup": _backup,
    "queue": _queue,
    "address": _address,
    "secrets": _secrets,
    "database": _database,
    "audit log": _audit_log,
    "workers": _workers,
    "mail": _mail,
    "directory": _directory,
    "single sign-on": _single_sign_on,
}

"""The settings in force: the environment's and, where it says nothing, those set on a page."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any, NamedTuple, cast

from flask import current_app
from sqlalchemy import event, select
from sqlalchemy.orm import Session, SessionTransaction

from webapp.db import db
from webapp.models import OWNER_ROLE_ID, Organisation, User
from webapp.settings.settings import Settings

_KEPT = "installation"


class Installation(NamedTuple):
    """What every request asks about the installation."""

    settings: Settings
    name: str
    owner_key: str


def environment() -> Settings:
    """The environment's settings: for what no page sets. No query."""
    return cast(Settings, current_app.extensions["muster_settings"])


def settings() -> Settings:
    """The settings in force; read once a transaction."""
    return installation().settings


def organisation_name() -> str:
    """The organisation's name; "" before the first start, and where it has none."""
    return installation().name


def organisation() -> Organisation:
    """The one row; made by `muster prepare`."""
    return db.session.get_one(Organisation, 1)


def installation() -> Installation:
    """Settings, name and Owner; one query a transaction."""
    cache = transaction_cache()
    if "installation" not in cache:
        row = db.session.execute(
            select(Organisation.name, Organisation.settings, User.email_key)
            .outerjoin(User, User.role_id == OWNER_ROLE_ID)
            .where(Organisation.id == 1)
        ).one_or_none()
        name, texts, owner_key = row or ("", {}, "")  # no row before the first start
        cache["installation"] = Installation(
            environment().overlaid(texts)[0], name, owner_key or ""
        )
    return cast(Installation, cache["installation"])


def transaction_cache() -> dict[str, Any]:
    """What this transaction has read of the installation; the next one begins with nothing."""
    kept: dict[str, Any] = db.session.info.setdefault(_KEPT, {})
    return kept


def forget() -> None:
    """Read all of it again when it is next asked for."""
    db.session.info.pop(_KEPT, None)


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """The next transaction may find something else; the answer after `commit_and_keep` shows what its command read."""
    if transaction.parent is None and session.expire_on_commit:
        session.info.pop(_KEPT, None)


def reply_to(inviter: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Name and address that get the replies; blank: the sender. inviter: who confirmed an invitation and is still here.

    An address with letters outside ASCII before the @ is skipped: not every mail server takes it.
    """
    now = settings()
    local = inviter[1].rpartition("@")[0]
    if now.mail_reply_to_inviter == "yes" and local and local.isascii():
        return inviter
    return parseaddr(now.mail_reply_to)

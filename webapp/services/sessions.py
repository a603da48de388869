"""Signing in, staying signed in, signing out; and what is refused at the door."""

from __future__ import annotations

import os
import secrets
import unicodedata
from base64 import b64encode
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, or_, select, true, update

from webapp.core.addresses import key_of
from webapp.core.errors import Refused
from webapp.core.tokens import hashed
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditEvent, Session, User, UserState
from webapp.schemas import passwords
from webapp.services import audit, directory
from webapp.services.audit import AuditAction

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WRONG = "Email or password is wrong."

_hasher = PasswordHasher()


class Refusal(StrEnum):
    """What the audit log counts besides failed sign-ins."""

    ACCESS = "access.refused"
    PASSWORD = "password.refused"  # noqa: S105 -- a kind of event


# Questions


def hashed_password(password: str) -> str:
    """argon2id of a password, for `User.password_hash`. Slow (half a second): never inside a transaction."""
    return _hasher.hash(_normal(password))


def account_key(email: str) -> str | None:
    """The key by which an account is looked up, or None where the text is no e-mail address.

    Any domain passes: who got in while `MUSTER_ALLOWED_DOMAINS` named it must be able to come back.
    """
    return key_of(email, (email.strip().rpartition("@")[2].lower(),))


def current(token: str) -> Session | None:
    """The session that a cookie's token stands for, its user loaded, while neither limit is over and the user is active."""
    session = db.session.scalar(select(Session).where(Session.token_hash == hashed(token), ~_is_over(utcnow())))
    return session if session and session.user.state is UserState.ACTIVE else None


def listed(user: User) -> list[Session]:
    """Where this person is signed in, the latest activity first."""
    own = select(Session).where(Session.user_id == user.id, ~_is_over(utcnow()))
    return list(db.session.scalars(own.order_by(Session.seen_at.desc(), Session.id.desc())))


# Commands


def sign_in(email: str, password: str, address: str = "") -> User:
    """The active user with this e-mail and password.

    Raises Refused with one sentence for a wrong password, an unknown address and a deactivated account alike, and takes
    as long for each. address: the peer, for the audit log.
    """
    key = account_key(email)
    user = db.session.scalar(select(User).where(User.email_key == key)) if key else None
    stored, user_id = (user.password_hash, user.id) if user else (_nobodys_hash(), None)
    active = bool(user and user.state is UserState.ACTIVE)
    db.session.rollback()  # nothing is open while the password is checked

    right = _matches(stored, password)
    if not right or not active:
        count_refusal(AuditAction.SIGN_IN_FAILED, None, email.strip() if key else "(not an email address)", address)
        raise Refused(WRONG)
    renewed = hashed_password(password) if _hasher.check_needs_rehash(stored) else stored
    begin_write()
    user = db.session.get_one(User, user_id)
    if user.state is not UserState.ACTIVE or user.password_hash != stored:
        db.session.rollback()
        raise Refused(WRONG)
    user.password_hash = renewed
    db.session.commit()
    return user


def prove(user: User, password: str, address: str = "") -> None:
    """Raises Refused where this is not the password of who is signed in: before something that another may not do for them."""
    stored, user_id = user.password_hash, user.id
    db.session.rollback()  # nothing is open while the password is checked
    if not _matches(stored, password):
        count_refusal(Refusal.PASSWORD, db.session.get(User, user_id), "(own password)", address)
        raise Refused("This is not your password. Nothing was sent.")


def start(user: User, address: str, user_agent: str, replaces: str | None = None) -> str:
    """Begin a session; the token (256 bits) goes into the cookie, only its hash is stored.

    replaces: the token of the session that this one takes the place of. The user's sessions that are over are removed.
    """
    token, now = secrets.token_urlsafe(32), utcnow()
    begin_write()
    gone = or_(_is_over(now), Session.token_hash == hashed(replaces or ""))
    db.session.execute(delete(Session).where(Session.user_id == user.id, gone))
    session = Session(token_hash=hashed(token), user_id=user.id, address=address[:64], user_agent=user_agent[:200])
    db.session.add(session)
    user.seen_at = now
    audit.record(user, AuditAction.SIGNED_IN, user)
    db.session.commit()
    return token


def touch(session_id: int) -> None:
    """Note that somebody is still there, at most once a minute. For after the answer: a GET writes nothing before it."""
    now = utcnow()
    begin_write()
    stale = update(Session).where(Session.id == session_id, Session.seen_at <= now - MINUTE)
    user_id = db.session.scalar(stale.values(seen_at=now).returning(Session.user_id))
    if user_id is not None:
        db.session.execute(update(User).where(User.id == user_id).values(seen_at=now))
    db.session.commit()


def end(token: str) -> None:
    """Sign out: the session is deleted. Nothing happens where it is gone already."""
    begin_write()
    session = db.session.scalar(select(Session).where(Session.token_hash == hashed(token)))
    if session:
        audit.record(session.user, AuditAction.SIGNED_OUT, session.user)
        db.session.delete(session)
    db.session.commit()


def end_all(user: User, keep: int | None = None, only: int | None = None) -> int:
    """Part of a command: this person's sessions end, but for one that is kept. only: the one that is meant. -> how many."""
    kept = Session.id != keep if keep is not None else true()
    meant = Session.id == only if only is not None else true()
    gone = db.session.scalars(delete(Session).where(Session.user_id == user.id, kept, meant).returning(Session.id))
    return len(gone.all())


def refuse_access(user_id: int, path: str, address: str) -> None:
    """Write to the audit log that somebody asked for what their role does not include. path: with its method."""
    count_refusal(Refusal.ACCESS, db.session.get(User, user_id), path, address)


def count_refusal(action: StrEnum, actor: User | None, label: str, address: str, **details: Any) -> None:
    """Write a refusal to the audit log; the same one again within the hour is counted, not appended."""
    now = utcnow()
    actor_id, email = (actor.id, actor.email) if actor else (None, "")
    begin_write()
    same = select(AuditEvent).where(
        AuditEvent.at > now - HOUR,
        AuditEvent.action == action.value,
        AuditEvent.actor_id.is_(None) if actor_id is None else AuditEvent.actor_id == actor_id,
        AuditEvent.subject == label[:320],
        AuditEvent.address == address,
    )
    if event := db.session.scalar(same.order_by(AuditEvent.id.desc()).limit(1)):
        event.count += 1
        event.details = {**event.details, "last_at": now.isoformat()}
    else:
        db.session.add(
            AuditEvent(actor_id=actor_id, actor=email, action=action.value, subject=label[:320], address=address, details=details)
        )
    db.session.commit()


def _is_over(now: datetime) -> Any:
    settings = directory.settings()
    return or_(Session.seen_at <= now - settings.session_idle, Session.created_at <= now - settings.session_max)


def _matches(stored: str, password: str) -> bool:
    try:
        return len(password) <= passwords.LONGEST and _hasher.verify(stored, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _nobodys_hash() -> str:
    """A hash that takes as long to check as a real one, and that no password matches."""
    salt, digest = (b64encode(os.urandom(n)).rstrip(b"=").decode() for n in (_hasher.salt_len, _hasher.hash_len))
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _normal(password: str) -> str:
    """One spelling for what one person types on different keyboards (RFC 8265, 4.2.1: NFC)."""
    return unicodedata.normalize("NFC", password)

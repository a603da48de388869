"""Signing in, staying signed in, signing out; and what is refused at the door."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, true, update

from webapp.core.addresses import key_of
from webapp.core.errors import RuleViolationError
from webapp.core.security import passwords
from webapp.core.security.tokens import hash_token
from webapp.db import begin_write, db, utcnow
from webapp.models import Session, User, UserState
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction, count_refusal
from webapp.services.settings import in_force

MINUTE = timedelta(minutes=1)
WRONG = "Email or password is wrong."


class Refusal(StrEnum):
    """What the audit log counts besides failed sign-ins; all end in ".refused", by which it knows them."""

    ACCESS = "access.refused"
    PASSWORD = "password.refused"  # noqa: S105 -- a kind of event
    RESET = "password_reset.refused"
    CODE = "second_factor.refused"
    LIMIT = "limit.refused"
    RANK = "rank.refused"
    ORIGIN = "origin.refused"
    LINK = "link.refused"


def account_key(email: str) -> str | None:
    """The key by which an account is looked up, or None where the text is no e-mail address.

    Any domain passes: who got in while `MUSTER_ALLOWED_DOMAINS` named it must be able to come back.
    """
    return key_of(email, (email.strip().rpartition("@")[2].lower(),))


def find_session(token: str) -> Session | None:
    """The session that a cookie's token stands for, its user loaded, while neither limit is over and the user is active."""
    session = db.session.scalar(_BY_TOKEN, {"token": hash_token(token)})
    if session is None or session.user.state is not UserState.ACTIVE:
        return None
    settings, now = in_force.settings(), utcnow()
    is_over = session.seen_at <= now - settings.session_idle or session.created_at <= now - settings.session_max
    return None if is_over else session


_BY_TOKEN = select(Session).where(Session.token_hash == bindparam("token"))  # made once: every request asks it


def list_sessions(user: User) -> list[Session]:
    """Where this person is signed in, the latest activity first."""
    own = select(Session).where(Session.user_id == user.id, ~_is_over(utcnow()))
    return list(db.session.scalars(own.order_by(Session.seen_at.desc(), Session.id.desc())))


def sign_in(email: str, password: str, address: str = "") -> User:
    """The active user with this e-mail and password.

    Raises RuleViolationError with one sentence for a wrong password, an unknown address and a deactivated account alike, and
    takes as long for each. address: the peer, for the audit log.
    """
    key = account_key(email)
    user = db.session.scalar(select(User).where(User.email_key == key)) if key else None
    stored, user_id = (user.password_hash, user.id) if user else (passwords.dummy_hash(), None)
    active = bool(user and user.state is UserState.ACTIVE)
    db.session.rollback()  # nothing is open while the password is checked

    right = passwords.matches(stored, password)
    if not right or not active:
        count_refusal(AuditAction.SIGN_IN_FAILED, None, email.strip() if key else "(not an email address)", address)
        raise RuleViolationError(WRONG)
    renewed = passwords.hash_password(password) if passwords.is_outdated(stored) else stored
    begin_write()
    user = db.session.get_one(User, user_id)
    if user.state is not UserState.ACTIVE or user.password_hash != stored:
        email = user.email
        count_refusal(AuditAction.SIGN_IN_FAILED, None, email, address)
        raise RuleViolationError(WRONG)
    user.password_hash = renewed
    db.session.commit()
    return user


def check_own_password(user: User, password: str, address: str = "", kept: str = "Nothing was sent.") -> None:
    """Raises RuleViolationError where this is not the password of who is signed in: before something that another may not do
    for them.

    kept: what the sentence says of the state of things.
    """
    stored, user_id = user.password_hash, user.id
    db.session.rollback()  # nothing is open while the password is checked
    if not passwords.matches(stored, password):
        count_refusal(Refusal.PASSWORD, db.session.get(User, user_id), "(own password)", address)
        raise RuleViolationError(f"This is not your password. {kept}")


def start_session(user: User, address: str, user_agent: str, replaces: str | None = None) -> str:
    """Begin a session; the token (256 bits) goes into the cookie, only its hash is stored.

    replaces: the token of the session that this one takes the place of: it ends, also where it is somebody else's.
    The user's sessions that are over are removed.
    """
    token, now = secrets.token_urlsafe(32), utcnow()
    begin_write()
    replaced = Session.token_hash == hash_token(replaces or "")
    before_id = db.session.scalar(select(Session.user_id).where(replaced)) or user.id
    is_own_and_over = (Session.user_id == user.id) & _is_over(now)
    ended = set(db.session.scalars(delete(Session).where(or_(is_own_and_over, replaced)).returning(Session.user_id)))
    if before_id != user.id and before_id in ended:
        before = db.session.get_one(User, before_id)
        events.record(before, AuditAction.SIGNED_OUT, before)
    session = Session(token_hash=hash_token(token), user_id=user.id, address=address[:64], user_agent=user_agent[:200])
    db.session.add(session)
    user.seen_at = now
    events.record(user, AuditAction.SIGNED_IN, user)
    db.session.commit()
    return token


def renew_token(session_id: int) -> str:
    """Give a session another token, as its user's password or the like has changed: copies of its cookie end. -> the token."""
    token = secrets.token_urlsafe(32)
    begin_write()
    db.session.execute(update(Session).where(Session.id == session_id).values(token_hash=hash_token(token)))
    db.session.commit()
    return token


def note_activity(session_id: int) -> None:
    """Note that somebody is still there, at most once a minute. For after the answer: a GET writes nothing before it."""
    now = utcnow()
    begin_write()
    stale = Session.id == session_id, Session.seen_at <= now - MINUTE
    owner = User.id.in_(select(Session.user_id).where(*stale))
    if db.session.scalar(update(User).where(owner).values(seen_at=now).returning(User.id)) is not None:
        db.session.execute(update(Session).where(*stale).values(seen_at=now))
    db.session.commit()


def end_session(token: str) -> None:
    """Sign out: the session is deleted. Nothing happens where it is gone already."""
    begin_write()
    session = db.session.scalar(select(Session).where(Session.token_hash == hash_token(token)))
    if session:
        events.record(session.user, AuditAction.SIGNED_OUT, session.user)
        db.session.execute(delete(Session).where(Session.id == session.id))
    db.session.commit()


def end_others(user: User, keep: int, only: int | None = None) -> int:
    """Sign this person out on all devices but one, or on one of the others. keep: the session that stays. -> how many."""
    begin_write()
    ended = end_all(user, keep, only)
    if ended:
        events.record(user, AuditAction.SIGNED_OUT, user, sessions=ended)
    db.session.commit()
    return ended


def end_all(user: User, keep: int | None = None, only: int | None = None) -> int:
    """Part of a command: this person's sessions end, but for one that is kept. only: the one that is meant. -> how many."""
    kept = Session.id != keep if keep is not None else true()
    meant = Session.id == only if only is not None else true()
    gone = db.session.scalars(delete(Session).where(Session.user_id == user.id, kept, meant).returning(Session.id))
    return len(gone.all())


def delete_expired() -> int:
    """Sessions that are over, up to 500 at a time. -> how many."""
    begin_write()
    over = select(Session.id).where(_is_over(utcnow())).limit(500)
    ids = db.session.scalars(over).all()
    db.session.execute(delete(Session).where(Session.id.in_(ids)), execution_options={"synchronize_session": False})
    db.session.commit()
    return len(ids)


def record_refusal(kind: Refusal, user_id: int | None, what: str, address: str) -> None:
    """Write to the audit log that somebody was refused what they asked for, such as a path with its method."""
    count_refusal(kind, db.session.get(User, user_id) if user_id else None, what, address)


def _is_over(now: datetime) -> Any:
    settings = in_force.settings()
    return or_(Session.seen_at <= now - settings.session_idle, Session.created_at <= now - settings.session_max)

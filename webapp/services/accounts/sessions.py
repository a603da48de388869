"""Signs people in and out, and records refusals."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select

from webapp.core.addresses import key_of
from webapp.core.errors import RuleViolationError
from webapp.core.security import passwords
from webapp.core.security.tokens import hash_token
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import Door, Session, User, UserState
from webapp.services.accounts import ldap_accounts
from webapp.services.audit import events
from webapp.services.audit.events import count_refusal
from webapp.services.settings import in_force

MINUTE = timedelta(minutes=1)
NO_ADDRESS = "(not an email address)"
"""In the audit log, in place of what was typed: it may be a password."""


def account_key(email: str) -> str:
    """The key by which an account is looked up, and tries are counted; NO_ADDRESS if the text is no e-mail address.

    Any domain passes: people who joined before `MUSTER_ALLOWED_DOMAINS` changed can still sign in.
    """
    domain = email.strip().rpartition("@")[2]
    return key_of(email, (domain.lower(),)) or NO_ADDRESS


def find_session(token: str) -> Session | None:
    """The session of a cookie's token, if it is not over and its user is active."""
    is_it = Session.token_hash == hash_token(token)
    query = select(Session).where(is_it, ~_is_over())
    found = db.session.scalar(query)
    if found and found.user.state is UserState.ACTIVE:
        return found
    return None


def list_sessions(user: User) -> list[Session]:
    """Where this person is signed in, the latest activity first."""
    is_own = Session.user_id == user.id
    own = select(Session).where(is_own, ~_is_over())
    newest_first = own.order_by(Session.seen_at.desc(), Session.id.desc())
    return list(db.session.scalars(newest_first))


def sign_in(email: str, password: str) -> User:
    """The active user with this e-mail and password, by Muster or by the directory.

    A wrong password, an unknown e-mail and a deactivated account get the same RuleViolationError after the same time.
    """
    key = account_key(email)
    user = _find_by_password(key, password)
    if user is None and key != NO_ADDRESS:
        user = ldap_accounts.sign_in(email, password)
    if user is None:
        count_refusal("session.refused", None, key)
        raise RuleViolationError("Email or password is wrong.")
    return user


def _find_by_password(key: str, password: str) -> User | None:
    is_it = User.email_key == key
    user = db.session.scalar(select(User).where(is_it))
    stored = user.password_hash if user else passwords.dummy_hash()
    db.session.rollback()  # no transaction is open while the password is checked

    new_hash = passwords.verify(stored, password)
    begin_write()
    is_same = user is not None and user.password_hash == stored
    if user and new_hash and is_same and _may_use_password(user):
        user.password_hash = new_hash
        db.session.commit()
        return user
    db.session.rollback()
    return None


def _may_use_password(user: User) -> bool:
    """Whether the account is active, and a password signs it in here."""
    is_only_elsewhere = in_force.environment().oidc_only == "yes"
    return user.state is UserState.ACTIVE and (user.role.is_owner or not is_only_elsewhere)


def check_own_password(
    user: User, password: str, nothing_done: str = "Nothing was changed."
) -> None:
    """Check that the signed-in person typed their own password. Raises RuleViolationError.

    nothing_done: what did not happen where they did not, as a sentence.
    """
    stored = user.password_hash
    user_id = user.id
    db.session.rollback()  # nothing is open while the password is checked
    is_right = passwords.verify(stored, password) or ldap_accounts.is_own_password(user, password)
    if not is_right:
        count_refusal("password.refused", user_id, "(own password)")
        raise RuleViolationError(f"This is not your password. {nothing_done}")


def start_session(user: User, address: str, user_agent: str, via: Door = Door.PASSWORD) -> str:
    """Start a session and return its token (256 bits) for the cookie; only the token's hash is stored."""
    token = secrets.token_urlsafe(32)
    begin_write()
    session = Session(
        token_hash=hash_token(token),
        user_id=user.id,
        address=address[:64],
        user_agent=user_agent[:200],
        via=via,
    )
    db.session.add(session)
    user.seen_at = utcnow()
    details = {} if via is Door.PASSWORD else {"via": via.value}
    events.record(user, "session.started", user, **details)
    db.session.commit()
    return token


def renew_token(session_id: int) -> str:
    """Replace a session's token, so that copies of its cookie stop working. -> the new token.

    One that was ended in the meantime stays ended: the new token opens nothing.
    """
    token = secrets.token_urlsafe(32)
    begin_write()
    if session := db.session.get(Session, session_id):
        session.token_hash = hash_token(token)
    db.session.commit()
    return token


def note_activity(session_id: int) -> None:
    """Note that a person is still active, at most once a minute. Call it after the answer: a GET writes nothing before."""
    now = utcnow()
    begin_write()
    session = db.session.get(Session, session_id)
    if session and session.seen_at <= now - MINUTE:
        session.seen_at = now
        session.user.seen_at = now
    db.session.commit()


def end_sessions(user: User, by: User, keep: int | None = None, only: int | None = None) -> int:
    """Sign a person out everywhere but in the session `keep`, or in one session. -> how many ended."""
    begin_write()
    ended = end_all(user, keep, only)
    if ended:
        action = "sessions.ended"
        if user.id == by.id:
            action = "session.ended"
        events.record(by, action, user, sessions=ended)
    db.session.commit()
    return ended


def end_all(user: User, keep: int | None = None, only: int | None = None) -> int:
    """End a person's sessions, except `keep`; or `only` one. Returns how many ended. Does not commit."""
    query = delete(Session).where(Session.user_id == user.id)
    if keep is not None:
        query = query.where(Session.id != keep)
    if only is not None:
        query = query.where(Session.id == only)
    gone = bulk_execute(query)
    return int(gone.rowcount)


def delete_expired() -> int:
    """Delete the expired sessions. -> how many."""
    begin_write()
    expired = delete(Session).where(_is_over())
    gone = bulk_execute(expired)
    db.session.commit()
    return int(gone.rowcount)


def _is_over() -> ColumnElement[bool]:
    settings = in_force.settings()
    now = utcnow()
    return or_(
        Session.seen_at <= now - settings.session_idle,
        Session.created_at <= now - settings.session_max,
    )

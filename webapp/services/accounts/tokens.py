"""API tokens: made, shown once, found again by their hash, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.security.permissions import Permission, with_needs
from webapp.core.security.tokens import hash_token
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import ApiToken, User, UserState
from webapp.services.audit import events

PREFIX = "muster_"
"""What a token begins with, so that scanners for secrets know it."""
MOST = 50
"""Tokens of one user."""
MINUTE = timedelta(minutes=1)


def find_token(given: str) -> ApiToken | None:
    """The token, if it has not expired and its user is active."""
    if not given.startswith(PREFIX):
        return None
    is_it = ApiToken.token_hash == hash_token(given)
    query = select(ApiToken).where(is_it, ApiToken.expires_at > utcnow())
    found = db.session.scalar(query)
    if found and found.user.state is UserState.ACTIVE:
        return found
    return None


def list_tokens(user: User) -> Sequence[ApiToken]:
    """A user's tokens, expired ones too, the newest first."""
    own = select(ApiToken).where(ApiToken.user_id == user.id)
    return db.session.scalars(own.order_by(ApiToken.id.desc())).all()


def make_token(
    user: User,
    by: User,
    name: str,
    permissions: Iterable[str],
    days: int,
    *,
    may_make_admins: bool = False,
) -> tuple[ApiToken, str]:
    """Make a token for a user. -> it, and its text, which is stored nowhere.

    permissions: those the user's role has not are left out; those that others need are added. by: has just given their password.
    Raises RuleViolationError where nothing could be done with it, or the user has too many.
    """
    given = PREFIX + secrets.token_urlsafe(32)
    begin_write()
    held = set(user.role.permissions)
    wanted = with_needs(Permission(each) for each in permissions if each in held)
    kept = [each.value for each in with_needs(wanted) if each in held]
    if not kept:
        raise RuleViolationError("Choose what the token may be used for.", field="permissions")
    if len(list_tokens(user)) >= MOST:
        raise RuleViolationError(f"At most {MOST} tokens. Revoke one first.", field="name")
    token = ApiToken(
        token_hash=hash_token(given),
        user_id=user.id,
        name=name,
        permissions=kept,
        may_make_admins=may_make_admins,
        expires_at=utcnow() + timedelta(days=days),
    )
    db.session.add(token)
    details = {"permissions": kept, "valid_days": days, "may_make_admins": may_make_admins}
    events.record(by, "token.made", user, token=name, **details)
    db.session.commit()
    return token, given


def get_token(token_id: int, user: User) -> ApiToken:
    """A token of this user. Raises NotFoundError."""
    token = db.session.get(ApiToken, token_id)
    if token is None or token.user_id != user.id:
        raise NotFoundError("This token is not there any more.")
    return token


def revoke(token_id: int, user: User, by: User) -> str:
    """Revoke a token of this user: it stops working at once. -> its name. Raises NotFoundError."""
    begin_write()
    token = get_token(token_id, user)
    name = token.name
    db.session.delete(token)
    events.record(by, "token.revoked", user, token=name)
    db.session.commit()
    return name


def revoke_all(user: User) -> int:
    """Revoke all tokens of a user. -> how many. Does not commit."""
    gone = bulk_execute(delete(ApiToken).where(ApiToken.user_id == user.id))
    return int(gone.rowcount)


def note_use(token_id: int) -> None:
    """Note that a token was used, at most once a minute. Call it after the answer: a GET writes nothing before."""
    now = utcnow()
    begin_write()
    token = db.session.get(ApiToken, token_id)
    if token and is_use_old(token):
        token.seen_at = now
    db.session.commit()


def is_use_old(token: ApiToken) -> bool:
    """Whether the noted use of a token is more than a minute ago."""
    return token.seen_at is None or token.seen_at <= utcnow() - MINUTE

"""Service accounts: programs that act under a role of their own. docs/rules.md, "Programs"."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.db import begin_write, count_by, db
from webapp.models import ApiToken, User, UserKind, UserState
from webapp.services.accounts import tokens
from webapp.services.audit import events
from webapp.services.directory import lookup

IS_SERVICE = User.kind == UserKind.SERVICE
IS_IN_USE = IS_SERVICE & (User.state == UserState.ACTIVE)


def list_accounts() -> Sequence[User]:
    """The service accounts in use, by name."""
    query = select(User).where(IS_IN_USE).order_by(func.lower(User.name), User.id)
    return db.session.scalars(query).all()


def count_tokens() -> Counter[int]:
    """How many tokens each service account has, by its id."""
    return count_by(ApiToken.user_id, ApiToken.user_id.in_(select(User.id).where(IS_IN_USE)))


def get_account(account_id: int) -> User:
    """A service account in use. Raises NotFoundError."""
    account = db.session.get(User, account_id)
    is_it = account is not None and account.kind is UserKind.SERVICE
    if account is None or not is_it or account.state is not UserState.ACTIVE:
        raise NotFoundError("This service account is not there any more.")
    return account


def create(name: str, role_id: int, by: User) -> User:
    """Make a service account with a role that `by` may give. Raises RuleViolationError (field "name" or "role")."""
    begin_write()
    role = next((each for each in lookup.grantable(by) if each.id == role_id), None)
    if role is None:
        raise RuleViolationError("Choose a role that you may give.", field="role")
    same = select(User.id).where(IS_IN_USE, func.lower(User.name) == name.lower())
    if db.session.scalar(same):
        raise RuleViolationError("There is a service account of this name.", field="name")
    account = User(
        kind=UserKind.SERVICE,
        email=name,
        email_key=f"service:{secrets.token_hex(16)}",  # no address reads like it
        name=name,
        password_hash="",
        has_password=False,
        role_id=role.id,
    )
    db.session.add(account)
    db.session.flush()
    events.record(by, "service_account.created", account, after={"role": role.name})
    db.session.commit()
    return account


def remove(account_id: int, by: User) -> str:
    """Remove a service account: its tokens stop working at once, what it did keeps its name. -> the name."""
    begin_write()
    account = get_account(account_id)
    account.state = UserState.DEACTIVATED
    revoked = tokens.revoke_all(account)
    events.record(by, "service_account.removed", account, tokens_revoked=revoked)
    db.session.commit()
    return account.name

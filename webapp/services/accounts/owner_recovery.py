"""A link for a locked-out Owner, printed on the server."""

from __future__ import annotations

from sqlalchemy import select

from webapp import queue
from webapp.core.errors import ConflictError
from webapp.core.security.passwords import hash_password
from webapp.db import begin_write, db
from webapp.models import OWNER_ROLE_ID, AccountLink, LinkPurpose, User, UserState
from webapp.services.accounts import profile, two_factor
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.links import account_links


def make(*, without_second_factor: bool) -> AccountLink:
    """A fresh link for the Owner; those before it end. Raises ConflictError while there is no Owner."""
    begin_write()
    owner = db.session.scalar(select(User).where(User.role_id == OWNER_ROLE_ID))
    if owner is None:
        raise ConflictError("There is no Owner yet: open the set-up link that the start printed.")
    account_links.close_links(owner, LinkPurpose.SIGN_IN)
    link = account_links.create_link(
        owner, LinkPurpose.SIGN_IN, without_second_factor=without_second_factor
    )
    events.record(
        None, AuditAction.OWNER_LINK_MADE, owner, without_second_factor=without_second_factor
    )
    db.session.commit()
    return link


def link_of(token: str) -> AccountLink | None:
    """The link, while it works and its person is the Owner."""
    link = account_links.find_by_token(token, LinkPurpose.SIGN_IN)
    return link if link and _is_owner(link.user) else None


def use(token: str, password: str = "") -> User:
    """Whom the link signs in, with a new password if one is given. Raises ConflictError where it does not work (any more)."""
    db.session.rollback()
    password_hash = hash_password(password) if password else ""  # slow: no transaction is open
    begin_write()
    link = account_links.use_link(token, LinkPurpose.SIGN_IN)
    owner = link.user
    if not _is_owner(owner):
        raise ConflictError(account_links.DEAD)
    events.record(owner, AuditAction.OWNER_LINK_USED, owner)
    if link.without_second_factor and owner.has_second_factor:
        two_factor.clear(owner, by=owner, how="by the Owner’s link")
    if password_hash:
        profile.set_password(owner, password_hash, how="by the Owner’s link")
    db.session.commit()
    queue.enqueue_send()
    return owner


def _is_owner(user: User) -> bool:
    return user.role_id == OWNER_ROLE_ID and user.state is UserState.ACTIVE

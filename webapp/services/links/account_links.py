"""One-time links to one's own account. They are derived like those of invitations; only hashes are stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select, update

from webapp.core.security import tokens
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.models import AccountLink, LinkPurpose, User
from webapp.services.settings import in_force

MINUTES = {LinkPurpose.RESET: 60, LinkPurpose.EMAIL: 24 * 60, LinkPurpose.SIGN_IN: 30}
"""How long a link works."""
PATHS = {
    LinkPurpose.RESET: "password-resets",
    LinkPurpose.EMAIL: "email-changes",
    LinkPurpose.SIGN_IN: "owner-links",
}


def link_url(link: AccountLink) -> str:
    """The whole address, from MUSTER_PUBLIC_URL and never from a request."""
    return f"{in_force.environment().public_url}/{PATHS[link.purpose]}/{_token(link)}"


def validity(purpose: LinkPurpose) -> str:
    """How long such a link works: "60 minutes", "24 hours"."""
    minutes = MINUTES[purpose]
    return plural(minutes, "minute") if minutes <= 60 else plural(minutes // 60, "hour")


def find_by_token(given: str, purpose: LinkPurpose) -> AccountLink | None:
    """The link that works, or None."""
    query = _select_open(purpose).where(AccountLink.token_hash == tokens.hash_token(given))
    return db.session.scalar(query)


def find_open(user: User, purpose: LinkPurpose) -> AccountLink | None:
    """The newest link of this person that works, or None."""
    query = _select_open(purpose).where(AccountLink.user_id == user.id)
    return db.session.scalar(query.order_by(AccountLink.id.desc()).limit(1))


def why_not_sendable(link: AccountLink) -> str:
    """The code of why a message with this link is not sent any more (`core.text.mail_phrases`), or ""."""
    if link.closed_at:
        return "link_closed"
    return "link_expired" if link.expires_at <= utcnow() else ""


def create_link(user: User, purpose: LinkPurpose, **values: Any) -> AccountLink:
    """Add a link. Does not commit."""
    nonce = tokens.new_nonce()
    link = AccountLink(
        user_id=user.id,
        purpose=purpose,
        nonce=nonce,
        token_hash=nonce,  # the real one needs the id
        expires_at=utcnow() + timedelta(minutes=MINUTES[purpose]),
        **values,
    )
    db.session.add(link)
    db.session.flush()
    refresh_hash(link)
    return link


def refresh_hash(link: AccountLink) -> None:
    """Store the hash of the link as it is derived now; the link changes with the server's key. Does not commit."""
    link.token_hash = tokens.hash_token(_token(link))


def close_links(user: User, purpose: LinkPurpose) -> None:
    """Close this person's links of this kind. Does not commit."""
    own = update(AccountLink).where(
        AccountLink.user_id == user.id,
        AccountLink.purpose == purpose,
        AccountLink.closed_at.is_(None),
    )
    db.session.execute(own.values(closed_at=utcnow()))


def _select_open(purpose: LinkPurpose) -> Select[AccountLink]:
    return select(AccountLink).where(
        AccountLink.purpose == purpose,
        AccountLink.closed_at.is_(None),
        AccountLink.expires_at > utcnow(),
    )


def _token(link: AccountLink) -> str:
    return tokens.derive(
        in_force.environment().secret_key, link.purpose.value, link.id, 1, link.nonce
    )

"""How people sign in: their sessions, recovery codes, and one-time links to something of one's own account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db import Model, utcnow
from webapp.models.columns import Digest, Email, Flag, Id, JsonTexts, Name, Now
from webapp.models.users import User


class Door(StrEnum):
    """How somebody signed in."""

    PASSWORD = "password"  # noqa: S105 -- a door
    OIDC = "oidc"
    """At the provider of MUSTER_OIDC_ISSUER."""
    PROXY = "proxy"
    """At the proxy in front, which names them in a header."""


class Identity(Model):
    """An account elsewhere that signs a person in. It is known by issuer and subject, never by an e-mail."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    """The provider's address, or PROXY."""
    subject: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[Now]
    seen_at: Mapped[Now]
    """When it last signed its person in."""

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Session(Model):
    """One sign-in on one device. The cookie holds a random id; only its hash is here. Ending it deletes the row."""

    __tablename__ = "sessions"

    id: Mapped[Id]
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Now]
    seen_at: Mapped[Now]
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    via: Mapped[Door] = mapped_column(default=Door.PASSWORD)
    proven_at: Mapped[datetime | None]
    """When its person last showed at the provider that it is them."""

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class ApiToken(Model):
    """What a program shows to act for a user. It is shown once; only its hash is here. Revoking it deletes the row."""

    __tablename__ = "api_tokens"

    id: Mapped[Id]
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[Name]
    """What it is for, in words of who made it."""
    permissions: Mapped[JsonTexts]
    """What it may be used for; the user's role must have it, too."""
    may_make_admins: Mapped[Flag]
    """Whether it stands for the password that giving a role which manages people costs."""
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    """When it was used last, to the minute."""

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= utcnow()


class RecoveryCode(Model):
    """One code that was not used yet, hashed. Using it deletes the row."""

    __tablename__ = "recovery_codes"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[Digest]


class LinkPurpose(StrEnum):
    """What a link lets its holder do, once."""

    RESET = "reset"
    """Choose a new password."""
    EMAIL = "email"
    """Confirm that a new address is theirs."""
    SIGN_IN = "sign_in"
    """Sign in as the Owner by a link, when the Owner is locked out."""


class AccountLink(Model):
    """A link that was handed out; its token is derived (`services.links.account_links`), only a hash is here."""

    __tablename__ = "account_links"
    __table_args__ = (Index("ix_account_links_user_id", "user_id", "purpose"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[LinkPurpose]
    nonce: Mapped[str] = mapped_column(String(32))
    """Random, and part of what the token is derived from. Empty only for links from before there was one."""
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    email: Mapped[Email] = mapped_column(default="")
    """The new address, where one is to be confirmed."""
    email_key: Mapped[Email] = mapped_column(default="")
    without_second_factor: Mapped[Flag]
    """Whether using it turns the second factor off, too."""
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """When it was used, or another way was taken."""

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

"""People who can sign in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db import Model, UTCDateTime, choice, utcnow
from webapp.models.groups import Group, user_groups
from webapp.models.roles import OWNER_ROLE_ID, Role


class UserState(StrEnum):
    """Somebody deactivated keeps their row and may do nothing."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class User(Model):
    """A person: one per e-mail key. Access is `groups`, or everything where `all_groups` is set."""

    __tablename__ = "users"
    __table_args__ = (
        Index(
            "one_owner",
            "role_id",
            unique=True,
            sqlite_where=text(f"role_id = {OWNER_ROLE_ID}"),
            postgresql_where=text(f"role_id = {OWNER_ROLE_ID}"),
        ),
        Index("ix_users_role_id", "role_id"),
        Index("users_as_owner", "id", "role_id", "state", unique=True),  # what organisation's owner refers to
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)
    """docs/rules.md "Rules for a row": local part NFC and case-folded @ the ASCII form of the domain."""
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(200))
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
    all_groups: Mapped[bool] = mapped_column(default=False)
    state: Mapped[UserState] = mapped_column(choice(UserState), default=UserState.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)
    groups: Mapped[list[Group]] = relationship(secondary=user_groups, order_by=Group.key, lazy="selectin")

    @property
    def initials(self) -> str:
        words = ["".join(c for c in word if c.isalnum()) for word in self.name.split()]
        words = [word for word in words if word] or [self.email]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()

    def may(self, permission: str) -> bool:
        """Whether this person's role holds the permission; nobody deactivated may do anything."""
        return self.state is UserState.ACTIVE and permission in self.role.permissions

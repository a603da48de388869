"""People who can sign in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from webapp.core.security.permissions import Powers, may_grant
from webapp.db import Model, binary_order
from webapp.models.columns import (
    Email,
    Flag,
    Id,
    Now,
    partial_index,
)
from webapp.models.directory import OWNER_ROLE_ID, Group, Role, join_group_names, user_groups


class UserState(StrEnum):
    """A deactivated user keeps the row and may do nothing; an erased one keeps only a pseudonym."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


class UserKind(StrEnum):
    """A service account is a program that acts under a role of its own: it has no password and no mailbox."""

    PERSON = "person"
    SERVICE = "service"


def find_initials(person: Any) -> str:
    """The first letters of the name of a user, an invitation or a row."""
    words = person.name.split()
    first_and_last = words[:1] + words[1:][-1:]
    letters = [word[0] for word in first_and_last]
    return "".join(letters).upper()


class User(Model):
    """A person: one per e-mail key. Access is `groups`, or everything where `all_groups` is set."""

    __tablename__ = "users"
    __table_args__ = (
        partial_index("one_owner", "role_id", where=f"role_id = {OWNER_ROLE_ID}", unique=True),
        # what organisation's owner refers to
        Index("users_as_owner", "id", "role_id", "state", unique=True),
    )

    id: Mapped[Id]
    kind: Mapped[UserKind] = mapped_column(default=UserKind.PERSON)
    email: Mapped[Email]
    """Of a service account its name: it has no mailbox."""
    email_key: Mapped[Email] = mapped_column(unique=True)
    """docs/rules.md "Rules for a row": local part NFC and case-folded @ the ASCII form of the domain."""
    name: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = synonym("name")
    """What pages call this person."""
    password_hash: Mapped[str] = mapped_column(String(200))
    has_password: Mapped[bool] = mapped_column(default=True)
    """Whether anybody knows the password: not of those who joined by single sign-on."""
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), index=True)
    all_groups: Mapped[Flag]
    state: Mapped[UserState] = mapped_column(default=UserState.ACTIVE)
    created_at: Mapped[Now]
    seen_at: Mapped[datetime | None]

    totp_salt: Mapped[str | None] = mapped_column(String(32))
    """What the second factor's secret is derived from, with the server's key; None: there is no second factor."""
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int | None]
    """The time step of the newest code that was taken: no code is taken twice."""

    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)
    groups: Mapped[list[Group]] = relationship(
        secondary=user_groups, order_by=binary_order(Group.key)
    )

    scope = cast("Collection[str] | None", None)
    """Not stored. The permissions of the API token that acts for this user; None: a person acts who is signed in."""

    group_names = property(join_group_names)
    initials = property(find_initials)
    is_user = True

    @property
    def key(self) -> str:
        """Its id in a page: "user-12"."""
        return f"user-{self.id}"

    @property
    def status(self) -> str:
        return self.state.value

    @property
    def has_second_factor(self) -> bool:
        return self.totp_salt is not None

    def may(self, permission: str) -> bool:
        """Whether this user is active and has the permission; where a token acts for them, it must have it, too."""
        is_in_scope = self.scope is None or permission in self.scope
        return (
            self.state is UserState.ACTIVE and is_in_scope and permission in self.role.permissions
        )

    def may_grant(self, role: Powers) -> bool:
        """Whether this user may grant the role."""
        return may_grant(self.role.rank, self.role.permissions, role)

"""Roles and device groups, and what the organisation calls things: remembered answers of those who map columns and values."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.core.plan.registry import ALL_GROUPS
from webapp.db import Base, Model
from webapp.models.columns import Digest, Email, Flag, Id, JsonDict, JsonTexts, Name, Now

OWNER_ROLE_ID = 1
"""The Owner's role has this id, so that the database itself can hold "exactly one Owner" (an index on users)."""


class AliasKind(StrEnum):
    """What an alias stands for."""

    ROLE = "role"
    GROUP = "group"


class Alias(Model):
    """Another word for a role or a group, such as "administrator" for Admin. It goes with what it stands for."""

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: Mapped[Id]
    kind: Mapped[AliasKind]
    word: Mapped[Name]
    key: Mapped[Name]
    """The word folded, as files are matched."""
    role_id: Mapped[int | None] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))


class Role(Model):
    """What a person may do. No one can grant a role that ranks above their own or may do more."""

    __tablename__ = "roles"
    kind: ClassVar = AliasKind.ROLE

    id: Mapped[Id]
    name: Mapped[Name]
    key: Mapped[Name] = mapped_column(unique=True)
    """The name case-folded, as files are matched."""
    rank: Mapped[int]
    permissions: Mapped[JsonTexts]
    description: Mapped[str] = mapped_column(String(200), default="")
    """In the Owner's words. Blank: `core.security.permissions.describe_role` words the permissions."""

    aliases: Mapped[list[Alias]] = relationship(order_by=Alias.key, viewonly=True)

    @property
    def is_owner(self) -> bool:
        return self.id == OWNER_ROLE_ID


class Group(Model):
    """A device group such as "Student Devices"."""

    __tablename__ = "groups"
    kind: ClassVar = AliasKind.GROUP

    id: Mapped[Id]
    name: Mapped[Name]
    key: Mapped[Name] = mapped_column(unique=True)
    """The name case-folded with single spaces, as files are matched."""
    description: Mapped[str] = mapped_column(String(200), default="")

    aliases: Mapped[list[Alias]] = relationship(order_by=Alias.key, viewonly=True)


def _members(owner: str) -> Table:
    return Table(
        f"{owner}_groups",
        Base.metadata,
        Column(f"{owner}_id", ForeignKey(f"{owner}s.id", ondelete="CASCADE"), primary_key=True),
        Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        Index(f"ix_{owner}_groups_group_id", "group_id"),
    )


user_groups = _members("user")
invitation_groups = _members("invitation")


def join_group_names(person: Any) -> str:
    """The groups of a user or an invitation as a cell of a file has them."""
    if person.all_groups:
        return ALL_GROUPS
    return ", ".join(group.name for group in person.groups)


class HeaderMapping(Model):
    """Remembered columns for files with this header."""

    __tablename__ = "header_mappings"

    id: Mapped[Id]
    key: Mapped[Digest] = mapped_column(unique=True)
    """SHA-256 (hex) of the folded names of the columns."""
    columns: Mapped[JsonDict]
    """`core.files.columns.Places` as a dictionary."""
    names: Mapped[JsonDict]
    """What the template calls a column -> what such files call it; empty for those remembered before this was kept."""
    created_at: Mapped[Now]
    is_before_names: Mapped[Flag]
    """Whether they were chosen by a version that read no names."""


class ReplacedAddress(Model):
    """A replaced address, and the address that the person has now."""

    __tablename__ = "replaced_addresses"

    old_key: Mapped[Email] = mapped_column(primary_key=True)
    email: Mapped[Email]
    """The one that replaced it, as typed."""
    email_key: Mapped[Email] = mapped_column(index=True)

"""Device groups, and who is in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.core.plan.registry import ALL_GROUPS
from webapp.db import Base, Model
from webapp.models.aliases import Alias
from webapp.models.columns import Id, Now


class Group(Model):
    """A device group such as "Student Devices"."""

    __tablename__ = "groups"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(80), unique=True)
    """The name case-folded with single spaces, as files are matched."""
    description: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[Now]

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

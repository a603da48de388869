"""Roles: data, not an enum."""

from __future__ import annotations

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db import Model
from webapp.models.aliases import Alias
from webapp.models.columns import Id

OWNER_ROLE_ID = 1
"""The Owner's role has this id, so that the database itself can hold "exactly one Owner" (an index on users)."""


class Role(Model):
    """What a person may do. No one can grant a role that ranks above their own or may do more."""

    __tablename__ = "roles"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(80), unique=True)
    """The name case-folded, as files are matched."""
    rank: Mapped[int]
    permissions: Mapped[list[str]] = mapped_column(JSON)

    aliases: Mapped[list[Alias]] = relationship(order_by=Alias.key, viewonly=True)

    @property
    def is_owner(self) -> bool:
        return self.id == OWNER_ROLE_ID

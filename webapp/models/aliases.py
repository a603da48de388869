"""What the organisation calls things: remembered answers of those who map columns and values."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import Digest, Id, Now


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
    word: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(80))
    """The word folded, as files are matched."""
    role_id: Mapped[int | None] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    created_at: Mapped[Now]


class HeaderMapping(Model):
    """Remembered columns for files with this header."""

    __tablename__ = "header_mappings"

    id: Mapped[Id]
    key: Mapped[Digest] = mapped_column(unique=True)
    """SHA-256 (hex) of the folded names of the columns."""
    columns: Mapped[dict[str, int]] = mapped_column(JSON)
    """Field -> place of its column."""
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """What the template calls a column -> what such files call it; empty for those remembered before this was kept."""
    created_at: Mapped[Now]

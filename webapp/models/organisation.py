"""The organisation: one row."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model


class Organisation(Model):
    """What belongs to the whole installation."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    directory_version: Mapped[int] = mapped_column(default=1)
    """Raised by every change to users, invitations, groups and roles: stored plans that are older are made again."""
    setup_token_hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 (hex) of the one-time set-up link's token, while there is no Owner."""

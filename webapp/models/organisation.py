"""The organisation: one row."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import Digest, Flag, Id, JsonDict
from webapp.models.directory import OWNER_ROLE_ID


class Organisation(Model):
    """What belongs to the whole installation."""

    __tablename__ = "organisation"
    __table_args__ = (
        # At the end of every transaction, the Owner is an active user with the Owner's role: nobody, by whatever command,
        # can leave the installation without one.
        ForeignKeyConstraint(
            ["owner_id", "owner_role_id", "owner_state"],
            ["users.id", "users.role_id", "users.state"],
            name="fk_organisation_owner",
            deferrable=True,
            initially="DEFERRED",
        ),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120), default="")
    settings: Mapped[JsonDict]
    """What was set on a page: the setting's name -> its value as text, as the environment would say it."""
    directory_version: Mapped[int] = mapped_column(default=1)
    """Raised by every change to users, invitations, groups and roles: stored plans that are older are made again."""
    setup_token_hash: Mapped[Digest | None]
    """SHA-256 (hex) of the one-time set-up link's token, while there is no Owner."""
    without_email: Mapped[Flag]
    """Whether the first steps go on without a mail server."""
    owner_id: Mapped[int | None]
    """None until Muster is set up."""
    owner_role_id: Mapped[int] = mapped_column(default=OWNER_ROLE_ID)
    """Never anything else: it stands here for the foreign key."""
    owner_state: Mapped[str] = mapped_column(String(32), default="active")
    """As above."""

"""Recovery codes for people who lost their second factor. The factor itself is stored with the user."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import Digest, Id


class RecoveryCode(Model):
    """One code that was not used yet, hashed. Using it deletes the row."""

    __tablename__ = "recovery_codes"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[Digest]

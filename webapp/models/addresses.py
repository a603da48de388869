"""Addresses that were replaced by others, so that an older file does not invite the same person twice."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import Email, Now


class ReplacedAddress(Model):
    """A replaced address, and the address that the person has now."""

    __tablename__ = "replaced_addresses"

    old_key: Mapped[Email] = mapped_column(primary_key=True)
    email: Mapped[Email]
    """The one that replaced it, as typed."""
    email_key: Mapped[Email] = mapped_column(index=True)
    at: Mapped[Now]

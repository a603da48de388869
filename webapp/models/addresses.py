"""Addresses that were replaced by others, so that an older file does not invite the same person twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model, UTCDateTime, utcnow


class ReplacedAddress(Model):
    """A replaced address, and the address that the person has now."""

    __tablename__ = "replaced_addresses"
    __table_args__ = (Index("ix_replaced_addresses_email_key", "email_key"),)

    old_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    """The one that replaced it, as typed."""
    email_key: Mapped[str] = mapped_column(String(320))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)

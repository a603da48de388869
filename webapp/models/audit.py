"""Audit events: only ever appended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model, UTCDateTime, utcnow


class AuditEvent(Model):
    """Who did what to whom, when, from where, before and after."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_at", "at"),
        Index("ix_audit_events_subject", "subject_type", "subject_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None: nobody signed in, or Muster itself."""
    actor: Mapped[str] = mapped_column(String(320), default="")
    """The actor's e-mail at the time."""
    action: Mapped[str] = mapped_column(String(64))
    subject_type: Mapped[str] = mapped_column(String(32), default="")
    subject_id: Mapped[int | None]
    subject: Mapped[str] = mapped_column(String(320), default="")
    """The subject in words: an e-mail, a group's name, a file's name."""
    address: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`before` and `after`, or what else tells the story."""
    count: Mapped[int] = mapped_column(default=1)
    """Repeated refusals are counted, not appended."""

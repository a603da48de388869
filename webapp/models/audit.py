"""Audit events: only ever appended. Triggers of migration 0014 refuse to change or delete them; docs/decisions/0014."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import (
    Digest,
    Email,
    Flag,
    Id,
    JsonDict,
    Now,
    UserId,
    partial_index,
)


class AuditEvent(Model):
    """Who did what to whom, when, from where, before and after. Written by `services.audit` alone, which stamps it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_at", "at", "id"),
        Index("ix_audit_events_subject", "subject_type", "subject_id"),
        Index("ix_audit_events_actor_id", "actor_id", "at"),
        partial_index("ix_audit_events_unsealed", "id", where="seq IS NULL"),
    )

    id: Mapped[Id]
    at: Mapped[Now]
    actor_id: Mapped[UserId | None]
    """None: nobody signed in, or Muster itself."""
    actor: Mapped[Email] = mapped_column(default="")
    """The actor's e-mail at the time."""
    action: Mapped[str] = mapped_column(String(64))
    subject_type: Mapped[str] = mapped_column(String(32), default="")
    subject_id: Mapped[int | None]
    subject: Mapped[str] = mapped_column(String(320), default="")
    """The subject in words: an e-mail, a group's name, a file's name."""
    address: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[JsonDict]
    """`before` and `after`, or what else tells the story."""
    count: Mapped[int] = mapped_column(default=1)
    """Repeated refusals are counted, not appended, until the event is sealed."""

    personal: Mapped[JsonDict]
    """`core.security.audit_hashes.Digest` of actor, subject and details."""
    stamp: Mapped[Digest | None] = mapped_column(unique=True)
    """`core.security.audit_hashes.make_stamp`."""
    seq: Mapped[int | None] = mapped_column(unique=True)
    """Its place in the chain, which is in the order of sealing. None: not sealed yet."""
    link: Mapped[Digest | None]
    """`core.security.audit_hashes.sign`: of the link before, its place, its id and its stamp."""


class AuditChain(Model):
    """One row: both ends of the chain, signed. Locked while sealing or pruning."""

    __tablename__ = "audit_chain"

    id: Mapped[Id]
    seq: Mapped[int] = mapped_column(default=0)
    """The place of the event that was sealed last; 0: none was."""
    link: Mapped[Digest] = mapped_column(default="")
    sealed_at: Mapped[datetime | None]

    first_seq: Mapped[int] = mapped_column(default=0)
    """The checkpoint: the place of the event that was pruned last, from which the chain is checked. 0: none was."""
    first_link: Mapped[Digest] = mapped_column(default="")
    pruned: Mapped[int] = mapped_column(default=0)
    """How many events were pruned so far."""
    pruned_until: Mapped[datetime | None]
    """All of them happened before then."""

    signature: Mapped[Digest] = mapped_column(default="")
    """Keyed digest of all of the above."""
    swept_on: Mapped[str] = mapped_column(String(10), default="")
    """The day (UTC) whose pruning is done."""
    unlocked: Mapped[Flag]
    """Within a transaction that prunes or erases: its triggers let it. Never committed as true."""

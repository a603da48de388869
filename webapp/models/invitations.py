"""Invitations: a promise of an account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db import Model, binary_order, utcnow
from webapp.models.batches import Batch
from webapp.models.columns import BatchId, Digest, Email, Flag, Id, Now, UserId, partial_index
from webapp.models.directory import Group, Role, invitation_groups, join_group_names
from webapp.models.users import User, find_initials


class InvitationState(StrEnum):
    """Expired is no state: it is computed from `expires_at`."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


class Invitation(Model):
    """At most one pending invitation per e-mail key; "expired" is computed from `expires_at`."""

    __tablename__ = "invitations"
    __table_args__ = (
        partial_index(
            "one_pending_invitation", "email_key", where="state = 'pending'", unique=True
        ),
        Index("ix_invitations_state_expires_at", "state", "expires_at"),
    )

    id: Mapped[Id]
    email: Mapped[Email]
    name: Mapped[str] = mapped_column(String(200), default="")
    """The person's, as the person who invited them typed it; "": not known. They choose their own."""
    email_key: Mapped[Email] = mapped_column(index=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
    all_groups: Mapped[Flag]
    state: Mapped[InvitationState] = mapped_column(default=InvitationState.PENDING)
    version: Mapped[int] = mapped_column(default=1)
    """Part of what the token is derived from: raising it makes every link sent before worthless."""
    nonce: Mapped[str] = mapped_column(String(32))
    """Random, and part of what the token is derived from, so that a row with the same id gets another link. Empty only for
    invitations from before there was one."""
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    """SHA-256 (hex) of the token; the token itself is stored nowhere."""
    valid_days: Mapped[int]
    expires_at: Mapped[datetime | None]
    """`valid_days` after the first hand-over; None until the link has been handed to anybody."""
    invited_by_id: Mapped[UserId | None]
    batch_id: Mapped[BatchId | None] = mapped_column(index=True)
    user_id: Mapped[UserId | None] = mapped_column(index=True)
    """Who came of it."""
    created_at: Mapped[Now]
    closed_at: Mapped[datetime | None]
    """When it was accepted or revoked."""

    reminded_at: Mapped[datetime | None]
    """When the one reminder of it was queued."""

    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)
    invited_by: Mapped[User | None] = relationship(foreign_keys="Invitation.invited_by_id")
    batch: Mapped[Batch | None] = relationship()
    groups: Mapped[list[Group]] = relationship(
        secondary=invitation_groups, order_by=binary_order(Group.key), lazy="selectin"
    )

    group_names = property(join_group_names)
    initials = property(find_initials)
    is_user = False

    @hybrid_property
    def title(self) -> str:
        """What pages call this person."""
        return self.name or self.email

    @title.inplace.expression
    @classmethod
    def _title(cls) -> ColumnElement[str]:
        return func.coalesce(func.nullif(cls.name, ""), cls.email)

    @property
    def key(self) -> str:
        """Its id in a page: "invitation-5"."""
        return f"invitation-{self.id}"

    @property
    def status(self) -> str:
        """As the list shows it: "invited" or "expired" while it is pending."""
        if self.is_expired:
            return "expired"
        return "invited" if self.state is InvitationState.PENDING else self.state.value

    @property
    def is_expired(self) -> bool:
        is_pending = self.state is InvitationState.PENDING
        return is_pending and self.expires_at is not None and self.expires_at <= utcnow()

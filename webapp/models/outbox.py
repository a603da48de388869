"""The outbox: every message that is due, on its way, or done. It is the truth; the queue only wakes workers."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.core.text.mail_phrases import describe_mail
from webapp.db import Model
from webapp.models.accounts import AccountLink
from webapp.models.columns import Email, Id, Now
from webapp.models.invitations import Invitation
from webapp.models.rows import Row


class MessageKind(StrEnum):
    """What the e-mail is about."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    """The same link once more, before it expires."""
    TEST = "test"
    RESET = "reset"
    """The link to choose a new password."""
    ELSEWHERE = "elsewhere"
    """In place of that link, where a person signs in at the provider."""
    EMAIL_CHANGE = "email_change"
    """The link to confirm a new address, sent to that address."""
    EMAIL_CHANGING = "email_changing"
    """Notifies the old address of that."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 -- a kind of e-mail
    SECOND_FACTOR_ON = "second_factor_on"
    SECOND_FACTOR_OFF = "second_factor_off"


SECRET_KINDS = (MessageKind.RESET, MessageKind.EMAIL_CHANGE)
"""E-mails with a link that only their recipient may ever see: the portal shows none of them."""


class Priority(IntEnum):
    """What goes first; lower is sooner."""

    RESET = 0
    TEST = 1
    SINGLE = 2
    BATCH = 3


class MessageState(StrEnum):
    """How far a message has come, and which function of `services.mail` moves it on.

    | from | to | by |
    |---|---|---|
    | | queued | `outbox.add_message`, `add_messages`; and from failed by `outbox.retry_failed` |
    | queued | sending | `claim.claim` |
    | sending | sent, written, uncertain | `results.record_sent` |
    | sending | failed | `results.record_failed` |
    | sending | queued again | `results.defer`, `results.record_uncertain`, `claim.release`; `claim.claim` for dead workers |
    | sending | cancelled | `claim.render_claimed` |
    | queued | cancelled | `outbox.cancel_queued`, `outbox.cancel_for_invitations` |
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    """The mail server took it."""
    WRITTEN = "written"
    """As a file, where there is no mail server: nobody was e-mailed."""
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """How far a message in `sending` has come; after DATA began it may have been taken."""

    CLAIMED = "claimed"
    DATA = "data"


class Message(Model):
    """One e-mail. It keeps its Message-ID through all its attempts; a resend is a new message."""

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_state_due_at", "state", "priority", "due_at", "id"),)

    id: Mapped[Id]
    kind: Mapped[MessageKind]
    priority: Mapped[int]
    """A `Priority`."""
    recipient: Mapped[Email]
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    """RFC 5322 Message-ID, with its angle brackets."""
    invitation_id: Mapped[int | None] = mapped_column(
        ForeignKey("invitations.id", ondelete="CASCADE"), index=True
    )
    row_id: Mapped[int | None] = mapped_column(
        ForeignKey("rows.id", ondelete="SET NULL"), index=True
    )
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    """Whose account it is about, unless it is about an invitation or a batch."""
    link_id: Mapped[int | None] = mapped_column(
        ForeignKey("account_links.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[MessageState] = mapped_column(default=MessageState.QUEUED)
    phase: Mapped[Phase | None]
    maybe_sent: Mapped[bool] = mapped_column(default=False)
    """A worker died after DATA began: the next hand-over makes it `uncertain`."""
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[Now]
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What became of the last try, or why it is not sent: a code with parameters; {}: not tried yet."""
    created_at: Mapped[Now]
    tried_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the mail server was last asked to take it: what the throttle counts, whatever the answer was."""
    handed_at: Mapped[datetime | None]

    invitation: Mapped[Invitation | None] = relationship()
    row: Mapped[Row | None] = relationship()
    """For a test: of whom it is an example."""
    link: Mapped[AccountLink | None] = relationship()

    @property
    def result_text(self) -> str:
        """The result in words."""
        return describe_mail(self.result)


class MailCircuit(Model):
    """One row, for all workers: whether sending is held up by the mail server, why, and how fast it may go."""

    __tablename__ = "mail_circuit"

    id: Mapped[Id]
    paused_at: Mapped[datetime | None]
    cause: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Why it is held up: a code with parameters."""
    retry_at: Mapped[datetime | None]
    pace: Mapped[int | None]
    """How many messages a minute the server took when it last said that they are too many."""
    paced_at: Mapped[datetime | None]
    pace_words: Mapped[str] = mapped_column(default="")
    """What it said."""

    @property
    def cause_text(self) -> str:
        """The cause in words."""
        return describe_mail(self.cause)

"""Batches: one piece of work over many people, from start to report."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.core.plan.actions import Action
from webapp.core.plan.planner import Mode, Plan
from webapp.core.text import batch_phrases
from webapp.core.text.phrases import CodedText
from webapp.db import Model
from webapp.models.columns import (
    BatchId,
    Digest,
    Flag,
    Id,
    JsonDict,
    JsonList,
    JsonText,
    JsonTexts,
    Now,
    OwnBatchId,
    UserId,
)
from webapp.models.users import User


class BatchKind(StrEnum):
    """What a batch came from; on screen an upload is an "upload"."""

    UPLOAD = "upload"
    ACTION = "action"
    REVERT = "revert"


class BatchState(StrEnum):
    """From start to report; docs/rules.md, "Words"."""

    MAPPING = "mapping"
    REVIEWING = "reviewing"
    QUEUED = "queued"
    PROCESSING = "processing"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"
    REVERTED = "reverted"


class Batch(Model):
    """What was uploaded, how it is to be applied, and how far it has come."""

    __tablename__ = "batches"
    __table_args__ = (Index("one_batch_a_request", "uploaded_by_id", "request_key", unique=True),)

    id: Mapped[Id]
    kind: Mapped[BatchKind] = mapped_column(default=BatchKind.UPLOAD)
    state: Mapped[BatchState] = mapped_column(default=BatchState.REVIEWING, index=True)
    file_name: Mapped[str] = mapped_column("name", String(255), default="")
    """The file's name as uploaded."""
    title: Mapped[JsonText]
    """What an action or a revert is called, as a code with parameters; {}: an upload. `name` words it."""
    content_hash: Mapped[Digest] = mapped_column(default="", index=True)
    """SHA-256 (hex) of the file, so that the same file uploaded again is recognised."""
    facts: Mapped[list[CodedText]] = mapped_column(JSON, default=list)
    """How the file was read, as codes with parameters; `reading` words it."""
    header: Mapped[JsonTexts]
    """The file's header as read."""
    columns: Mapped[JsonDict]
    """`core.files.columns.Places` as a dictionary: which columns hold what; {}: not known."""
    has_names: Mapped[Flag]
    """Whether the review has a column for names: the file had one, or names beside its addresses."""
    notices: Mapped[JsonList]
    """`core.text.notices.Notice` as dictionaries: what reading the file found and a person should look at."""

    request_key: Mapped[str | None] = mapped_column(String(255))
    """What a program called the request that made it (`Idempotency-Key`): the same one again makes no second batch."""
    request_hash: Mapped[Digest] = mapped_column(default="")
    """SHA-256 (hex) of that request."""

    mode: Mapped[Mode] = mapped_column(default=Mode.REPLACE)
    change_roles: Mapped[Flag]
    skip_errors: Mapped[Flag]
    valid_days: Mapped[int]
    message: Mapped[str] = mapped_column(default="")
    """Personal words in this batch's invitations."""

    parts_id: Mapped[BatchId | None]
    """The first part, where a long file was split into several batches."""
    part: Mapped[int] = mapped_column(default=1)
    parts: Mapped[int] = mapped_column(default=1)

    action: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`core.plan.actions.Action` as a dictionary: what an action does, or what a revert takes back."""
    reverts_id: Mapped[BatchId | None] = mapped_column(index=True)
    """The batch that a revert takes back."""
    again_of_id: Mapped[BatchId | None]
    """The finished batch whose changed rows are reviewed again here."""
    earlier_id: Mapped[BatchId | None]
    """The upload of the same list that was sent last before this one."""

    version: Mapped[int] = mapped_column(default=1)
    """Raised by every change of rows, options or plans; confirming carries it."""
    directory_version: Mapped[int] = mapped_column(default=0)
    """`Organisation.directory_version` when the plans were made: another one makes them stale."""
    planned_for_id: Mapped[UserId]
    """The person whose rank the stored plans respect: who uploaded the batch, or who was last asked to look again."""
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """How many rows stand, by plan and by mark: kept up with every change, so that no page counts rows."""

    uploaded_by_id: Mapped[UserId]
    confirmed_by_id: Mapped[UserId | None]
    created_at: Mapped[Now]
    confirmed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    reminded_by_id: Mapped[UserId | None]
    """Who asked for reminders that workers have yet to queue; None: there are none."""
    reminded_at: Mapped[datetime | None]
    """When somebody asked for reminders last."""
    tally: Mapped[dict[str, dict[str, int]] | None] = mapped_column(JSON(none_as_null=True))
    """How many rows came to which outcome (and the skipped, by plan): kept when the rows themselves are deleted."""
    rows_deleted_at: Mapped[datetime | None]
    """When the last of them was, because `MUSTER_RETENTION_DAYS` had passed."""

    uploaded_by: Mapped[User] = relationship(foreign_keys="Batch.uploaded_by_id")
    planned_for: Mapped[User] = relationship(
        foreign_keys="Batch.planned_for_id", lazy="joined", innerjoin=True
    )
    confirmed_by: Mapped[User | None] = relationship(foreign_keys="Batch.confirmed_by_id")
    reminded_by: Mapped[User | None] = relationship(foreign_keys="Batch.reminded_by_id")

    @property
    def name(self) -> str:
        """What it is called on screen: by its file, or by what it does."""
        if self.title:
            return batch_phrases.describe_title(self.title)
        if self.parts > 1:
            return batch_phrases.describe_title(
                {"code": "part", "name": self.file_name, "part": self.part, "parts": self.parts}
            )
        return self.file_name

    @property
    def reading(self) -> str:
        """How the file was read, in words."""
        facts = map(batch_phrases.describe_reading, self.facts)
        return ", ".join(filter(None, facts))

    @property
    def size(self) -> int:
        """How many rows are not removed."""
        return sum(self.counts.get(plan, 0) for plan in Plan)

    @property
    def to_send(self) -> int:
        """The exact number on the send button."""
        return self.counts.get(Plan.INVITE, 0) + self.counts.get(Plan.UPDATE, 0)

    @property
    def doing(self) -> Action | None:
        """What an action does, or which action a revert takes back; None for uploads."""
        return Action.from_dict(self.action) if self.action else None

    @property
    def is_sweeping(self) -> bool:
        """Whether it is for more than a fifth of the people among whom somebody was missing: that takes the number, typed."""
        return 0 < int(self.title.get("scope", 0)) < self.to_send * 5

    def settings(self) -> dict[str, Any]:
        """How it is applied, as the audit log tells it."""
        if self.kind is not BatchKind.UPLOAD:
            return {"does": self.action, "reverts": self.reverts_id}
        return {
            "mode": self.mode.value,
            "change_roles": self.change_roles,
            "skip_errors": self.skip_errors,
        }


class BatchFile(Model):
    """The uploaded file, kept until its batch is confirmed or discarded."""

    __tablename__ = "batch_files"

    batch_id: Mapped[OwnBatchId] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    sheet: Mapped[str | None] = mapped_column(String(255))
    header_row: Mapped[int | None]
    """As chosen by a person; None: found by Muster. 0: the file has no header."""
    columns: Mapped[JsonDict]
    """`core.files.columns.Places` as a dictionary, as chosen by a person; {}: by the header's names."""

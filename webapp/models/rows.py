"""Rows of a batch, and every edit made to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.core.addresses import keep_name
from webapp.core.plan.planner import Plan, PlannedChange
from webapp.core.text import row_phrases
from webapp.db import Model
from webapp.models.batches import Batch
from webapp.models.columns import (
    CellText,
    Email,
    Flag,
    Id,
    JsonDict,
    JsonList,
    JsonText,
    JsonTexts,
    Now,
    OwnBatchId,
    UserId,
    partial_index,
)
from webapp.models.users import find_initials


class Outcome(StrEnum):
    """What was done for a row; `waiting` while its e-mail is due."""

    WAITING = "waiting"
    INVITED = "invited"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


class Row(Model):
    """One person of a batch: cells as read, cells as edited, the schema's issues, its plan, its outcome."""

    __tablename__ = "rows"
    __table_args__ = (
        Index("ix_rows_batch_id_line", "batch_id", "line", unique=True),
        Index("ix_rows_batch_id_plan", "batch_id", "plan", "line"),
        Index("ix_rows_batch_id_outcome", "batch_id", "outcome", "line"),
        Index("ix_rows_batch_id_email_key", "batch_id", "email_key"),
        partial_index(
            "ix_rows_batch_id_likely_domain",
            "batch_id",
            "likely_domain",
            where="likely_domain IS NOT NULL",
        ),
        partial_index("ix_rows_batch_id_hint", "batch_id", "hint", where="hint IS NOT NULL"),
        partial_index("ix_rows_invitation_id", "invitation_id", where="invitation_id IS NOT NULL"),
    )

    id: Mapped[Id]
    batch_id: Mapped[OwnBatchId]
    line: Mapped[int]
    """The row's number as the spreadsheet shows it; the header is row 1."""

    read_email: Mapped[CellText]
    read_name: Mapped[CellText]
    read_role: Mapped[CellText]
    read_groups: Mapped[CellText]
    read_cells: Mapped[JsonTexts]
    """The whole line as read, by the columns of `Batch.header`; empty for a row that was added by hand."""
    hint: Mapped[str | None] = mapped_column(String(16))
    """`core.text.notices.Hint`: what else the file says of this row."""
    email: Mapped[CellText]
    name: Mapped[CellText]
    role: Mapped[CellText]
    groups: Mapped[CellText]
    removed_at: Mapped[datetime | None]

    email_key: Mapped[Email | None]
    """None where the e-mail does not pass."""
    issues: Mapped[JsonList]
    """`core.plan.planner.Issue` as dictionaries: what the schema and the planner found. `core.text.row_phrases` words them."""
    email_wrong: Mapped[Flag]
    name_wrong: Mapped[Flag]
    role_wrong: Mapped[Flag]
    groups_wrong: Mapped[Flag]
    """Whether an issue is about this cell, so that rows can be filtered by it."""
    likely_domain: Mapped[str | None] = mapped_column(String(255))
    """The domain that the e-mail's probably is a misspelling of; also in `change_dict`, here to be found by."""
    plan: Mapped[Plan] = mapped_column(default=Plan.ATTENTION)
    change_dict: Mapped[JsonDict] = mapped_column("step", key="change_dict")
    """`core.plan.planner.PlannedChange` as a dictionary: whom it is about, before, after, notes."""

    outcome: Mapped[Outcome | None]
    """None: not yet claimed by a worker."""
    reason: Mapped[JsonText]
    """Why it came to this outcome: a code with parameters, worded by `why`; {}: nothing to say."""
    done_at: Mapped[datetime | None]
    invitation_id: Mapped[int | None] = mapped_column(
        ForeignKey("invitations.id", ondelete="SET NULL")
    )

    batch: Mapped[Batch] = relationship()

    @property
    def why(self) -> str:
        """The reason of the outcome in words, also of a row that was left out."""
        if self.reason:
            return row_phrases.describe(self.reason)
        if self.outcome is not Outcome.SKIPPED:
            return ""
        if self.plan is Plan.DUPLICATE:
            return row_phrases.describe({"code": "duplicate", "row": self.change_dict["twin"]})
        return self.problem

    @property
    def problem(self) -> str:
        """All issues in words."""
        return " ".join(row_phrases.describe(issue) for issue in self.issues)

    @property
    def change(self) -> PlannedChange:
        """The stored plan, without its issues."""
        return PlannedChange.from_dict(self.plan, self.change_dict)

    @property
    def changed_cells(self) -> int:
        """How many cells are no longer what was read; so too in a row that was added by hand and filled in."""
        fields = ("email", "name", "role", "groups")
        return sum(self.cell(field) != getattr(self, f"read_{field}") for field in fields)

    initials = property(find_initials)

    @property
    def full_name(self) -> str:
        """The person's name as it is kept; where the cell is blank, the one beside the e-mail."""
        return keep_name(self.name, self.email)

    def issues_of(self, field: str) -> list[dict[str, Any]]:
        """The issues of one cell, each with its `text`."""
        found = [issue for issue in self.issues if issue["field"] == field]
        return [{**issue, "text": row_phrases.describe(issue)} for issue in found]

    def cell(self, field: str) -> str:
        """The present value of a cell. field: email, name, role or groups."""
        return str(getattr(self, field))


class EditState(StrEnum):
    """Whether an edit counts. One that was undone can be redone until the person who undid it makes another step."""

    DONE = "done"
    UNDONE = "undone"


UNDONE, REDONE, TIDIED = "undone", "redone", "tidied"
MARKERS = (UNDONE, REDONE, TIDIED)
"""Fields of the one `RowEdit` that an undo or a redo leaves: before is the step's version, after its name in words. Also of
the one beside a step of Tidy up: before is the number of its fixes, after that of the groups it created."""


class RowEdit(Model):
    """One change to one cell; or a removal (field "removed") or an addition (field "added") of a row.

    Edits of one step share their `version`: they are undone together.
    """

    __tablename__ = "row_edits"
    __table_args__ = (
        Index("ix_row_edits_batch_id_version", "batch_id", "version"),
        Index("ix_row_edits_batch_id_user_id", "batch_id", "user_id", "state", "field"),
        Index("ix_row_edits_row_id", "row_id", "id"),
    )

    id: Mapped[Id]
    batch_id: Mapped[OwnBatchId]
    row_id: Mapped[int | None] = mapped_column(ForeignKey("rows.id", ondelete="CASCADE"))
    """None for a change of the batch itself (mode, roles, skip)."""
    version: Mapped[int]
    """The batch's version that this edit made; edits of one step share it."""
    user_id: Mapped[UserId]
    at: Mapped[Now]
    field: Mapped[str] = mapped_column(String(32))
    before: Mapped[str]
    after: Mapped[str]
    state: Mapped[EditState] = mapped_column(default=EditState.DONE)

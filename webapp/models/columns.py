"""Columns that many tables have. Lengths count characters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import mapped_column

from webapp.core.text.phrases import CodedText
from webapp.db import utcnow

Id = Annotated[int, mapped_column(primary_key=True)]
UserId = Annotated[
    int,
    mapped_column(ForeignKey("users.id")),
]
BatchId = Annotated[
    int,
    mapped_column(ForeignKey("batches.id", ondelete="SET NULL")),
]
OwnBatchId = Annotated[
    int,
    mapped_column(ForeignKey("batches.id", ondelete="CASCADE")),
]
"""The batch that a row belongs to; the row is deleted with it."""
Name = Annotated[str, mapped_column(String(80))]
Email = Annotated[str, mapped_column(String(320))]
"""An e-mail, or its key."""
Digest = Annotated[str, mapped_column(String(64))]
"""SHA-256 or HMAC-SHA256, in hex."""
CellText = Annotated[str, mapped_column(default="")]
Flag = Annotated[bool, mapped_column(default=False)]
JsonDict = Annotated[
    dict[str, Any],
    mapped_column(JSON, default=dict),
]
JsonList = Annotated[
    list[dict[str, Any]],
    mapped_column(JSON, default=list),
]
JsonTexts = Annotated[
    list[str],
    mapped_column(JSON, default=list),
]
JsonText = Annotated[
    CodedText,
    mapped_column(JSON, default=dict),
]
"""A code with its parameters; {}: nothing to say."""
Now = Annotated[
    datetime,
    mapped_column(default=utcnow),
]
"""When the row was made, if nothing else is said."""


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that meet a condition in SQL, on both databases."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)

"""The notices that the review shows above its counts. Reads only."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select

from webapp.core.lists.row_filter import Hint
from webapp.core.text.notices import Notice
from webapp.db import db
from webapp.models import Batch, Row
from webapp.services.directory import replaced_addresses


def list_notices(batch: Batch) -> list[Notice]:
    """A batch's notices with how many rows each is about now; those about none are left out. Two queries at most."""
    kept = [Notice.from_dict(notice) for notice in batch.notices]
    counts = _count_hints(batch) if any(notice.hint for notice in kept) else {}
    notices = [replace(notice, rows=counts.get(notice.hint, 0)) if notice.hint else notice for notice in kept]
    if n := replaced_addresses.count(batch):
        notices.append(Notice("replaced", rows=n, hint=Hint.REPLACED))
    return [notice for notice in notices if notice.rows]


def _count_hints(batch: Batch) -> dict[str, int]:
    """How many standing rows have each hint."""
    here = Row.batch_id == batch.id, Row.hint.is_not(None), Row.removed_at.is_(None)
    query = select(Row.hint, func.count()).where(*here).group_by(Row.hint)
    return {str(hint): n for hint, n in db.session.execute(query)}

"""What the review tells above its counts: what reading the file came upon, as far as it still stands. Questions only."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select

from webapp.core.lists.row_filter import Hint
from webapp.core.text.notices import Notice
from webapp.db import db
from webapp.models import Batch, Row
from webapp.services.directory import replaced_addresses


def of(batch: Batch) -> list[Notice]:
    """A batch's notices, each with how many rows it is about now; those about none are left out. Two queries at most."""
    known = [Notice.from_dict(kept) for kept in batch.notices]
    counts: dict[str, int] = {}
    if any(notice.hint for notice in known):
        here = Row.batch_id == batch.id, Row.hint.is_not(None), Row.removed_at.is_(None)
        counts = {str(hint): n for hint, n in db.session.execute(select(Row.hint, func.count()).where(*here).group_by(Row.hint))}
    standing = [replace(notice, rows=counts.get(notice.hint, 0)) if notice.hint else notice for notice in known]
    if n := replaced_addresses.count(batch):
        standing.append(Notice("replaced", rows=n, hint=Hint.REPLACED))
    return [notice for notice in standing if notice.rows]

"""Recognises a list that was sent before, and finds what was corrected in it then. docs/rules.md, "The same list again"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from webapp.core.plan.planner import Plan
from webapp.db import db, in_json
from webapp.models import Batch, BatchKind, Row
from webapp.schemas.rows import FIELDS
from webapp.services.batches import import_rows, planner
from webapp.services.batches.changes import Change, current
from webapp.services.directory import replaced_addresses

LOOKED_AT = 2000
"""Uploads that a new one is compared with; the newest."""
PROBES = 200_000
"""E-mails that are looked for in all of them together, which takes about 0.2 s: of a long list, every so many rows are."""
_SENT = (
    select(Batch.id)
    .where(Batch.kind == BatchKind.UPLOAD, Batch.confirmed_at.is_not(None))
    .order_by(Batch.id.desc())
    .limit(LOOKED_AT)
)


def find_earlier(batch: Batch) -> Batch | None:
    """The upload of the same list that was sent last before this one."""
    return db.session.get(Batch, batch.earlier_id) if batch.earlier_id else None


def recognise(parts: Sequence[Batch]) -> None:
    """Note for a new file, in one part or several, which upload was the same list: the newest that was sent. Does not commit.

    That is the same file, or six of ten rows have its e-mails. A few people of a long list are not that list: they have to be a
    fifth of it. One query, and another for each part.
    """
    columns = Batch.id, Batch.content_hash, Batch.part, Batch.counts
    sent = db.session.execute(_SENT.with_only_columns(*columns)).all()
    for batch in parts:
        step = 1 + batch.size * len(parts) * len(sent) // PROBES
        batch.earlier_id = _find_same(batch, sent, step) if sent else None


def _find_same(batch: Batch, sent: Sequence[Any], step: int) -> int | None:
    shared = _count_shared(batch, step)
    for batch_id, content_hash, part, counts in sent:
        if (content_hash, part) == (batch.content_hash, batch.part):
            return int(batch_id)
        rows = shared[batch_id] * step
        size = sum(counts.get(plan, 0) for plan in Plan)
        if rows and rows >= max(batch.size * 0.6, size / 5):
            return int(batch_id)
    return None


def _count_shared(batch: Batch, step: int) -> Counter[int]:
    """In how many rows of this batch, of every so many, is an e-mail of another upload; by that upload."""
    mine = aliased(Row)
    is_looked_at = mine.batch_id == batch.id, mine.line % step == 0
    query = (
        select(Row.batch_id, func.count(mine.id.distinct()))
        .join(mine, mine.email_key == Row.email_key)
        .where(*is_looked_at, Row.batch_id.in_(_SENT))
        .group_by(Row.batch_id)
    )
    return Counter(dict(db.session.execute(query).all()))


def find_past_corrections(batch: Batch, earlier: Batch) -> list[Change]:
    """What was corrected in the earlier upload in rows that read the same in this one; by line. Five queries.

    An address that was replaced since counts as corrected. A row that was removed because another has its e-mail is no
    correction: a person with one row only stays.
    """
    replaced = replaced_addresses.among_rows(earlier)
    is_replaced = in_json(Row.email_key, replaced)
    moved = db.session.scalars(planner.select_rows(earlier).where(is_replaced))
    past = {*import_rows.find_edited_rows(earlier), *moved}
    by_key = in_json(Row.email_key, {row.email_key for row in past if row.email_key})
    standing = planner.select_rows(earlier).where(by_key).with_only_columns(Row.email_key)
    kept = set(db.session.scalars(standing))
    reads_same = in_json(Row.read_email, {row.read_email for row in past})
    rows: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in db.session.scalars(planner.select_rows(batch).where(reads_same).order_by(Row.line)):
        if row.read_cells:  # not added by hand
            rows[_as_read(row)].append(row)
    found = []
    for old in sorted(past, key=lambda row: row.line):
        if not rows[_as_read(old)]:
            continue
        row = rows[_as_read(old)].pop(0)
        cells = {field: old.cell(field) for field in FIELDS}
        if old.email_key in replaced:
            cells["email"] = replaced[old.email_key].email
        if old.removed_at:
            cells = {} if old.email_key in kept else {"removed": "removed"}
        for field, after in cells.items():
            before = current(batch, row, field)
            is_as_read = field == "removed" or before == getattr(old, f"read_{field}")
            if is_as_read and before != after:
                found.append(Change(row, field, before, after))
    return found


def _as_read(row: Row) -> tuple[str, ...]:
    return row.read_email, row.read_role, row.read_groups

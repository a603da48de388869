"""Recognises a list that was sent before, and finds what was corrected in it then. docs/rules.md, "The same list again"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import aliased

from webapp.core.addresses import split_name
from webapp.core.plan.planner import Plan
from webapp.db import db, in_json
from webapp.models import Batch, BatchKind, BatchState, Outcome, ReplacedAddress, Row
from webapp.schemas.rows import FIELDS
from webapp.services.batches import import_rows, planner
from webapp.services.batches.changes import Change, current
from webapp.services.directory import replaced_addresses

LOOKED_AT = 2000
"""Uploads that a new one is compared with; those that were confirmed last."""
PROBES = 200_000
"""E-mails that are looked for in all of them together, which takes about 0.2 s: of a long list, every so many rows are."""
SHARE_OF_NEW = 0.6
"""So much of the new list has to be in the earlier one."""
SHARE_OF_EARLIER = 0.2
"""So much of the earlier list has to be in the new one."""

_DONE = (
    Outcome.WAITING,
    Outcome.INVITED,
    Outcome.UPDATED,
    Outcome.FAILED,
)
_IS_STARTED = or_(
    Batch.state != BatchState.CANCELLED,
    exists().where(
        Row.batch_id == Batch.id,
        Row.outcome.in_(_DONE),
    ),
)
"""Whether an upload was not cancelled before its first row."""
_SENT = (
    select(Batch.id)
    .where(
        Batch.kind == BatchKind.UPLOAD,
        Batch.confirmed_at.is_not(None),
        _IS_STARTED,
    )
    .order_by(
        Batch.confirmed_at.desc(),
        Batch.id.desc(),
    )
    .limit(LOOKED_AT)
)

Reading = tuple[str, ...]
"""What a row says in its file: e-mail, role and groups."""


# Recognise


def find_earlier(batch: Batch) -> Batch | None:
    """The upload of the same list that was confirmed last before this one."""
    if batch.earlier_id is None:
        return None
    return db.session.get(Batch, batch.earlier_id)


def recognise(parts: Sequence[Batch]) -> None:
    """Note for a new file, in one part or several, which upload was the same list: the one confirmed last. Does not commit.

    That is the same file, or six of ten rows have its e-mails. A few people of a long list are not that list: they have to be a
    fifth of it. One query, and another for each part.
    """
    columns = (
        Batch.id,
        Batch.content_hash,
        Batch.part,
        Batch.counts,
    )
    sent = db.session.execute(_SENT.with_only_columns(*columns)).all()
    if not sent:
        return
    for batch in parts:
        probes = batch.size * len(parts) * len(sent)
        step = 1 + probes // PROBES
        batch.earlier_id = _find_same(batch, sent, step)


def _find_same(
    batch: Batch,
    sent: Sequence[Any],
    step: int,
) -> int | None:
    shared = _count_shared(batch, step)
    for earlier in sent:
        if _is_same_file(batch, earlier):
            return int(earlier.id)
        rows = shared[earlier.id] * step
        size = sum(earlier.counts.get(plan, 0) for plan in Plan)
        enough = max(
            batch.size * SHARE_OF_NEW,
            size * SHARE_OF_EARLIER,
        )
        if rows and rows >= enough:
            return int(earlier.id)
    return None


def _is_same_file(batch: Batch, earlier: Any) -> bool:
    here = batch.content_hash, batch.part
    there = earlier.content_hash, earlier.part
    return here == there


def _count_shared(batch: Batch, step: int) -> Counter[int]:
    """In how many rows of this batch, of every so many, is an e-mail of another upload; by that upload."""
    mine = aliased(Row)
    query = (
        select(
            Row.batch_id,
            func.count(mine.id.distinct()),
        )
        .join(mine, mine.email_key == Row.email_key)
        .where(
            mine.batch_id == batch.id,
            mine.line % step == 0,
            Row.batch_id.in_(_SENT),
        )
        .group_by(Row.batch_id)
    )
    found: Counter[int] = Counter()
    for batch_id, n in db.session.execute(query):
        found[batch_id] = n
    return found


# Correct again


def find_past_corrections(batch: Batch, earlier: Batch) -> list[Change]:
    """What was corrected in the earlier upload in rows that read the same in this one; by line. Five queries.

    An address that was replaced since counts as corrected. A row that was removed because another has its e-mail is no
    correction: a person with one row only stays.
    """
    replaced = replaced_addresses.among_rows(earlier)
    past = _list_corrected(earlier, replaced)
    standing = _find_standing(earlier, past)
    same = _find_readings(batch, past)
    found: list[Change] = []
    for old in past:
        rows = same[_as_read(old)]
        if not rows:
            continue
        row = rows.pop(0)
        if old.removed_at is None:
            cells = _correct_cells(old, replaced)
        elif old.email_key in standing:
            cells = {}
        else:
            cells = {"removed": "removed"}
        found += _list_changes(batch, row, old, cells)
    return found


def _list_corrected(
    earlier: Batch,
    replaced: Mapping[str, ReplacedAddress],
) -> list[Row]:
    """The rows of the earlier upload that were edited or removed, and those with an address that was replaced; by line."""
    is_replaced = in_json(Row.email_key, replaced)
    moved = db.session.scalars(planner.select_rows(earlier).where(is_replaced))
    edited = import_rows.find_edited_rows(earlier)
    return sorted({*edited, *moved}, key=lambda row: row.line)


def _find_standing(
    earlier: Batch,
    past: Iterable[Row],
) -> set[str | None]:
    """Of the e-mails of these rows, those that a row of the earlier upload has which was not removed."""
    keys = {row.email_key for row in past if row.email_key}
    rows = planner.select_rows(earlier).where(in_json(Row.email_key, keys))
    return set(db.session.scalars(rows.with_only_columns(Row.email_key)))


def _find_readings(
    batch: Batch,
    past: Iterable[Row],
) -> defaultdict[Reading, list[Row]]:
    """The rows of this batch that may read like those, by what they read; none that was added by hand."""
    emails: set[str] = set()
    for row in past:
        emails |= {row.read_email, _as_read(row)[0]}
    rows = planner.select_rows(batch).where(in_json(Row.read_email, emails))
    found: defaultdict[Reading, list[Row]] = defaultdict(list)
    for row in db.session.scalars(rows.order_by(Row.line)):
        if row.read_cells:
            found[_as_read(row)].append(row)
    return found


def _as_read(row: Row) -> Reading:
    return (
        _address(row.read_email),
        row.read_role,
        row.read_groups,
    )


def _address(cell: str) -> str:
    """The address of a cell. Rows of earlier versions have the name beside it still."""
    return split_name(cell)[0]


def _correct_cells(
    old: Row,
    replaced: Mapping[str, ReplacedAddress],
) -> dict[str, str]:
    """What the cells of a row came to be, by field."""
    cells = {field: old.cell(field) for field in FIELDS}
    cells["email"] = _address(old.email)
    if replacement := replaced.get(old.email_key or ""):
        cells["email"] = replacement.email
    return cells


def _list_changes(
    batch: Batch,
    row: Row,
    old: Row,
    cells: Mapping[str, str],
) -> list[Change]:
    """The changes that give a row these cells of an old one, where nobody edited its own."""
    changes: list[Change] = []
    for field, after in cells.items():
        before = current(batch, row, field)
        if field != "removed" and before != _read_cell(old, field):
            continue
        if before != after:
            changes.append(Change(row, field, before, after))
    return changes


def _read_cell(row: Row, field: str) -> str:
    cell = str(getattr(row, f"read_{field}"))
    return _address(cell) if field == "email" else cell

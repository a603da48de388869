"""Rows of a batch under review, found by their stored plans. Questions only.

The database filters and sorts; free text is looked for here, because SQLite knows upper and lower case of ASCII only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import defer

from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.row_filter import PLANS_IN_ORDER, Find, Hint, Mark, Sort
from webapp.core.plan.planner import Plan
from webapp.core.text.notices import Notice
from webapp.db import binary_order, db
from webapp.models import Batch, ReplacedAddress, Row
from webapp.schemas.rows import split_groups
from webapp.services.directory import lookup, replaced_addresses

Columns = TypeVarTuple("Columns")

PAGE = 100
"""Rows on one page of the review."""
CHUNK = 500
"""Rows held in memory at once while all of a batch are gone through."""

_SHOWN = defer(Row.read_cells, raiseload=True)
"""A page does not show the whole line as read."""


def find_page(batch: Batch, find: Find, size: int = PAGE) -> Page[Row]:
    """The page that is asked for; at most two queries.

    A page past the last one is the last one: rows may have gone since the address was made.
    """
    query = _ordered(select(Row).options(_SHOWN), batch, find)
    if not find.text:
        count = _narrowed(select(func.count(Row.id)), batch, find)
        total = (db.session.scalar(count) or 0) if find.is_on else batch.size
        number = page_of(find.page, total, size)
        return Page(
            db.session.scalars(query.limit(size).offset((number - 1) * size)).all(),
            number,
            total,
            size,
        )
    cells = _ordered(select(Row.id, Row.email, Row.role, Row.groups), batch, find)
    says = _says(find)
    ids = [row_id for row_id, *texts in db.session.execute(cells) if says(*texts)]
    number = page_of(find.page, len(ids), size)
    shown = ids[(number - 1) * size : number * size]
    found = {
        row.id: row
        for row in db.session.scalars(select(Row).options(_SHOWN).where(Row.id.in_(shown)))
    }
    return Page([found[row_id] for row_id in shown if row_id in found], number, len(ids), size)


def find_look_alikes(batch: Batch, most: int = 5) -> Sequence[Row]:
    """Those rows that invite an address with letters that only look Latin; no query where there is none."""
    if not batch.counts.get(Mark.LOOKALIKE, 0):
        return []
    return find_page(batch, Find(mark=Mark.LOOKALIKE), most).rows


def iterate_rows(batch: Batch, find: Find) -> Iterator[Row]:
    """All rows that are asked for, on whatever page, in order; a chunk at a time."""
    says = _says(find)
    for row in db.session.scalars(
        _ordered(select(Row), batch, find).execution_options(yield_per=CHUNK)
    ):
        if says(row.email, row.role, row.groups):
            yield row


def find_problem(
    batch: Batch, find: Find, start: int | None, *, back: bool = False
) -> tuple[int, Row] | None:
    """The next row that needs attention, after (back: before) the row whose id is `start`, and the number of its page.

    From the end it goes on at the other end; `start` None, or not there, begins at one. One query of ids, one of the row.
    """
    cells = (Row.email, Row.role, Row.groups) if find.text else ()
    asked = db.session.execute(_ordered(select(Row.id, Row.plan, *cells), batch, find))
    says = _says(find)
    found = [(row_id, plan) for row_id, plan, *texts in asked if says(*texts)]
    places = [place for place, (_, plan) in enumerate(found) if plan is Plan.ATTENTION]
    if not places:
        return None
    here = next(
        (place for place, (row_id, _) in enumerate(found) if row_id == start),
        len(found) if back else -1,
    )
    beyond = [place for place in places if (place < here if back else place > here)] or places
    place = beyond[-1 if back else 0]
    return place // PAGE + 1, db.session.get_one(Row, found[place][0])


def _says(find: Find) -> Callable[..., bool]:
    """Whether cells (e-mail, role, groups) match the search, as written or by the names that the grid shows."""
    if not find.text:
        return lambda *_cells: True
    registry = lookup.registry()
    role_name = cache(registry.role_name)
    names = cache(lambda groups: ", ".join(map(registry.group_name, split_groups(groups))))
    return lambda email, role, groups: find.says(
        email, role, groups, role_name(role), names(groups)
    )


def _narrowed(query: Select[*Columns], batch: Batch, find: Find) -> Select[*Columns]:
    query = query.where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if find.hint:
        query = query.where(
            replaced_addresses.is_replaced()
            if find.hint is Hint.REPLACED
            else Row.hint == find.hint
        )
    wanted: list[ColumnElement[bool]] = []
    if find.plan:
        wanted.append(Row.plan == find.plan)
    if find.problem:  # what has a problem needs attention: said, so that the index of plans is used
        wanted += [Row.plan == Plan.ATTENTION, getattr(Row, f"{find.problem}_wrong")]
    if find.mark:
        wanted += [
            Row.plan.in_([Plan.INVITE, Plan.UPDATE]),
            Row.change_dict["marks"].as_string().contains(f'"{find.mark}"'),
        ]
    return query.where(*wanted)


def _ordered(query: Select[*Columns], batch: Batch, find: Find) -> Select[*Columns]:
    query = _narrowed(query, batch, find)
    if find.sort == Sort.LINE_DOWN:
        return query.order_by(Row.line.desc())
    if find.sort.column == "line":
        return query.order_by(Row.line)
    key = (
        _PLACE
        if find.sort.column == "plan"
        else binary_order(func.lower(getattr(Row, find.sort.column)))
    )
    return query.order_by(key.desc() if find.sort.is_down else key, Row.line)


_PLACE = case({plan: place for place, plan in enumerate(PLANS_IN_ORDER)}, value=Row.plan)
"""The place of a row's plan among PLANS_IN_ORDER."""


# Notices above the counts


def list_notices(batch: Batch, replaced: Mapping[str, ReplacedAddress]) -> list[Notice]:
    """A batch's notices with how many rows each is about now; those about none are left out. Two queries at most.

    replaced: the replaced addresses among the rows.
    """
    kept = [Notice(**notice) for notice in batch.notices]
    counts = _count_hints(batch) if any(notice.hint for notice in kept) else {}
    notices = [
        replace(notice, rows=counts.get(notice.hint, 0)) if notice.hint else notice
        for notice in kept
    ]
    if n := replaced_addresses.count(batch) if replaced else 0:
        notices.append(Notice("replaced", rows=n, hint=Hint.REPLACED))
    return [notice for notice in notices if notice.rows]


def _count_hints(batch: Batch) -> dict[str, int]:
    """How many standing rows have each hint."""
    here = Row.batch_id == batch.id, Row.hint.is_not(None), Row.removed_at.is_(None)
    query = select(Row.hint, func.count()).where(*here).group_by(Row.hint)
    return {str(hint): n for hint, n in db.session.execute(query)}

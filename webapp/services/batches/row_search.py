"""Rows of a batch under review, found by their stored plans. Questions only.

The database filters and sorts; free text is looked for here, because SQLite knows upper and lower case of ASCII only.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from functools import cache
from typing import Any, TypeVarTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    func,
    select,
)
from sqlalchemy.orm import defer

from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.row_filter import (
    PLANS_IN_ORDER,
    Find,
    Hint,
    Mark,
)
from webapp.core.plan.planner import Plan
from webapp.core.text.notices import Notice
from webapp.db import binary_order, db
from webapp.models import Batch, ReplacedAddress, Row
from webapp.schemas.rows import split_groups
from webapp.services.directory import (
    lookup,
    replaced_addresses,
)

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
    ids: list[int] = []
    total = batch.size
    if find.text:
        ids = [row_id for row_id, _ in _find_ids(batch, find)]
        total = len(ids)
    elif find.is_on:
        count = _filter(select(func.count(Row.id)), batch, find).order_by(None)
        total = db.session.scalar(count) or 0
    number = page_of(find.page, total, size)
    start = (number - 1) * size
    shown = ids[start : start + size]
    query = _filter(select(Row).options(_SHOWN), batch, find)
    rows = query.where(Row.id.in_(shown)) if find.text else query.limit(size).offset(start)
    return Page(db.session.scalars(rows).all(), number, total, size)


def _find_ids(batch: Batch, find: Find) -> list[tuple[int, Plan]]:
    """The ids and plans of all rows that are asked for, in order; one query."""
    # cells are read only where they are looked through
    cells = (Row.email, Row.role, Row.groups) if find.text else ()
    says = _says(find)
    rows = db.session.execute(_filter(select(Row.id, Row.plan, *cells), batch, find))
    return [(row_id, plan) for row_id, plan, *texts in rows if says(*texts)]


def find_look_alikes(batch: Batch, most: int = 5) -> Sequence[Row]:
    """Those rows that invite an address with letters that only look Latin; no query where there is none."""
    if not batch.counts.get(Mark.LOOKALIKE, 0):
        return []
    return find_page(batch, Find(mark=Mark.LOOKALIKE), most).rows


def iterate_rows(batch: Batch, find: Find) -> Iterator[Row]:
    """All rows that are asked for, on whatever page, in order; a chunk at a time."""
    says = _says(find)
    query = _filter(select(Row), batch, find).execution_options(yield_per=CHUNK)
    for row in db.session.scalars(query):
        if says(row.email, row.role, row.groups):
            yield row


def find_problem(
    batch: Batch,
    find: Find,
    start: int | None,
    *,
    back: bool = False,
) -> tuple[int, Row] | None:
    """The next row that needs attention, after (back: before) the row whose id is `start`, and the number of its page.

    From the end it goes on at the other end; `start` None, or not there, begins at one. One query of ids, one of the row.
    """
    found = list(enumerate(_find_ids(batch, find)))
    if back:
        found.reverse()
    here = next(
        (n for n, (_, (row_id, _)) in enumerate(found) if row_id == start),
        -1,
    )
    for place, (row_id, plan) in found[here + 1 :] + found[: here + 1]:
        if plan is Plan.ATTENTION:
            return place // PAGE + 1, db.session.get_one(Row, row_id)
    return None


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


def _filter(query: Select[*Columns], batch: Batch, find: Find) -> Select[*Columns]:
    """Only the rows that are asked for but for the text, in order."""
    query = query.where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if find.hint is Hint.REPLACED:
        query = query.where(replaced_addresses.is_replaced())
    elif find.hint:
        query = query.where(Row.hint == find.hint)
    if find.plan:
        query = query.where(Row.plan == find.plan)
    if find.problem:  # what has a problem needs attention: said, so that the index of plans is used
        query = query.where(
            Row.plan == Plan.ATTENTION,
            getattr(Row, f"{find.problem}_wrong"),
        )
    if find.mark:
        marks = Row.change_dict["marks"].as_string()
        query = query.where(
            Row.plan.in_([Plan.INVITE, Plan.UPDATE]),
            marks.contains(f'"{find.mark}"'),
        )
    column = find.sort.column
    key: ColumnElement[Any] = Row.line.expression
    if column == "plan":
        key = _PLACE
    elif column != "line":
        key = binary_order(func.lower(getattr(Row, column)))
    return query.order_by(key.desc() if find.sort.is_down else key, Row.line)


_PLACE = case(
    {plan: place for place, plan in enumerate(PLANS_IN_ORDER)},
    value=Row.plan,
)
"""The place of a row's plan among PLANS_IN_ORDER."""


# Notices above the counts


def list_notices(batch: Batch, replaced: Mapping[str, ReplacedAddress]) -> list[Notice]:
    """A batch's notices with how many rows each is about now; those about none are left out. Two queries at most.

    replaced: the replaced addresses among the rows.
    """
    notices = [Notice(**notice) for notice in batch.notices]
    if any(notice.hint for notice in notices):
        here = (
            Row.batch_id == batch.id,
            Row.hint.is_not(None),
            Row.removed_at.is_(None),
        )
        query = select(Row.hint, func.count()).where(*here).group_by(Row.hint)
        counts = {str(hint): n for hint, n in db.session.execute(query)}
        notices = [
            replace(notice, rows=counts.get(notice.hint, 0)) if notice.hint else notice
            for notice in notices
        ]
    if replaced:
        n = replaced_addresses.count(batch)
        notices.append(Notice("replaced", rows=n, hint=Hint.REPLACED))
    return [notice for notice in notices if notice.rows]

"""Rows of a batch under review, found by their stored plans. Questions only.

The database filters and sorts; free text is looked for here, because SQLite knows upper and lower case of ASCII only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVarTuple

from sqlalchemy import (
    Select,
    func,
    select,
)
from sqlalchemy.orm import defer

from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.row_filter import Find, Hint, Mark
from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import fold
from webapp.core.text.notices import Notice
from webapp.db import binary_order, db
from webapp.models import Batch, BatchKind, Outcome, ReplacedAddress, Row
from webapp.schemas.rows import FIELDS
from webapp.services.directory import (
    lookup,
    replaced_addresses,
)

Columns = TypeVarTuple("Columns")

PAGE = 100
"""Rows on one page of the review."""
NAMED = 5
"""People who are called by name before sending."""
FOLDED = 4
"""So many rows that stay as they are, or more, are folded."""
CHUNK = 500
"""Rows held in memory at once while all of a batch are gone through."""

_SHOWN = defer(Row.read_cells, raiseload=True)
"""A page does not show the whole line as read."""


def find_page(batch: Batch, find: Find) -> Page[Row]:
    """The page that is asked for, without the rows that are folded; at most two queries.

    A page past the last one is the last one: rows may have gone since the address was made.
    """
    found = _find_ids(batch, find) if find.is_on else None
    rows = _select_shown(batch, find, Row).options(_SHOWN)
    total = batch.size if found is None else len(found)
    if _hides_folded(batch, find):
        rows = rows.where(Row.plan != Plan.UNCHANGED)
        total -= batch.counts[Plan.UNCHANGED]
    number = page_of(find.page, total, PAGE)
    start = (number - 1) * PAGE
    if found is None:
        rows = rows.limit(PAGE).offset(start)
    else:
        shown = [row.id for row in found[start : start + PAGE]]
        rows = rows.where(Row.id.in_(shown))
    return Page(db.session.scalars(rows).all(), number, total, PAGE)


def is_folded(batch: Batch, find: Find) -> bool:
    """Whether the rows that stay as they are stand last, folded: they are many, and nothing is looked for."""
    is_upload = batch.kind is BatchKind.UPLOAD
    return is_upload and not find.is_on and batch.counts.get(Plan.UNCHANGED, 0) >= FOLDED


def _hides_folded(batch: Batch, find: Find) -> bool:
    """Whether pages are without the folded rows. Where plans are stale, the database does not know which these are."""
    if find.unfolded or not is_folded(batch, find):
        return False
    return batch.directory_version == lookup.directory_version()


def _select_shown(batch: Batch, find: Find, *columns: Any) -> Select[Any]:
    """Select from the rows that are asked for, what can be folded last."""
    query = _filter(select(*columns), batch, find)
    if is_folded(batch, find):
        query = query.order_by(None).order_by(Row.plan == Plan.UNCHANGED, *_order(find))
    return query


def _find_ids(batch: Batch, find: Find) -> list[Any]:
    """The ids, lines and plans of all rows that are asked for, in order; one query."""
    # cells are read only where they are looked through
    cells = (Row.email, Row.name, Row.role, Row.groups) if find.text else ()
    says = _says(find)
    rows = db.session.execute(_select_shown(batch, find, Row.id, Row.line, Row.plan, *cells))
    return [row for row in rows if says(*row[3:])]


def list_wide(batch: Batch) -> Sequence[Row]:
    """Some of those who get wide access: new administrators first, then by their names."""
    admins = Row.change_dict["marks"].as_string().contains('"admin"')
    query = _filter(select(Row).options(_SHOWN), batch, Find(mark=Mark.WIDE)).order_by(None)
    title = func.coalesce(func.nullif(Row.name, ""), Row.email)
    order = admins.desc(), func.lower(title)
    return db.session.scalars(query.order_by(*order).limit(NAMED)).all()


def count_wrong_roles(batch: Batch) -> Counter[str]:
    """How many rows have each word as their role that is none, by the folded word."""
    is_wrong = Row.plan == Plan.ATTENTION, Row.role_wrong, Row.removed_at.is_(None)
    query = select(Row.role, func.count()).where(Row.batch_id == batch.id, *is_wrong)
    counts: Counter[str] = Counter()
    for role, n in db.session.execute(query.group_by(Row.role)):
        counts[fold(role)] += n
    return counts


def iterate_rows(batch: Batch, find: Find) -> Iterator[Row]:
    """All rows that are asked for, on whatever page, in order; a chunk at a time."""
    says = _says(find)
    query = _filter(select(Row), batch, find).execution_options(yield_per=CHUNK)
    for row in db.session.scalars(query):
        if says(row.email, row.name, row.role, row.groups):
            yield row


def list_after(
    batch: Batch,
    line: int,
    limit: int,
    plan: Plan | None = None,
    outcome: Outcome | None = None,
) -> Sequence[Row]:
    """Up to so many rows below a line, of a plan or an outcome, in the file's order; one query."""
    query = _filter(select(Row).options(_SHOWN), batch, Find(plan=plan)).where(Row.line > line)
    if outcome:
        query = query.where(Row.outcome == outcome)
    return db.session.scalars(query.limit(limit)).all()


def find_row(
    batch: Batch,
    find: Find,
    is_wanted: Callable[[Any], bool],
    start: int | None = None,
    *,
    back: bool = False,
) -> dict[str, Any] | None:
    """Where the review shows the next row that is wanted, by its `id`, `line` and `plan`: arguments of its address.

    It is looked for after (back: before) the row whose id is `start`, and from the end on at the other end. The anchor is the
    first cell with a problem, or the e-mail: a browser gives the focus to an anchor that can take it.
    """
    found = list(enumerate(_find_ids(batch, find)))
    if back:
        found.reverse()
    ids = [row.id for _, row in found]
    after = ids.index(start) + 1 if start in ids else 0
    for place, row in found[after:] + found[:after]:
        if is_wanted(row):
            issues = db.session.get_one(Row, row.id).issues
            field = issues[0]["field"] if issues else "email"
            cell = f"row-{row.id}-{field}"
            unfolds = is_folded(batch, find) and row.plan is Plan.UNCHANGED
            return {
                **find.args(page=place // PAGE + 1, unfolded="yes" if unfolds else find.unfolded),
                "_anchor": f"{cell}-cell" if field == "groups" else cell,
            }
    return None


def _says(find: Find) -> Callable[..., bool]:
    """Whether cells (e-mail, name, role, groups) match the search, as written or by the names that the grid shows."""
    if not find.text:
        return lambda *_cells: True
    registry = lookup.registry()
    role_name = cache(registry.role_name)
    names = cache(lambda groups: ", ".join(map(registry.group_name, split_groups(groups))))
    return lambda email, name, role, groups: find.says(
        email, name, role, groups, role_name(role), names(groups)
    )


def _filter(query: Select[*Columns], batch: Batch, find: Find) -> Select[*Columns]:
    """The rows that are asked for, whatever the text, in order."""
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
    return query.order_by(*_order(find))


def _order(find: Find) -> tuple[Any, ...]:
    """What rows are sorted by."""
    key = getattr(Row, find.sort.column)
    if find.sort.column in FIELDS:
        key = binary_order(func.lower(key))
    return key.desc() if find.sort.is_down else key, Row.line


# Notices above the counts


def list_notices(batch: Batch, replaced: Mapping[str, ReplacedAddress]) -> list[Notice]:
    """A batch's notices with how many rows each is about now; those about none are left out. Two queries at most.

    replaced: the replaced addresses among the rows.
    """
    notices = [Notice(**notice) for notice in batch.notices]
    if notices:
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
        n = find_page(batch, Find(hint=Hint.REPLACED)).total
        notices.append(Notice("replaced", rows=n, hint=Hint.REPLACED))
    return [notice for notice in notices if notice.rows]

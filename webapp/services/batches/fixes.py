"""What can be repaired in a batch under review, one line a fix, however many rows it is about. Reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.lists.row_filter import Hint
from webapp.core.plan.fixes import A_PERSON, NO_GROUP, Fix, Fixes, Kind
from webapp.core.plan.group_cells import Cells, key_groups, merge_rows, split_groups
from webapp.core.plan.planner import Issue, Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, find_name_problem, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import Batch, Row
from webapp.schemas.rows import RowSchema
from webapp.services.batches import same_list
from webapp.services.batches.changes import Place
from webapp.services.directory import lookup

CHEAP = 500
"""Rows that need attention, or have a misspelt domain, and a tenth of a list that was sent before. With more, the answer to
one edited cell leaves the offer as it is: finding the fixes reads all those rows, and an edit has to cost the same in a batch
of any size."""
LOOKED_AT = 500
"""Different roles and groups that are looked at, the commonest first; so this is also how many groups are created at once."""


def are_cheap(batch: Batch) -> bool:
    """Whether the answer to an edited cell says again what can be repaired."""
    past = batch.size // 10 if batch.earlier_id else 0
    problems = batch.counts.get(Plan.ATTENTION, 0)
    misspelt = batch.counts.get("misspelt", 0)
    return max(past, problems + misspelt) <= CHEAP


def count_fixable(batch: Batch) -> tuple[int, int]:
    """How many rows need attention, and how many hints there are; (0, 0) where nothing can be repaired.

    In a batch with many problems nobody looks whether they can be: that takes a second for 40,000 rows.
    """
    problems = batch.counts.get(Plan.ATTENTION, 0)
    if not are_cheap(batch):
        return problems, batch.counts.get("misspelt", 0)
    hints = len(find_fixes(batch).all)
    return (problems, hints) if hints else (0, 0)


def find_fixes(batch: Batch) -> Fixes:
    """Everything that can be repaired; eight queries at most, which read the rows that have a problem, a hint or a past."""
    past = _list_past(batch)
    fixes = list(dict.fromkeys(past.values()))
    fixes += _list_removals(batch)
    needs: dict[int, frozenset[str]] = {}
    if batch.counts.get(Plan.ATTENTION) or batch.counts.get("misspelt"):
        schema = RowSchema(lookup.registry())
        rows = _read_rows(batch, Row.plan == Plan.ATTENTION)
        wrong = _read_wrong(batch, rows, past, schema.registry)
        by_word = _fix_words(wrong, schema)
        for row in rows:
            needs[row.id] = _list_needs(row, by_word, past, schema.registry)
        fixes += by_word.values()
        fixes += _merge_twins(rows, needs, schema)
    fixes.sort(key=_order)
    return Fixes(fixes, needs)


def _order(fix: Fix) -> tuple[Any, ...]:
    place = list(Kind).index(fix.kind)
    if fix.kind is Kind.GROUP:
        return place, by_number(fix.old)
    first = min(fix.rows.values())
    return place, -len(fix.rows), first, fold(fix.old)


def _read_rows(batch: Batch, which: ColumnElement[bool]) -> Sequence[Any]:
    """The columns of these rows that tell what can be repaired."""
    query = select(
        Row.id,
        Row.line,
        Row.email,
        Row.name,
        Row.role,
        Row.groups,
        Row.issues,
        Row.email_key,
        Row.likely_domain,
        Row.hint,
        Row.read_cells,
    )
    is_there = Row.removed_at.is_(None)
    query = query.where(Row.batch_id == batch.id, is_there, which)
    return db.session.execute(query.order_by(Row.line)).all()


# Corrections made before


def _list_past(batch: Batch) -> dict[Place, Fix]:
    """The fixes that make corrections of an earlier upload of this list again, by the cells that they are about."""
    earlier = same_list.find_earlier(batch)
    if earlier is None:
        return {}
    registry = lookup.registry()
    alike: dict[tuple[str, ...], dict[int, int]] = {}
    for change in same_list.find_past_corrections(batch, earlier):
        row, old = change.row, change.before
        assert row
        if change.field == "removed":
            old = row.name or row.email
        key = change.field, old, change.after
        alike.setdefault(key, {})[row.id] = row.line
    found = {}
    for (field, old, new), rows in alike.items():
        fix = Fix(
            Kind.EARLIER,
            field,
            old,
            new,
            rows,
            note="removed then",
            is_safe=not _widens(field, new, registry),
        )
        for row_id in rows:
            found[row_id, field] = fix
    return found


def _widens(field: str, new: str, registry: Registry) -> bool:
    """Whether a cell gives access to everything, or makes somebody manage people."""
    key = fold(new)
    if field == "groups":
        return key == fold(ALL_GROUPS)
    role = registry.role_by_key.get(key)
    return field == "role" and role is not None and role.manages_people


# Words and addresses

_Key = tuple[str, str]
"""A field, and a wrong word in it, folded."""


class _Wrong(NamedTuple):
    """A word of a row that is no role or group; of an e-mail its domain with the @, or the whole.

    new: what is suggested; of groups it is not known yet.
    """

    row: Any
    field: str
    old: str
    new: str = ""

    @property
    def key(self) -> _Key:
        return self.field, fold(self.old)

    @property
    def place(self) -> Place:
        return self.row.id, self.field


def _read_wrong(
    batch: Batch,
    rows: Iterable[Any],
    past: Mapping[Place, Fix],
    registry: Registry,
) -> list[_Wrong]:
    """The wrong words of these rows, and the misspelt domains of all, unless they were corrected before."""
    wrong = []
    for row in rows:
        for issue in row.issues:
            wrong += _list_wrong(row, issue, registry)
    # a query of its own: one with OR would read all rows
    misspelt = _read_rows(batch, Row.likely_domain.is_not(None))
    wrong += map(_misspelt, misspelt)
    return [word for word in wrong if word.place not in past]


def _list_wrong(row: Any, issue: Issue, registry: Registry) -> list[_Wrong]:
    """The wrong words that an issue is about."""
    field, new = issue["field"], issue.get("new", "")
    if issue["code"] in ("role_unknown", "role_several"):
        role = " ".join(row.role.split())
        return [_Wrong(row, field, role, new)]
    if issue["code"] == "groups_unknown":
        names = split_groups(row.groups)
        return [
            _Wrong(row, field, name) for name in names if fold(name) not in registry.group_by_key
        ]
    if issue["code"] == "name_lines":
        return [_Wrong(row, field, row.name, new)]
    if field != "email" or not new:
        return []
    _, at, domain = row.email.rpartition("@")
    if at and new.startswith("@"):
        return [_Wrong(row, field, f"@{domain.lower()}", new)]
    return [_Wrong(row, field, row.email, issue["suggestion"])]


def _misspelt(row: Any) -> _Wrong:
    """The domain of a valid address that probably is a misspelling."""
    domain = row.email_key.rpartition("@")[2]
    return _Wrong(row, "email", f"@{domain}", f"@{row.likely_domain}")


def _fix_words(wrong: Iterable[_Wrong], schema: RowSchema) -> dict[_Key, Fix]:
    """A fix for each different word, by its key."""
    by_key: defaultdict[_Key, list[_Wrong]] = defaultdict(list)
    for word in wrong:
        by_key[word.key].append(word)
    names = [key for key in by_key if key[0] != "email"]
    names.sort(key=lambda key: -len(by_key[key]))
    too_many = set(names[LOOKED_AT:])
    found = {}
    for key, words in by_key.items():
        if key not in too_many:
            found[key] = _fix_word(words, schema)
    return found


def _fix_word(words: Sequence[_Wrong], schema: RowSchema) -> Fix:
    """The fix of a wrong word, in its commonest spelling."""
    field, new = words[0].field, words[0].new
    spellings = Counter(word.old for word in words)
    old = max(spellings, key=spellings.__getitem__)
    if field == "groups":
        _, issues = schema.cell(field, old)
        new = issues[0].get("new", "") if issues else ""
    kind = Kind.ADDRESS if field == "email" else Kind.SPELLING
    if not new:
        may_be_group = _may_be_group(field, old, schema.registry)
        kind = Kind.GROUP if may_be_group else Kind.WORD
    return Fix(
        kind,
        field,
        old,
        new,
        rows={word.row.id: word.row.line for word in words},
        note="on one line" if field == "name" else "",
        is_safe=kind is not Kind.WORD,
    )


def _may_be_group(field: str, word: str, registry: Registry) -> bool:
    """Whether a group may be created that is called so."""
    key = fold(word)
    is_taken = key in NO_GROUP or key in registry.role_by_key
    return field == "groups" and not is_taken and not find_name_problem(word)


def _list_needs(
    row: Any,
    by_word: Mapping[_Key, Fix],
    past: Mapping[Place, Fix],
    registry: Registry,
) -> frozenset[str]:
    """The fixes that this row takes, rows with the same e-mail apart."""
    needs = set()
    for issue in row.issues:
        if fix := past.get((row.id, issue["field"])):
            needs.add(fix.id)
            continue
        words = _list_wrong(row, issue, registry)
        for word in words:
            fix = by_word.get(word.key)
            needs.add(fix.id if fix else A_PERSON)
        if not words and issue["code"] not in _TWICE | {"groups_unknown"}:
            needs.add(A_PERSON)
    return frozenset(needs)


# Rows with the same e-mail

_TWICE = {"duplicate", "duplicate_differs"}


def _merge_twins(
    rows: Iterable[Any],
    needs: dict[int, frozenset[str]],
    schema: RowSchema,
) -> list[Fix]:
    """A fix for all rows of each person who is there twice; each of these rows needs what the others need."""
    by_email: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        codes = {issue["code"] for issue in row.issues}
        if codes & _TWICE:
            by_email[row.email_key].append(row)
    fixes = []
    for twins in by_email.values():
        needed: set[str] = set()
        for row in twins:
            needed |= needs[row.id]
        cells = [_mend(row, schema) for row in twins]
        merged = merge_rows(cells, schema.registry)
        if merged is None or len(merged.groups) > LONGEST_CELL:
            needed.add(A_PERSON)
        elif _differ(cells, schema.registry):
            fix = _merge(twins, cells, merged)
            fixes.append(fix)
            needed.add(fix.id)
        for row in twins:
            needs[row.id] = frozenset(needed)
    return fixes


def _mend(row: Any, schema: RowSchema) -> Cells:
    """The cells of a row as they are once their spelling is put right."""
    mended = {}
    for field in ("role", "groups"):
        cell = getattr(row, field)
        _, issues = schema.cell(field, cell)
        mended[field] = issues[0].get("suggestion", cell) if issues else cell
    return Cells(row.name, **mended)


def _differ(rows: Iterable[Cells], registry: Registry) -> bool:
    """Whether the groups are not the same in all these rows."""
    found = set()
    for row in rows:
        groups = key_groups(split_groups(row.groups), registry)
        found.add(frozenset(groups))
    return len(found) > 1


def _merge(twins: Sequence[Any], cells: Sequence[Cells], merged: Cells) -> Fix:
    """The fix that makes one row of these, with all their groups. All groups are not given unasked."""
    return Fix(
        Kind.TWICE,
        "groups",
        merged.name or twins[0].email,
        merged.groups,
        rows={row.id: row.line for row in twins},
        note=" + ".join(each.groups or "no groups" for each in cells),
        is_safe=merged.groups != ALL_GROUPS,
    )


# Rows that are no people, or of people who are gone

_REMOVABLE = {
    Hint.GONE: "",
    Hint.TEXT: "text in place of a person",
    Hint.HIDDEN: "hidden in the sheet",
}
"""What is said of such a row; of people who are gone it is what the file says."""


def _list_removals(batch: Batch) -> list[Fix]:
    """A fix, never ticked, for each row that a notice of the file calls hidden, no person, or somebody who is gone."""
    said = {notice["hint"] for notice in batch.notices}
    hints = said & _REMOVABLE.keys()
    if not hints:
        return []
    fixes = []
    for row in _read_rows(batch, Row.hint.in_(hints)):
        if row.hint == Hint.TEXT and not row.issues:
            continue
        fix = Fix(
            Kind.REMOVAL,
            "removed",
            row.name or row.email,
            "",
            {row.id: row.line},
            note=_REMOVABLE[row.hint] or _quote(batch, row),
            is_safe=False,
        )
        fixes.append(fix)
    return fixes


def _quote(batch: Batch, row: Any) -> str:
    """What the columns that the notices are about say of a row."""
    columns: set[str] = set()
    for notice in batch.notices:
        columns |= set(notice["columns"])
    said = []
    cells = zip(batch.header, row.read_cells, strict=False)
    for name, word in cells:
        if name in columns and word:
            said.append(f"{name.lower()} says “{word}”")
    return ", ".join(said)

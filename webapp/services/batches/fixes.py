"""What can be repaired in a batch under review, one line a fix, however many rows it is about. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.lists.row_filter import Hint
from webapp.core.plan.fixes import A_PERSON, NO_GROUP, Fix, Fixes, Kind
from webapp.core.plan.planner import Issue, Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, find_name_problem, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import Batch, Row
from webapp.schemas.rows import RowSchema, split_groups
from webapp.services.batches import bulk_edit, same_list
from webapp.services.batches.changes import Place
from webapp.services.directory import lookup

CHEAP = 500
"""Rows that need attention, or have a misspelt domain, and a tenth of a list that was sent before. With more, the answer to
one edited cell leaves the offer as it is: finding the fixes reads all those rows, and an edit has to cost the same in a batch
of any size."""
LOOKED_AT = 1000
"""Different words that are looked at; the commonest first."""
MOST_CREATED = 500
"""Groups that are created at once."""


class _Wrong(NamedTuple):
    """A word of a row that is no role or group; of an e-mail its domain with the @, or the whole. new: what is suggested."""

    row: Any
    field: str
    old: str
    new: str

    @property
    def key(self) -> tuple[str, str]:
        return self.field, fold(self.old)

    @property
    def place(self) -> Place:
        return self.row.id, self.field


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
    by_id = {fix.id: fix for fix in past.values()}
    fixes = list(by_id.values())
    fixes += _list_removals(batch)
    needs: dict[int, frozenset[str]] = {}
    if batch.counts.get(Plan.ATTENTION) or batch.counts.get("misspelt"):
        schema = RowSchema(lookup.registry())
        rows = _read_rows(batch, Row.plan == Plan.ATTENTION)
        wrong = []
        for row in rows:
            wrong += _list_wrong(row, schema.registry)
        # a query of its own: one with OR would read all rows
        misspelt = _read_rows(batch, Row.likely_domain.is_not(None))
        wrong += map(_misspelt, misspelt)
        wrong = [word for word in wrong if word.place not in past]
        by_word = _fix_words(wrong, schema)
        fixes += by_word.values()
        for row in rows:
            needs[row.id] = _list_needs(row, by_word, past, schema.registry)
        fixes += _merge_twins(rows, needs, schema)
    fixes.sort(key=_order)
    return Fixes(fixes, needs)


def _order(fix: Fix) -> tuple[Any, ...]:
    place = list(Kind).index(fix.kind)
    if fix.kind is Kind.GROUP:
        return place, by_number(fix.old)
    return place, -len(fix.rows), min(fix.rows.values()), fold(fix.old)


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
    is_there = Row.batch_id == batch.id, Row.removed_at.is_(None)
    return db.session.execute(query.where(*is_there, which).order_by(Row.line)).all()


# Corrections made before


def _list_past(batch: Batch) -> dict[Place, Fix]:
    """The fixes that make corrections of an earlier upload of this list again, by the cells that they are about."""
    earlier = same_list.find_earlier(batch)
    if earlier is None:
        return {}
    places: defaultdict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
    for change in same_list.find_past_corrections(batch, earlier):
        row = change.row
        assert row
        old = change.before
        if change.field == "removed":
            old = row.name or row.email
        places[change.field, old, change.after][row.id] = row.line
    found: dict[Place, Fix] = {}
    for (column, old, new), rows in places.items():
        name = _name(Kind.EARLIER, column, old, new)
        is_safe = not _widens(column, new)
        fix = Fix(Kind.EARLIER, name, column, old, new, rows, "removed then", is_safe)
        found |= {(row_id, column): fix for row_id in rows}
    return found


def _widens(column: str, new: str) -> bool:
    """Whether a cell gives access to everything, or makes somebody manage people."""
    if column == "groups":
        return fold(new) == fold(ALL_GROUPS)
    role = lookup.registry().role_by_key.get(fold(new)) if column == "role" else None
    return role is not None and role.manages_people


# Words and addresses


def _list_wrong(row: Any, registry: Registry) -> list[_Wrong]:
    wrong = []
    for issue in row.issues:
        wrong += _list_wrong_in(row, issue, registry)
    return wrong


def _list_wrong_in(row: Any, issue: Issue, registry: Registry) -> list[_Wrong]:
    """The wrong words that an issue is about. Of groups it is not known yet what is suggested."""
    new = issue.get("new", "")
    if issue["code"] in ("role_unknown", "role_several"):
        return [_Wrong(row, "role", " ".join(row.role.split()), new)]
    if issue["code"] == "name_lines":
        return [_Wrong(row, "name", row.name, new)]
    if issue["code"] == "groups_unknown":
        names = split_groups(row.groups)
        return [
            _Wrong(row, "groups", name, "")
            for name in names
            if fold(name) not in registry.group_by_key
        ]
    if issue["field"] != "email" or not new:
        return []
    if new.startswith("@") and "@" in row.email:
        domain = row.email.rpartition("@")[2]
        return [_Wrong(row, "email", f"@{domain.lower()}", new)]
    return [_Wrong(row, "email", row.email, issue["suggestion"])]


def _misspelt(row: Any) -> _Wrong:
    """The domain of a valid address that probably is a misspelling."""
    domain = row.email_key.rpartition("@")[2]
    return _Wrong(row, "email", f"@{domain}", f"@{row.likely_domain}")


def _fix_words(wrong: Iterable[_Wrong], schema: RowSchema) -> dict[tuple[str, str], Fix]:
    """A fix for each different word, by its key."""
    by_key: defaultdict[tuple[str, str], list[_Wrong]] = defaultdict(list)
    for word in wrong:
        by_key[word.key].append(word)
    commonest = sorted(by_key, key=lambda key: len(by_key[key]), reverse=True)
    names = [key for key in commonest if key[0] != "email"][:LOOKED_AT]
    addresses = [key for key in commonest if key[0] == "email"]
    found = {key: _fix_word(by_key[key], schema) for key in names + addresses}
    new_groups = [key for key, fix in found.items() if fix.kind is Kind.GROUP]
    for key in new_groups[MOST_CREATED:]:
        del found[key]
    return found


def _fix_word(words: Sequence[_Wrong], schema: RowSchema) -> Fix:
    """The fix of a wrong word, in its commonest spelling."""
    field, new = words[0].field, words[0].new
    [(old, _)] = Counter(word.old for word in words).most_common(1)
    if field == "groups":
        _, issues = schema.cell(field, old)
        new = issues[0].get("new", "") if issues else ""
    kind = Kind.ADDRESS if field == "email" else Kind.SPELLING
    if not new:
        no_names = {*NO_GROUP, *schema.registry.role_by_key}
        is_name = field == "groups" and not find_name_problem(old)
        kind = Kind.GROUP if is_name and fold(old) not in no_names else Kind.WORD
    rows = {word.row.id: word.row.line for word in words}
    return Fix(
        kind,
        _name(kind, field, fold(old), new),
        field,
        old,
        new,
        rows,
        note="on one line" if field == "name" else "",
        is_safe=kind is not Kind.WORD,
    )


def _name(kind: Kind, *parts: object) -> str:
    """The id of a fix."""
    return f"{kind}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:10]}"


def _list_needs(
    row: Any,
    by_word: Mapping[tuple[str, str], Fix],
    past: Mapping[Place, Fix],
    registry: Registry,
) -> frozenset[str]:
    """The fixes that this row takes, rows with the same e-mail apart."""
    needs = set()
    for issue in row.issues:
        if fix := past.get((row.id, issue["field"])):
            needs.add(fix.id)
            continue
        words = _list_wrong_in(row, issue, registry)
        for word in words:
            fix = by_word.get(word.key)
            needs.add(fix.id if fix else A_PERSON)
        if not words and issue["code"] not in (*_TWICE, "groups_unknown"):
            needs.add(A_PERSON)
    return frozenset(needs)


# Rows with the same e-mail

_TWICE = ("duplicate", "duplicate_differs")


def _merge_twins(
    rows: Iterable[Any], needs: dict[int, frozenset[str]], schema: RowSchema
) -> list[Fix]:
    """A fix for all rows of each person who is there twice; each of these rows needs what the others need."""
    by_email: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if any(issue["code"] in _TWICE for issue in row.issues):
            by_email[row.email_key].append(row)
    fixes = []
    for twins in by_email.values():
        needed = {need for row in twins for need in needs[row.id]}
        names = [_mend(row, "role", schema) for row in twins]
        roles = {schema.registry.role_by_key.get(fold(name)) for name in names}
        groups = [_mend(row, "groups", schema) for row in twins]
        fix = _merge(twins, groups, schema.registry)
        if len(roles) > 1 or None in roles or len(fix.new) > LONGEST_CELL:
            needed.add(A_PERSON)
        elif len({_keys(cell, schema.registry) for cell in groups}) > 1:
            fixes.append(fix)
            needed.add(fix.id)
        needs |= {row.id: frozenset(needed) for row in twins}
    return fixes


def _mend(row: Any, field: str, schema: RowSchema) -> str:
    """A cell as it is once its spelling is put right."""
    cell = str(getattr(row, field))
    _, issues = schema.cell(field, cell)
    return issues[0].get("suggestion", cell) if issues else cell


def _keys(cell: str, registry: Registry) -> frozenset[str]:
    names = [registry.group_name(name) for name in split_groups(cell)]
    return frozenset(map(fold, names))


def _merge(twins: Sequence[Any], groups: Sequence[str], registry: Registry) -> Fix:
    """The fix that makes one row of these, with all their groups. All groups are not given unasked."""
    kind, rows = Kind.TWICE, {row.id: row.line for row in twins}
    merged = bulk_edit.join_groups(groups, registry)
    person = next((row.name for row in twins if row.name), twins[0].email)
    note = " + ".join(cell or "no groups" for cell in groups)
    is_safe = merged != ALL_GROUPS
    return Fix(
        kind, _name(kind, sorted(rows), groups), "groups", person, merged, rows, note, is_safe
    )


# Rows that are no people, or of people who are gone

_REMOVABLE = (Hint.GONE, Hint.TEXT, Hint.HIDDEN)


def _list_removals(batch: Batch) -> list[Fix]:
    """A fix, never ticked, for each row that a notice of the file calls hidden, no person, or somebody who is gone."""
    hints = {notice["hint"] for notice in batch.notices} & set(_REMOVABLE)
    if not hints:
        return []
    columns = [name for notice in batch.notices for name in notice["columns"]]
    places = [place for place, name in enumerate(batch.header) if name in columns]
    fixes: list[Fix] = []
    for row in _read_rows(batch, Row.hint.in_(hints)):
        note = _NOTES.get(row.hint, "")
        if row.hint == Hint.GONE:
            said = []
            for n in places:
                word = "".join(row.read_cells[n : n + 1])
                if word:
                    said.append(f"{batch.header[n].lower()} says “{word}”")
            note = ", ".join(said)
        name = _name(Kind.REMOVAL, row.id, row.email, row.name, row.role, row.groups)
        person = row.name or row.email
        fix = Fix(
            Kind.REMOVAL, name, "removed", person, "", {row.id: row.line}, note, is_safe=False
        )
        if row.hint != Hint.TEXT or row.issues:
            fixes.append(fix)
    return fixes


_NOTES = {Hint.TEXT: "text in place of a person", Hint.HIDDEN: "hidden in the sheet"}

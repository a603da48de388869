"""The same mistake in several rows under review, fixed in all of them at once."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from webapp.core.address_repair import is_placeholder
from webapp.core.addresses import key_of, with_domain
from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.db import db, in_json
from webapp.models import Batch, Row, User
from webapp.schemas.rows import FIELDS, RowSchema, is_too_long, split_groups
from webapp.services.batches import bulk_edit, changes, planner
from webapp.services.batches.bulk_edit import Preview
from webapp.services.batches.changes import Proposal, Result
from webapp.services.directory import lookup

MOST = 20
"""Fixes on one page; the commonest first."""
NAMED = 5
"""A fix of so many rows, or fewer, names them; for more, what would change is listed before it is done."""
CHEAP = 500
"""Rows that need attention, or have a misspelt domain. With more, the answer to one edited cell leaves the suggested fixes as
they are: finding them reads all those rows, and an edit has to cost the same in a batch of any size."""
PREVIEWED = 100
"""Rows listed as what a fix would change."""


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """One fix for the same wrong value in two rows or more. all_lines: of these rows."""

    field: str
    old: str
    new: str
    all_lines: Sequence[int]

    @property
    def count(self) -> int:
        """How many rows it changes."""
        return len(self.all_lines)

    @property
    def lines(self) -> Sequence[int]:
        """The rows, where they are few."""
        return self.all_lines if self.count <= NAMED else ()

    @property
    def id(self) -> str:
        """The same as long as the mistake is the same."""
        return f"fix-{self.field}-{hashlib.sha256(fold(self.old).encode()).hexdigest()[:8]}"


# Suggested


def suggest(batch: Batch) -> list[SuggestedFix]:
    """What can be fixed in two rows or more at once, the commonest first.

    A batch whose counts tell of no such problem costs no query, any other one a column. Only rows in attention, or with a
    misspelt domain, are read.
    """
    wrong = [field for field in FIELDS if batch.counts.get(f"problem:{field}", 0) > 1]
    found = [fix for field in wrong for fix in _fixes_of(batch, field)]
    if batch.counts.get("misspelt", 0) > 1:
        found += _fixes_of_domains(batch)
    return sorted(found, key=lambda fix: (-fix.count, fix.field, fix.old))[:MOST]


def are_cheap(batch: Batch) -> bool:
    """Whether the answer to an edited cell suggests fixes again."""
    return batch.counts.get(Plan.ATTENTION, 0) + batch.counts.get("misspelt", 0) <= CHEAP


def _fixes_of(batch: Batch, field: str) -> list[SuggestedFix]:
    registry = lookup.registry(batch.uploaded_by)
    lines: defaultdict[str, list[int]] = defaultdict(list)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    cells = _wrong(batch, field, select(_value(field), Row.line)).order_by(Row.line)
    for cell, line in db.session.execute(cells):
        for word in _wrong_words(field, cell, registry):
            lines[fold(word)].append(line)
            spellings[fold(word)][word] += 1
    commonest = sorted(lines, key=lambda key: -len(lines[key]))[:MOST]
    schema = RowSchema(registry)
    fixes = []
    for key in commonest:
        spelt = min(spellings[key], key=lambda word: (-spellings[key][word], word))
        new = suggestion(schema, field, spelt) if len(lines[key]) > 1 else None
        if new:
            fixes.append(
                SuggestedFix(
                    field, f"@{spelt}" if field == "email" else spelt, new, tuple(lines[key])
                )
            )
    return fixes


def _fixes_of_domains(batch: Batch) -> list[SuggestedFix]:
    """The same for domains that are valid, and probably misspelt."""
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    query = _misspelt(batch, select(_domain(Row.email_key), Row.likely_domain, Row.line)).order_by(
        Row.line
    )
    for domain, likely, line in db.session.execute(query):
        lines[domain, likely].append(line)
    return [
        SuggestedFix("email", f"@{domain}", f"@{likely}", tuple(found))
        for (domain, likely), found in lines.items()
        if len(found) > 1
    ]


def _misspelt(batch: Batch, query: Select[Any]) -> Select[Any]:
    """Only rows whose domain is valid, and probably misspelt."""
    return query.where(
        Row.batch_id == batch.id, Row.removed_at.is_(None), Row.likely_domain.is_not(None)
    )


def _value(field: str) -> Any:
    """What is compared: the whole cell, or an e-mail's domain."""
    return getattr(Row, field) if field != "email" else func.lower(_domain(Row.email))


def _domain(email: Any) -> Any:
    place = func.instr if db.engine.dialect.name == "sqlite" else func.strpos
    return func.substr(email, place(email, "@") + 1)


def _wrong(batch: Batch, field: str, query: Select[Any]) -> Select[Any]:
    """Only rows whose cell of this field does not pass the schema."""
    query = query.where(
        Row.batch_id == batch.id, Row.plan == Plan.ATTENTION, Row.removed_at.is_(None)
    )
    query = query.where(
        getattr(Row, f"{field}_wrong"), func.length(getattr(Row, field)) <= LONGEST_CELL
    )
    return (
        query.where(Row.email_key.is_(None), Row.email.contains("@")) if field == "email" else query
    )


def _wrong_words(field: str, cell: str, registry: Registry) -> list[str]:
    if not cell or is_too_long(field, cell):
        return []
    if field == "email":
        return [cell]
    if field == "role":
        return [cell] if fold(cell) not in registry.role_by_key else []
    return [
        name
        for name in split_groups(cell)
        if fold(name) not in registry.group_by_key and fold(name) != fold(ALL_GROUPS)
    ]


def suggestion(schema: RowSchema, field: str, word: str) -> str | None:
    """What the schema suggests instead of a wrong word, so that a bulk fix and a cell's own suggestion never differ.

    Of an e-mail the word is the domain, and so is what is suggested.
    """
    if field != "email":
        _, issues = schema.cell(field, word)
        return next((issue.new for issue in issues if issue.new), None)
    _, issues = schema.cell(field, f"someone@{word}")
    return next(
        (issue.new for issue in issues if issue.new.startswith("@") and not issue.old), None
    )


# Done


def fix(batch_id: int, field: str, old: str, new: str, by: User) -> Result:
    """Replace a wrong value in every row that has it. Raises ConflictError where no row has it any more."""

    def propose(batch: Batch) -> Proposal:
        return bulk_edit.change_cells(
            _rows_with(batch, field, old), field, _fixing(field, old, new)
        )

    result = changes.apply(batch_id, by, propose)
    if not result.count:
        raise ConflictError("No row has that value any more. Nothing was replaced.")
    return result


def preview(batch: Batch, field: str, old: str, new: str, limit: int = PREVIEWED) -> Preview:
    """What `fix` would do."""
    proposal = bulk_edit.change_cells(
        _rows_with(batch, field, old), field, _fixing(field, old, new)
    )
    changed = [
        (change.row.line, change.before, change.after)
        for change in proposal.changes
        if change.row and change.before != change.after
    ]
    return bulk_edit.preview(changed, limit)


def _fixing(field: str, old: str, new: str) -> Callable[[str], str]:
    """What a fix makes of a cell."""
    new = " ".join(new.split())

    def fix_email(cell: str) -> str:
        # “none@school”
        is_no_address = is_placeholder(cell.rpartition("@")[0]) and key_of(cell) is None
        return cell if is_no_address else with_domain(cell, new.lstrip("@"))

    def fix_groups(cell: str) -> str:
        names = [new if fold(name) == fold(old) else name for name in split_groups(cell)]
        return ", ".join(split_groups(",".join(names)))

    return {"email": fix_email, "role": lambda _cell: new, "groups": fix_groups}[field]


def _rows_with(batch: Batch, field: str, old: str) -> list[Row]:
    """The rows that have this wrong value. Raises NotFoundError."""
    if field not in FIELDS or not old.strip("@ "):
        raise NotFoundError("There is no such fix.")
    if field == "email":
        domain = old.lstrip("@").lower()
        misspelt = planner.load(
            _misspelt(batch, select(Row)).where(_domain(Row.email_key) == domain)
        )
        return misspelt or planner.load(
            _wrong(batch, field, select(Row)).where(_value(field) == domain)
        )
    cell = getattr(Row, field)
    cells = db.session.scalars(_wrong(batch, field, select(cell)).distinct())
    words = split_groups if field == "groups" else lambda cell: [cell]
    having = [cell for cell in cells if fold(old) in map(fold, words(cell))]
    return planner.load(_wrong(batch, field, select(Row)).where(in_json(cell, having)))

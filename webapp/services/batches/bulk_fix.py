"""The same mistake in several rows under review: found, and mended in all of them at once."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Select, func, select

from webapp.core.address_repair import is_placeholder
from webapp.core.addresses import key_of, with_domain
from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.files.cleaning import LONGEST_CELL, clip
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.db import among, by_letter, db
from webapp.models import Batch, Row, User
from webapp.schemas.rows import FIELDS, RowSchema, is_too_long, split_groups
from webapp.services.batches import changes, planner
from webapp.services.batches.bulk_edit import Done, Preview, change_cells
from webapp.services.directory import lookup

Columns = TypeVarTuple("Columns")

OFFERS = 20
"""Fixes on one page; the commonest first."""
NAMED = 5
"""An offer for so many rows, or fewer, names them; for more, what would change is listed before it is done."""
VALUES = 1000
"""Different wrong cells of one column that are looked at; the commonest first."""
CHEAP = 2000
"""Rows that need attention, or have a misspelt domain. With more, the answer to one edited cell leaves the offers as they
are: looking for them costs a scan of those rows, and an edit has to cost the same in a batch of any size."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One fix for the same wrong value in two rows or more. lines: the rows, where they are few."""

    field: str
    old: str
    new: str
    count: int
    lines: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """Stable as long as the mistake is the same."""
        return f"fix-{self.field}-{hashlib.sha256(fold(self.old).encode()).hexdigest()[:8]}"


# Offered


def offers(batch: Batch) -> list[Offer]:
    """What can be fixed in two rows or more at once, the commonest first.

    A batch whose counts tell of no such problem costs no query. Otherwise the database groups the wrong cells: one query
    a column, and one more for the numbers of rows where they are few. Only rows in attention, or with a misspelt domain,
    are read, by their index.
    """
    wrong = [field for field in FIELDS if batch.counts.get(f"problem:{field}", 0) > 1]
    registry = lookup.registry(batch.uploaded_by) if wrong else None
    found = [offer for field in wrong if registry for offer in _offers_of(batch, field, registry)]
    if batch.counts.get("misspelt", 0) > 1:
        found += _offers_of_domains(batch)
    return sorted(found, key=lambda offer: (-offer.count, offer.field, offer.old))[:OFFERS]


def _offers_of(batch: Batch, field: str, registry: Registry) -> list[Offer]:
    wrong: Counter[str] = Counter()
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    cells: defaultdict[str, list[str]] = defaultdict(list)
    value = _value(field)
    grouped = _wrong(batch, field, select(value, func.count())).group_by(value).order_by(func.count().desc()).limit(VALUES)
    for cell, n in db.session.execute(grouped):
        for word in _wrong_words(field, cell, registry):
            wrong[fold(word)] += n
            spellings[fold(word)][word] += n
            cells[fold(word)].append(cell)
    spelt = {key: min(words, key=lambda word: (-words[word], word)) for key, words in spellings.items()}
    schema = RowSchema(registry)
    common = [(key, n) for key, n in wrong.most_common(OFFERS) if n > 1]
    known = [(key, n, new) for key, n in common if (new := suggestion(schema, field, spelt[key]))]
    few = {cell for key, n, _ in known if n <= NAMED for cell in cells[key]}
    lines: defaultdict[str, list[int]] = defaultdict(list)
    if few:
        for cell, line in db.session.execute(
            _wrong(batch, field, select(value, Row.line)).where(among(value, sorted(few))).order_by(Row.line)
        ):
            lines[cell].append(line)
    at = "@" if field == "email" else ""
    return [
        Offer(
            field,
            at + spelt[key],
            new,
            n,
            tuple(sorted(line for cell in cells[key] for line in lines[cell])) if n <= NAMED else (),
        )
        for key, n, new in known
    ]


def are_cheap(batch: Batch) -> bool:
    """Whether the answer to one edited cell looks for the offers anew."""
    return batch.counts.get(Plan.ATTENTION, 0) + batch.counts.get("misspelt", 0) <= CHEAP


def _offers_of_domains(batch: Batch) -> list[Offer]:
    """The same for domains that are valid, and probably misspelt."""
    domain, count = _domain(Row.email_key), func.count()
    grouped = _misspelt(batch, select(domain, Row.likely_domain, count)).group_by(domain, Row.likely_domain)
    known = db.session.execute(grouped.having(count > 1).order_by(count.desc(), by_letter(domain)).limit(OFFERS)).all()
    lines: defaultdict[str, list[int]] = defaultdict(list)
    if few := sorted(old for old, _, n in known if n <= NAMED):
        for old, line in db.session.execute(
            _misspelt(batch, select(domain, Row.line)).where(among(domain, few)).order_by(Row.line)
        ):
            lines[old].append(line)
    return [Offer("email", f"@{old}", f"@{new}", n, tuple(lines[old])) for old, new, n in known]


def _misspelt(batch: Batch, query: Select[*Columns]) -> Select[*Columns]:
    """Only rows whose domain is valid, and probably misspelt."""
    return query.where(Row.batch_id == batch.id, Row.removed_at.is_(None), Row.likely_domain.is_not(None))


def _value(field: str) -> Any:
    """What is compared: the whole cell, or an e-mail's domain."""
    return getattr(Row, field) if field != "email" else func.lower(_domain(Row.email))


def _domain(email: Any) -> Any:
    place = func.instr if db.engine.dialect.name == "sqlite" else func.strpos
    return func.substr(email, place(email, "@") + 1)


def _wrong(batch: Batch, field: str, query: Select[Any]) -> Select[Any]:
    """Only rows whose cell of this field does not pass the schema."""
    query = query.where(Row.batch_id == batch.id, Row.plan == Plan.ATTENTION, Row.removed_at.is_(None))
    query = query.where(Row.problems.contains(f",{field},"), func.length(getattr(Row, field)) <= LONGEST_CELL)
    return query.where(Row.email_key.is_(None), Row.email.contains("@")) if field == "email" else query


def _wrong_words(field: str, cell: str, registry: Registry) -> list[str]:
    if field == "email":
        return [cell] if cell else []
    if field == "role":
        return [cell] if cell and fold(cell) not in registry.role_by_key else []
    if is_too_long(field, cell):
        return []
    return [name for name in split_groups(cell) if fold(name) not in registry.group_by_key and fold(name) != fold(ALL_GROUPS)]


def suggestion(schema: RowSchema, field: str, word: str) -> str | None:
    """What the schema suggests instead of a wrong word, so that a bulk fix and a cell's own suggestion never differ.

    Of an e-mail the word is the domain, and so is what is suggested.
    """
    if field != "email":
        _, issues = schema.cell(field, word)
        return next((issue.new for issue in issues if issue.new), None)
    _, issues = schema.cell(field, f"someone@{word}")
    return next((issue.new for issue in issues if issue.new.startswith("@") and not issue.old), None)


# Done


def fix(batch_id: int, field: str, old: str, new: str, by: User) -> Done:
    """Replace a wrong value in every row that has it. Raises RuleViolationError where no row has it any more."""
    fixing = _fixing(field, old, new)
    done = change_cells(batch_id, by, field, lambda batch: (_fixed_rows(batch, field, old), fixing))
    if not done.count:
        raise ConflictError("No row has that value any more. Nothing was replaced.")
    return done


def fixed(batch: Batch, field: str, old: str, new: str, limit: int = 100) -> Preview:
    """What `fix` would do. A question."""
    fixing = _fixing(field, old, new)
    rows = _fixed_rows(batch, field, old)
    changed = [(row.line, row.cell(field), after) for row in rows if (after := fixing(row.cell(field))) != row.cell(field)]
    return Preview(len(changed), [(line, clip(before), clip(after)) for line, before, after in changed[:limit]])


def _fixing(field: str, old: str, new: str) -> Callable[[str], str]:
    new = " ".join(new.split())
    changes.check_length(new)
    if field == "email":
        return lambda cell: cell if _stands_for_none(cell) else with_domain(cell, new.lstrip("@"))
    if field == "role":
        return lambda cell: new
    return lambda cell: ", ".join(split_groups(",".join(new if fold(n) == fold(old) else n for n in split_groups(cell))))


def _stands_for_none(email: str) -> bool:
    """Whether it is no address and would be none at any domain (“none@school”)."""
    return is_placeholder(email.rpartition("@")[0]) and key_of(email) is None


def _fixed_rows(batch: Batch, field: str, old: str) -> list[Row]:
    if field not in FIELDS or not old.strip("@ "):
        raise NotFoundError("There is no such fix.")
    value = _value(field)
    if field == "email":
        domain = old.lstrip("@").lower()
        misspelt = planner.loaded(_misspelt(batch, select(Row)).where(_domain(Row.email_key) == domain))
        return misspelt or planner.loaded(_wrong(batch, field, select(Row)).where(value == domain))
    wanted = fold(old)
    words = split_groups if field == "groups" else lambda cell: [cell]
    cells = [cell for (cell,) in db.session.execute(_wrong(batch, field, select(value)).group_by(value))]
    having = [cell for cell in cells if wanted in map(fold, words(cell))]
    return planner.loaded(_wrong(batch, field, select(Row)).where(among(value, having)))

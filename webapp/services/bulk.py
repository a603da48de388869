"""Many rows of a batch under review changed at once: one step, a fixed number of statements, never a request a row."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Select, func, select

from webapp.core.addresses import with_domain
from webapp.core.directory import ALL_GROUPS, Registry, fold
from webapp.core.errors import Conflict, NotThere, Refused
from webapp.core.finding import Find
from webapp.core.planning import Plan
from webapp.db import among, db
from webapp.models import Batch, Row, User
from webapp.schemas.rows import FIELDS, RowSchema, split_groups
from webapp.services import batches, directory, edits, finding, plans, reviewing
from webapp.services.edits import Change, Prepared
from webapp.services.rows import LONGEST_CELL

Columns = TypeVarTuple("Columns")

OFFERS = 20
"""Fixes on one page; the commonest first."""
NAMED = 5
"""An offer for so many rows, or fewer, names them; for more, what would change is listed before it is done."""
EXAMPLES = 10
"""Rows shown as what a replacement would do."""
VALUES = 1000
"""Different wrong cells of one column that are looked at; the commonest first."""
CHEAP = 2000
"""Rows that need attention, or have a misspelt domain. With more, the answer to one edited cell leaves the offers as they
are: looking for them costs a scan of those rows, and an edit has to cost the same in a batch of any size."""
CHOSEN = 10_000
"""Rows that may be named one by one."""


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replacement would do: in how many rows, and (line, before, after) of the first of them."""

    count: int
    examples: Sequence[tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a bulk change did. version: its step, to be undone; None where nothing had to change."""

    batch: Batch
    count: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows that were selected: by their ids, or all that `find` finds but for these."""

    ids: frozenset[int] = frozenset()
    find: Find | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Find and replace in a column. whole: the whole cell is meant. exactly: with regard to case."""

    field: str
    find: str
    by: str
    whole: bool = False
    exactly: bool = False

    def __call__(self, cell: str) -> str:
        """The cell afterwards."""
        if self.whole:
            same = cell == self.find if self.exactly else fold(cell) == fold(self.find)
            return self.by if same else cell
        flags = re.NOFLAG if self.exactly else re.IGNORECASE
        return re.sub(re.escape(self.find), lambda _: self.by, cell, flags=flags)[:LONGEST_CELL].strip()

    def check(self) -> None:
        """Raises Refused where there is nothing to look for."""
        if self.field not in FIELDS:
            raise Refused("There is no such column.", field="field")
        if not self.find and not self.whole:
            raise Refused("Enter what to find, or choose “Whole cell” to fill empty cells.", field="find")


# The same mistake in several rows


def offers(batch: Batch) -> list[Offer]:
    """What can be fixed in two rows or more at once, the commonest first.

    A batch whose counts tell of no such problem costs no query. Otherwise the database groups the wrong cells: one query
    a column, and one more for the numbers of rows where they are few. Only rows in attention, or with a misspelt domain,
    are read, by their index.
    """
    wrong = [field for field in FIELDS if batch.counts.get(f"problem:{field}", 0) > 1]
    registry = directory.registry(batch.planned_for) if wrong else None
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
    common = [(key, n) for key, n in wrong.most_common(OFFERS) if n > 1]
    known = [(key, n, new) for key, n in common if (new := _suggested(field, spelt[key], registry))]
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
    known = db.session.execute(grouped.having(count > 1).order_by(count.desc(), domain).limit(OFFERS)).all()
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
    query = query.where(Row.problems.contains(f",{field},"))
    return query.where(Row.email_key.is_(None), Row.email.contains("@")) if field == "email" else query


def _wrong_words(field: str, cell: str, registry: Registry) -> list[str]:
    if field == "email":
        return [cell] if cell else []
    if field == "role":
        return [cell] if cell and fold(cell) not in registry.role_by_key else []
    return [name for name in split_groups(cell) if fold(name) not in registry.group_by_key and fold(name) != fold(ALL_GROUPS)]


def _suggested(field: str, word: str, registry: Registry) -> str | None:
    """What the schema suggests instead of a wrong word, so that a bulk fix and a cell's own suggestion never differ."""
    _, issues = RowSchema(registry).cell(field, f"a@{word}" if field == "email" else word)
    return next((issue.new for issue in issues if issue.new), None)


def fix(batch_id: int, field: str, old: str, new: str, by: User) -> Done:
    """Replace a wrong value in every row that has it. Raises Refused where no row has it any more."""
    fixing = _fixing(field, old, new)
    done = _replace(batch_id, by, field, lambda batch: (_fixed_rows(batch, field, old), fixing))
    if not done.count:
        raise Conflict("No row has that value any more. Nothing was replaced.")
    return done


def fixed(batch: Batch, field: str, old: str, new: str, limit: int = 100) -> Preview:
    """What `fix` would do. A question."""
    fixing = _fixing(field, old, new)
    rows = _fixed_rows(batch, field, old)
    changed = [(row.line, row.cell(field), after) for row in rows if (after := fixing(row.cell(field))) != row.cell(field)]
    return Preview(len(changed), changed[:limit])


def _fixing(field: str, old: str, new: str) -> Callable[[str], str]:
    new = " ".join(new.split())[:LONGEST_CELL]
    if field == "email":
        return lambda cell: with_domain(cell, new.lstrip("@"))
    if field == "role":
        return lambda cell: new
    return lambda cell: ", ".join(split_groups(",".join(new if fold(n) == fold(old) else n for n in split_groups(cell))))


def _fixed_rows(batch: Batch, field: str, old: str) -> list[Row]:
    if field not in FIELDS or not old.strip("@ "):
        raise NotThere("There is no such fix.")
    value = _value(field)
    if field == "email":
        domain = old.lstrip("@").lower()
        misspelt = plans.loaded(_misspelt(batch, select(Row)).where(_domain(Row.email_key) == domain))
        return misspelt or plans.loaded(_wrong(batch, field, select(Row)).where(value == domain))
    wanted = fold(old)
    words = split_groups if field == "groups" else lambda cell: [cell]
    cells = [cell for (cell,) in db.session.execute(_wrong(batch, field, select(value)).group_by(value))]
    having = [cell for cell in cells if wanted in map(fold, words(cell))]
    return plans.loaded(_wrong(batch, field, select(Row)).where(among(value, having)))


# Find and replace


def replaceable(batch: Batch, replacement: Replacement) -> Preview:
    """What `replace` would do. A question; one query, of the column alone."""
    replacement.check()
    column = getattr(Row, replacement.field)
    query = select(Row.line, column).where(Row.batch_id == batch.id, Row.removed_at.is_(None)).order_by(Row.line)
    changed = [(line, cell, after) for line, cell in db.session.execute(query) if (after := replacement(cell)) != cell]
    return Preview(len(changed), changed[:EXAMPLES])


def replace(batch_id: int, replacement: Replacement, by: User) -> Done:
    """Find and replace in a column, in all rows of the batch."""
    replacement.check()

    def found(batch: Batch) -> tuple[list[Row], Replacement]:
        column = getattr(Row, replacement.field)
        standing = select(Row.id, column).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        return _by_id(batch, [id for id, cell in db.session.execute(standing) if replacement(cell) != cell]), replacement

    return _replace(batch_id, by, replacement.field, found)


def _by_id(batch: Batch, ids: Iterable[int]) -> list[Row]:
    wanted = sorted(ids)
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if len(wanted) > CHOSEN:  # more than a statement should carry: read them all
        known = set(wanted)
        return [row for row in plans.loaded(query) if row.id in known]
    return plans.loaded(query.where(Row.id.in_(wanted)))


def _replace(batch_id: int, by: User, field: str, find: Callable[[Batch], tuple[Iterable[Row], Callable[[str], str]]]) -> Done:
    """One step: what `find` finds, and what is made of the cells of this field."""

    def changes(batch: Batch) -> list[Change]:
        rows, after = find(batch)
        return [Change(row, field, row.cell(field), after(row.cell(field))) for row in rows]

    return _step(batch_id, by, changes)


def _step(batch_id: int, by: User, find: Callable[[Batch], Iterable[Change]]) -> Done:
    """One step of those changes that change something, and the commit."""

    def prepare(batch: Batch) -> Prepared | None:
        real = [change for change in find(batch) if change.before != change.after]
        return edits.prepared(batch, real) if real else None

    batch, step = batches.begun(batch_id, prepare, by)
    if step is None:
        db.session.rollback()
        return Done(batch, 0, None)
    edits.written(batch, by, step)
    version = batch.version
    db.session.commit()
    return Done(batch, len({row_id for row_id, *_ in step.changes}), version)


# Selected rows


def set_role(batch_id: int, chosen: Chosen, role: str, by: User) -> Done:
    """Write one role into the selected rows. Raises Refused for one that is not theirs to grant."""
    return _change_chosen(batch_id, chosen, by, "role", lambda registry: _role(registry, role, by))


def set_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Write these groups, and no others, into the selected rows."""
    return _change_chosen(batch_id, chosen, by, "groups", lambda registry: lambda cell: _joined(names))


def add_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Add groups to those in the selected rows. All groups hold every other already."""

    def adding(registry: Registry) -> Callable[[str], str]:
        def after(cell: str) -> str:
            present = {_meant(name, registry) for name in split_groups(cell)}
            if _meant(ALL_GROUPS, registry) in present:
                return cell
            new = [name for name in names if _meant(name, registry) not in present]
            return _joined([*split_groups(cell), *new]) if new else cell

        return after

    return _change_chosen(batch_id, chosen, by, "groups", adding)


def remove_groups(batch_id: int, chosen: Chosen, names: Sequence[str], by: User) -> Done:
    """Take groups out of the selected rows, however they are spelt there."""

    def removing(registry: Registry) -> Callable[[str], str]:
        gone = {_meant(name, registry) for name in names}

        def after(cell: str) -> str:
            kept = [name for name in split_groups(cell) if _meant(name, registry) not in gone]
            return ", ".join(kept) if len(kept) < len(split_groups(cell)) else cell

        return after

    return _change_chosen(batch_id, chosen, by, "groups", removing)


def remove(batch_id: int, chosen: Chosen, by: User) -> Done:
    """Take the selected rows out of the batch."""
    return _step(batch_id, by, lambda batch: [Change(row, "removed", "", "removed") for row in _rows(batch, chosen, by)])


def _role(registry: Registry, name: str, by: User) -> Callable[[str], str]:
    role = registry.role_by_key.get(fold(name))
    if role is None or role not in registry.grantable(by.role.rank):
        raise Refused("Choose a role that you may grant.", field="role")
    return lambda cell: role.name


def _joined(names: Sequence[str]) -> str:
    if fold(ALL_GROUPS) in map(fold, names):
        return ALL_GROUPS
    return ", ".join(dict.fromkeys(names))[:LONGEST_CELL]


def united(names: Iterable[str], registry: Registry) -> str:
    """A Groups cell that holds all of these, each once, however they are spelt."""
    found: dict[int | str, str] = {}
    for name in names:
        found.setdefault(_meant(name, registry), name)
    return _joined(list(found.values()))


def _meant(name: str, registry: Registry) -> int | str:
    group = registry.group_by_key.get(fold(name))
    return group.id if group else fold(name)


def _change_chosen(batch_id: int, chosen: Chosen, by: User, field: str, make: Callable[[Registry], Callable[[str], str]]) -> Done:
    return _replace(batch_id, by, field, lambda batch: (_rows(batch, chosen, by), make(directory.registry())))


def _rows(batch: Batch, chosen: Chosen, by: User) -> list[Row]:
    """The selected rows that still stand. Raises Refused where there is none."""
    if chosen.find is not None:
        if chosen.find.is_on:
            reviewing.planned_as_seen(batch, by)  # the page may have filtered by plans made on the fly: so does this
        rows = [row for row in finding.each(batch, chosen.find) if row.id not in chosen.ids]
    else:
        rows = _by_id(batch, sorted(chosen.ids)[:CHOSEN])
    if not rows:
        raise Refused("None of the selected rows is there any more. Select rows again.")
    return rows


# To a row


def address(batch: Batch, line: int) -> dict[str, Any]:
    """Where the review shows the row of this line: arguments of its address, without a filter. Raises NotThere.

    The anchor is the row's e-mail, because a browser gives the focus to an anchor that can take it.
    """
    here = (Row.batch_id == batch.id, Row.removed_at.is_(None))
    row_id = db.session.scalar(select(Row.id).where(*here, Row.line == line))
    if row_id is None:
        raise NotThere(f"Row {line} is not there any more.")
    before = db.session.scalar(select(func.count(Row.id)).where(*here, Row.line < line)) or 0
    return {**Find().args(page=before // batches.PAGE + 1), "_anchor": f"row-{row_id}-email"}

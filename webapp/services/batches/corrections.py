"""What could be corrected in many rows under review at once: fixes, and words that name no role or group. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import Batch, Row
from webapp.schemas.directory import GroupSchema
from webapp.schemas.rows import FIELDS, RowSchema, is_too_long, split_groups
from webapp.services.directory import aliases, lookup

FIXES = 20
"""Fixes on one page; the commonest first."""
NAMED = 5
"""A fix of so many rows, or fewer, names them; for more, what would change is listed before it is done."""
CHEAP = 500
"""Rows that need attention, or have a misspelt domain. With more, the answer to one edited cell leaves the corrections as
they are: finding them reads all those rows, and an edit has to cost the same in a batch of any size."""
LOOKED_AT = 1000
"""Different words of one column that are looked at; the commonest first."""
MOST_CREATED = 500
"""Groups that are created at once."""
NO_GROUP = frozenset(
    """
    none null nil nan na n/a n.a. n.n. nothing nobody no empty blank unknown missing pending tba tbc tbd todo
    kein keine keiner keines nein nichts leer ohne unbekannt fehlt folgt offen aucun aucune rien ninguno ninguna nada
    nenhum nenhuma nessuno nessuna niente geen ingen inget
    all any every everyone everybody everything alle alles jeder tous tout toute toutes todos todas tutti tutte todo tudo
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
"""Words such as "none" or "all", which are left out when many groups are offered at once."""


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


@dataclass(frozen=True, slots=True)
class Word:
    """An unknown word for a role or group, and its number of rows. field: "role" or "groups".

    can_be_made: whether a group may have this name. is_a_name: whether it is likely to be one, too: no role, and no word
    such as "none" or "all".
    """

    field: str
    text: str
    rows: int
    can_be_made: bool = False
    is_a_name: bool = False

    @property
    def can_be_remembered(self) -> bool:
        return len(self.text) <= aliases.LONGEST_WORD


@dataclass(frozen=True, slots=True)
class Corrections:
    """Fixes and unknown words, each the commonest first."""

    fixes: Sequence[SuggestedFix]
    words: Sequence[Word]

    @property
    def missing_groups(self) -> list[Word]:
        """The words that are probably names of groups, sorted; at most MOST_CREATED."""
        names = [word for word in self.words if word.is_a_name][:MOST_CREATED]
        return sorted(names, key=lambda word: by_number(word.text))


def are_cheap(batch: Batch) -> bool:
    """Whether the answer to an edited cell shows the corrections again."""
    return batch.counts.get(Plan.ATTENTION, 0) + batch.counts.get("misspelt", 0) <= CHEAP


def find_corrections(batch: Batch) -> Corrections:
    """What can be fixed in two rows or more at once, and the words for which there is nothing to suggest.

    A batch whose counts tell of no such problem costs no query, any other one a column. Only rows in attention, or with a
    misspelt domain, are read.
    """
    fixes: list[SuggestedFix] = []
    words: list[Word] = []
    for field in FIELDS:
        if batch.counts.get(f"problem:{field}", 0) > (field == "email"):
            _correct_column(batch, field, fixes, words)
    if batch.counts.get("misspelt", 0) > 1:
        fixes += _fixes_of_domains(batch)
    fixes.sort(key=lambda fix: (-fix.count, fix.field, fix.old))
    words.sort(key=lambda word: (-word.rows, word.field, fold(word.text)))
    return Corrections(fixes[:FIXES], words)


def _correct_column(batch: Batch, field: str, fixes: list[SuggestedFix], words: list[Word]) -> None:
    """Add the fixes and the unknown words of one column."""
    registry = lookup.registry(batch.uploaded_by)
    schema = RowSchema(registry)
    for text, lines in _wrong_words(batch, field, registry):
        new = suggestion(schema, field, text)
        if new and len(lines) > 1:
            old = f"@{text}" if field == "email" else text
            fixes.append(SuggestedFix(field, old, new, lines))
        elif not new and field != "email":
            words.append(_unknown_word(field, text, len(lines), registry))


def _unknown_word(field: str, text: str, rows: int, registry: Registry) -> Word:
    can_be_made = field == "groups" and not GroupSchema().validate({"name": text})
    is_a_name = can_be_made and fold(text) not in (*NO_GROUP, *registry.role_by_key)
    return Word(field, text, rows, can_be_made, is_a_name)


def _wrong_words(batch: Batch, field: str, registry: Registry) -> list[tuple[str, Sequence[int]]]:
    """The wrong words of a column, each in its commonest spelling, with the lines of its rows; the commonest first."""
    lines: defaultdict[str, list[int]] = defaultdict(list)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    cells = wrong_rows(batch, field, select(value(field), Row.line)).order_by(Row.line)
    for cell, line in db.session.execute(cells):
        for word in _words_in(field, cell, registry):
            lines[fold(word)].append(line)
            spellings[fold(word)][word] += 1
    commonest = sorted(lines, key=lambda key: -len(lines[key]))[:LOOKED_AT]
    return [(spellings[key].most_common(1)[0][0], tuple(lines[key])) for key in commonest]


def _words_in(field: str, cell: str, registry: Registry) -> list[str]:
    """The words of a cell that are not known; of an e-mail its domain."""
    if not cell or is_too_long(field, cell):
        return []
    if field == "email":
        return [cell]
    if field == "role":
        return [] if fold(cell) in registry.role_by_key else [" ".join(cell.split())]
    known = {fold(ALL_GROUPS), *registry.group_by_key}
    return [name for name in split_groups(cell) if fold(name) not in known]


def _fixes_of_domains(batch: Batch) -> list[SuggestedFix]:
    """Fixes for domains that are valid, and probably misspelt."""
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    query = misspelt_rows(batch, select(domain(Row.email_key), Row.likely_domain, Row.line))
    for found, likely, line in db.session.execute(query.order_by(Row.line)):
        lines[found, likely].append(line)
    return [
        SuggestedFix("email", f"@{found}", f"@{likely}", tuple(numbers))
        for (found, likely), numbers in lines.items()
        if len(numbers) > 1
    ]


def misspelt_rows(batch: Batch, query: Select[Any]) -> Select[Any]:
    """Only rows whose domain is valid, and probably misspelt."""
    return query.where(
        Row.batch_id == batch.id, Row.removed_at.is_(None), Row.likely_domain.is_not(None)
    )


def wrong_rows(batch: Batch, field: str, query: Select[Any]) -> Select[Any]:
    """Only rows whose cell of this field does not pass the schema."""
    query = query.where(
        Row.batch_id == batch.id,
        Row.plan == Plan.ATTENTION,
        Row.removed_at.is_(None),
        getattr(Row, f"{field}_wrong"),
        func.length(getattr(Row, field)) <= LONGEST_CELL,
    )
    if field == "email":
        query = query.where(Row.email_key.is_(None), Row.email.contains("@"))
    return query


def value(field: str) -> Any:
    """What is compared: the whole cell, or an e-mail's domain."""
    return getattr(Row, field) if field != "email" else func.lower(domain(Row.email))


def domain(email: Any) -> Any:
    """What stands behind the @."""
    place = func.instr if db.engine.dialect.name == "sqlite" else func.strpos
    return func.substr(email, place(email, "@") + 1)


def suggestion(schema: RowSchema, field: str, word: str) -> str | None:
    """What the schema suggests instead of a wrong word, so that a bulk fix and a cell's own suggestion never differ.

    Of an e-mail the word is the domain, and so is what is suggested.
    """
    _, issues = schema.cell(field, f"someone@{word}" if field == "email" else word)
    for issue in issues:
        if issue.new and (field != "email" or (issue.new.startswith("@") and not issue.old)):
            return issue.new
    return None

"""What could be corrected in many rows under review at once: fixes, and words that name no role or group. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from webapp.core.plan.planner import Issue, Plan
from webapp.core.plan.registry import Registry, find_name_problem, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import Batch, Row
from webapp.schemas.rows import RowSchema, split_groups
from webapp.services.directory import lookup

FIXES = 20
"""Fixes on one page; the commonest first."""
CHEAP = 500
"""Rows that need attention, or have a misspelt domain. With more, the answer to one edited cell leaves the corrections as
they are: finding them reads all those rows, and an edit has to cost the same in a batch of any size."""
LOOKED_AT = 1000
"""Different words that are looked at; the commonest first."""
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


class WrongWord(NamedTuple):
    """A word of a row that is no role or group; of an e-mail the domain with its @, where a better one is known.

    likely: what is suggested instead; of a group it is not known yet.
    """

    field: str
    row_id: int
    line: int
    text: str
    likely: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A wrong word, and what it probably should be. lines: of its rows. new: "" where there is nothing to suggest."""

    field: str
    old: str
    new: str
    lines: Sequence[int]

    @property
    def count(self) -> int:
        """How many rows it changes."""
        return len(self.lines)

    @property
    def id(self) -> str:
        """The same as long as the mistake is the same."""
        return f"fix-{self.field}-{hashlib.sha256(fold(self.old).encode()).hexdigest()[:8]}"

    @property
    def can_be_made(self) -> bool:
        """Whether a group may have this name."""
        return self.field == "groups" and not find_name_problem(self.old)


@dataclass(frozen=True, slots=True)
class Corrections:
    """Fixes for two rows or more, and words for which there is nothing to suggest, each the commonest first.

    missing_groups: the words that are probably names of groups, sorted.
    """

    fixes: Sequence[Correction]
    words: Sequence[Correction]
    missing_groups: Sequence[Correction]


def are_cheap(batch: Batch) -> bool:
    """Whether the answer to an edited cell shows the corrections again."""
    return batch.counts.get(Plan.ATTENTION, 0) + batch.counts.get("misspelt", 0) <= CHEAP


def find_corrections(batch: Batch) -> Corrections:
    """What can be corrected in many rows at once; two queries, which read the rows that have a problem, if there are any."""
    if not (batch.counts.get(Plan.ATTENTION) or batch.counts.get("misspelt")):
        return Corrections([], [], [])
    words_by_key: defaultdict[tuple[str, str], list[WrongWord]] = defaultdict(list)
    for word in list_wrong_words(batch):
        words_by_key[word.field, fold(word.text)].append(word)
    commonest = sorted(words_by_key.values(), key=len, reverse=True)[:LOOKED_AT]
    registry = lookup.registry()
    schema = RowSchema(registry)
    found = [_correct(words, schema) for words in commonest]
    found.sort(key=lambda each: (-each.count, each.field, fold(each.old)))
    fixes = [each for each in found if each.new and each.count > 1]
    words = [each for each in found if not each.new]
    return Corrections(fixes[:FIXES], words, _missing_groups(words, registry))


def _correct(words: Sequence[WrongWord], schema: RowSchema) -> Correction:
    """The correction of a wrong word, in its commonest spelling."""
    field, new = words[0].field, words[0].likely
    spellings = Counter(word.text for word in words)
    [(old, _)] = spellings.most_common(1)
    if field == "groups":
        _, issues = schema.cell(field, old)
        new = issues[0].get("new", "") if issues else ""
    lines = tuple(word.line for word in words)
    return Correction(field, old, new, lines)


def _missing_groups(words: Sequence[Correction], registry: Registry) -> list[Correction]:
    """The unknown words that probably are names of groups."""
    no_names = {*NO_GROUP, *registry.role_by_key}
    missing = [word for word in words if word.can_be_made and fold(word.old) not in no_names]
    return sorted(missing[:MOST_CREATED], key=lambda word: by_number(word.old))


def list_wrong_words(batch: Batch) -> list[WrongWord]:
    """The wrong words of all rows that have a problem, and the domains that are valid and probably misspelt."""
    registry = lookup.registry()
    words = []
    for row in _read_rows(batch, Row.plan == Plan.ATTENTION):
        for issue in row.issues:
            for text, likely in _find_words(row, issue, registry).items():
                words.append(WrongWord(issue["field"], row.id, row.line, text, likely))
    # a query of its own: one with OR would read all rows
    for row in _read_rows(batch, Row.likely_domain.is_not(None)):
        domain = row.email_key.rpartition("@")[2]
        word = WrongWord("email", row.id, row.line, f"@{domain}", f"@{row.likely_domain}")
        words.append(word)
    return words


def _read_rows(batch: Batch, which: ColumnElement[bool]) -> Iterable[Any]:
    """The columns of these rows that tell what is wrong with them."""
    query = select(
        Row.id,
        Row.line,
        Row.email,
        Row.role,
        Row.groups,
        Row.issues,
        Row.email_key,
        Row.likely_domain,
    )
    is_there = Row.batch_id == batch.id, Row.removed_at.is_(None)
    return db.session.execute(query.where(*is_there, which).order_by(Row.line))


def _find_words(row: Any, issue: Issue, registry: Registry) -> dict[str, str]:
    """The wrong words that an issue is about, each with what is suggested instead."""
    new = issue.get("new", "")
    if issue["code"] in ("role_unknown", "role_several"):
        return {" ".join(row.role.split()): new}
    if issue["code"] == "groups_unknown":
        names = split_groups(row.groups)
        return {name: "" for name in names if fold(name) not in registry.group_by_key}
    if new.startswith("@") and "@" in row.email:
        domain = row.email.rpartition("@")[2]
        return {f"@{domain.lower()}": new}
    return {}

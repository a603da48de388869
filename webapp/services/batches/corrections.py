"""What could be corrected in many rows under review at once: fixes, and words that name no role or group. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import Registry, find_name_problem, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import Batch, Row
from webapp.schemas.rows import FIELDS, RowSchema, split_groups
from webapp.services.directory import lookup

FIXES = 20
"""Fixes on one page; the commonest first."""
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


class WrongWord(NamedTuple):
    """A word of a row that is no role or group; of an e-mail the domain with its @, where a better one is known.

    likely: what is suggested instead; of a group it is not known yet.
    """

    row_id: int
    line: int
    text: str
    likely: str = ""


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
    """What can be corrected in many rows at once. A batch without such problems costs no query, any other one a column."""
    found: list[Correction] = []
    for field in FIELDS:
        kinds = [f"problem:{field}"]
        if field == "email":
            kinds.append("misspelt")
        if any(batch.counts.get(kind) for kind in kinds):
            found += _correct_column(batch, field)
    found.sort(key=lambda each: (-each.count, each.field, fold(each.old)))
    fixes = [each for each in found if each.new and each.count > 1]
    words = [each for each in found if not each.new]
    return Corrections(fixes[:FIXES], words, _missing_groups(batch, words))


def _missing_groups(batch: Batch, words: Sequence[Correction]) -> list[Correction]:
    if not words:
        return []
    no_names = {*NO_GROUP, *lookup.registry(batch.uploaded_by).role_by_key}
    names = [word for word in words if word.can_be_made and fold(word.old) not in no_names]
    return sorted(names[:MOST_CREATED], key=lambda word: by_number(word.old))


def _correct_column(batch: Batch, field: str) -> list[Correction]:
    """The commonest wrong words of a column, each in its commonest spelling."""
    found: defaultdict[str, list[WrongWord]] = defaultdict(list)
    for word in list_wrong_words(batch, field):
        found[fold(word.text)].append(word)
    commonest = sorted(found.values(), key=len, reverse=True)[:LOOKED_AT]
    schema = RowSchema(lookup.registry(batch.uploaded_by))
    corrections = []
    for words in commonest:
        spellings = Counter(word.text for word in words)
        [(old, _)] = spellings.most_common(1)
        new = words[0].likely
        if field == "groups":
            _, issues = schema.cell(field, old)
            new = issues[0].get("new", "") if issues else ""
        lines = tuple(word.line for word in words)
        corrections.append(Correction(field, old, new, lines))
    return corrections


def list_wrong_words(batch: Batch, field: str) -> list[WrongWord]:
    """The wrong words of a column, in the order of rows. Only rows that have a problem there are read."""
    registry = lookup.registry(batch.uploaded_by)
    query = (
        select(Row.id, Row.line, getattr(Row, field), Row.issues)
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .where(Row.plan == Plan.ATTENTION, getattr(Row, f"{field}_wrong"))
        .order_by(Row.line)
    )
    words = [
        WrongWord(row_id, line, text, likely)
        for row_id, line, cell, issues in db.session.execute(query)
        for text, likely in _words_in(field, cell, issues, registry)
    ]
    return words + _misspelt_domains(batch) if field == "email" else words


def _misspelt_domains(batch: Batch) -> list[WrongWord]:
    """The domains that are valid and probably misspelt. A query of its own: one with OR would read all rows."""
    query = (
        select(Row.id, Row.line, Row.email_key, Row.likely_domain)
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .where(Row.likely_domain.is_not(None))
        .order_by(Row.line)
    )
    words = []
    for row_id, line, email_key, likely_domain in db.session.execute(query):
        domain = str(email_key).rpartition("@")[2]
        words.append(WrongWord(row_id, line, f"@{domain}", f"@{likely_domain}"))
    return words


def _words_in(
    field: str, cell: str, issues: Sequence[Mapping[str, str]], registry: Registry
) -> Iterator[tuple[str, str]]:
    """The wrong words of a cell by its issues, each with what is suggested instead."""
    for issue in issues:
        new = issue.get("new", "")
        if issue["code"] in ("role_unknown", "role_several") and field == "role":
            yield " ".join(cell.split()), new
        if issue["code"] == "groups_unknown" and field == "groups":
            for name in split_groups(cell):
                if fold(name) not in registry.group_by_key:
                    yield name, ""
        if issue["field"] == field == "email" and new.startswith("@") and "@" in cell:
            yield "@" + cell.rpartition("@")[2].lower(), new

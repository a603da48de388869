"""Words of a file that name no role and no group: what they mean, or the groups to create."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from webapp.core.errors import RuleViolationError
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.core.text.spelling import by_number
from webapp.db import db
from webapp.models import AliasKind, Batch, Group, Row, User
from webapp.schemas.groups import GroupSchema
from webapp.schemas.rows import RowSchema, is_too_long, split_groups
from webapp.services.batches import bulk_fix, review
from webapp.services.batches.changes import Result
from webapp.services.directory import aliases, groups, lookup

WORDS = 20
"""Unknown words on one review page; the commonest first."""
MOST_CREATED = 500
"""Groups that are created at once."""
LOOKED_AT = 1000
"""Different words of one column that are looked at; the commonest first."""
NO_GROUP = frozenset(
    """
    none null nil nan na n/a n.a. n.n. nothing nobody no empty blank unknown missing pending tba tbc tbd todo
    kein keine keiner keines nein nichts leer ohne unbekannt fehlt folgt offen aucun aucune rien ninguno ninguna nada
    nenhum nenhuma nessuno nessuna niente geen ingen inget
    all any every everyone everybody everything alle alles jeder tous tout toute toutes todos todas tutti tutte todo tudo
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
"""Words such as "none" or "all", which are left out when many groups are offered at once."""
CELLS = 2000
"""Different wrong cells of one column that are looked at; the commonest first."""


@dataclass(frozen=True, slots=True)
class Word:
    """An unknown word for a role or group, and its number of rows. field: "role" or "groups"."""

    field: str
    text: str
    rows: int
    can_be_remembered: bool = True
    can_be_made: bool = False
    """Whether a group may have this name."""
    is_a_name: bool = False
    """Whether it is likely to be one, too: no role, and no word such as "none" or "all"."""


@dataclass(frozen=True, slots=True)
class Words:
    """Unknown words as the review lists them. creatable: how many groups could be made of all there are, at most MOST_CREATED."""

    shown: Sequence[Word] = ()
    is_more: bool = False
    creatable: int = 0


def find_unknown_words(batch: Batch) -> Words:
    """Words that are nowhere near a role or a group, so that Muster has nothing to suggest; the commonest first.

    A batch whose counts tell of no such problem costs no query, any other one a column; only rows in attention are read.
    """
    found = _find_unknown(batch, ("role", "groups"))
    if not found:
        return Words()
    return Words(found[:WORDS], len(found) > WORDS, len(_likely_groups(found)))


def find_missing_groups(batch: Batch) -> list[Word]:
    """Unknown words that are probably group names, sorted; at most MOST_CREATED."""
    return sorted(
        _likely_groups(_find_unknown(batch, ("groups",))), key=lambda word: by_number(word.text)
    )


def _likely_groups(words: Sequence[Word]) -> list[Word]:
    return [word for word in words if word.is_a_name][:MOST_CREATED]


def _find_unknown(batch: Batch, fields: Sequence[str]) -> list[Word]:
    wrong = [name for name in fields if batch.counts.get(f"problem:{name}", 0)]
    if not wrong:
        return []
    registry = lookup.registry(batch.uploaded_by)
    found = [word for name in wrong for word in _words_of(batch, name, registry)]
    return sorted(found, key=lambda word: (-word.rows, word.field, fold(word.text)))


def _words_of(batch: Batch, name: str, registry: Registry) -> list[Word]:
    """The unknown words of one column, the commonest first."""
    known = (
        set(registry.role_by_key) if name == "role" else {fold(ALL_GROUPS), *registry.group_by_key}
    )
    schema = RowSchema(registry)
    rows, spelling = _count_words(batch, name)
    found: list[Word] = []
    for key, n in rows.most_common(LOOKED_AT):
        text = spelling[key]
        if key and key not in known and not bulk_fix.suggestion(schema, name, text):
            can_be_made = name == "groups" and not GroupSchema().validate({"name": text})
            is_a_name = can_be_made and key not in NO_GROUP and key not in registry.role_by_key
            found.append(
                Word(name, text, n, len(text) <= aliases.LONGEST_WORD, can_be_made, is_a_name)
            )
    return found


def _count_words(batch: Batch, name: str) -> tuple[Counter[str], dict[str, str]]:
    """The words of a column in wrong rows by folded form, each with its first spelling and number of rows."""
    cell = getattr(Row, name)
    wrong = (
        Row.batch_id == batch.id,
        Row.plan == Plan.ATTENTION,
        Row.removed_at.is_(None),
        getattr(Row, f"{name}_wrong"),
        func.length(cell) <= LONGEST_CELL,
    )
    query = (
        select(cell, func.count())
        .where(*wrong)
        .group_by(cell)
        .order_by(func.count().desc(), func.min(Row.line))
        .limit(CELLS)
    )
    rows: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for text, n in db.session.execute(query):
        if is_too_long(name, text):
            continue
        for word in split_groups(text) if name == "groups" else [" ".join(text.split())]:
            rows[fold(word)] += n
            spelling.setdefault(fold(word), word)
    return rows, spelling


def create_groups(batch_id: int, names: Sequence[str], by: User) -> list[Group]:
    """Create these groups, all or none, each with its audit event; the rows that name them are then judged again.

    Nothing in the rows changes, so there is nothing in them to undo. Raises RuleViolationError where none is chosen or a name
    does not do.
    """
    review.get_batch(batch_id)
    if not names:
        raise RuleViolationError("Choose at least one group to create.")
    if len(names) > MOST_CREATED:
        raise RuleViolationError(f"Create at most {MOST_CREATED} groups at once.")
    return groups.add_groups(names, by)


def translate(
    batch_id: int, name: str, word: str, meant: str, by: User, *, remember: bool = False
) -> Result:
    """Write the role or the group that is meant into every row that says `word`, as one step that can be undone.

    remember: later files may say the word, too. Raises RuleViolationError for what cannot be meant, ConflictError where no row
    says so.
    """
    registry = lookup.registry()
    official = official_name(name, meant, registry, by)
    if remember:
        aliases.check_word(word)
    done = bulk_fix.fix(batch_id, name, word, official, by)
    if remember:
        kind = AliasKind.ROLE if name == "role" else AliasKind.GROUP
        aliases.remember(kind, word, official, by)
    return done


def official_name(name: str, meant: str, registry: Registry, by: User) -> str:
    """The name of the role or group that is meant. Raises RuleViolationError where there is none, or it may not be granted."""
    if name == "role":
        role = registry.role_by_key.get(fold(meant))
        if role is None or role not in lookup.grantable(by):
            raise RuleViolationError("Choose a role that you may grant.")
        return role.name
    group = registry.group_by_key.get(fold(meant)) if name == "groups" else None
    if group is None:
        raise RuleViolationError("Choose a group.")
    return group.name

"""What can be repaired in rows under review, as values: one line of the panel Tidy up is one `Fix`. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

NO_GROUP = frozenset(
    """
    none null nil nan na n/a n.a. n.n. nothing nobody no empty blank unknown missing pending tba tbc tbd todo
    kein keine keiner keines nein nichts leer ohne unbekannt fehlt folgt offen aucun aucune rien ninguno ninguna nada
    nenhum nenhuma nessuno nessuna niente geen ingen inget
    all any every everyone everybody everything alle alles jeder tous tout toute toutes todos todas tutti tutte todo tudo
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
"""Words such as "none" or "all", which are not offered as names of new groups."""
A_PERSON = ""
"""In place of the id of a fix: only a person can repair it."""


class Kind(StrEnum):
    """The sections of the panel, in its order."""

    EARLIER = "earlier"
    SPELLING = "spelling"
    ADDRESS = "address"
    GROUP = "group"
    WORD = "word"
    TWICE = "twice"
    REMOVAL = "removal"


@dataclass(frozen=True, eq=False)
class Fix:
    """The same repair in all its rows.

    field: "removed" where it removes its rows. old, new: a word or a cell, before and after; of a removal and of rows with
    one e-mail the person, and the groups of them all. new: "" where a person has to choose. rows: lines by the ids of rows.
    is_safe: ticked at first.
    """

    kind: Kind
    field: str
    old: str
    new: str
    rows: Mapping[int, int]
    note: str = ""
    is_safe: bool = True

    @cached_property
    def id(self) -> str:
        """The same as long as what it repairs is the same; more or fewer rows may have the same mistake."""
        rows = sorted(self.rows) if self.is_of_rows else []
        return _make_id(self.kind, self.field, self.old, self.new, self.note, rows)

    @property
    def is_of_rows(self) -> bool:
        """Whether it is about these rows as they are, not about a word in them."""
        return self.kind in (Kind.TWICE, Kind.REMOVAL)


def name_others(fixes: Iterable[Fix]) -> str:
    """What stands for all of these fixes: something else as soon as one is added, or goes."""
    ids = sorted(fix.id for fix in fixes)
    return _make_id("others", *ids)


def _make_id(begins: str, *parts: object) -> str:
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f"{begins}-{digest[:16]}"


@dataclass(frozen=True, slots=True)
class Fixes:
    """All fixes of a batch, by kind and the commonest first.

    needs: of each row that needs attention, by its id, the ids of all fixes that it takes; A_PERSON is one of them where
    these do not suffice.
    """

    all: Sequence[Fix] = ()
    needs: Mapping[int, frozenset[str]] = field(default_factory=dict)

"""Lists as their address carries them: search, order, page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Member = TypeVar("Member", bound=StrEnum)

LONGEST_SEARCH = 100
"""Characters."""
IN_ADDRESSES = {
    "search": "q",
    "text": "q",
    "role_id": "role",
    "group_id": "group",
    "batch_id": "upload",
}
"""What an address calls fields of filters, where that is not the field's name."""
LARGEST = 2**31 - 1
"""What an integer column of PostgreSQL holds."""


class Order(StrEnum):
    """By which column a list is sorted, and which way; a hyphen in front means backwards. Each list adds its columns."""

    @property
    def column(self) -> str:
        return self.value.removeprefix("-")

    @property
    def is_down(self) -> bool:
        return self.value.startswith("-")

    def turned(self, column: str) -> str:
        """The order that a click on a column's name asks for: that column, and the other way at the second click."""
        return f"-{column}" if self == column else column


def member(enum: type[Member], name: str | None) -> Member | None:
    """The member that the address names, or None."""
    return enum(name) if name in list(enum) else None


def read_number(text: str | None) -> int | None:
    """A positive number that the database can store, or None."""
    number = int(text) if text and re.fullmatch("[0-9]{1,10}", text) else 0
    return number if 0 < number <= LARGEST else None


def searched(text: str) -> str:
    """What is searched for, on one line, as long as a search may be."""
    return " ".join(text.split())[:LONGEST_SEARCH].strip()


def page_of(wanted: int, total: int, size: int) -> int:
    """The number of the page that is shown: the one asked for, or the last one there is."""
    return max(1, min(wanted, -(-total // size)))


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What a list shows, as its address carries it; each list adds its fields."""

    def args(self, **changed: Any) -> dict[str, Any]:
        """The address's query for this, with some of it changed; what is as usual is left out, and the page is the first."""
        changed = {"page": 1, **changed}
        values = {}
        for field in fields(self):
            value = changed.get(field.name, getattr(self, field.name))
            if value != field.default:
                values[IN_ADDRESSES.get(field.name, field.name)] = str(value)
        return values

    @property
    def is_on(self) -> bool:
        """Whether it may leave something out."""
        return bool(self.args().keys() - {"sort", "unfolded"})


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: start..end of total, and the neighbours' numbers (None at the ends). number: from 1."""

    rows: Sequence[T]
    number: int
    total: int
    size: int

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def end(self) -> int:
        return self.start + len(self.rows) - 1 if self.total else 0

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number * self.size < self.total else None

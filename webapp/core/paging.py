"""Pages of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


def page_of(wanted: int, total: int, size: int) -> int:
    """The number of the page that is shown: the one asked for, or the last one there is."""
    return max(1, min(wanted, -(-total // size)))


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

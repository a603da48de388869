"""Time, in turns: what is compared runs alternately, so that a busy machine slows down both."""

from __future__ import annotations

import gc
import gzip
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. value, floor: in `unit`. goal: what value / floor is to stay under, or with `is_least` to reach;
    None: only told."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    is_least: bool = False

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        if self.goal is None or self.ratio is None:
            return ""
        return (
            "ok"
            if (self.ratio >= self.goal if self.is_least else self.ratio <= self.goal)
            else "MISSED"
        )


def in_turns(
    *tasks: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """The median seconds of each task, run one after another `rounds` times; one round before that is not counted.

    clock: `time.process_time` for what takes long and all happens here, as others' work then does not count.
    """
    taken: list[list[float]] = [[] for _ in tasks]
    for n in range(rounds + 1):
        for task, times in zip(tasks, taken, strict=True):
            gc.collect()
            start = clock()
            task()
            if n:
                times.append(clock() - start)
    return [statistics.median(times) for times in taken]


def zipped(body: bytes) -> int:
    """Bytes that go over the wire behind a proxy that compresses."""
    return len(gzip.compress(body, 6))


def table(figures: Sequence[Figure], what: tuple[str, str] = ("Muster", "floor")) -> str:
    """The figures as text, a line each. what: is compared."""
    lines = [f"{'':58} {what[0]:>10} {what[1]:>10} {'ratio':>7} {'goal':>6}"]
    for figure in figures:
        floor = f"{figure.floor:,.2f}" if figure.floor else ""
        ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
        goal = f"{figure.goal:g}" if figure.goal else ""
        value = f"{figure.value:,.2f} {figure.unit}"
        lines.append(
            f"{figure.what:58} {value:>10} {floor:>10} {ratio:>7} {goal:>6} {figure.verdict}"
        )
    return "\n".join(lines)

"""Computes position and height of the bars of a chart that the server draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in units of the drawing; y counts from the top."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Group:
    """A group of bars with the position of its label."""

    label: str
    middle: float
    bars: tuple[Bar, ...]
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All of it. top: the number that the topmost line stands for."""

    width: int
    height: int
    top: int
    groups: tuple[Group, ...]


def chart(
    values: Sequence[tuple[str, Sequence[int]]], width: int = 720, height: int = 120
) -> Chart:
    """Labels, each with its numbers -> bars that fill the drawing. A number that is not nothing is always to be seen."""
    top = _round(max((n for _, numbers in values for n in numbers), default=0))
    each = width / max(1, len(values))
    groups = []
    for place, (label, numbers) in enumerate(values):
        bar = each * 0.7 / max(1, len(numbers))
        begin = place * each + each * 0.15
        tall = [max(2.0, n / top * height) if n else 0.0 for n in numbers]
        bars = (
            Bar(round(begin + i * bar, 1), round(height - t, 1), round(bar * 0.9, 1), round(t, 1))
            for i, t in enumerate(tall)
        )
        groups.append(Group(label, round((place + 0.5) * each, 1), tuple(bars), tuple(numbers)))
    return Chart(width, height, top, tuple(groups))


def _round(highest: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, … that is not lower."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if step * size >= highest:
                return step * size
        size *= 10

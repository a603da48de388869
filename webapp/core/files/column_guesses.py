"""What the columns of a file seem to hold, for a person to decide."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from webapp.core.files.columns import find_named, name_of
from webapp.core.files.fields import Field, is_address, is_ticked, recognise
from webapp.core.plan.registry import ALL_GROUPS, fold

LOOKED_AT = 100
"""Lines that are looked at for what their columns hold."""
SAMPLES = 3
"""Cells of a column that are shown."""
LIKELY = 0.5
"""The share of a column's cells that must look like a field for the column to be taken for it."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One column of a file, for a person to say what it holds.

    `place` is its place in the header, from 0; `name` its name, or "Column C" where it has none; `samples` the
    first different cells, at most three. `field` is what it seems to hold, if anything, and `certain` whether its
    name says so, and that of no other column; without that it is a guess by name or content, to be marked as one.
    No two columns of a file are taken for the same field, except Groups. `is_member`: it is named like a group, and its
    cells seem to say who is in it.
    """

    place: int
    name: str
    samples: tuple[str, ...]
    field: Field | None
    certain: bool
    is_member: bool = False


def find_named_like_groups(
    header: Sequence[str], lines: Sequence[Sequence[str]], groups: Collection[str]
) -> dict[int, bool]:
    """The columns that are named like a group and say something of people -> whether one of their cells is a plain yes."""
    keys = {fold(group) for group in groups}
    found = {}
    for place, name in enumerate(header):
        if fold(name) not in keys or recognise(name):
            continue
        answers = {is_ticked(line[place]) for line in lines if place < len(line)} - {False}
        if answers:
            found[place] = True in answers
    return found


def guess_columns(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    roles: Collection[str] = (),
    groups: Collection[str] = (),
) -> list[Guess]:
    """What each column seems to hold: by its name, else by its cells.

    `lines` are the cells below the header, of which the first hundred are looked at; `roles` and `groups` the names there are.
    A field that several columns are named for goes to the one whose cells look most like it; one that none is named for,
    to one half of whose cells, at least, look like it.
    """
    cells = _nonblank_cells(lines, len(header))
    tests = _tests(roles, groups)
    named = find_named(header)
    members = {
        place
        for place, is_plain in find_named_like_groups(header, lines, groups).items()
        if is_plain
    }
    found: dict[int, Field] = {}
    certain: set[int] = set()
    for field, places in named.items():
        if len(places) == 1 or field is Field.GROUPS:
            found |= dict.fromkeys(places, field)
            certain.update(places)
    for field in Field:
        if field in found.values():
            continue
        free = [
            place
            for place in named.get(field, range(len(header)))
            if place not in found and place not in members
        ]
        shares = {place: _share(tests[field], cells[place]) for place in free}
        if field is Field.GROUPS:
            found |= {place: field for place, share in shares.items() if share >= LIKELY}
        elif shares:
            best = max(shares, key=lambda place: shares[place])
            if field in named or shares[best] >= LIKELY:
                found[best] = field
    guesses = []
    for place in range(len(header)):
        samples = tuple(dict.fromkeys(cells[place]))[:SAMPLES]
        is_member = place in members and place not in found
        guesses.append(
            Guess(
                place,
                name_of(header, place),
                samples,
                found.get(place),
                place in certain,
                is_member,
            )
        )
    return guesses


def guess_best_column(
    field: Field,
    free: Collection[int],
    lines: Sequence[Sequence[str]],
    roles: Collection[str],
    groups: Collection[str],
) -> int | None:
    """Of the unused columns the one that a person most probably wants for a field that no column holds.

    Some cells must look like the field; but a role may have names of its own: then it is what is repeated most.
    """
    columns = _nonblank_cells(lines, max(free, default=-1) + 1)
    test = _tests(roles, groups)[field]

    def likeness(place: int) -> tuple[float, float]:
        cells = columns[place]
        repeats = 1 - len(set(cells)) / len(cells) if cells and field is Field.ROLE else 0
        return _share(test, cells), repeats

    best = max(sorted(free), key=likeness, default=None)
    return best if best is not None and any(likeness(best)) else None


def _nonblank_cells(lines: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The cells of each column that hold something, in the first lines."""
    head = lines[:LOOKED_AT]
    return [
        [line[place] for line in head if place < len(line) and line[place]]
        for place in range(width)
    ]


def _share(test: Callable[[str], bool], cells: Sequence[str]) -> float:
    return sum(map(test, cells)) / max(len(cells), 1)


def _tests(roles: Collection[str], groups: Collection[str]) -> dict[Field, Callable[[str], bool]]:
    """For each field: whether a cell looks like it."""
    role_keys = set(map(fold, roles))
    group_keys = set(map(fold, (*groups, ALL_GROUPS)))
    return {
        Field.EMAIL: is_address,
        Field.ROLE: lambda cell: fold(cell) in role_keys,
        Field.GROUPS: lambda cell: any(fold(name) in group_keys for name in cell.split(",")),
    }

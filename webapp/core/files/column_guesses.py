"""What the columns of a file seem to hold, for a person to decide."""

from collections.abc import Callable, Collection, Mapping

from webapp.core.files.columns import MEMBER, find_named
from webapp.core.files.fields import Field, is_address, is_ticked, recognise
from webapp.core.files.table import Table
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold

LOOKED_AT = 100
"""Lines that are looked at for what their columns hold."""
LIKELY = 0.5
"""The share of a column's cells that must look like a field for the column to be taken for it."""

Uses = Mapping[int, Field | str]
"""What each column is used as, by its place: a field, or MEMBER."""


def find_named_like_groups(table: Table, registry: Registry) -> dict[int, bool]:
    """The columns that are named like a group and say something of people -> whether one of their cells is a plain yes."""
    found = {}
    for place, name in enumerate(table.header):
        if fold(name) in registry.group_by_key and not recognise(name):
            answers = {is_ticked(line.cell(place)) for line in table.lines} - {False}
            if answers:
                found[place] = True in answers
    return found


def guess_columns(table: Table, registry: Registry) -> tuple[Uses, Collection[int]]:
    """What each column seems to hold: by its name, else by its cells; and the columns whose names leave no doubt.

    No two columns are taken for the same field, except Groups. A field that several columns are named for goes to the one
    whose cells look most like it; one that none is named for, to one half of whose cells, at least, look like it.
    """
    named = find_named(table.header)
    likely = find_named_like_groups(table, registry)
    uses: dict[int, Field | str] = {place: MEMBER for place, is_plain in likely.items() if is_plain}
    certain = []
    for field, places in named.items():
        if len(places) == 1 or field is Field.GROUPS:
            uses |= dict.fromkeys(places, field)
            certain += places
    for field in Field:
        free = set(named.get(field, range(len(table.header)))) - uses.keys()
        if field in uses.values() or not free:
            continue
        best = max(sorted(free), key=lambda place: _share(table, place, field, registry))
        if field in named or _share(table, best, field, registry) >= LIKELY:
            uses[best] = field
    return uses, certain


def guess_best_column(
    field: Field, free: Collection[int], table: Table, registry: Registry
) -> int | None:
    """Of the unused columns the one that a person most probably wants for a field that no column holds.

    Some cells must look like the field; but a role may have names of its own: then it is what is repeated most.
    """

    def likeness(place: int) -> tuple[float, float]:
        cells = _nonblank_cells(table, place)
        repeats = 1 - len(set(cells)) / len(cells) if cells and field is Field.ROLE else 0
        return _share(table, place, field, registry), repeats

    best = max(sorted(free), key=likeness, default=None)
    return best if best is not None and any(likeness(best)) else None


def _nonblank_cells(table: Table, place: int) -> list[str]:
    return [cell for line in table.lines[:LOOKED_AT] if (cell := line.cell(place))]


def _share(table: Table, place: int, field: Field, registry: Registry) -> float:
    """The share of a column's cells that look like a field."""
    tests: dict[Field, Callable[[str], bool]] = {
        Field.EMAIL: is_address,
        Field.ROLE: lambda cell: fold(cell) in registry.role_by_key,
        Field.GROUPS: lambda cell: any(
            fold(name) in registry.group_by_key or fold(name) == fold(ALL_GROUPS)
            for name in cell.split(",")
        ),
    }
    cells = _nonblank_cells(table, place)
    return sum(map(tests[field], cells)) / max(len(cells), 1)

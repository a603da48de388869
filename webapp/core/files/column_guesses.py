"""What the columns of a file seem to hold, for a person to decide."""

from __future__ import annotations

from collections.abc import Collection

from webapp.core.files.columns import MEMBER, Uses, find_named
from webapp.core.files.fields import SEVERAL, Field, is_address, is_ticked, recognise
from webapp.core.files.table import Table
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold

LOOKED_AT = 100
"""Lines that are looked at for what their columns hold."""
LIKELY = 0.5
"""The share of a column's cells that must look like a field for the column to be taken for it."""


def find_named_like_groups(
    table: Table,
    registry: Registry,
) -> dict[int, bool]:
    """The columns that are named like a group and say something of people -> whether one of their cells is a plain yes."""
    found = {}
    for place, name in enumerate(table.header):
        if fold(name) not in registry.group_by_key or recognise(name):
            continue
        answers = {is_ticked(line.cell(place)) for line in table.lines}
        if answers != {False}:
            found[place] = True in answers
    return found


def guess_columns(
    table: Table,
    registry: Registry,
) -> tuple[Uses, Collection[int]]:
    """What each column seems to hold: by its name, else by its cells; and the columns whose names leave no doubt.

    No two columns are taken for the same field, except Groups and parts of names. A field that several columns are named for
    goes to the one whose cells look most like it; one that none is named for, to one half of whose cells, at least, look
    like it.
    """
    uses: dict[int, str] = {}
    for place, is_plain in find_named_like_groups(table, registry).items():
        if is_plain:
            uses[place] = MEMBER
    named = find_named(table.header)
    certain = []
    for field, places in named.items():
        if len(places) == 1 or field in SEVERAL:
            uses |= dict.fromkeys(places, field)
            certain += places
    for field in Field:
        # no cell looks like a name
        if field in uses.values() or field is Field.NAME:
            continue
        least = 0.0
        places = named.get(field, [])
        if not places:
            least = LIKELY
            places = list(range(len(table.header)))
        shares = {}
        for place in places:
            if place in uses:
                continue
            cells = [line.cell(place) for line in table.lines[:LOOKED_AT]]
            filled = list(filter(None, cells))
            alike = sum(_looks_like(cell, field, registry) for cell in filled)
            shares[place] = alike / max(len(filled), 1)
        best = max(shares, key=shares.__getitem__, default=None)
        if best is not None and shares[best] >= least:
            uses[best] = field
    return uses, certain


def _looks_like(
    cell: str,
    field: Field,
    registry: Registry,
) -> bool:
    if field is Field.EMAIL:
        return is_address(cell)
    if field is Field.ROLE:
        return fold(cell) in registry.role_by_key
    names = map(fold, cell.split(","))
    return any(name in registry.group_by_key or name == fold(ALL_GROUPS) for name in names)

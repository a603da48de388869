"""How a cell of the review is shown: what it says once its plan is carried out, in the registry's own spelling. No query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.core.files.cleaning import (
    CLIPPED,
    LONGEST_CELL,
    clip,
)
from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import (
    ALL_GROUPS,
    Registry,
    RoleEntry,
    find_name_problem,
    fold,
)
from webapp.core.text.lookalikes import look_alike
from webapp.models import Row
from webapp.schemas.rows import MOST_NAMES


@dataclass(frozen=True, slots=True)
class Groups:
    """A row's groups as names: after the planned change if there is one, otherwise as in the cell."""

    kept: Sequence[str]
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    unknown: Sequence[str] = ()
    is_too_long: bool = False

    @property
    def creatable(self) -> list[str]:
        """Those of the unknown names that a group may have."""
        return [name for name in self.unknown if not find_name_problem(name)]


def shown_groups(row: Row, registry: Registry) -> Groups:
    """The groups that the row gives or takes where a change is planned, else those of its cell."""
    step = row.change
    if row.plan is Plan.ATTENTION or step.before is None or step.after is None:
        return as_it_stands(row.groups, registry)
    before = step.before.group_names(registry)
    after = step.after.group_names(registry)
    return Groups(
        [name for name in after if name in before],
        [name for name in after if name not in before],
        [name for name in before if name not in after],
    )


def as_it_stands(cell: str, registry: Registry) -> Groups:
    """The groups of a cell, in the registry's spelling."""
    names = [registry.group_name(name) for name in split_groups(cell)]
    if len(cell) > LONGEST_CELL or len(names) > MOST_NAMES:
        beginning = [clip(cell, CLIPPED)]
        return Groups(beginning, unknown=beginning, is_too_long=True)
    unknown = [
        name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS
    ]
    return Groups(names, unknown=unknown)


def look_alike_of(row: Row, known_domains: Sequence[str]) -> str | None:
    """The row's cell in Latin letters, if its address has letters that only look Latin; "" if it cannot be written so."""
    address = row.email.rpartition("<")[2].rstrip("> ")
    latin = look_alike(address, known_domains)
    return row.email.replace(address, latin) if latin else latin


def role_list(
    cell: str,
    roles: Sequence[RoleEntry],
    registry: Registry,
) -> tuple[list[tuple[str, str]], str]:
    """The roles to choose from as (value, words), and the chosen value; first the cell's own text if it is not one of them."""
    cell = clip(cell)
    options = [(role.name, role.name) for role in roles]
    role = registry.role_by_key.get(fold(cell))
    if role and role in roles:
        return options, role.name
    words = registry.role_name(cell) or "Choose a role"
    return [(cell, words), *options], cell

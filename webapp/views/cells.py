"""How a cell of the review is shown: what it says once its plan is carried out, in the registry's own spelling. No query."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from flask import get_template_attribute
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from webapp.core.directory import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.planning import Access, Plan
from webapp.models import Row
from webapp.schemas.groups import GroupSchema
from webapp.schemas.rows import split_groups
from webapp.services import steps


@dataclass(frozen=True, slots=True)
class Groups:
    """A row's groups as shown, in names: after the change where a change is planned, else the cell as it stands."""

    kept: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def creatable(self) -> list[str]:
        """Those of the unknown names that a group may have."""
        return [name for name in self.unknown if not GroupSchema().validate({"name": name})]


def shown_groups(row: Row, registry: Registry) -> Groups:
    """The groups that the row gives or takes where a change is planned, else those of its cell."""
    step = steps.stored(row)
    if row.plan is Plan.ATTENTION or step.before is None or step.after is None:
        names = tuple(_official(name, registry) for name in split_groups(row.groups))
        unknown = (name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS)
        return Groups(names, unknown=tuple(unknown))
    before, after = _names(step.before, registry), _names(step.after, registry)
    return Groups(
        tuple(name for name in after if name in before),
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
    )


def _official(name: str, registry: Registry) -> str:
    if fold(name) == fold(ALL_GROUPS):
        return ALL_GROUPS
    group = registry.group_by_key.get(fold(name))
    return group.name if group else name


def _names(access: Access, registry: Registry) -> list[str]:
    if access.everything:
        return [ALL_GROUPS]
    return sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id)


def drawn_once() -> dict[str, Callable[..., Markup]]:
    """What many rows of a page show alike, each of it drawn once: the chip of a plan, the tokens of a cell's groups."""
    plan_chip, tokens = (get_template_attribute("macros/ui.html", name) for name in ("plan_chip", "diff_tokens"))
    return {
        "plan_chip": cache(plan_chip),
        "group_tokens": cache(lambda groups: tokens(groups.kept, groups.added, groups.removed, groups.unknown)),
    }


def sends(field: str, seen: str) -> Markup:
    """What a cell's control sends beside its value: `hx-vals`."""
    return htmlsafe_json_dumps({"field": field, "seen": seen}, dumps=json.dumps)


def role_options(roles: Sequence[RoleEntry], registry: Registry) -> Callable[[str], Markup]:
    """The options of a role's list by the cell as it stands: first the cell itself, where none of these roles is meant.

    A page has a hundred such lists and few different cells: each is drawn once.
    """
    names = [role.name for role in roles]

    @cache
    def drawn(cell: str) -> Markup:
        role = registry.role_by_key.get(fold(cell))
        chosen = role.name if role else cell
        shown = [(name, name) for name in names]
        if chosen not in names:
            shown.insert(0, (cell, chosen or "Choose a role"))
        selected = chosen if chosen in names else cell
        plain, taken = Markup('<option value="{}">{}</option>'), Markup('<option value="{}" selected>{}</option>')
        return Markup().join((taken if value == selected else plain).format(value, words) for value, words in shown)

    return drawn

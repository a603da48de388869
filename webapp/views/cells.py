"""How a cell of the review is shown: what it says once its plan is carried out, in the registry's own spelling. No query."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from flask import get_template_attribute
from markupsafe import Markup, escape

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
        return _as_it_stands(row.groups, registry)
    before, after = _names(step.before, registry), _names(step.after, registry)
    return Groups(
        tuple(name for name in after if name in before),
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
    )


def _as_it_stands(cell: str, registry: Registry) -> Groups:
    names = tuple(_official(name, registry) for name in split_groups(cell))
    unknown = (name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS)
    return Groups(names, unknown=tuple(unknown))


def _official(name: str, registry: Registry) -> str:
    if fold(name) == fold(ALL_GROUPS):
        return ALL_GROUPS
    group = registry.group_by_key.get(fold(name))
    return group.name if group else name


def _names(access: Access, registry: Registry) -> list[str]:
    if access.everything:
        return [ALL_GROUPS]
    return sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id)


def drawn_once(roles: Sequence[RoleEntry], registry: Registry) -> dict[str, Callable[..., Any]]:
    """What many rows of a page show alike, each of it drawn once: the chip of a plan, the tokens of a row's groups, and by
    the cell as it stands the list of these roles."""
    plan_chip, tokens = (get_template_attribute("macros/ui.html", name) for name in ("plan_chip", "diff_tokens"))

    @cache
    def drawn(groups: Groups, cell: str) -> GroupCell:
        value = Markup() if groups == Groups(tuple(cell.split(", "))) else Markup(' value="{}"').format(cell)
        return GroupCell(tokens(groups.kept, groups.added, groups.removed, groups.unknown), value)

    @cache
    def as_it_stands(cell: str) -> GroupCell:
        return drawn(_as_it_stands(cell, registry), cell)

    def group_cell(row: Row) -> GroupCell:
        return drawn(shown_groups(row, registry), row.groups) if "before" in row.step else as_it_stands(row.groups)

    return {
        "plan_chip": cache(plan_chip),
        "group_cell": group_cell,
        "role_list": _role_list(roles, registry),
        "drawn": _row_drawer(),
    }


def _row_drawer() -> Callable[..., Markup]:
    """How a page draws a row by a macro: rows of which nothing is to be said, and that differ by id, line and e-mail alone,
    are drawn once, and the three put in."""
    patterns: dict[tuple[str, ...], list[str]] = {}

    def drawn(draw: Callable[..., Markup], row: Row, index: int | None, take_focus: bool) -> Markup:
        says = index or take_focus or row.issues or row.removed_at or row.is_edited or row.step.keys() - {"after"}
        if says:
            return draw(row, index, take_focus)
        alike = row.role, row.groups, row.plan
        if alike not in patterns:
            patterns[alike] = _PLACES.split(draw(_Sample(row)))
        head, before_line, before_email, tail = patterns[alike]
        return Markup(f"{head}{row.id}{before_line}{row.line}{before_email}{escape(row.email)}{tail}")  # noqa: S704 - escaped

    return drawn


_ID, _LINE, _EMAIL = (secrets.token_hex(8) for _ in range(3))
_PLACES = re.compile(f"{_ID}|{_LINE}|{_EMAIL}")
"""Where id, line and e-mail of a row go in its pattern: words that no text has."""


class _Sample:
    """A row that is drawn with places instead of what is its own."""

    id, line, email = _ID, _LINE, _EMAIL

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    def cell(self, field: str) -> str:
        return self.email if field == "email" else self._row.cell(field)


class GroupCell(NamedTuple):
    """A row's groups. value: an attribute with the cell as it stands, where that is not the names as they are shown."""

    tokens: Markup
    value: Markup


class RoleList(NamedTuple):
    """What a list of roles holds. seen: an attribute with the cell as it stands, where the chosen option has another spelling."""

    options: Markup
    seen: Markup


def _role_list(roles: Sequence[RoleEntry], registry: Registry) -> Callable[[str], RoleList]:
    """By the cell as it stands; first the cell itself, where none of these roles is meant."""
    names = [role.name for role in roles]

    @cache
    def drawn(cell: str) -> RoleList:
        role = registry.role_by_key.get(fold(cell))
        chosen = role.name if role else cell
        shown = [(name, name) for name in names]
        if chosen not in names:
            shown.insert(0, (cell, chosen or "Choose a role"))
        selected = chosen if chosen in names else cell
        plain, taken = Markup('<option value="{}">{}</option>'), Markup('<option value="{}" selected>{}</option>')
        options = Markup().join((taken if value == selected else plain).format(value, words) for value, words in shown)
        return RoleList(options, Markup() if selected == cell else Markup(' data-seen="{}"').format(cell))

    return drawn

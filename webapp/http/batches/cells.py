"""How a cell of the review is shown: what it says once its plan is carried out, in the registry's own spelling. No query."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from flask import get_template_attribute
from markupsafe import Markup, escape

from webapp.core.files.cleaning import CLIPPED, clip
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.text.lookalikes import LookAlike, look_alike
from webapp.models import Row
from webapp.schemas.groups import GroupSchema
from webapp.schemas.rows import is_too_long, split_groups
from webapp.services.batches import apply


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
    step = row.change
    if row.plan is Plan.ATTENTION or step.before is None or step.after is None:
        return _as_it_stands(row.groups, registry)
    before, after = apply.group_names(step.before, registry), apply.group_names(step.after, registry)
    return Groups(
        tuple(name for name in after if name in before),
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
    )


def changed_access(row: Row, registry: Registry) -> Groups | None:
    """What an update gave and took: groups and the role. None where nothing did, or where a role or group is gone by now: the
    row's reason names those."""
    step = row.change
    if step.before is None or step.after is None:
        return None
    ids = step.before.groups | step.after.groups
    if not (ids <= registry.group_by_id.keys() and {step.before.role, step.after.role} <= registry.role_by_id.keys()):
        return None
    before, after = (
        [registry.role_by_id[access.role].name, *apply.group_names(access, registry)] for access in (step.before, step.after)
    )
    added, removed = (tuple(name for name in one if name not in other) for one, other in ((after, before), (before, after)))
    return Groups((), added, removed) if added or removed else None


def _as_it_stands(cell: str, registry: Registry) -> Groups:
    if is_too_long("groups", cell):
        beginning = clip(cell, CLIPPED)
        return Groups((beginning,), unknown=(beginning,))
    names = tuple(registry.group_name(name) for name in split_groups(cell))
    unknown = (name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS)
    return Groups(names, unknown=tuple(unknown))


def look_alike_of(row: Row, known_domains: Sequence[str]) -> LookAlike | None:
    """What is to be said of letters in the row's address that only look Latin. fixed: the whole cell."""
    address = row.email.rpartition("<")[2].rstrip("> ")
    found = look_alike(address, known_domains)
    return replace(found, fixed=row.email.replace(address, found.fixed)) if found and found.fixed else found


def drawn_once(roles: Sequence[RoleEntry], registry: Registry) -> dict[str, Callable[..., Any]]:
    """What many rows of a page show alike, each of it drawn once: the chip of a plan, the tokens of a row's groups, by the
    cell as it stands the list of these roles, and a row of which nothing is to be said."""
    plan_chip, tokens = (get_template_attribute("macros/ui.html", name) for name in ("plan_chip", "diff_tokens"))
    role_list = _role_list(roles, registry)

    @cache
    def drawn(groups: Groups, cell: str) -> GroupCell:
        value = Markup()
        if is_too_long("groups", cell):
            value = Markup(' value="" data-seen="{}"').format(clip(cell))
        elif groups != Groups(tuple(cell.split(", "))) or len(groups.kept) > 6:  # of more, some are folded
            names = ", ".join(_as_it_stands(cell, registry).kept)
            value = Markup(' value="{}"').format(names) + (Markup(' data-seen="{}"').format(cell) if names != cell else "")
        return GroupCell(tokens(groups.kept, groups.added, groups.removed, groups.unknown), value)

    @cache
    def as_it_stands(cell: str) -> GroupCell:
        return drawn(_as_it_stands(cell, registry), cell)

    def group_cell(row: Row) -> GroupCell:
        return drawn(shown_groups(row, registry), row.groups) if "before" in row.step else as_it_stands(row.groups)

    return {
        "plan_chip": cache(plan_chip),
        "group_cell": lambda row: row.group_cell if isinstance(row, _Pattern) else group_cell(row),
        "role_list": lambda row: row.role_list if isinstance(row, _Pattern) else role_list(row.role),
        "drawn": _row_drawer(role_list, group_cell),
    }


def _row_drawer(
    role_list: Callable[[str], RoleList], group_cell: Callable[[Row], GroupCell]
) -> Callable[[Callable[..., Markup], Row, int | None, bool], Markup]:
    """How a page draws a row by a macro: one of which nothing is to be said but its cells, by the pattern of its plan."""
    patterns: dict[Plan, str] = {}

    def drawn(draw: Callable[..., Markup], row: Row, index: int | None, take_focus: bool) -> Markup:
        says = index or take_focus or row.issues or row.removed_at or row.is_edited or row.step.keys() - {"after"}
        if says:
            return draw(row, index, take_focus)
        if row.plan not in patterns:
            patterns[row.plan] = _formatted(draw(_Pattern(row)))
        own = row.id, row.line, escape(row.email), *role_list(row.role), *group_cell(row)
        return Markup(patterns[row.plan].format(*own))  # noqa: S704 - escaped

    return drawn


class GroupCell(NamedTuple):
    """A row's groups. value: an attribute with the cell's names, where they are not those that are shown, and one with the
    cell as it stands, where it has other words for them."""

    tokens: Markup
    value: Markup


class RoleList(NamedTuple):
    """What a list of roles holds. seen: an attribute with the cell as it stands, where the chosen option has another spelling."""

    options: Markup
    seen: Markup


_PLACES = tuple(secrets.token_hex(8) for _ in range(7))
"""What stands in a row's pattern where its id, line, e-mail, list of roles and groups go: words that no text has."""


class _Pattern:
    """A row that is drawn with places instead of what is its own."""

    id, line, email = _PLACES[:3]
    role_list = RoleList(*map(Markup, _PLACES[3:5]))
    group_cell = GroupCell(*map(Markup, _PLACES[5:]))

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    def cell(self, field: str) -> str:
        return self.email if field == "email" else self._row.cell(field)


def _formatted(pattern: str) -> str:
    """A pattern as str.format takes it, its places numbered."""
    text = str(pattern).replace("{", "{{").replace("}", "}}")
    for number, place in enumerate(_PLACES):
        text = text.replace(place, f"{{{number}}}")
    return text


def _role_list(roles: Sequence[RoleEntry], registry: Registry) -> Callable[[str], RoleList]:
    """By the cell as it stands; first the cell itself, where none of these roles is meant."""
    names = [role.name for role in roles]

    @cache
    def drawn(cell: str) -> RoleList:
        cell = clip(cell)
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

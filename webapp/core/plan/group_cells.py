"""Groups cells: the names in one, one made of several, and the rows of one person made one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from webapp.core.plan.registry import ALL_GROUPS, Registry, fold


def split_groups(text: str) -> list[str]:
    """The names in a Groups cell, trimmed, repeats collapsed, in order."""
    names: dict[str, str] = {}
    for name in re.split(r"[,\t\n\r\v\f\x85\u2028\u2029]", text):
        single_spaced = " ".join(name.split())
        if single_spaced:
            names.setdefault(fold(single_spaced), single_spaced)
    return list(names.values())


def key_groups(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Each group once, in its first spelling, by a key that is the same for all spellings."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(fold(registry.group_name(name)), name)
    return found


def join_groups(by_key: Mapping[str, str]) -> str:
    """A Groups cell that holds all of these."""
    return ALL_GROUPS if fold(ALL_GROUPS) in by_key else ", ".join(by_key.values())


class Cells(NamedTuple):
    """The cells of a row but its e-mail."""

    name: str
    role: str
    groups: str


def merge_rows(rows: Iterable[Cells], registry: Registry) -> Cells | None:
    """The first of these rows of one person, with the groups of all and the first name among them.

    None where their roles differ, or one is no role.
    """
    names, roles, groups = zip(*rows, strict=True)
    meant = {registry.role_by_key.get(fold(role)) for role in roles}
    if len(meant) > 1 or None in meant:
        return None
    by_key = key_groups(split_groups(",".join(groups)), registry)
    name = next(filter(None, names), "")
    return Cells(name, roles[0], join_groups(by_key))

"""The schema of a row: the same for a line of a file, an edited cell and a single invite."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import Schema, ValidationError, fields

from webapp.core.address_repair import repair_address
from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.near_names import nearest, split_known, split_names
from webapp.core.plan.planner import Issue
from webapp.core.plan.registry import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.text.spelling import decode_again

FIELDS = ("email", "role", "groups")
MOST_NAMES = 100
"""Names in one Groups cell."""
DISTINCT = 4096
"""Cells that a schema remembers."""


@dataclass(frozen=True, slots=True)
class GroupWish:
    """What a Groups cell asks for. groups is None where it is blank, which never means everything."""

    groups: frozenset[int] | None
    everything: bool = False


def judge_email(text: str, registry: Registry) -> Address | Issue:
    """An e-mail address by `core.addresses`; else what is wrong with it, with the nearest domain suggested."""
    try:
        return parse(text, registry.allowed_domains)
    except InvalidAddressError as error:
        issue = Issue("email", error.code)
    meant = repair_address(text, registry.allowed_domains, registry.known_domains)
    if not meant:
        return issue
    end = meant.removeprefix(text.rpartition("@")[0] or text)
    if end.startswith("@"):  # only the domain is wrong: so it can be in other rows
        return replace(issue, suggestion=meant, new=end)
    return replace(issue, suggestion=meant, old=text, new=meant)


def judge_role(text: str, registry: Registry) -> RoleEntry | Issue:
    """A role of the registry, by name without regard to case; else what is wrong."""
    if not text:
        return Issue("role", "role_missing")
    if role := registry.role_by_key.get(fold(text)):
        return role
    pieces = split_names(text)
    if len(pieces) > 1 and any(fold(piece) in registry.role_by_key for piece in pieces):
        return Issue("role", "role_several")
    nearby = _nearest_role(text, registry)
    return Issue(
        "role",
        "role_unknown",
        suggestion=nearby,
        old=text,
        new=nearby or "",
    )


def _nearest_role(text: str, registry: Registry) -> str | None:
    names = [role.name for role in registry.roles if not role.is_owner]
    found = nearest(decode_again(text) or text, names)
    role = registry.role_by_key.get(fold(found)) if found else None
    if role and role.manages_people:  # nobody is made an administrator by more than one letter
        return nearest(text, names, most=1)
    return found


def judge_groups(text: str, registry: Registry) -> GroupWish | Issue:
    """Names of groups separated by commas; else what is wrong. Repeats collapse; `All groups` must be alone."""
    names = split_groups(text)
    if not names:
        return GroupWish(None)
    if len(names) > MOST_NAMES:
        return Issue("groups", "groups_many", {"most": MOST_NAMES})
    if fold(ALL_GROUPS) in map(fold, names):
        if len(names) > 1:
            return Issue("groups", "all_groups_alone")
        return GroupWish(frozenset(), everything=True)
    found = {name: registry.group_by_key.get(fold(name)) for name in names}
    unknown = [name for name, group in found.items() if group is None]
    if not unknown:
        return GroupWish(frozenset(group.id for group in found.values() if group))
    issue = Issue("groups", "groups_unknown", {"n": len(unknown)})
    nearby = {name: _nearest_groups(name, registry) for name in unknown}
    fixes = {name: fix for name, fix in nearby.items() if fix}
    if not fixes:
        return issue
    fixed = dict.fromkeys(fixes.get(name, name) for name in names)
    meant = dict.fromkeys(fixes.values())
    return replace(
        issue,
        suggestion=", ".join(fixed),
        old=", ".join(fixes),
        new=", ".join(meant),
    )


def _nearest_groups(name: str, registry: Registry) -> str | None:
    """The group that is meant, or all groups if the cell uses another separator; None if any is uncertain."""

    def find(word: str) -> str | None:
        group = registry.group_by_key.get(fold(word))
        return group.name if group else None

    known = [group.name for group in registry.groups]
    decoded = decode_again(name)
    if decoded and find(decoded):
        return find(decoded)
    meant = split_known(name, find)
    if not meant:
        pieces = split_names(name)
        near = [find(piece) or nearest(piece, known) for piece in pieces]
        meant = [each for each in near if each]
        if not meant or len(pieces) == 1:
            return nearest(name, known)
        if len(meant) < len(pieces):
            return None
    return ", ".join(dict.fromkeys(meant))


def split_groups(text: str) -> list[str]:
    """The names in a Groups cell, trimmed, repeats collapsed, in order."""
    names: dict[str, str] = {}
    for name in re.split(r"[,\n\r\v\f\x85\u2028\u2029]", text):
        # A tab may stand between two names, a space not: it must not become one.
        pieces = [" ".join(piece.split()) for piece in name.strip().split("\t")]
        single_spaced = " | ".join(pieces)
        if single_spaced:
            names.setdefault(fold(single_spaced), single_spaced)
    return list(names.values())


class Cell(fields.Field[Any]):
    """A cell, judged by a function of its text and the registry: the value, or what is wrong with it."""

    def __init__(self, judge: Callable[[str, Registry], Any]) -> None:
        super().__init__(required=True)
        self.judge = judge

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        assert isinstance(self.parent, RowSchema)
        if len(value) > LONGEST_CELL:
            raise ValidationError([Issue(str(self.name), "cell_long", {"most": LONGEST_CELL})])
        found = self.judge(value.strip(), self.parent.registry)
        if isinstance(found, Issue):
            raise ValidationError([found])
        return found


class RowSchema(Schema):
    """The rules of the cells of a row, with the roles, groups and domains of a registry."""

    email = Cell(judge_email)
    role = Cell(judge_role)
    groups = Cell(judge_groups)

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.registry = registry
        self.cell = functools.lru_cache(maxsize=DISTINCT)(self._load_cell)
        """What is said of one cell (field, text): (value, ()) or (None, issues). In a long file cells repeat."""

    def _load_cell(self, field: str, text: str) -> tuple[Any, tuple[Issue, ...]]:
        try:
            return self.fields[field].deserialize(text), ()
        except ValidationError as error:
            return None, tuple(error.messages)

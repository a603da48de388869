"""The schema of a row: the same for a line of a file, an edited cell and a single invite."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from webapp.core.address_repair import repair_address
from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.near_names import nearest, split_known, split_names
from webapp.core.plan.planner import Issue
from webapp.core.plan.registry import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.text.spelling import decode_again

FIELDS = ("email", "role", "groups")
Judged = tuple[Any, tuple[Issue, ...]]
MOST_NAMES = 100
"""Names in one Groups cell."""
DISTINCT = 4096
"""Cells that a schema remembers."""


@dataclass(frozen=True, slots=True)
class GroupWish:
    """What a Groups cell asks for. groups is None where it is blank, which never means everything."""

    groups: frozenset[int] | None
    everything: bool = False


class Cell(fields.Field[Any]):
    """A cell, judged by a function of its text and the registry of the schema that it belongs to."""

    def __init__(self, judge: Callable[[str, Registry], Any]) -> None:
        super().__init__(required=True)
        self.judge = judge

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        assert isinstance(self.parent, RowSchema)
        return self.judge(str(value or "").strip(), self.parent.registry)


def judge_email(text: str, registry: Registry) -> Address:
    """An e-mail address by `core.addresses`, with the nearest domain suggested. Raises ValidationError."""
    try:
        return parse(text, registry.allowed_domains)
    except InvalidAddressError as error:
        issue = Issue("email", error.code)
    meant = repair_address(text, registry.allowed_domains, registry.known_domains)
    if meant:
        end = meant.removeprefix(text.rpartition("@")[0] or text)
        if end.startswith("@"):  # only the domain is wrong: so it can be in other rows
            issue = replace(issue, suggestion=meant, new=end)
        else:
            issue = replace(issue, suggestion=meant, old=text, new=meant)
    raise ValidationError([issue])


def judge_role(text: str, registry: Registry) -> RoleEntry:
    """A role of the registry, by name without regard to case. Raises ValidationError."""
    if not text:
        raise ValidationError([Issue("role", "role_missing")])
    if role := registry.role_by_key.get(fold(text)):
        return role
    pieces = split_names(text)
    if len(pieces) > 1 and any(fold(piece) in registry.role_by_key for piece in pieces):
        raise ValidationError([Issue("role", "role_several")])
    nearby = _nearest_role(text, registry)
    issue = Issue("role", "role_unknown", suggestion=nearby, old=text, new=nearby or "")
    raise ValidationError([issue])


def _nearest_role(text: str, registry: Registry) -> str | None:
    names = [role.name for role in registry.roles if not role.is_owner]
    found = nearest(decode_again(text) or text, names)
    role = registry.role_by_key.get(fold(found)) if found else None
    if role and role.manages_people:  # nobody is made an administrator by more than one letter
        return nearest(text, names, most=1)
    return found


def judge_groups(text: str, registry: Registry) -> GroupWish:
    """Names of groups separated by commas. Repeats collapse; `All groups` must be alone. Raises ValidationError."""
    names = split_groups(text)
    if not names:
        return GroupWish(None)
    if len(names) > MOST_NAMES:
        raise ValidationError([Issue("groups", "groups_many", {"most": MOST_NAMES})])
    if fold(ALL_GROUPS) in map(fold, names):
        if len(names) > 1:
            raise ValidationError([Issue("groups", "all_groups_alone")])
        return GroupWish(frozenset(), everything=True)
    found = {name: registry.group_by_key.get(fold(name)) for name in names}
    if unknown := [name for name, group in found.items() if group is None]:
        raise ValidationError([_unknown_groups(names, unknown, registry)])
    return GroupWish(frozenset(group.id for group in found.values() if group))


def _unknown_groups(names: list[str], unknown: list[str], registry: Registry) -> Issue:
    nearby = {name: _nearest_groups(name, registry) for name in unknown}
    fixes = {name: fix for name, fix in nearby.items() if fix}
    issue = Issue("groups", "groups_unknown", {"n": len(unknown)})
    if not fixes:
        return issue
    fixed = dict.fromkeys(fixes.get(name, name) for name in names)
    meant = dict.fromkeys(fixes.values())
    return replace(issue, suggestion=", ".join(fixed), old=", ".join(fixes), new=", ".join(meant))


def _nearest_groups(name: str, registry: Registry) -> str | None:
    """The group that is meant, or all groups if the cell uses another separator; None if any is uncertain."""

    def find(word: str) -> str | None:
        group = registry.group_by_key.get(fold(word))
        return group.name if group else None

    known = [group.name for group in registry.groups]
    decoded = decode_again(name)
    if decoded and find(decoded):
        return find(decoded)
    if found := split_known(name, find):
        return ", ".join(dict.fromkeys(found))
    pieces = split_names(name)
    meant = [find(piece) or nearest(piece, known) for piece in pieces]
    if len(pieces) > 1 and any(meant):
        return ", ".join(dict.fromkeys(filter(None, meant))) if all(meant) else None
    return nearest(name, known)


def is_too_long(field: str, text: str) -> bool:
    """Whether a cell is in error because of its length, whatever it says."""
    return len(text) > LONGEST_CELL or (field == "groups" and len(split_groups(text)) > MOST_NAMES)


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


class RowSchema(Schema):
    """`load({"email": ..., "role": ..., "groups": ...})` -> {"email": Address, "role": RoleEntry, "groups": GroupWish}.

    Raises ValidationError whose messages are, by field, lists of `core.plan.planner.Issue`.
    """

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    email = Cell(judge_email)
    role = Cell(judge_role)
    groups = Cell(judge_groups)

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        super().__init__()
        self.cell = functools.lru_cache(maxsize=DISTINCT)(self._judge)
        """What `load` says of one cell (field, text): (value, ()) or (None, issues). In a long file cells repeat."""

    def _judge(self, field: str, text: str) -> Judged:
        if len(text) > LONGEST_CELL:
            return None, (Issue(field, "cell_long", {"most": LONGEST_CELL}),)
        try:
            return self.fields[field].deserialize(text), ()
        except ValidationError as error:
            return None, tuple(error.messages)

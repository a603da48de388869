"""The schema of a row: the same for a line of a file, an edited cell and a single invite."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from webapp.core.address_repair import repair_address
from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.near_names import nearest, split_known, split_names
from webapp.core.plan.planner import Issue
from webapp.core.plan.registry import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.text.spelling import decode_again

T = TypeVar("T")

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


class _Cell(fields.Field[T]):
    """A cell judged against the registry of the schema that it belongs to."""

    registry: Registry

    def _bind_to_schema(self, field_name: str, parent: Any) -> None:
        super()._bind_to_schema(field_name, parent)
        self.registry = parent.registry


class EmailCell(_Cell[Address]):
    """An e-mail address by `core.addresses`, with the nearest domain suggested."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Address:
        text = str(value or "").strip()
        try:
            return parse(text, self.registry.allowed_domains)
        except InvalidAddressError as error:
            raise ValidationError([self._issue(text, error.code)]) from error

    def _issue(self, text: str, code: str) -> Issue:
        meant = repair_address(text, self.registry.allowed_domains, self.registry.known_domains)
        if not meant:
            return Issue("email", code)
        local = text.rpartition("@")[0] or text
        end = meant.removeprefix(local)
        if end.startswith("@"):  # only the domain is wrong: so it can be in other rows
            return Issue("email", code, suggestion=meant, new=end)
        return Issue("email", code, suggestion=meant, old=text, new=meant)


class RoleCell(_Cell[RoleEntry]):
    """A role of the registry, by name without regard to case."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> RoleEntry:
        text = str(value or "").strip()
        if not text:
            raise ValidationError([Issue("role", "role_missing")])
        if role := self.registry.role_by_key.get(fold(text)):
            return role
        names = [name for name in split_names(text) if fold(name) in self.registry.role_by_key]
        if len(names) > 1 or (names and len(split_names(text)) > 1):
            raise ValidationError([Issue("role", "role_several")])
        nearby = self._nearby(text)
        issue = Issue("role", "role_unknown", suggestion=nearby, old=text, new=nearby or "")
        raise ValidationError([issue])

    def _nearby(self, text: str) -> str | None:
        names = [role.name for role in self.registry.roles if not role.is_owner]
        found = nearest(decode_again(text) or text, names)
        role = self.registry.role_by_key.get(fold(found)) if found else None
        if role and role.manages_people:  # nobody is made an administrator by more than one letter
            return nearest(text, names, most=1)
        return found


class GroupsCell(_Cell[GroupWish]):
    """Names of groups separated by commas. Repeats collapse; `All groups` must be alone."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> GroupWish:
        names = split_groups(str(value or ""))
        if not names:
            return GroupWish(None)
        if len(names) > MOST_NAMES:
            raise ValidationError([Issue("groups", "groups_many", {"most": MOST_NAMES})])
        if fold(ALL_GROUPS) in map(fold, names):
            if len(names) > 1:
                raise ValidationError([Issue("groups", "all_groups_alone")])
            return GroupWish(frozenset(), everything=True)
        found = {name: self.registry.group_by_key.get(fold(name)) for name in names}
        if unknown := [name for name, group in found.items() if group is None]:
            raise ValidationError([self._issue(names, unknown)])
        return GroupWish(frozenset(group.id for group in found.values() if group))

    def _issue(self, names: list[str], unknown: list[str]) -> Issue:
        known = [group.name for group in self.registry.groups]
        nearby = {name: self._nearby(name, known) for name in unknown}
        fixes = {name: fix for name, fix in nearby.items() if fix}
        issue = Issue("groups", "groups_unknown", {"n": len(unknown)})
        if not fixes:
            return issue
        fixed = dict.fromkeys(fixes.get(name, name) for name in names)
        meant = dict.fromkeys(fixes.values())
        return replace(
            issue, suggestion=", ".join(fixed), old=", ".join(fixes), new=", ".join(meant)
        )

    def _nearby(self, name: str, known: list[str]) -> str | None:
        """The group that is meant, or all groups if the cell uses another separator; None if any is uncertain."""
        decoded = decode_again(name)
        if decoded and (found_name := self._find_name(decoded)):
            return found_name
        if found := split_known(name, self._find_name):
            return ", ".join(dict.fromkeys(found))
        pieces = split_names(name)
        if len(pieces) < 2:
            return nearest(name, known)
        meant = [self._find_name(piece) or nearest(piece, known) for piece in pieces]
        whole = [each for each in meant if each]
        if len(whole) == len(meant):
            return ", ".join(dict.fromkeys(whole))
        return None if whole else nearest(name, known)

    def _find_name(self, word: str) -> str | None:
        group = self.registry.group_by_key.get(fold(word))
        return group.name if group else None


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

    email = EmailCell(required=True)
    role = RoleCell(required=True)
    groups = GroupsCell(required=True)

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

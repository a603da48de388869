"""The registry of roles and groups as a plain value: what templates, pickers, schemas and plans all read."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from webapp.core.security.permissions import OWNER_RANK, Permission

ALL_GROUPS = "All groups"
LONGEST_NAME = 80


def fold(name: str) -> str:
    """The form in which names of roles and groups are compared: no regard to case or repeated spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def find_name_problem(text: str, noun: str = "group") -> str:
    """What is wrong with a name for a role or a group (docs/rules.md, "Words"), or "". noun: which of the two."""
    name = " ".join(text.split())
    if not name:
        return f"Type a name for the {noun}."
    if max(len(name), len(fold(name))) > LONGEST_NAME:
        return f"A {noun}’s name has at most {LONGEST_NAME} characters."
    if "," in name or any(ord(letter) < 32 for letter in name):
        return f"A {noun}’s name holds no comma and no line break."
    if name[0] in "=+-@":
        return f"A {noun}’s name does not begin with =, +, - or @: spreadsheets would read it as a formula."
    if fold(name) == fold(ALL_GROUPS):
        return "“All groups” is taken: it means access to every group."
    return ""


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A role as rules need it; a higher rank means more power."""

    id: int
    name: str
    rank: int
    permissions: frozenset[str] = frozenset()
    description: str = ""

    @property
    def is_owner(self) -> bool:
        return self.rank == OWNER_RANK

    @property
    def manages_people(self) -> bool:
        return Permission.USERS_MANAGE in self.permissions


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group as rules need it."""

    id: int
    name: str


Entry = TypeVar("Entry", RoleEntry, GroupEntry)


def _by_key(entries: Sequence[Entry], aliases: Mapping[str, int]) -> dict[str, Entry]:
    """By folded name or alias. A name wins over an alias that is spelt the same."""
    by_id = {entry.id: entry for entry in entries}
    found = {key: by_id[entry_id] for key, entry_id in aliases.items() if entry_id in by_id}
    for entry in entries:
        found[fold(entry.name)] = entry
    return found


@dataclass(frozen=True)
class Registry:
    """All roles and groups, and the domains this organisation lets in or is known to use."""

    roles: Sequence[RoleEntry]
    groups: Sequence[GroupEntry]
    allowed_domains: frozenset[str] = frozenset()
    """ASCII, lower case. Always valid; where there are any, new invitations go to these alone."""
    role_aliases: Mapping[str, int] = field(default_factory=dict)
    """Folded word -> id of the role that the organisation means by it."""
    group_aliases: Mapping[str, int] = field(default_factory=dict)
    known_domains: tuple[str, ...] = ()
    """For suggestions, likeliest first."""

    @cached_property
    def role_by_id(self) -> dict[int, RoleEntry]:
        return {role.id: role for role in self.roles}

    @cached_property
    def group_by_id(self) -> dict[int, GroupEntry]:
        return {group.id: group for group in self.groups}

    @cached_property
    def role_by_key(self) -> dict[str, RoleEntry]:
        """Roles by folded name or alias."""
        return _by_key(self.roles, self.role_aliases)

    @cached_property
    def group_by_key(self) -> dict[str, GroupEntry]:
        """Groups by folded name or alias."""
        return _by_key(self.groups, self.group_aliases)

    def role_name(self, word: str) -> str:
        """The name of the role that is meant by a word; the word itself where none is."""
        role = self.role_by_key.get(fold(word))
        return role.name if role else word

    def group_name(self, word: str) -> str:
        """The name of the group, or of all groups, that is meant by a word; the word itself where none is."""
        if fold(word) == fold(ALL_GROUPS):
            return ALL_GROUPS
        group = self.group_by_key.get(fold(word))
        return group.name if group else word

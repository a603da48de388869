"""The registry of roles and groups as a plain value: what templates, pickers, schemas and plans all read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

ALL_GROUPS = "All groups"


def fold(name: str) -> str:
    """The form in which names of roles and groups are compared: no regard to case or repeated spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A role as rules need it; a higher rank means more power."""

    id: int
    name: str
    rank: int
    is_owner: bool = False
    manages_people: bool = False


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group as rules need it."""

    id: int
    name: str


@dataclass(frozen=True)
class Registry:
    """All roles and groups, and the domains this organisation lets in or is known to use."""

    roles: Sequence[RoleEntry]
    groups: Sequence[GroupEntry]
    allowed_domains: frozenset[str] = frozenset()
    """ASCII, lower case. Always valid; where there are any, new invitations go to these alone."""
    known_domains: tuple[str, ...] = ()
    """For suggestions, likeliest first."""
    role_by_key: dict[str, RoleEntry] = field(init=False, repr=False)
    group_by_key: dict[str, GroupEntry] = field(init=False, repr=False)
    role_by_id: dict[int, RoleEntry] = field(init=False, repr=False)
    group_by_id: dict[int, GroupEntry] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("role_by_key", {fold(r.name): r for r in self.roles}),
            ("group_by_key", {fold(g.name): g for g in self.groups}),
            ("role_by_id", {r.id: r for r in self.roles}),
            ("group_by_id", {g.id: g for g in self.groups}),
        ):
            object.__setattr__(self, name, value)

    def grantable(self, rank: int) -> list[RoleEntry]:
        """The roles that somebody of this rank may give to others: never Owner, none above their own."""
        return [role for role in self.roles if not role.is_owner and role.rank <= rank]

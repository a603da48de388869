"""The schema of a row: the same for a line of a file, an edited cell and a single invite."""

from __future__ import annotations

import functools
from typing import Any

from marshmallow import Schema, ValidationError, fields

from webapp.core.address_repair import repair_address
from webapp.core.addresses import LONGEST_NAME, Address, InvalidAddressError, parse
from webapp.core.files.cleaning import LONGEST_CELL
from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.planner import Access, Issue
from webapp.core.plan.registry import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.plan.suggestions import nearest, split_known
from webapp.core.text.formatting import to_one_line

FIELDS = ("email", "name", "role", "groups")
MOST_NAMES = 100
"""Names in one Groups cell."""
DISTINCT = 4096
"""Cells that a schema remembers."""


class RowSchema(Schema):
    """The rules of the cells of a row, with the roles, groups and domains of a registry."""

    email = fields.Method(deserialize="read_email", required=True)
    name = fields.Method(deserialize="read_name")
    role = fields.Method(deserialize="read_role", required=True)
    groups = fields.Method(deserialize="read_groups", required=True)

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.registry = registry
        self.cell = functools.lru_cache(maxsize=DISTINCT)(self._load_cell)
        """What is said of one cell (field, text): (value, ()) or (None, issues). In a long file cells repeat."""

    def _load_cell(self, field: str, text: str) -> tuple[Any, tuple[Issue, ...]]:
        if len(text) > LONGEST_CELL:
            return None, ({"field": field, "code": "cell_long", "most": LONGEST_CELL},)
        try:
            value = self.fields[field].deserialize(text.strip())
            return value, ()
        except ValidationError as error:
            return None, ({"field": field, **error.messages_dict},)

    def read_email(self, text: str) -> Address:
        """An e-mail address by `core.addresses`; else what is wrong with it, with the nearest domain suggested."""
        registry = self.registry
        try:
            return parse(text, registry.allowed_domains)
        except InvalidAddressError as error:
            issue: dict[str, str] = {"code": error.code}
        meant = repair_address(text, registry.allowed_domains, registry.known_domains)
        if meant:
            issue |= {"suggestion": meant, "old": text, "new": meant}
            end = meant.removeprefix(text.rpartition("@")[0] or text)
            if end.startswith("@"):  # only the domain is wrong: so it can be in other rows
                issue |= {"old": "", "new": end}
        raise ValidationError(issue)

    def read_name(self, text: str) -> str:
        """A person's name; blank is as good. It stands in the header of an e-mail, so it has one line."""
        if len(text) > LONGEST_NAME:
            raise ValidationError({"code": "name_long", "most": LONGEST_NAME})
        if len(text.splitlines()) > 1:
            meant = to_one_line(text)
            issue = {"code": "name_lines", "suggestion": meant, "old": "", "new": meant}
            raise ValidationError(issue)
        return text

    def read_role(self, text: str) -> RoleEntry:
        """A role of the registry, by name without regard to case; else what is wrong."""
        by_key = self.registry.role_by_key
        if not text:
            raise ValidationError({"code": "role_missing"})
        if role := by_key.get(fold(text)):
            return role
        if split_known(text, lambda piece: piece if fold(piece) in by_key else None):
            raise ValidationError({"code": "role_several"})
        nearby = self._find_nearest_role(text)
        issue = {"code": "role_unknown"}
        if nearby:
            issue |= {"suggestion": nearby, "old": text, "new": nearby}
        raise ValidationError(issue)

    def _find_nearest_role(self, text: str) -> str | None:
        roles = {role.name: role for role in self.registry.roles if not role.is_owner}
        found = nearest(text, tuple(roles))
        if found and roles[found].manages_people:
            # nobody is made an administrator by more than one letter
            return nearest(text, tuple(roles), most=1)
        return found

    def read_groups(self, text: str) -> Access:
        """Groups by their names, separated by commas; else what is wrong. Repeats collapse; `All groups` must be alone."""
        names = split_groups(text)
        if not names:
            return Access()
        if len(names) > MOST_NAMES:
            too_many = {"code": "groups_many", "most": MOST_NAMES}
            raise ValidationError(too_many)
        if fold(ALL_GROUPS) in map(fold, names):
            if len(names) > 1:
                raise ValidationError({"code": "all_groups_alone"})
            return Access(everything=True)
        ids = set()
        unknown = []
        for name in names:
            group = self.registry.group_by_key.get(fold(name))
            if group:
                ids.add(group.id)
            else:
                unknown.append(name)
        if not unknown:
            return Access(groups=frozenset(ids))
        issue: dict[str, Any] = {"code": "groups_unknown", "n": len(unknown)}
        fixes = {}
        for name in unknown:
            if fix := self._find_nearest_groups(name):
                fixes[name] = fix
        if fixes:
            fixed = [fixes.get(name, name) for name in names]
            meant = dict.fromkeys(fixes.values())
            issue |= {
                "suggestion": ", ".join(dict.fromkeys(fixed)),
                "old": ", ".join(fixes),
                "new": ", ".join(meant),
            }
        raise ValidationError(issue)

    def _find_nearest_groups(self, name: str) -> str:
        """The group that is meant, or all groups if the cell uses another separator; "" if any is uncertain."""
        known = tuple(group.name for group in self.registry.groups)

        def find(word: str) -> str | None:
            group = self.registry.group_by_key.get(fold(word))
            return group.name if group else None

        def guess(word: str) -> str | None:
            return find(word) or nearest(word, known)

        names = split_known(name, find) or split_known(name, guess)
        return ", ".join(dict.fromkeys(names))

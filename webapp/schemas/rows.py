"""The schema of a row: the same for a line of a file, an edited cell and a single invite."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from webapp.core.addresses import Address, BadAddress, parse, tidied
from webapp.core.cells import LONGEST_CELL
from webapp.core.directory import ALL_GROUPS, Registry, RoleEntry, fold
from webapp.core.planning import Issue
from webapp.core.suggestions import nearest, nearest_domain

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

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Address:
        text = str(value or "").strip()
        try:
            return parse(text, self.registry.allowed_domains)
        except BadAddress as error:
            raise ValidationError([self._issue(text, str(error))]) from error  # type: ignore[list-item]

    def _issue(self, text: str, sentence: str) -> Issue:
        local, at, domain = text.rpartition("@")
        if tidy := tidied(text, self.registry.allowed_domains):
            end = tidy.removeprefix(local)  # only the domain is wrong: so it can be in other rows
            return Issue("email", sentence, "email", tidy, *(("", end) if end.startswith("@") else (text, tidy)))
        if not text or " " in text or "@" in local or (at and not local):
            return Issue("email", sentence, "email")
        known = self.registry.known_domains
        nearby = nearest_domain(domain, known) if at else next(filter(text.lower().endswith, known), known[0] if known else None)
        if not at:  # dan.northfield.example has the domain already
            local = text[: -len(nearby)].rstrip(".") if nearby and text.lower().endswith(nearby) else text
        if not nearby or not local:
            return Issue("email", sentence, "email")
        return Issue("email", sentence, "email", f"{local}@{nearby}", "", f"@{nearby}")


class RoleCell(_Cell[RoleEntry]):
    """A role of the registry, by name without regard to case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> RoleEntry:
        text = str(value or "").strip()
        if not text:
            raise ValidationError([Issue("role", "Role is missing.", "role")])  # type: ignore[list-item]
        if role := self.registry.role_by_key.get(fold(text)):
            return role
        nearby = nearest(text, (role.name for role in self.registry.roles if not role.is_owner))
        raise ValidationError([Issue("role", "Not a role.", "role", nearby, text, nearby or "")])  # type: ignore[list-item]


class GroupsCell(_Cell[GroupWish]):
    """Names of groups separated by commas; repeats collapse; `All groups` stands alone."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> GroupWish:
        names = split_groups(str(value or ""))
        if not names:
            return GroupWish(None)
        if len(names) > MOST_NAMES:
            sentence = f"Too long: a cell holds at most {MOST_NAMES} groups."
            raise ValidationError([Issue("groups", sentence, "long")])  # type: ignore[list-item]
        if fold(ALL_GROUPS) in map(fold, names):
            if len(names) > 1:
                sentence = f"“{ALL_GROUPS}” stands alone, or not at all."
                raise ValidationError([Issue("groups", sentence, "all_groups", ALL_GROUPS, "", ALL_GROUPS)])  # type: ignore[list-item]
            return GroupWish(frozenset(), everything=True)
        found = {name: self.registry.group_by_key.get(fold(name)) for name in names}
        if unknown := [name for name, group in found.items() if group is None]:
            raise ValidationError([self._issue(names, unknown)])  # type: ignore[list-item]
        return GroupWish(frozenset(group.id for group in found.values() if group))

    def _issue(self, names: list[str], unknown: list[str]) -> Issue:
        known = [group.name for group in self.registry.groups]
        nearby = {name: self._nearby(name, known) for name in unknown}
        sentence = "No such group." if len(unknown) == 1 else f"{len(unknown)} groups do not exist."
        fixes = {name: fix for name, fix in nearby.items() if fix}
        if not fixes:
            return Issue("groups", sentence, "group")
        fixed = list(dict.fromkeys(fixes.get(name, name) for name in names))
        return Issue("groups", sentence, "group", ", ".join(fixed), ", ".join(fixes), ", ".join(dict.fromkeys(fixes.values())))

    def _nearby(self, name: str, known: list[str]) -> str | None:
        """The group that is meant, or all of them where other signs than commas stand between; none where one is not there."""
        parts = [self.registry.group_by_key.get(fold(part)) for part in re.split(r"[;|/]", name) if part.strip()]
        if any(parts):
            return ", ".join(group.name for group in parts if group) if all(parts) else None
        return nearest(name, known)


def is_too_long(field: str, text: str) -> bool:
    """Whether a cell is in error because of its length, whatever it says."""
    return len(text) > LONGEST_CELL or (field == "groups" and len(split_groups(text)) > MOST_NAMES)


def split_groups(text: str) -> list[str]:
    """The names in a Groups cell, trimmed, repeats collapsed, in order."""
    names = (" ".join(name.split()) for name in re.split(r"[,\n\r\v\f\x85\u2028\u2029]", text))
    return list({fold(name): name for name in reversed([n for n in names if n])}.values())[::-1]


class RowSchema(Schema):
    """`load({"email": ..., "role": ..., "groups": ...})` -> {"email": Address, "role": RoleEntry, "groups": GroupWish}.

    Raises ValidationError whose messages are, by field, lists of `core.planning.Issue`.
    """

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    email = EmailCell(required=True)
    role = RoleCell(required=True)
    groups = GroupsCell(required=True)

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        super().__init__()
        repeated = functools.lru_cache(maxsize=DISTINCT)
        self.role_cell = repeated(functools.partial(self._cell, "role"))
        self.groups_cell = repeated(functools.partial(self._cell, "groups"))

    def cell(self, field: str, text: str) -> Judged:
        """What `load` says of one cell, as (value, ()) or (None, issues); so do `email_cell`, `role_cell` and `groups_cell`.

        Each distinct cell is judged once, for in a long file roles and groups repeat. E-mails hardly ever do.
        """
        judged: Judged = getattr(self, f"{field}_cell")(text)
        return judged

    def email_cell(self, text: str) -> Judged:
        """`cell("email", text)`: a good address by the shortest way, any other by way of the field."""
        try:
            return parse(text.strip(), self.registry.allowed_domains), ()
        except BadAddress:
            return self._cell("email", text)

    def _cell(self, field: str, text: str) -> Judged:
        if len(text) > LONGEST_CELL:
            return None, (Issue(field, f"Too long: a cell holds at most {LONGEST_CELL:,} characters.", "long"),)
        try:
            return self.fields[field].deserialize(text), ()
        except ValidationError as error:
            return None, tuple(error.messages)  # type: ignore[arg-type]

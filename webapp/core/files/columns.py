"""Which columns of a file hold what: by their names, or as a person chose. Rules: docs/rules.md: The file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from webapp.core.files.fields import REQUIRED, Field, letters, plain_letters, recognise

MEMBER = "member"
"""How a column is used that says by ticks who is in the group that it is named for."""


@dataclass(frozen=True)
class Places:
    """Which columns of a file are used, by their places in its header, from 0.

    `fields` maps a field to its column; Groups may be absent. `more` are further columns of groups. `members` are columns
    that are named like a group and whose cells say who is in it (x, ✓, 1, TRUE).
    """

    fields: dict[Field, int]
    more: tuple[int, ...] = ()
    members: tuple[int, ...] = ()

    @cached_property
    def used(self) -> set[int]:
        return {*self.fields.values(), *self.more, *self.members}

    @cached_property
    def groups(self) -> list[int]:
        """All columns of groups, in the file's order."""
        first = self.fields.get(Field.GROUPS)
        return [] if first is None else sorted([first, *self.more])

    def end(self, header: Sequence[str]) -> int | None:
        """Where a row's extra cells are groups: behind Groups, if that is the last column (a file of unquoted groups)."""
        if not self.groups:
            return None
        beyond = self.groups[-1] + 1
        is_last = beyond > max(self.used) and not any(header[beyond:])
        return beyond if is_last else None

    def fits(self, header: Sequence[str]) -> bool:
        """Whether a header has all fields; further columns of groups may be left out."""
        return max(self.fields.values()) < len(header)

    def as_dict(self) -> dict[str, Any]:
        """As it is kept: {"email": 0, "groups": 2, "more": [3]}."""
        kept: dict[str, Any] = {field.value: place for field, place in self.fields.items()}
        if self.more:
            kept["more"] = list(self.more)
        if self.members:
            kept["members"] = list(self.members)
        return kept

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Places:
        fields = {Field(name): place for name, place in kept.items() if name in list(Field)}
        return cls(fields, tuple(kept.get("more", ())), tuple(kept.get("members", ())))


def match_columns(header: Sequence[str]) -> Places | None:
    """Find the columns by their names; None if a required one is missing, or one is doubled, except Groups."""
    named = find_named(header)
    if any(field not in named for field in REQUIRED):
        return None
    if any(len(places) > 1 for field, places in named.items() if field is not Field.GROUPS):
        return None
    more = tuple(named.get(Field.GROUPS, ())[1:])
    return Places({field: places[0] for field, places in named.items()}, more)


def find_named(header: Sequence[str]) -> dict[Field, list[int]]:
    """For each field the columns named for it: those named plainly where there are any, else the others."""
    known = {place: name for place, cell in enumerate(header) if (name := recognise(cell))}
    named: dict[Field, list[int]] = {}
    for field in Field:
        places = [place for place, name in known.items() if name.field is field]
        plain = [place for place in places if known[place].certain]
        if places:
            named[field] = plain or places
    return named


_SECRET = tuple(
    map(
        plain_letters,
        """
        password passwort kennwort passwd passphrase passcode passkey zugangscode motdepasse codesecret contrasena
        senha palavrapasse parola wachtwoord toegangscode haslo heslo losenord passord adgangskode salasana jelszo sifre
        clientsecret sharedsecret secretkey secretcode secretword geheimnis
        credential apikey recoverycode securityanswer onetimecode пароль パスワード 暗証 密码 密碼 口令 비밀번호
        """.split(),  # noqa: SIM905 - words read better than a list of strings
    )
)
_SECRET_WHOLE = frozenset(
    "pw pwd pass pin pincode psw mdp otp token mpin clave secret secrets".split()  # noqa: SIM905
)
_LONGEST_SECRET_NAME = 200


def is_secret(name: str) -> bool:
    """Whether a column is named like one of passwords: its cells are not shown."""
    key = plain_letters(name[:_LONGEST_SECRET_NAME])
    return key.rstrip("0123456789") in _SECRET_WHOLE or any(word in key for word in _SECRET)


def name_of(header: Sequence[str], place: int) -> str:
    """What a column is called, by a spreadsheet if it has no name."""
    name = header[place] if place < len(header) else ""
    return name or f"Column {letters(place)}"


def names_of(places: Places, header: Sequence[str]) -> dict[str, str]:
    """What the template calls a column -> what the file calls it: for the audit log, and the page of what is remembered."""
    names = {field.heading: name_of(header, place) for field, place in places.fields.items()}
    for title, held in (("More groups", places.more), ("Members", places.members)):
        if held:
            names[title] = ", ".join(name_of(header, place) for place in held)
    return names

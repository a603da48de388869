"""Which columns of a file hold what: by their names, or as a person chose. Rules: docs/rules.md: The file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.core.files.fields import (
    REQUIRED,
    Field,
    NamePart,
    is_fallback,
    letters,
    name_part,
    plain_letters,
    recognise,
)

MEMBER = "member"
"""How a column is used that says by ticks (x, ✓, 1, TRUE) who is in the group that it is named for."""

Uses = Mapping[int, str]
"""How columns are used, by their places in the header, from 0: as a `Field`, or as MEMBER."""


@dataclass(frozen=True)
class Places:
    """Which columns of a file are used, and how. Several may hold groups, and parts of names."""

    uses: Uses

    def of(self, use: str) -> list[int]:
        """The columns that are used so, in the file's order."""
        return sorted(place for place, each in self.uses.items() if each == use)

    def end(self, header: Sequence[str]) -> int | None:
        """Where a row's extra cells are groups: behind Groups, if that is the last column (a file of unquoted groups)."""
        groups = self.of(Field.GROUPS)
        if not groups:
            return None
        beyond = groups[-1] + 1
        is_last = beyond > max(self.uses) and not any(header[beyond:])
        return beyond if is_last else None

    def as_dict(self) -> dict[str, str]:
        """As it is kept: {"0": "email", "2": "groups"}."""
        return {str(place): use for place, use in self.uses.items()}

    @classmethod
    def from_dict(cls, kept: Mapping[str, str]) -> Places:
        return cls({int(place): use for place, use in kept.items()})


def match_columns(header: Sequence[str]) -> Places | None:
    """Find the columns by their names; None if a required one is missing or doubled."""
    named = find_named(header)
    for field in REQUIRED:
        if len(named.get(field, ())) != 1:
            return None
    uses: dict[int, str] = {}
    for field, places in named.items():
        uses |= dict.fromkeys(places, field)
    return Places(uses)


def find_named(header: Sequence[str]) -> dict[Field, list[int]]:
    """For each field the columns named for it: those named plainly where there are any, else the others."""
    named: dict[Field, list[int]] = {}
    less_plainly: dict[Field, list[int]] = {}
    for place, name in enumerate(header):
        if field := recognise(name):
            found = less_plainly if is_fallback(name) else named
            found.setdefault(field, []).append(place)
    found = less_plainly | named
    if names := found.get(Field.NAME):
        found[Field.NAME] = choose_names(header, names)
    return found


def add_names(
    places: Places,
    header: Sequence[str],
) -> Places:
    """The same columns, and those that are named for people's names and hold nothing else."""
    uses = dict(places.uses)
    for place in find_named(header).get(Field.NAME, ()):
        uses.setdefault(place, Field.NAME)
    return Places(uses)


def choose_names(
    header: Sequence[str],
    places: list[int],
) -> list[int]:
    """Of the columns that are named for people's names, those that make up a name: a whole one, else its parts."""
    parts = {place: name_part(header[place]) for place in places}
    for place, part in parts.items():
        if part is NamePart.WHOLE:
            return [place]
    if {NamePart.GIVEN, NamePart.FAMILY} <= set(parts.values()):
        return [place for place in places if parts[place] is not NamePart.EITHER]
    return places


_NAMES_TO_HIDE = """
    password passwort kennwort passwd passphrase passcode passkey zugangscode motdepasse codesecret contrasena
    senha palavrapasse parola wachtwoord toegangscode haslo heslo losenord passord adgangskode salasana jelszo sifre
    clientsecret sharedsecret secretkey secretcode secretword geheimnis
    credential apikey recoverycode securityanswer onetimecode пароль パスワード 暗証 密码 密碼 口令 비밀번호
"""
_SECRET = [plain_letters(word) for word in _NAMES_TO_HIDE.split()]
_SECRET_WHOLE = "pw pwd pass pin pincode psw mdp otp token mpin clave secret secrets".split()  # noqa: SIM905
_LONGEST_SECRET_NAME = 200


def is_secret(name: str) -> bool:
    """Whether a column is named like one of passwords: its cells are not shown."""
    key = plain_letters(name[:_LONGEST_SECRET_NAME])
    if key.rstrip("0123456789") in _SECRET_WHOLE:
        return True
    return any(word in key for word in _SECRET)


def name_of(
    header: Sequence[str],
    place: int,
) -> str:
    """What a column is called, by a spreadsheet if it has no name."""
    name = header[place] if place < len(header) else ""
    return name or f"Column {letters(place)}"


def names_of(
    places: Places,
    header: Sequence[str],
) -> dict[str, str]:
    """What the template calls a column -> what the file calls it: for the audit log, and the page of what is remembered."""
    names = {}
    for use in (*Field, MEMBER):
        title = "Members" if use == MEMBER else use.capitalize()
        if held := places.of(use):
            names[title] = ", ".join(name_of(header, place) for place in held)
    return names

"""Which columns of a file hold what: by their names, or as a person chose. Rules: docs/rules.md: The file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import REQUIRED, Field, letters, plain_letters, recognise
from webapp.core.text.formatting import list_names

MEMBER = "member"
"""How a column is used that says by ticks who is in the group that it is named for."""


class UnmatchedColumnsError(UnreadableFileError):
    """The header leaves open which column holds a field: none is named so, or more than one is."""


@dataclass(frozen=True, slots=True)
class Places:
    """Which columns of a file are used, by their places in its header, from 0.

    `fields` maps a field to its column; Groups may be absent. `more` are further columns of groups. `members` are columns
    that are named like a group and whose cells say who is in it (x, ✓, 1, TRUE).
    """

    fields: dict[Field, int]
    more: tuple[int, ...] = ()
    members: tuple[int, ...] = ()

    @property
    def used(self) -> set[int]:
        return {*self.fields.values(), *self.more, *self.members}

    @property
    def groups(self) -> tuple[int, ...]:
        """All columns of groups, in the file's order."""
        first = self.fields.get(Field.GROUPS)
        return () if first is None else tuple(sorted((first, *self.more)))

    def within(self, width: int) -> Places | None:
        """The same in a header of so many columns; None where that has not all fields."""
        if max(self.fields.values()) >= width:
            return None
        more = tuple(place for place in self.more if place < width)
        members = tuple(place for place in self.members if place < width)
        return Places(self.fields, more, members)

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


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column holds which field.

    `places` are the columns that are used, `columns` their fields. `ignored` are the names of the other columns, in the
    file's order. `overflow`: Groups is the last column, so that a row's extra cells are groups (a file of unquoted groups).
    """

    places: Places
    ignored: tuple[str, ...]
    overflow: bool

    @property
    def columns(self) -> dict[Field, int]:
        return self.places.fields


_CONTENTS = {
    Field.EMAIL: "email addresses",
    Field.ROLE: "roles",
    Field.GROUPS: "groups",
}


def match_columns(header: Sequence[str]) -> Mapping:
    """Find the columns by their names. Raises UnmatchedColumnsError for a missing one, and a doubled one except Groups."""
    fields: dict[Field, int] = {}
    more: tuple[int, ...] = ()
    for field, places in find_named(header).items():
        if field is Field.GROUPS:
            more = tuple(places[1:])
        elif len(places) > 1:
            raise _explain_doubled(field, [header[place] for place in places])
        fields[field] = places[0]
    if missing := [field for field in REQUIRED if field not in fields]:
        raise _explain_missing(missing, header)
    return _make_mapping(Places(fields, more), header)


def map_chosen(
    chosen: Places, header: Sequence[str], required: Sequence[Field] = REQUIRED
) -> Mapping:
    """The mapping that a person chose.

    Raises UnmatchedColumnsError where a required field has no column, or a column is chosen twice or is not there.
    """
    for field in required:
        if field not in chosen.fields:
            raise UnmatchedColumnsError(
                f"No column is chosen for the {_CONTENTS[field]}.", "Choose one and go on."
            )
    held: dict[int, Field] = {}
    uses = [
        *chosen.fields.items(),
        *((Field.GROUPS, place) for place in (*chosen.more, *chosen.members)),
    ]
    for field, place in uses:
        if not 0 <= place < len(header):
            title = f"The column chosen for the {_CONTENTS[field]} is not in this file."
            raise UnmatchedColumnsError(title, "Choose another one.")
        if other := held.get(place):
            raise UnmatchedColumnsError(
                f"{list_names([name_of(header, place)])} is chosen for both the {_CONTENTS[other]} and the {_CONTENTS[field]}.",
                "Choose a column of its own for each.",
            )
        held[place] = field
    return _make_mapping(chosen, header)


def _make_mapping(places: Places, header: Sequence[str]) -> Mapping:
    used = places.used
    ignored = tuple(name for place, name in enumerate(header) if name and place not in used)
    groups = places.groups
    overflow = bool(groups) and groups[-1] == max(used) and not any(header[groups[-1] + 1 :])
    return Mapping(places, ignored, overflow)


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
    (
        "pw",
        "pwd",
        "pass",
        "pin",
        "pincode",
        "psw",
        "mdp",
        "otp",
        "token",
        "mpin",
        "clave",
        "secret",
        "secrets",
    )
)
_LONGEST_SECRET_NAME = 200


def is_secret(name: str) -> bool:
    """Whether a column is named like one of passwords: its cells are not shown."""
    key = plain_letters(name[:_LONGEST_SECRET_NAME])
    return key.rstrip("0123456789") in _SECRET_WHOLE or any(word in key for word in _SECRET)


def name_of(header: Sequence[str], place: int) -> str:
    """What a column is called, by a spreadsheet if it has no name."""
    return header[place] or f"Column {letters(place)}"


def names_of(places: Places, header: Sequence[str]) -> dict[str, str]:
    """What the template calls a column -> what the file calls it: for the audit log, and the page of what is remembered."""
    names = {field.heading: name_of(header, place) for field, place in places.fields.items()}
    for title, held in (("More groups", places.more), ("Members", places.members)):
        if held:
            names[title] = ", ".join(name_of(header, place) for place in held)
    return names


def _explain_doubled(field: Field, names: Sequence[str]) -> UnmatchedColumnsError:
    count = "Two" if len(names) == 2 else str(len(names))
    if len({name.casefold() for name in names}) == 1:
        title = f"{count} columns are called {list_names(names[:1])}."
    else:
        title = f"{count} columns could hold the {_CONTENTS[field]}: {list_names(names)}."
    return UnmatchedColumnsError(
        title,
        f"Call the one that counts “{field.heading}”, rename or remove the rest, and upload again.",
    )


def _explain_missing(fields: Sequence[Field], header: Sequence[str]) -> UnmatchedColumnsError:
    wanted = list_names([field.heading for field in fields])
    held = " and ".join(_CONTENTS[field] for field in fields)
    names = [name for name in header if name]
    column, holds = (
        ("column", "column that holds") if len(fields) == 1 else ("columns", "columns that hold")
    )
    return UnmatchedColumnsError(
        f"This file has no {column} called {wanted}.",
        f"{'Its columns are' if len(names) > 1 else 'Its only column is'} {list_names(names)}. "
        f"Rename the {holds} the {held} to {wanted} and upload again.",
    )

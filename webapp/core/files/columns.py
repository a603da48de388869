"""From column names to fields, from lines to what each says of a person. Rules: docs/rules.md: The file."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, NamedTuple

from webapp.core.files.csv_writer import EXAMPLES
from webapp.core.files.fields import REQUIRED, Field, is_address, is_ticked, letters, plain_letters, recognise
from webapp.core.files.table import Table, UnreadableFileError
from webapp.core.text.formatting import plural

__all__ = [
    "Cells",
    "Extract",
    "Field",
    "Guess",
    "Mapping",
    "Places",
    "UnmatchedColumnsError",
    "describe",
    "extract",
    "groups_of",
    "guess",
    "is_secret",
    "likeliest",
    "listed",
    "mapping",
    "match",
    "name_of",
    "named_like_groups",
    "names_of",
    "prefilled",
]


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

    def within(self, width: int) -> "Places | None":
        """The same in a header of so many columns; None where that has not all fields."""
        if max(self.fields.values()) >= width:
            return None
        more, members = ([place for place in held if place < width] for held in (self.more, self.members))
        return Places(self.fields, tuple(more), tuple(members))

    def as_dict(self) -> dict[str, Any]:
        """As it is kept: {"email": 0, "groups": 2, "more": [3]}."""
        further = {"more": list(self.more), "members": list(self.members)}
        return {field.value: place for field, place in self.fields.items()} | {
            name: held for name, held in further.items() if held
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> "Places":
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


@dataclass(frozen=True, slots=True)
class Guess:
    """One column of a file, for a person to say what it holds.

    `place` is its place in the header, from 0; `name` its name, or "Column C" where it has none; `samples` the
    first different cells, at most three. `field` is what it seems to hold, if anything, and `certain` whether its
    name says so, and that of no other column; without that it is a guess by name or content, to be marked as one.
    No two columns of a file are taken for the same field, but for Groups. `is_member`: it is named like a group, and its
    cells seem to say who is in it.
    """

    place: int
    name: str
    samples: tuple[str, ...]
    field: Field | None
    certain: bool
    is_member: bool = False


class Cells(NamedTuple):
    """What one row says of a person, cleaned and not yet judged. `line` is the row a spreadsheet shows."""

    line: int
    email: str
    role: str
    groups: str


@dataclass(frozen=True, slots=True)
class Extract:
    """The people of a file, and what was left out or put together on the way.

    `overflowed`: rows whose extra cells were read as groups. `unnamed`: rows with cells in a column without
    a name, which were ignored. `examples`: numbers of the template's example rows, skipped. `blank`: blank
    rows between the others, skipped. `errors`: cells of the columns used that hold an error of the spreadsheet.
    `prefilled`: numbers of the rows below the last person that have no e-mail, skipped. `controls`: cells of the columns
    used with a control character. `addresses`: how many rows have an e-mail address in a column that is ignored, by its name.
    """

    cells: list[Cells]
    overflowed: int
    unnamed: int
    examples: tuple[int, ...]
    blank: int
    errors: int
    prefilled: tuple[int, ...]
    controls: int
    addresses: dict[str, int]


_ERROR = re.compile(r"#(?:N/A|N/D|NV|\W?[A-ZÀ-Ü0/]+[!?]|GETTING_DATA)|Err:\d{3}")
"""What a cell says whose formula fails, in several languages (#REF!, #BEZUG!, #¡VALOR!) and in LibreOffice (Err:508)."""

_HELD = {
    Field.EMAIL: "email addresses",
    Field.ROLE: "roles",
    Field.GROUPS: "groups",
}


def match(header: Sequence[str]) -> Mapping:
    """Find the columns by their names.

    Raises UnmatchedColumnsError for a doubled or a missing one; of Groups there may be several.
    """
    columns: dict[Field, int] = {}
    more: tuple[int, ...] = ()
    for field, places in _named(header).items():
        if field is Field.GROUPS:
            more = tuple(places[1:])
        elif len(places) > 1:
            raise _doubled(field, [header[place] for place in places])
        columns[field] = places[0]
    if missing := [field for field in REQUIRED if field not in columns]:
        raise _missing(missing, header)
    return _mapping(Places(columns, more), header)


def mapping(chosen: Places, header: Sequence[str], required: Sequence[Field] = REQUIRED) -> Mapping:
    """The mapping that a person chose.

    Raises UnmatchedColumnsError where a required field has no column, or a column is chosen twice or is not there.
    """
    for field in required:
        if field not in chosen.fields:
            raise UnmatchedColumnsError(f"No column is chosen for the {_HELD[field]}.", "Choose one and go on.")
    held: dict[int, Field] = {}
    further = [(Field.GROUPS, place) for place in (*chosen.more, *chosen.members)]
    for field, place in (*chosen.fields.items(), *further):
        if not 0 <= place < len(header):
            raise UnmatchedColumnsError(f"The column chosen for the {_HELD[field]} is not in this file.", "Choose another one.")
        if other := held.get(place):
            raise UnmatchedColumnsError(
                f"{listed([name_of(header, place)])} is chosen for both the {_HELD[other]} and the {_HELD[field]}.",
                "Choose a column of its own for each.",
            )
        held[place] = field
    return _mapping(chosen, header)


def named_like_groups(header: Sequence[str], samples: Sequence[Sequence[str]], groups: Collection[str]) -> dict[int, bool]:
    """The columns that are named like a group and say something of people; whether one of their cells is a plain yes."""
    keys = {_key(group) for group in groups}
    found = {}
    for place, name in enumerate(header):
        if _key(name) in keys and not recognise(name):
            said = {is_ticked(line[place]) for line in samples if place < len(line)} - {False}
            if said:
                found[place] = True in said
    return found


def guess(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    roles: Collection[str] = (),
    groups: Collection[str] = (),
) -> list[Guess]:
    """What each column seems to hold: by its name, else by its cells.

    `samples` are the cells of lines below the header, of which the first hundred are looked at; `roles` and
    `groups` the names there are. A field that several columns are named for goes to the one whose cells look
    most like it; one that none is named for, to one half of whose cells, at least, look like it.
    """
    columns = _filled(samples, len(header))
    named = _named(header)
    fits = _fits(roles, groups)
    members = {place for place, is_plain in named_like_groups(header, samples, groups).items() if is_plain}
    found: dict[int, tuple[Field, bool]] = {}
    for field, places in named.items():
        if len(places) == 1 or field is Field.GROUPS:
            found |= dict.fromkeys(places, (field, True))
    for field in Field:
        if field in named and (field is Field.GROUPS or len(named[field]) == 1):
            continue
        likeness = {
            place: sum(map(fits[field], columns[place])) / max(len(columns[place]), 1)
            for place in named.get(field) or range(len(header))
            if place not in found and place not in members
        }
        if field is Field.GROUPS:
            found |= {place: (field, False) for place, likely in likeness.items() if likely >= 0.5}
            continue
        best = max(likeness, key=lambda place: likeness[place], default=None)
        if best is not None and (field in named or likeness[best] >= 0.5):
            found[best] = field, False
    guesses = []
    for place in range(len(header)):
        shown = tuple(islice(dict.fromkeys(columns[place]), 3))
        likely, is_certain = found.get(place, (None, False))
        guesses.append(Guess(place, name_of(header, place), shown, likely, is_certain, place in members and likely is None))
    return guesses


def likeliest(
    field: Field, free: Collection[int], samples: Sequence[Sequence[str]], roles: Collection[str], groups: Collection[str]
) -> int | None:
    """Of the columns that are used for nothing, the one that a person most probably wants for a field that no column holds.

    Some cells must look like the field; but a role may have names of its own: then it is what is repeated most.
    """
    columns = _filled(samples, max(free, default=-1) + 1)
    fits = _fits(roles, groups)[field]

    def likeness(place: int) -> tuple[float, float]:
        cells = columns[place]
        repeats = 1 - len(set(cells)) / len(cells) if cells and field is Field.ROLE else 0
        return sum(map(fits, cells)) / max(len(cells), 1), repeats

    best = max(sorted(free), key=likeness, default=None)
    return best if best is not None and any(likeness(best)) else None


def _filled(samples: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The cells of each column that hold something, in the first hundred lines."""
    return [[line[place] for line in islice(samples, 100) if place < len(line) and line[place]] for place in range(width)]


def extract(table: Table, mapping: Mapping) -> Extract:
    """Take the mapped cells out of every line; skip the template's example rows.

    Raises UnreadableFileError where those were the only rows.
    """
    email, role = mapping.columns[Field.EMAIL], mapping.columns.get(Field.ROLE)
    groups = mapping.places.groups
    nameless = [place for place, name in enumerate(table.header) if not name and place not in mapping.places.used]
    width = len(table.header)
    beyond = groups[-1] + 1 if groups and mapping.overflow else width
    ignored = [place for place in range(width) if place not in mapping.places.used]
    addresses: Counter[int] = Counter()
    people: list[Cells] = []
    examples: list[int] = []
    overflowed = unnamed = 0
    skipped = prefilled(table, mapping.places)
    for number, cells in table.lines:
        if len(cells) < width:
            cells += ("",) * (width - len(cells))
        address = cells[email]
        if address.casefold() in EXAMPLES:
            examples.append(number)
            continue
        if number in skipped:
            continue
        names = groups_of(table.header, cells, mapping.places)
        extra = [cell for cell in cells[beyond:] if cell] if len(cells) > beyond else []
        if extra and mapping.overflow:
            names += extra
            overflowed += 1
        elif extra or (nameless and any(cells[place] for place in nameless)):
            unnamed += 1
        for place in ignored:
            if "@" in cells[place] and is_address(cells[place]):
                addresses[place] += 1
        people.append(Cells(number, address, "" if role is None else cells[role], ", ".join(names)))
    if not people:
        raise UnreadableFileError(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )
    maybe = (cell for _, *cells in people for cell in cells if "#" in cell or "Err:" in cell)
    errors = sum(any(map(_ERROR.fullmatch, cell.split(", "))) for cell in maybe)
    controls = sum(not cell.isprintable() and _CONTROL.search(cell) is not None for _, *cells in people for cell in cells)
    held = {name_of(table.header, place): n for place, n in sorted(addresses.items())}
    return Extract(people, overflowed, unnamed, tuple(examples), table.blank, errors, tuple(sorted(skipped)), controls, held)


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def groups_of(header: Sequence[str], cells: Sequence[str], places: Places) -> list[str]:
    """What the columns of groups say in one line, and the names of those columns that are ticked there.

    A tick that says neither yes nor no stays beside the name, for the row to be looked at.
    """
    names = [cells[place] for place in places.groups if place < len(cells) and cells[place]]
    for place in places.members:
        cell = cells[place] if place < len(cells) else ""
        said = is_ticked(cell)
        if said is None:
            names.append(f"{header[place]} ({cell})")
        elif said:
            names.append(header[place])
    return names


def prefilled(table: Table, places: Places) -> set[int]:
    """The rows below the last person in which somebody dragged a role or a default down, and that name nobody.

    Rows of groups alone may go on with the person above, and a row with a word of its own in some other column may be a
    person whose e-mail was forgotten: those stay, to be looked at.
    """
    email = places.fields[Field.EMAIL]
    below = list(takewhile(lambda line: not line.cell(email), reversed(table.lines)))
    if len(below) == len(table.lines):
        return set()
    own = {*places.fields.values(), *places.more}
    counts = Counter((place, cell) for line in below for place, cell in enumerate(line.cells) if cell and place not in own)
    groups = {tuple(line.cell(place) for place in places.groups) for line in below}
    found = set()
    for line in below:
        filled = {place for place, cell in enumerate(line.cells) if cell and is_ticked(cell) is not False}
        names_somebody = any(
            counts[place, line.cell(place)] == 1 and is_ticked(line.cell(place)) is None and _WORD.search(line.cell(place))
            for place in filled - own
        )
        goes_on = bool(filled) and filled <= set(places.groups) and (len(groups) > 1 or len(below) == 1)
        if not names_somebody and not goes_on:
            found.add(line.number)
    return found


_WORD = re.compile(r"[^\W\d_]{2}")


def describe(table: Table, mapping: Mapping, extract: Extract) -> list[str]:
    """How the file was read, for the page's banner: phrases to be joined by commas."""
    facts = _form(table)
    if table.header_row == 0:
        facts.append("no header row")
    elif table.header_row > 1:
        facts.append(f"header found in row {table.header_row}")
    if table.trimmed:
        facts.append(f"{plural(table.trimmed, 'cell')} trimmed")
    if len(groups := mapping.places.groups) > 1:
        facts.append(f"columns {listed([name_of(table.header, place) for place in groups])} joined as groups")
    if members := mapping.places.members:
        names = listed([name_of(table.header, place) for place in members])
        facts.append(f"{'column' if len(members) == 1 else 'columns'} {names} read as ticks for groups")
    if mapping.ignored:
        facts.append(f"{'column' if len(mapping.ignored) == 1 else 'columns'} {listed(mapping.ignored)} ignored")
    if extract.overflowed:
        facts.append(f"extra cells of {plural(extract.overflowed, 'row')} were read as groups")
    if extract.unnamed:
        facts.append(f"cells without a column name ignored in {plural(extract.unnamed, 'row')}")
    if extract.errors:
        facts.append(f"{plural(extract.errors, 'cell')} with an error of the spreadsheet, such as #N/A")
    if extract.controls:
        facts.append(f"{plural(extract.controls, 'cell')} with control characters")
    if extract.prefilled:
        where = f"{'row' if len(extract.prefilled) == 1 else 'rows'} {_numbers(extract.prefilled)}"
        facts.append(f"{plural(len(extract.prefilled), 'row')} without an email below the last person skipped ({where})")
    if extract.blank:
        facts.append(f"{plural(extract.blank, 'blank row')} skipped")
    if extract.examples:
        facts.append(f"{plural(len(extract.examples), 'example row')} from the template left out")
    return facts


def _form(table: Table) -> list[str]:
    if table.sheet is not None:
        facts = [f"{table.format} workbook, sheet {listed([table.sheet])}"]
        if table.delimiter:
            facts.append(f"lines of text split, {_separation(table.delimiter)}")
        if table.header_delimiter:
            facts.append(f"column names split, {_separation(table.header_delimiter)}")
        if others := table.other_sheets:
            facts.append(f"{'sheet' if len(others) == 1 else 'sheets'} {listed(others)} not read")
        return facts
    if table.is_list:
        people = f"a list of {plural(len(table.lines), 'address', 'addresses')}, each one person"
        return [table.encoding or "pasted", people]
    separation = _separation(table.delimiter)
    if table.header_delimiter:
        separation = f"{separation} rows below {_separation(table.header_delimiter)} column names"
    return [separation, table.encoding] if table.encoding else ["pasted", separation]


def _separation(delimiter: str) -> str:
    separated = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}.get(delimiter)
    return f"{separated}-separated" if separated else f"separated by “{delimiter}”"


def _named(header: Sequence[str]) -> dict[Field, list[int]]:
    """For each field the columns named for it: those named plainly where there are any, else the others."""
    known = {place: name for place, cell in enumerate(header) if (name := recognise(cell))}
    named: dict[Field, list[int]] = {}
    for field in Field:
        certain = [place for place, name in known.items() if name.field is field and name.certain]
        if places := certain or [place for place, name in known.items() if name.field is field]:
            named[field] = places
    return named


def _fits(roles: Collection[str], groups: Collection[str]) -> dict[Field, Callable[[str], bool]]:
    role_keys = {_key(role) for role in roles}
    group_keys = {_key(group) for group in (*groups, "All groups")}
    return {
        Field.EMAIL: is_address,
        Field.ROLE: lambda cell: _key(cell) in role_keys,
        Field.GROUPS: lambda cell: any(_key(name) in group_keys for name in cell.split(",")),
    }


def _key(name: str) -> str:
    """As names of roles and groups are compared: without regard to case and repeated spaces."""
    return " ".join(name.split()).casefold()


def _mapping(places: Places, header: Sequence[str]) -> Mapping:
    used = places.used
    ignored = tuple(cell for place, cell in enumerate(header) if cell and place not in used)
    groups = places.groups
    overflow = bool(groups) and groups[-1] == max(used) and not any(header[groups[-1] + 1 :])
    return Mapping(places, ignored, overflow)


def _numbers(numbers: Sequence[int]) -> str:
    """2 to 4, 7 and 9; of many ranges only the first."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    named = [" to ".join(map(str, each)) for each in ranges[:6]]
    if len(ranges) > 6:
        named.append("others")
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


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
    ("pw", "pwd", "pass", "pin", "pincode", "psw", "mdp", "otp", "token", "mpin", "clave", "secret", "secrets")
)


def is_secret(name: str) -> bool:
    """Whether a column is named like one of passwords: its cells are not shown."""
    key = plain_letters(name[:200])
    return key.rstrip("0123456789") in _SECRET_WHOLE or any(word in key for word in _SECRET)


def name_of(header: Sequence[str], place: int) -> str:
    """What a column is called, by a spreadsheet if it has no name."""
    return header[place] or f"Column {letters(place)}"


def names_of(places: Places, header: Sequence[str]) -> dict[str, str]:
    """What the template calls a column -> what the file calls it: for the audit log, and the page of what is remembered."""
    named = {field.heading: name_of(header, place) for field, place in places.fields.items()}
    further = {"More groups": places.more, "Members": places.members}
    return named | {title: ", ".join(name_of(header, place) for place in held) for title, held in further.items() if held}


def _doubled(field: Field, names: Sequence[str]) -> UnmatchedColumnsError:
    count = "Two" if len(names) == 2 else str(len(names))
    if len({name.casefold() for name in names}) == 1:
        title = f"{count} columns are called {listed(names[:1])}."
    else:
        title = f"{count} columns could hold the {_HELD[field]}: {listed(names)}."
    return UnmatchedColumnsError(
        title,
        f"Call the one that counts “{field.heading}”, rename or remove the rest, and upload again.",
    )


def _missing(fields: Sequence[Field], header: Sequence[str]) -> UnmatchedColumnsError:
    wanted = listed([field.heading for field in fields])
    held = " and ".join(_HELD[field] for field in fields)
    names = [name for name in header if name]
    column, holds = ("column", "column that holds") if len(fields) == 1 else ("columns", "columns that hold")
    return UnmatchedColumnsError(
        f"This file has no {column} called {wanted}.",
        f"{'Its columns are' if len(names) > 1 else 'Its only column is'} {listed(names)}. "
        f"Rename the {holds} the {held} to {wanted} and upload again.",
    )


def listed(names: Sequence[str], most: int = 6) -> str:
    """“Name”, “Phone” and “Notes”; of many only the first, and how many more there are."""
    quoted = [f"“{_short(name)}”" for name in names[:most]]
    if len(names) > most:
        quoted.append(f"{len(names) - most} more")
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _short(name: str, most: int = 40) -> str:
    """A column's name on one line, cut where it is long."""
    words = " ".join(name.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"

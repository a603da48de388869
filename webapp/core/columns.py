"""From column names to fields, from lines to what each says of a person. Rules: docs/rules.md: The file."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from webapp.core.fields import REQUIRED, Field, is_address, letters, recognise
from webapp.core.tables import Table, UnreadableFile
from webapp.core.template import EXAMPLES
from webapp.core.words import plural

__all__ = [
    "Cells",
    "Extract",
    "Field",
    "Guess",
    "Mapping",
    "UnmatchedColumns",
    "describe",
    "extract",
    "guess",
    "likeliest",
    "mapping",
    "match",
    "name_of",
]


class UnmatchedColumns(UnreadableFile):
    """The header leaves open which column holds a field: none is named so, or more than one is."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column holds which field.

    `columns` maps a field to its place in the header, from 0; Groups may be absent. `ignored` are the names
    of the other columns, in the file's order. `overflow`: Groups is the last column, so that a row's extra
    cells are groups (a file of unquoted groups).
    """

    columns: dict[Field, int]
    ignored: tuple[str, ...]
    overflow: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """One column of a file, for a person to say what it holds.

    `place` is its place in the header, from 0; `name` its name, or "Column C" where it has none; `samples` the
    first different cells, at most three. `field` is what it seems to hold, if anything, and `certain` whether its
    name says so, and that of no other column; without that it is a guess by name or content, to be marked as one.
    No two columns of a file are taken for the same field.
    """

    place: int
    name: str
    samples: tuple[str, ...]
    field: Field | None
    certain: bool


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
    """

    cells: list[Cells]
    overflowed: int
    unnamed: int
    examples: tuple[int, ...]
    blank: int
    errors: int


_ERROR = re.compile(r"#(?:N/A|N/D|NV|\W?[A-ZÀ-Ü0/]+[!?]|GETTING_DATA)|Err:\d{3}")
"""What a cell says whose formula fails, in several languages (#REF!, #BEZUG!, #¡VALOR!) and in LibreOffice (Err:508)."""

_HELD = {
    Field.EMAIL: "email addresses",
    Field.ROLE: "roles",
    Field.GROUPS: "groups",
}


def match(header: Sequence[str]) -> Mapping:
    """Find the columns by their names. Raises UnmatchedColumns for a doubled or a missing one."""
    columns: dict[Field, int] = {}
    for field, places in _named(header).items():
        if len(places) > 1:
            raise _doubled(field, [header[place] for place in places])
        columns[field] = places[0]
    if missing := [field for field in REQUIRED if field not in columns]:
        raise _missing(missing, header)
    return _mapping(columns, header)


def mapping(columns: dict[Field, int], header: Sequence[str], required: Sequence[Field] = REQUIRED) -> Mapping:
    """The mapping that a person chose: for each field the place of its column in the header.

    Raises UnmatchedColumns where a required field has no column, or a column is chosen twice or is not there.
    """
    for field in required:
        if field not in columns:
            raise UnmatchedColumns(f"No column is chosen for the {_HELD[field]}.", "Choose one and go on.")
    chosen: dict[int, Field] = {}
    for field, place in columns.items():
        if not 0 <= place < len(header):
            raise UnmatchedColumns(f"The column chosen for the {_HELD[field]} is not in this file.", "Choose another one.")
        if other := chosen.get(place):
            raise UnmatchedColumns(
                f"{_listed([name_of(header, place)])} is chosen for both the {_HELD[other]} and the {_HELD[field]}.",
                "Choose a column of its own for each.",
            )
        chosen[place] = field
    return _mapping(columns, header)


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
    found: dict[int, tuple[Field, bool]] = {places[0]: (field, True) for field, places in named.items() if len(places) == 1}
    for field in Field:
        if len(named.get(field, ())) == 1:
            continue
        likeness = {
            place: sum(map(fits[field], columns[place])) / max(len(columns[place]), 1)
            for place in named.get(field) or range(len(header))
            if place not in found
        }
        best = max(likeness, key=lambda place: likeness[place], default=None)
        if best is not None and (field in named or likeness[best] >= 0.5):
            found[best] = field, False
    return [
        Guess(place, name_of(header, place), tuple(islice(dict.fromkeys(columns[place]), 3)), *found.get(place, (None, False)))
        for place in range(len(header))
    ]


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

    Raises UnreadableFile where those were the only rows.
    """
    email = mapping.columns[Field.EMAIL]
    role, groups = mapping.columns.get(Field.ROLE), mapping.columns.get(Field.GROUPS)
    nameless = [place for place, name in enumerate(table.header) if not name and place not in mapping.columns.values()]
    width = len(table.header)
    beyond = width if groups is None or not mapping.overflow else groups + 1
    people: list[Cells] = []
    examples: list[int] = []
    overflowed = unnamed = 0
    for number, cells in table.lines:
        if len(cells) < width:
            cells += ("",) * (width - len(cells))
        address = cells[email]
        if address.casefold() in EXAMPLES:
            examples.append(number)
            continue
        names = "" if groups is None else cells[groups]
        extra = [cell for cell in cells[beyond:] if cell] if len(cells) > beyond else []
        if extra and mapping.overflow:
            names = ", ".join([names, *extra] if names else extra)
            overflowed += 1
        elif extra or (nameless and any(cells[place] for place in nameless)):
            unnamed += 1
        people.append(Cells(number, address, "" if role is None else cells[role], names))
    if not people:
        raise UnreadableFile(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )
    maybe = (cell for _, *cells in people for cell in cells if "#" in cell or "Err:" in cell)
    errors = sum(any(map(_ERROR.fullmatch, cell.split(", "))) for cell in maybe)
    return Extract(people, overflowed, unnamed, tuple(examples), table.blank, errors)


def describe(table: Table, mapping: Mapping, extract: Extract) -> list[str]:
    """How the file was read, for the page's banner: phrases to be joined by commas."""
    facts = _form(table)
    if table.header_row == 0:
        facts.append("no header row")
    elif table.header_row > 1:
        facts.append(f"header found in row {table.header_row}")
    if table.trimmed:
        facts.append(f"{plural(table.trimmed, 'cell')} trimmed")
    if mapping.ignored:
        facts.append(f"{'column' if len(mapping.ignored) == 1 else 'columns'} {_listed(mapping.ignored)} ignored")
    if extract.overflowed:
        facts.append(f"extra cells of {plural(extract.overflowed, 'row')} were read as groups")
    if extract.unnamed:
        facts.append(f"cells without a column name ignored in {plural(extract.unnamed, 'row')}")
    if extract.errors:
        facts.append(f"{plural(extract.errors, 'cell')} with an error of the spreadsheet, such as #N/A")
    if extract.blank:
        facts.append(f"{plural(extract.blank, 'blank row')} skipped")
    if extract.examples:
        facts.append(f"{plural(len(extract.examples), 'example row')} from the template left out")
    return facts


def _form(table: Table) -> list[str]:
    if table.sheet is not None:
        facts = [f"{table.format} workbook, sheet {_listed([table.sheet])}"]
        if table.delimiter:
            facts.append(f"lines of text split, {_separation(table.delimiter)}")
        if others := table.other_sheets:
            facts.append(f"{'sheet' if len(others) == 1 else 'sheets'} {_listed(others)} not read")
        return facts
    separation = _separation(table.delimiter)
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


def _mapping(columns: dict[Field, int], header: Sequence[str]) -> Mapping:
    used = columns.values()
    ignored = tuple(cell for place, cell in enumerate(header) if cell and place not in used)
    groups = columns.get(Field.GROUPS)
    overflow = groups is not None and groups == max(used) and not any(header[groups + 1 :])
    return Mapping(columns, ignored, overflow)


def name_of(header: Sequence[str], place: int) -> str:
    """What a column is called, by a spreadsheet if it has no name."""
    return header[place] or f"Column {letters(place)}"


def _doubled(field: Field, names: Sequence[str]) -> UnmatchedColumns:
    count = "Two" if len(names) == 2 else str(len(names))
    if len({name.casefold() for name in names}) == 1:
        title = f"{count} columns are called {_listed(names[:1])}."
    else:
        title = f"{count} columns could hold the {_HELD[field]}: {_listed(names)}."
    return UnmatchedColumns(
        title,
        f"Call the one that counts “{field.heading}”, rename or remove the rest, and upload again.",
    )


def _missing(fields: Sequence[Field], header: Sequence[str]) -> UnmatchedColumns:
    wanted = _listed([field.heading for field in fields])
    held = " and ".join(_HELD[field] for field in fields)
    names = [name for name in header if name]
    column, holds = ("column", "column that holds") if len(fields) == 1 else ("columns", "columns that hold")
    return UnmatchedColumns(
        f"This file has no {column} called {wanted}.",
        f"{'Its columns are' if len(names) > 1 else 'Its only column is'} {_listed(names)}. "
        f"Rename the {holds} the {held} to {wanted} and upload again.",
    )


def _listed(names: Sequence[str], most: int = 6) -> str:
    """“Name”, “Phone” and “Notes”; of many only the first, and how many more there are."""
    quoted = [f"“{_short(name)}”" for name in names[:most]]
    if len(names) > most:
        quoted.append(f"{len(names) - most} more")
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _short(name: str, most: int = 40) -> str:
    """A column's name on one line, cut where it is long."""
    words = " ".join(name.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"

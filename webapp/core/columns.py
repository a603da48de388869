"""From column names to fields, from lines to what each says of a person. Rules: docs/rules.md: The file."""

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.core.fields import REQUIRED, Field, recognise
from webapp.core.tables import Table, UnreadableFile
from webapp.core.template import EXAMPLES
from webapp.core.words import plural

__all__ = ["Cells", "Extract", "Field", "Mapping", "UnmatchedColumns", "describe", "extract", "match"]


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
class Cells:
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
    rows between the others, skipped.
    """

    cells: list[Cells]
    overflowed: int
    unnamed: int
    examples: tuple[int, ...]
    blank: int


_HELD = {
    Field.EMAIL: "email addresses",
    Field.ROLE: "roles",
    Field.GROUPS: "groups",
}


def match(header: Sequence[str]) -> Mapping:
    """Find the columns by their names. Raises UnmatchedColumns for a doubled or a missing one."""
    known = {place: name for place, cell in enumerate(header) if (name := recognise(cell))}
    columns: dict[Field, int] = {}
    for field in Field:
        certain = [place for place, name in known.items() if name.field is field and name.certain]
        places = certain or [place for place, name in known.items() if name.field is field]
        if len(places) > 1:
            raise _doubled(field, [header[place] for place in places])
        if places:
            columns[field] = places[0]
    if missing := [field for field in REQUIRED if field not in columns]:
        raise _missing(missing, header)
    used = columns.values()
    ignored = tuple(cell for place, cell in enumerate(header) if cell and place not in used)
    return Mapping(columns, ignored, overflow=columns.get(Field.GROUPS) == len(header) - 1)


def extract(table: Table, mapping: Mapping) -> Extract:
    """Take the mapped cells out of every line; skip the template's example rows.

    Raises UnreadableFile where those were the only rows.
    """
    width = len(table.header)
    email, role = mapping.columns[Field.EMAIL], mapping.columns[Field.ROLE]
    groups = mapping.columns.get(Field.GROUPS)
    nameless = [place for place, name in enumerate(table.header) if not name]
    cells: list[Cells] = []
    examples: list[int] = []
    overflowed = unnamed = 0
    for line in table.lines:
        address = line.cells[email]
        if address.casefold() in EXAMPLES:
            examples.append(line.number)
            continue
        names = "" if groups is None else line.cells[groups]
        extra = [cell for cell in line.cells[width:] if cell]
        if extra and mapping.overflow:
            names = ", ".join([names, *extra] if names else extra)
            overflowed += 1
        elif extra or any(line.cells[place] for place in nameless):
            unnamed += 1
        cells.append(Cells(line.number, address, line.cells[role], names))
    if not cells:
        raise UnreadableFile(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )
    return Extract(cells, overflowed, unnamed, tuple(examples), table.blank)


def describe(table: Table, mapping: Mapping, extract: Extract) -> list[str]:
    """How the file was read, for the page's banner: phrases to be joined by commas."""
    separated = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}.get(table.delimiter)
    facts = [f"{separated}-separated" if separated else f"separated by “{table.delimiter}”", table.encoding]
    if table.trimmed:
        facts.append(f"{plural(table.trimmed, 'cell')} trimmed")
    if mapping.ignored:
        facts.append(f"{'column' if len(mapping.ignored) == 1 else 'columns'} {_listed(mapping.ignored)} ignored")
    if extract.overflowed:
        facts.append(f"extra cells of {plural(extract.overflowed, 'row')} were read as groups")
    if extract.unnamed:
        facts.append(f"cells without a column name ignored in {plural(extract.unnamed, 'row')}")
    if extract.blank:
        facts.append(f"{plural(extract.blank, 'blank row')} skipped")
    if extract.examples:
        facts.append(f"{plural(len(extract.examples), 'example row')} from the template left out")
    return facts


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
    column, holds = ("column", "column that holds") if len(fields) == 1 else ("columns", "columns that hold")
    return UnmatchedColumns(
        f"This file has no {column} called {wanted}.",
        f"Its first row has {_listed([name for name in header if name])}. "
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

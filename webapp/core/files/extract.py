"""From the lines of a table to what each says of a person."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from webapp.core.files.columns import Mapping, Places, name_of
from webapp.core.files.csv_writer import EXAMPLES
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field, is_address, is_ticked
from webapp.core.files.table import Line, Table


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
    a name, which were ignored. `examples`: numbers of the template's example rows, skipped. `errors`: cells of the
    columns used that hold an error of the spreadsheet. `prefilled`: numbers of the rows below the last person that have no
    e-mail, skipped. `controls`: cells of the columns used with a control character. `addresses`: how many rows have an
    e-mail address in a column that is ignored, by its name.
    """

    cells: list[Cells]
    overflowed: int
    unnamed: int
    examples: tuple[int, ...]
    errors: int
    prefilled: tuple[int, ...]
    controls: int
    addresses: dict[str, int]


_ERROR = re.compile(r"#(?:N/A|N/D|NV|\W?[A-ZÀ-Ü0/]+[!?]|GETTING_DATA)|Err:\d{3}")
"""What a cell says whose formula fails, in several languages (#REF!, #BEZUG!, #¡VALOR!) and in LibreOffice (Err:508)."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def extract_people(table: Table, mapping: Mapping) -> Extract:
    """Extract the mapped cells of every line. Skips the template's example rows, and rows without a person at the end.

    Raises UnreadableFileError where the examples were the only rows.
    """
    places = mapping.places
    email = places.fields[Field.EMAIL]
    role = places.fields.get(Field.ROLE)
    beyond = places.groups[-1] + 1 if mapping.overflow else len(table.header)
    prefilled = find_prefilled(table, places)
    examples = [line.number for line in table.lines if line.cell(email).casefold() in EXAMPLES]
    left_out = prefilled.union(examples)
    lines = [line for line in table.lines if line.number not in left_out]
    if not lines:
        raise UnreadableFileError(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )
    people = []
    longer = 0
    for line in lines:
        names = read_groups(table.header, line.cells, places)
        extra = [cell for cell in line.cells[beyond:] if cell]
        if extra:
            longer += 1
        if mapping.overflow:
            names += extra
        people.append(
            Cells(
                line.number,
                line.cell(email),
                "" if role is None else line.cell(role),
                ", ".join(names),
            )
        )
    unnamed = _count_unnamed(table, lines, places, beyond)
    cells = [cell for _, *cells in people for cell in cells]
    return Extract(
        people,
        overflowed=longer if mapping.overflow else 0,
        unnamed=unnamed if mapping.overflow else unnamed + longer,
        examples=tuple(examples),
        errors=sum(map(_has_error, cells)),
        prefilled=tuple(sorted(prefilled)),
        controls=sum(
            not cell.isprintable() and _CONTROL.search(cell) is not None for cell in cells
        ),
        addresses=_count_addresses(table, lines, places),
    )


def _count_unnamed(table: Table, lines: Sequence[Line], places: Places, beyond: int) -> int:
    """How many lines have something in a column of the header without a name."""
    nameless = [
        place for place in range(beyond) if not table.header[place] and place not in places.used
    ]
    return sum(any(line.cell(place) for place in nameless) for line in lines) if nameless else 0


def _count_addresses(table: Table, lines: Sequence[Line], places: Places) -> dict[str, int]:
    """How many lines have an e-mail address in an ignored column, by its name."""
    ignored = [place for place in range(len(table.header)) if place not in places.used]
    counts = {
        name_of(table.header, place): sum(is_address(line.cell(place)) for line in lines)
        for place in ignored
    }
    return {name: count for name, count in counts.items() if count}


def _has_error(cell: str) -> bool:
    return ("#" in cell or "Err:" in cell) and any(map(_ERROR.fullmatch, cell.split(", ")))


def read_groups(header: Sequence[str], cells: Sequence[str], places: Places) -> list[str]:
    """What the columns of groups say in one line, and the names of those columns that are ticked there.

    A tick that says neither yes nor no stays beside the name, for the row to be looked at.
    """
    names = [cells[place] for place in places.groups if place < len(cells) and cells[place]]
    for place in places.members:
        cell = cells[place] if place < len(cells) else ""
        answer = is_ticked(cell)
        if answer is None:
            names.append(f"{header[place]} ({cell})")
        elif answer:
            names.append(header[place])
    return names


_WORD = re.compile(r"[^\W\d_]{2}")


def find_prefilled(table: Table, places: Places) -> set[int]:
    """Rows below the last person that only repeat a role or a default and name no one.

    Rows of groups alone may go on with the person above, and a row with a word of its own in some other column may be a
    person whose e-mail was forgotten: those stay, to be looked at.
    """
    email = places.fields[Field.EMAIL]
    below = list(takewhile(lambda line: not line.cell(email), reversed(table.lines)))
    if len(below) == len(table.lines):
        return set()
    own = {*places.fields.values(), *places.more}
    counts = Counter(
        (place, cell)
        for line in below
        for place, cell in enumerate(line.cells)
        if cell and place not in own
    )
    different_groups = {tuple(line.cell(place) for place in places.groups) for line in below}
    may_go_on = len(different_groups) > 1 or len(below) == 1

    def names_somebody(line: Line, place: int) -> bool:
        cell = line.cell(place)
        return (
            counts[place, cell] == 1 and is_ticked(cell) is None and _WORD.search(cell) is not None
        )

    found = set()
    for line in below:
        filled = {place for place, cell in enumerate(line.cells) if is_ticked(cell) is not False}
        is_somebody = any(names_somebody(line, place) for place in filled - own)
        has_groups_alone = bool(filled) and filled <= set(places.groups)
        if not is_somebody and not (has_groups_alone and may_go_on):
            found.add(line.number)
    return found

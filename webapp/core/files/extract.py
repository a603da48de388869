"""From the lines of a table to what each says of a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from webapp.core.files.columns import Places, name_of
from webapp.core.files.csv_writer import EXAMPLES
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field, is_ticked
from webapp.core.files.table import Line, Table
from webapp.core.text.phrases import CodedText


class Cells(NamedTuple):
    """What one row says of a person, cleaned and not yet judged. `line` is the row a spreadsheet shows."""

    line: int
    email: str
    role: str
    groups: str


def extract_people(table: Table, places: Places) -> tuple[list[Cells], list[CodedText]]:
    """What every line says, and how the file was read: codes with parameters, which `core.text.batch_phrases` words.

    Skips the template's example rows, and rows without a person at the end. Raises UnreadableFileError where the examples
    were the only rows.
    """
    email = places.fields[Field.EMAIL]
    end = places.end(table.header)
    prefilled = find_prefilled(table, places)
    lines = [line for line in table.lines if line.number not in prefilled]
    people = []
    examples = 0
    for line in lines:
        if line.cell(email).casefold() in EXAMPLES:
            examples += 1
            continue
        cells = read_cells(table, line, places, end)
        person = [cells.get(field, "") for field in Field]
        people.append(Cells(line.number, *person))
    if not people:
        raise UnreadableFileError(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )
    facts = [*table.sheet.facts]
    if table.header_row != 1:
        facts.append(
            {"code": "header_row" if table.header_row else "no_header", "row": table.header_row}
        )
    groups = places.groups if len(places.groups) > 1 else ()
    return people, [
        *facts,
        *_count("trimmed", table.sheet.trimmed),
        *_name_columns("joined", table, groups),
        *_name_columns("ticks", table, places.members),
        *_name_columns("ignored", table, find_ignored(table, places)),
        *_count("overflowed", sum(any(line.cells[end:]) for line in lines) if end else 0),
        *_count("prefilled", len(prefilled), rows=sorted(prefilled)),
        *_count("blank", table.blank),
        *_count("examples", examples),
    ]


def _count(code: str, n: int, **params: Any) -> list[CodedText]:
    return [{"code": code, "n": n, **params}] if n else []


def _name_columns(code: str, table: Table, places: Sequence[int]) -> list[CodedText]:
    names = [name_of(table.header, place) for place in places]
    return _count(code, len(names), columns=names)


def find_ignored(table: Table, places: Places) -> list[int]:
    """The columns that are not used and have a name, or a cell that is filled."""
    width = places.end(table.header) or max(len(line.cells) for line in table.lines)
    return [
        place
        for place in range(max(width, len(table.header)))
        if place not in places.used
        and (any(table.header[place : place + 1]) or any(line.cell(place) for line in table.lines))
    ]


def read_cells(table: Table, line: Line, places: Places, end: int | None) -> dict[Field, str]:
    """What a line says in the fields that have columns. Groups: of all their columns, and the names of the ticked ones.

    end: where a row's extra cells are groups.
    A tick that says neither yes nor no stays beside the name, for the row to be looked at.
    """
    cells = {field: line.cell(place) for field, place in places.fields.items()}
    if Field.GROUPS not in cells and not places.members:
        return cells
    names = [line.cell(place) for place in places.groups]
    if end:
        names += line.cells[end:]
    for place in places.members:
        name, answer = name_of(table.header, place), is_ticked(line.cell(place))
        if answer is None:
            names.append(f"{name} ({line.cell(place)})")
        elif answer:
            names.append(name)
    cells[Field.GROUPS] = ", ".join(filter(None, names))
    return cells


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
    words = Counter(word for line in below for word in _find_words(line, own))
    different_groups = {tuple(map(line.cell, places.groups)) for line in below}
    may_go_on = len(different_groups) > 1 or len(below) == 1
    found = set()
    for line in below:
        filled = {place for place, cell in enumerate(line.cells) if cell}
        is_somebody = any(words[word] == 1 for word in _find_words(line, own))
        has_groups_alone = filled <= set(places.groups)
        if not is_somebody and not (has_groups_alone and may_go_on):
            found.add(line.number)
    return found


def _find_words(line: Line, own: set[int]) -> list[tuple[int, str]]:
    """The cells of other columns that may name somebody."""
    return [
        (place, cell)
        for place, cell in enumerate(line.cells)
        if place not in own and _WORD.search(cell) and is_ticked(cell) is None
    ]

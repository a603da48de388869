"""From the lines of a table to what each says of a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from webapp.core.addresses import split_name
from webapp.core.files.columns import MEMBER, Places, name_of
from webapp.core.files.csv_writer import EXAMPLES
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field, is_ticked, name_part
from webapp.core.files.table import Line, Table
from webapp.core.text.phrases import CodedText


class Cells(NamedTuple):
    """What one row says of a person, cleaned and not yet judged. `line` is the row a spreadsheet shows."""

    line: int
    email: str
    role: str
    groups: str
    name: str = ""


def extract_people(
    table: Table,
    places: Places,
) -> tuple[list[Cells], list[CodedText]]:
    """What every line says, and how the file was read: codes with parameters, which `core.text.batch_phrases` words.

    Skips the template's example rows, and rows without a person at the end. Raises UnreadableFileError where the examples
    were the only rows.
    """
    prefilled = find_prefilled(table, places)
    lines = [line for line in table.lines if line.number not in prefilled]
    people = []
    for person in read_people(table, lines, places):
        if person.email.casefold() not in EXAMPLES:
            people.append(person)
    if not people:
        raise UnreadableFileError(
            "This file holds only the example rows of the template.",
            "Put your users in their place and upload again.",
        )

    def name_columns(code: str, places: Sequence[int]) -> CodedText:
        names = [name_of(table.header, place) for place in places]
        return {"code": code, "n": len(names), "columns": names}

    facts = list(table.sheet.facts)
    if table.header_row != 1:
        code = "header_row" if table.header_row else "no_header"
        facts.append({"code": code, "row": table.header_row})
    end = places.end(table.header)
    overflowed = 0
    if end:
        overflowed = sum(any(line.cells[end:]) for line in lines)
    groups = places.of(Field.GROUPS)
    names = places.of(Field.NAME)
    counts: list[CodedText] = [
        {"code": "trimmed", "n": table.sheet.trimmed},
        name_columns("joined", groups if len(groups) > 1 else []),
        name_columns("joined_names", names if len(names) > 1 else []),
        name_columns("ticks", places.of(MEMBER)),
        name_columns("ignored", find_ignored(table, places)),
        {"code": "overflowed", "n": overflowed},
        {"code": "prefilled", "n": len(prefilled), "rows": sorted(prefilled)},
        {"code": "examples", "n": len(lines) - len(people)},
    ]
    facts += [fact for fact in counts if fact["n"]]
    return people, facts


def find_ignored(
    table: Table,
    places: Places,
) -> list[int]:
    """The columns that are not used and have a name, or a cell that is filled."""
    ignored = []
    for place, name in enumerate(table.header):
        if place in places.uses:
            continue
        if name or any(line.cell(place) for line in table.lines):
            ignored.append(place)
    return ignored


def read_people(
    table: Table,
    lines: Iterable[Line],
    places: Places,
) -> Iterator[Cells]:
    """What these lines say; a field without a column is "".

    Groups: of all their columns, and the names of the ticked ones. Name: its parts, else what stands beside the e-mail.
    """
    emails = places.of(Field.EMAIL)
    roles = places.of(Field.ROLE)
    groups = places.of(Field.GROUPS)
    parts = sorted(places.of(Field.NAME), key=lambda place: name_part(name_of(table.header, place)))
    end = places.end(table.header)
    members = {place: name_of(table.header, place) for place in places.of(MEMBER)}
    for line in lines:
        names = [line.cell(place) for place in groups]
        if end:
            names += line.cells[end:]
        for place, name in members.items():
            answer = is_ticked(line.cell(place))
            if answer is None:
                # neither yes nor no: it stays beside the name, for the row to be looked at
                names.append(f"{name} ({line.cell(place)})")
            elif answer:
                names.append(name)
        email, name = split_name(line.cell(emails[0])) if emails else ("", "")
        name = " ".join(filter(None, map(line.cell, parts))) or name
        yield Cells(
            line.number,
            email,
            line.cell(roles[0]) if roles else "",
            ", ".join(filter(None, names)),
            name,
        )


_WORD = re.compile(r"[^\W\d_]{2}")


def find_prefilled(
    table: Table,
    places: Places,
) -> list[int]:
    """Rows below the last person that only repeat a role or a default and name no one, by number.

    Some stay, to be looked at: a row of groups without a role may go on with the person above, and one with a word in some other
    column may be a person whose e-mail was forgotten.
    """
    prefilled: list[int] = []
    for line in reversed(table.lines):
        uses = {places.uses.get(place) for place, cell in enumerate(line.cells) if cell}
        if Field.EMAIL in uses:
            return prefilled
        with_words = {
            places.uses.get(place) for place, cell in enumerate(line.cells) if _has_word(cell)
        }
        is_going_on = Field.GROUPS in with_words and Field.ROLE not in uses
        if not is_going_on and with_words <= {*Field} - {Field.NAME}:
            prefilled.append(line.number)
    return []  # nobody has an e-mail: then it is the columns that are wrong


def _has_word(cell: str) -> bool:
    """Whether a cell has a word that is not just a yes or a no."""
    return bool(_WORD.search(cell)) and is_ticked(cell) is None

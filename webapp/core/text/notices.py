"""What a person should know of a file before anything is sent: found here, kept as codes, and worded here."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapp.core.addresses import MAX_LENGTH
from webapp.core.files.columns import Mapping, name_of
from webapp.core.files.extract import Extract
from webapp.core.files.fields import Field
from webapp.core.files.statuses import find_people_gone
from webapp.core.files.table import Table
from webapp.core.lists.row_filter import Hint
from webapp.core.text.formatting import list_names, plural

_EXAMPLES = 2
"""Texts in place of a person that are named."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know. hint: of the rows that it is about, if these can be shown and removed."""

    code: str
    columns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    rows: int = 0
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "columns": self.columns,
            "words": self.words,
            "rows": self.rows,
            "hint": self.hint,
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Notice:
        return cls(
            kept["code"], tuple(kept["columns"]), tuple(kept["words"]), kept["rows"], kept["hint"]
        )


def find_notices(
    table: Table, mapping: Mapping, extract: Extract
) -> tuple[list[Notice], dict[int, str]]:
    """What a person should know of a file, and the hints of its rows by their numbers. The last hint of a row counts."""
    people = {person.line for person in extract.cells}
    hints: dict[int, str] = {}
    notices = []
    if table.sheet is not None:
        notices += _find_in_sheet(table, mapping, extract, people, hints)
    notices += _find_texts(table, mapping, extract, people, hints)
    notices += _find_gone(table, mapping, people, hints)
    if extract.addresses:
        notices.append(
            Notice("addresses", tuple(extract.addresses), rows=sum(extract.addresses.values()))
        )
    return notices, hints


def _find_texts(
    table: Table, mapping: Mapping, extract: Extract, people: set[int], hints: dict[int, str]
) -> list[Notice]:
    """Headings, footers and totals in place of a person; their hints are added."""
    lines = _without_a_person(table, mapping) & people
    if not lines:
        return []
    hints |= dict.fromkeys(lines, Hint.TEXT)
    examples = [_shorten(person.email) for person in extract.cells if person.line in lines]
    return [Notice("text", words=tuple(examples[:_EXAMPLES]), hint=Hint.TEXT)]


def _find_gone(
    table: Table, mapping: Mapping, people: set[int], hints: dict[int, str]
) -> list[Notice]:
    """Find people whom another column calls suspended or gone, and add their hints."""
    ignored = [place for place in range(len(table.header)) if place not in mapping.places.used]
    gone = find_people_gone(table, ignored)
    lines = {number for each in gone for number in each.rows} & people
    if not lines:
        return []
    hints |= dict.fromkeys(lines, Hint.GONE)
    columns = tuple(each.column for each in gone)
    words = dict.fromkeys(word for each in gone for word in each.words)
    return [Notice("gone", columns, tuple(words), hint=Hint.GONE)]


def _find_in_sheet(
    table: Table, mapping: Mapping, extract: Extract, people: set[int], hints: dict[int, str]
) -> list[Notice]:
    """What a sheet does not show at first sight: hidden rows, merged cells, formulas; their hints are added."""
    notices = []
    if hidden := table.hidden & people:
        hints |= dict.fromkeys(hidden, Hint.HIDDEN)
        notices.append(Notice("hidden", hint=Hint.HIDDEN))
    lines = sorted(people)
    columns: dict[str, None] = {}
    ranges = []
    for first, last, left, right in table.merged:
        places = [place for place in mapping.places.used if left <= place <= right]
        if places and bisect_right(lines, first) < bisect_right(lines, last):
            ranges.append((first, last))
            columns |= dict.fromkeys(name_of(table.header, place) for place in places)
    if columns:
        hints |= dict.fromkeys(_below_first(lines, ranges), Hint.MERGED)
        notices.append(Notice("merged", tuple(columns), hint=Hint.MERGED))
    formulas = {
        line for line, *cells in extract.cells if any(cell.startswith("=") for cell in cells)
    }
    if formulas:
        hints |= dict.fromkeys(formulas, Hint.NO_RESULT)
        notices.append(Notice("formulas", hint=Hint.NO_RESULT))
    return notices


def _below_first(lines: Sequence[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Those of the lines, in order, that are in a range and not its first. One look at each, however many ranges there are."""
    found = []
    waiting = sorted(ranges, reverse=True)
    end = 0
    for line in lines:
        while waiting and waiting[-1][0] < line:
            end = max(end, waiting.pop()[1])
        if line <= end:
            found.append(line)
    return found


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:39].rstrip() + "…"


def _without_a_person(table: Table, mapping: Mapping) -> set[int]:
    """Rows with a text where the e-mail should be, and no letters in any other cell: headings, footers, totals."""
    email = mapping.columns[Field.EMAIL]
    found = set()
    for line in table.lines:
        text = line.cell(email)
        others = [*line.cells[:email], *line.cells[email + 1 :]]
        if (
            text
            and not _MAY_BE_SOMEBODY.search(text[:MAX_LENGTH])
            and not any(map(_has_letters, others))
        ):
            found.add(line.number)
    return found


_MAY_BE_SOMEBODY = re.compile(
    r"[@\uff20]|^[^\s@]*[\w][._\d][^\s@]*$|\((?:at|arroba)\)|\[at\]", re.IGNORECASE
)
"""An address, or the first half of one."""


def _has_letters(cell: str) -> bool:
    return any(letter.isalpha() for letter in cell)


def title(notice: Notice, rows: int) -> str:
    """What a notice says. rows: how many it is about now."""
    if notice.code == "gone":
        verb = "is of somebody who is" if rows == 1 else "are of people who are"
        return f"{plural(rows, 'row')} {verb} suspended or gone by {list_names(notice.columns)}"
    if notice.code == "text":
        return f"{plural(rows, 'row')} {'has' if rows == 1 else 'have'} text in place of a person"
    if notice.code == "replaced":
        return f"{plural(rows, 'row')} {'has' if rows == 1 else 'have'} an email that was replaced by another one"
    if notice.code == "addresses":
        verb = "holds" if len(notice.columns) == 1 else "hold"
        addresses = plural(rows, "email address", "email addresses")
        name = f"{'Column' if len(notice.columns) == 1 else 'Columns'} {list_names(notice.columns)}"
        return (
            f"{name} {verb} {addresses} and {'is' if len(notice.columns) == 1 else 'are'} not used"
        )
    return {
        "formulas": f"{plural(rows, 'row')} {'has' if rows == 1 else 'have'} formulas without a stored result",
        "hidden": f"{plural(rows, 'row')} of the sheet {'is' if rows == 1 else 'are'} hidden or filtered out",
        "merged": f"Merged cells: {plural(rows, 'row')} below the first {'is' if rows == 1 else 'are'} blank there",
    }[notice.code]


def advice(notice: Notice) -> str:
    """What to do about it."""
    return {
        "gone": f"It says {list_names(notice.words)}. They would be invited like the others.",
        "text": f"Such as {list_names(notice.words)}. They hold back only themselves.",
        "replaced": "Each says by which one. Inviting the old address makes a second person of them.",
        "addresses": "These people are not invited. Change the columns if they should be.",
        "formulas": "Open the workbook in a spreadsheet program, save it and replace the file, or fill the cells in here.",
        "hidden": "They are read like the others. Remove them here if they should not be invited.",
        "merged": f"Only the first row has what stands in {list_names(notice.columns) or 'them'}. Fill in the others.",
    }[notice.code]

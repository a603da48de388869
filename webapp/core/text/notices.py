"""What a person should know of a file before anything is sent: found here, kept as codes, and worded here."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.core.addresses import MAX_LENGTH
from webapp.core.files.columns import Places, name_of
from webapp.core.files.extract import Cells, find_ignored
from webapp.core.files.fields import Field, is_address
from webapp.core.files.statuses import find_people_gone
from webapp.core.files.table import Line, Table
from webapp.core.lists.row_filter import Hint
from webapp.core.text import phrases
from webapp.core.text.formatting import list_names
from webapp.core.text.phrases import Phrase

_EXAMPLES, _LONGEST = 2, 100
"""Texts in place of a person that are named, and their characters that are kept."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know. hint: of the rows that it is about, if these can be shown and removed."""

    code: str
    columns: Sequence[str] = ()
    words: Sequence[str] = ()
    rows: int = 0
    hint: str | None = None


def find_notices(
    table: Table, places: Places, people: Sequence[Cells]
) -> tuple[list[Notice], Mapping[int, str]]:
    """What a person should know of a file, and the hints of its rows by their numbers. The last hint of a row counts."""
    numbers = [person.line for person in people]
    hints: dict[int, str] = {}
    notices = []

    def add(
        hint: Hint, rows: Sequence[int], columns: Sequence[str] = (), words: Sequence[str] = ()
    ) -> None:
        if found := set(rows).intersection(numbers):
            hints.update(dict.fromkeys(found, hint))
            notices.append(Notice(_CODES.get(hint, hint.value), columns, words, hint=hint))

    merged, columns = _find_merged(table, places, numbers)
    formulas = [line for line, *cells in people if any(cell.startswith("=") for cell in cells)]
    add(Hint.HIDDEN, table.sheet.hidden)
    add(Hint.MERGED, merged, columns)
    add(Hint.NO_RESULT, formulas if table.sheet.name else [])
    texts = _find_texts(table, places.fields[Field.EMAIL])
    examples = [person.email[:_LONGEST] for person in people if person.line in texts]
    add(Hint.TEXT, texts, words=examples[:_EXAMPLES])
    ignored = find_ignored(table, places)
    add(Hint.GONE, *find_people_gone(table, ignored))
    addresses = {
        name_of(table.header, place): sum(is_address(line.cell(place)) for line in table.lines)
        for place in ignored
    }
    names = [name for name, n in addresses.items() if n]
    if names:
        notices.append(Notice("addresses", names, rows=sum(addresses.values())))
    return notices, hints


_CODES = {Hint.NO_RESULT: "formulas"}


def _find_merged(
    table: Table, places: Places, numbers: Sequence[int]
) -> tuple[list[int], list[str]]:
    """The rows below the first in a merged cell of a column that is used, and the names of these columns."""
    rows: list[int] = []
    columns = set()
    for first, last, left, right in table.sheet.merged:
        used = [place for place in places.used if left <= place <= right]
        below = numbers[bisect_right(numbers, first) : bisect_right(numbers, last)]
        if used and below:
            rows += below
            columns.update(used)
    return rows, [name_of(table.header, place) for place in sorted(columns)]


def _find_texts(table: Table, email: int) -> list[int]:
    """Rows with a text where the e-mail should be, and no letters in any other cell: headings, footers, totals."""
    return [line.number for line in table.lines if _is_text(line, email)]


def _is_text(line: Line, email: int) -> bool:
    text = line.cell(email)
    others = [*line.cells[:email], *line.cells[email + 1 :]]
    has_letters = any(letter.isalpha() for cell in others for letter in cell)
    return bool(text) and not has_letters and not _MAY_BE_SOMEBODY.search(text[:MAX_LENGTH])


_MAY_BE_SOMEBODY = re.compile(
    r"[@\uff20]|^[^\s@]*[\w][._\d][^\s@]*$|\((?:at|arroba)\)|\[at\]", re.IGNORECASE
)
"""An address, or the first half of one."""


_TITLES: dict[str, Phrase] = {
    "addresses": (
        "{n:,} email address in {columns} is not used",
        "{n:,} email addresses in {columns} are not used",
    ),
    "formulas": (
        "{n:,} row has formulas without a stored result",
        "{n:,} rows have formulas without a stored result",
    ),
    "gone": (
        "{n:,} row is of somebody who is suspended or gone by {columns}",
        "{n:,} rows are of people who are suspended or gone by {columns}",
    ),
    "hidden": (
        "{n:,} row of the sheet is hidden or filtered out",
        "{n:,} rows of the sheet are hidden or filtered out",
    ),
    "merged": (
        "Merged cells: {n:,} row below the first is blank there",
        "Merged cells: {n:,} rows below the first are blank there",
    ),
    "replaced": (
        "{n:,} row has an email that was replaced by another one",
        "{n:,} rows have an email that was replaced by another one",
    ),
    "text": (
        "{n:,} row has text in place of a person",
        "{n:,} rows have text in place of a person",
    ),
}
_ADVICE: dict[str, Phrase] = {
    "addresses": "These people are not invited. Change the columns if they should be.",
    "formulas": "Open the workbook in a spreadsheet program, save it and replace the file, or fill the cells in here.",
    "gone": "It says {words}. They would be invited like the others.",
    "hidden": "They are read like the others. Remove them here if they should not be invited.",
    "merged": "Only the first row has what stands in {columns}. Fill in the others.",
    "replaced": "Each says by which one. Inviting the old address makes a second person of them.",
    "text": "Such as {words}. They hold back only themselves.",
}


def title(notice: Notice, rows: int) -> str:
    """What a notice says. rows: how many it is about now."""
    said = {"code": notice.code, "n": rows, "columns": list_names(notice.columns)}
    return phrases.describe(_TITLES, said)


def advice(notice: Notice) -> str:
    """What to do about it."""
    words, columns = list_names(notice.words), list_names(notice.columns)
    return phrases.describe(_ADVICE, {"code": notice.code, "words": words, "columns": columns})

"""What a person should know of a file before anything is sent: found here, kept as codes, and worded here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.core.files.columns import Places
from webapp.core.files.extract import Cells, find_ignored
from webapp.core.files.fields import Field
from webapp.core.files.statuses import find_people_gone
from webapp.core.files.table import Line, Table
from webapp.core.lists.row_filter import Hint
from webapp.core.text import phrases
from webapp.core.text.formatting import list_names


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know. hint: of the rows that it is about, if these can be shown and removed."""

    code: str
    columns: Sequence[str] = ()
    words: Sequence[str] = ()
    rows: int = 0
    hint: str | None = None


def find_notices(
    table: Table,
    places: Places,
    people: Sequence[Cells],
) -> tuple[list[Notice], Mapping[int, str]]:
    """What a person should know of a file, and the hints of its rows by their numbers. The last hint of a row counts."""
    numbers = {person.line for person in people}
    email = places.of(Field.EMAIL)[0]
    gone, columns, words = find_people_gone(table, find_ignored(table, places))
    found = {
        Hint.HIDDEN: table.sheet.hidden,
        Hint.MERGED: table.sheet.merged,
        Hint.TEXT: [line.number for line in table.lines if _is_text(line, email)],
        Hint.GONE: gone,
    }
    notices = []
    hints: dict[int, str] = {}
    for hint, rows in found.items():
        if here := numbers.intersection(rows):
            hints |= dict.fromkeys(here, hint)
            notices.append(Notice(hint.value, hint=hint))
    if Hint.GONE in hints.values():
        notices[-1] = Notice(Hint.GONE.value, columns, words, hint=Hint.GONE)
    return notices, hints


def _is_text(line: Line, email: int) -> bool:
    """Whether a row has a text where the e-mail should be, and no letters in any other cell: a heading, a footer, a total."""
    text = line.cell(email)
    if not text or re.search("[@＠]", text):
        return False
    others = "".join(line.cells[:email] + line.cells[email + 1 :])
    if any(map(str.isalpha, others)):
        return False
    # without a space it may be the first half of an address
    return " " in text or not re.search(r"[._\d]", text)


_TITLES = {
    "gone": "{n} {n:row is|rows are} of {n:somebody|people} who {n:is|are} suspended or gone by {columns}",
    "hidden": "{n} {n:row|rows} of the sheet {n:is|are} hidden or filtered out",
    "merged": "Merged cells: {n} {n:row|rows} below the first {n:is|are} blank there",
    "replaced": "{n} {n:row has|rows have} an email that was replaced by another one",
    "text": "{n} {n:row has|rows have} text in place of a person",
}
_ADVICE = {
    "gone": "It says {words}. They would be invited like the others.",
    "hidden": "They are read like the others. Remove them here if they should not be invited.",
    "merged": "Only the first row has what stands in such a cell. Fill in the others.",
    "replaced": "Each says by which one. Inviting the old address makes a second person of them.",
    "text": "They hold back only themselves.",
}


def describe(notice: Notice) -> tuple[str, str]:
    """What a notice says, and what to do about it."""
    said = {
        "code": notice.hint or notice.code,
        "n": notice.rows,
        "columns": list_names(notice.columns),
        "words": list_names(notice.words),
    }
    return phrases.describe(_TITLES, said), phrases.describe(_ADVICE, said)

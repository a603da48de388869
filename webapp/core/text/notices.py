"""What a person should know of a file before anything is sent: found here, kept as codes, and worded here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.core.files.columns import Places, name_of
from webapp.core.files.extract import Cells, find_ignored
from webapp.core.files.fields import Field, is_address
from webapp.core.files.statuses import find_people_gone
from webapp.core.files.table import Line, Table
from webapp.core.lists.row_filter import Hint
from webapp.core.text import phrases
from webapp.core.text.formatting import list_names

_EXAMPLES = 2
_LONGEST = 100
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
    table: Table,
    places: Places,
    people: Sequence[Cells],
) -> tuple[list[Notice], Mapping[int, str]]:
    """What a person should know of a file, and the hints of its rows by their numbers. The last hint of a row counts."""
    numbers = [person.line for person in people]
    email = places.of(Field.EMAIL)[0]
    texts = [line.number for line in table.lines if _is_text(line, email)]
    wordy = set(texts)
    examples = [person.email[:_LONGEST] for person in people if person.line in wordy]
    ignored = find_ignored(table, places)
    gone, gone_columns, gone_words = find_people_gone(table, ignored)
    found = [
        (Hint.HIDDEN, table.sheet.hidden, (), ()),
        (Hint.MERGED, table.sheet.merged, (), ()),
        (Hint.TEXT, texts, (), examples[:_EXAMPLES]),
        (Hint.GONE, gone, gone_columns, gone_words),
    ]
    notices = []
    hints: dict[int, str] = {}
    for hint, rows, columns, words in found:
        if here := set(rows).intersection(numbers):
            hints.update(dict.fromkeys(here, hint))
            notices.append(Notice(hint.value, columns, words, hint=hint))
    unused = []
    addresses = 0
    for place in ignored:
        cells = [line.cell(place) for line in table.lines]
        n = sum(map(is_address, cells))
        if n:
            unused.append(name_of(table.header, place))
            addresses += n
    if unused:
        notices.append(Notice("addresses", unused, rows=addresses))
    return notices, hints


def _is_text(line: Line, email: int) -> bool:
    """Whether a row has a text where the e-mail should be, and no letters in any other cell: a heading, a footer, a total."""
    text = line.cell(email)
    before = line.cells[:email]
    after = line.cells[email + 1 :]
    others = "".join([*before, *after])
    if not text or any(letter.isalpha() for letter in others):
        return False
    may_be_name = " " not in text and re.search(r"[._\d]", text)  # the first half of an address
    return not may_be_name and not re.search("[@＠]", text)


_TITLES = {
    "addresses": "{n} email {n:address|addresses} in {columns} {n:is|are} not used",
    "gone": "{n} {n:row is|rows are} of {n:somebody|people} who {n:is|are} suspended or gone by {columns}",
    "hidden": "{n} {n:row|rows} of the sheet {n:is|are} hidden or filtered out",
    "merged": "Merged cells: {n} {n:row|rows} below the first {n:is|are} blank there",
    "replaced": "{n} {n:row has|rows have} an email that was replaced by another one",
    "text": "{n} {n:row has|rows have} text in place of a person",
}
_ADVICE = {
    "addresses": "These people are not invited. Change the columns if they should be.",
    "gone": "It says {words}. They would be invited like the others.",
    "hidden": "They are read like the others. Remove them here if they should not be invited.",
    "merged": "Only the first row has what stands in such a cell. Fill in the others.",
    "replaced": "Each says by which one. Inviting the old address makes a second person of them.",
    "text": "Such as {words}. They hold back only themselves.",
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

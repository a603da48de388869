"""Reading a file for a test, as an upload does."""

from __future__ import annotations

from webapp.core.files.source_file import choose_sheet, open_file, open_pasted
from webapp.core.files.table import Table


def read(data: bytes, *, sheet: str | None = None, header_row: int | None = None) -> Table:
    """The table of a file. Raises UnreadableFileError."""
    return choose_sheet(open_file(data), sheet).table(header_row)


def read_pasted(text: str) -> Table:
    """The table of a pasted text. Raises UnreadableFileError."""
    [sheet] = open_pasted(text)
    return sheet.table()


def fact(table: Table, code: str) -> dict[str, object]:
    """How it was written: the fact of this code, {} if there is none."""
    return next((dict(each) for each in table.sheet.facts if each["code"] == code), {})

"""Reading a file for a test, as an upload does."""

from __future__ import annotations

from webapp.core.files.source_file import open_file
from webapp.core.files.table import Table


def read(data: bytes, filename: str, *, sheet: str | None = None, header_row: int | None = None) -> Table:
    """The table of a file. Raises UnreadableFileError."""
    return open_file(data, filename).table(sheet, header_row)

"""Opens an uploaded file or a pasted text, or says in a sentence why not.

The content, never the name, decides what a file is. Whatever the format, the answer is the same `Table`; what its columns
mean is decided in `columns`. Rules: docs/rules.md: The file.
"""

from collections.abc import Sequence

from webapp.core.files import (
    csv_reader,
    errors,
    text_encoding,
    workbook,
)
from webapp.core.files.address_lists import people_in
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.table import Sheet, find_known_header, make_sheet
from webapp.core.text.phrases import CodedText


def open_file(data: bytes) -> list[Sheet]:
    """The sheets of a file as it was uploaded: one without a name for a text.

    Raises UnreadableFileError, and nothing else whatever the bytes are.
    """
    if not data:
        raise errors.empty()
    if workbook.is_container(data):
        return _open_workbook(data)
    text, encoding = text_encoding.decode(data)
    return [_read_text(text, {"code": "encoding", "encoding": encoding})]


def open_pasted(text: str) -> list[Sheet]:
    """The same for what was copied from a spreadsheet: cells with tabs between them; CSV does as well.

    Where no column name is recognised there is no header: `guess_columns` then tells the columns by their content.
    """
    text = text.replace("\0", "").lstrip("\ufeff")
    return [_read_text(text, {"code": "pasted"}, is_pasted=True)]


def choose_sheet(
    sheets: Sequence[Sheet],
    name: str | None = None,
) -> Sheet:
    """The sheet of this name; None: the one with the most known column names, else the first. Raises UnreadableFileError."""
    if name is None:
        return max(sheets, key=lambda sheet: find_known_header(sheet.head)[1])
    for sheet in sheets:
        if sheet.name == name:
            return sheet
    raise UnreadableFileError(
        "The sheet that was chosen is not in this workbook, or holds nothing.",
        "Choose another one.",
    )


def _read_text(
    text: str,
    origin: CodedText,
    *,
    is_pasted: bool = False,
) -> Sheet:
    text, delimiter = csv_reader.remove_sep_line(text)
    people = people_in(text)
    if people:
        facts = [origin, {"code": "address_list", "n": len(people)}]
        lines = [[person] for person in people]
        return make_sheet(enumerate(lines, start=1), facts, is_pasted=is_pasted)
    if is_pasted and "\t" in text.lstrip("\r\n").partition("\n")[0]:
        delimiter = "\t"
    delimiter = delimiter or csv_reader.find_delimiter(text)
    records = csv_reader.unwrap_rows(csv_reader.read_records(text, delimiter))
    facts = [{"code": "separated", "separation": delimiter}, origin]
    return make_sheet(records, facts, is_pasted=is_pasted)


def _open_workbook(data: bytes) -> list[Sheet]:
    found = workbook.read_workbook(data)
    sheets = []
    names = [sheet["name"] for sheet in found["sheets"]]
    for sheet in found["sheets"]:
        name = sheet["name"]
        others = [other for other in names if other != name]
        facts: list[CodedText] = []
        facts.append({"code": "workbook", "format": found["program"], "sheets": [name]})
        if others:
            facts.append({"code": "sheets_unread", "n": len(others), "sheets": others})
        records = csv_reader.unwrap_rows(iter(sheet.pop("records")))
        sheets.append(make_sheet(records, facts, **sheet))
    if not sheets:
        raise errors.empty()
    return sheets

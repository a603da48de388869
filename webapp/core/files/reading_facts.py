"""How a file was read, in words for the page's banner."""

from collections.abc import Sequence

from webapp.core.files.columns import Mapping, join_with_and, list_names, name_of
from webapp.core.files.extract import Extract
from webapp.core.files.table import Table
from webapp.core.text.formatting import plural

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_MOST_RANGES = 6


def describe_reading(table: Table, mapping: Mapping, extract: Extract) -> list[str]:
    """Phrases to be joined by commas."""
    return [*_describe_form(table), *_describe_header(table, mapping), *_describe_rows(table, extract)]


def _describe_form(table: Table) -> list[str]:
    if table.sheet is not None:
        return _describe_sheet(table)
    if table.is_list:
        people = f"a list of {plural(len(table.lines), 'address', 'addresses')}, each one person"
        return [table.encoding or "pasted", people]
    separation = _name_separation(table.delimiter)
    if table.header_delimiter:
        separation = f"{separation} rows below {_name_separation(table.header_delimiter)} column names"
    return [separation, table.encoding] if table.encoding else ["pasted", separation]


def _describe_sheet(table: Table) -> list[str]:
    facts = [f"{table.format} workbook, sheet {list_names([table.sheet or ''])}"]
    if table.delimiter:
        facts.append(f"lines of text split, {_name_separation(table.delimiter)}")
    if table.header_delimiter:
        facts.append(f"column names split, {_name_separation(table.header_delimiter)}")
    if others := table.other_sheets:
        facts.append(f"{'sheet' if len(others) == 1 else 'sheets'} {list_names(others)} not read")
    return facts


def _name_separation(delimiter: str) -> str:
    name = _SEPARATORS.get(delimiter)
    return f"{name}-separated" if name else f"separated by “{delimiter}”"


def _describe_header(table: Table, mapping: Mapping) -> list[str]:
    facts = []
    if table.header_row == 0:
        facts.append("no header row")
    elif table.header_row > 1:
        facts.append(f"header found in row {table.header_row}")
    if table.trimmed:
        facts.append(f"{plural(table.trimmed, 'cell')} trimmed")
    groups = [name_of(table.header, place) for place in mapping.places.groups]
    if len(groups) > 1:
        facts.append(f"columns {list_names(groups)} joined as groups")
    if members := [name_of(table.header, place) for place in mapping.places.members]:
        facts.append(f"{_columns(members)} {list_names(members)} read as ticks for groups")
    if mapping.ignored:
        facts.append(f"{_columns(mapping.ignored)} {list_names(mapping.ignored)} ignored")
    return facts


def _columns(names: Sequence[str]) -> str:
    return "column" if len(names) == 1 else "columns"


def _describe_rows(table: Table, extract: Extract) -> list[str]:
    facts = []
    if extract.overflowed:
        facts.append(f"extra cells of {plural(extract.overflowed, 'row')} were read as groups")
    if extract.unnamed:
        facts.append(f"cells without a column name ignored in {plural(extract.unnamed, 'row')}")
    if extract.errors:
        facts.append(f"{plural(extract.errors, 'cell')} with an error of the spreadsheet, such as #N/A")
    if extract.controls:
        facts.append(f"{plural(extract.controls, 'cell')} with control characters")
    if n := len(extract.prefilled):
        where = f"{'row' if n == 1 else 'rows'} {_list_numbers(extract.prefilled)}"
        facts.append(f"{plural(n, 'row')} without an email below the last person skipped ({where})")
    if table.blank:
        facts.append(f"{plural(table.blank, 'blank row')} skipped")
    if extract.examples:
        facts.append(f"{plural(len(extract.examples), 'example row')} from the template left out")
    return facts


def _list_numbers(numbers: Sequence[int]) -> str:
    """2 to 4, 7 and 9; of many ranges only the first."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    names = [" to ".join(map(str, each)) for each in ranges[:_MOST_RANGES]]
    if len(ranges) > _MOST_RANGES:
        names.append("others")
    return join_with_and(names)

"""How a file was read, as codes with parameters; `core.text.batch_phrases.describe_reading` words them."""

from collections.abc import Sequence
from typing import Any

from webapp.core.files.columns import Mapping, name_of
from webapp.core.files.extract import Extract
from webapp.core.files.table import Table
from webapp.core.text.phrases import CodedText


def find_reading_facts(table: Table, mapping: Mapping, extract: Extract) -> list[CodedText]:
    """What a person may want to know of it."""
    groups = [name_of(table.header, place) for place in mapping.places.groups]
    members = [name_of(table.header, place) for place in mapping.places.members]
    return [
        *_describe_form(table),
        *_describe_header_row(table.header_row),
        *_count("trimmed", table.trimmed),
        *_name_columns("joined", groups if len(groups) > 1 else []),
        *_name_columns("ticks", members),
        *_name_columns("ignored", mapping.ignored),
        *_count("overflowed", extract.overflowed),
        *_count("unnamed", extract.unnamed),
        *_count("errors", extract.errors),
        *_count("control_characters", extract.controls),
        *_count("prefilled", len(extract.prefilled), rows=list(extract.prefilled)),
        *_count("blank", table.blank),
        *_count("examples", len(extract.examples)),
    ]


def _count(code: str, n: int, **params: Any) -> list[CodedText]:
    return [{"code": code, "n": n, **params}] if n else []


def _name_columns(code: str, names: Sequence[str]) -> list[CodedText]:
    return _count(code, len(names), columns=list(names))


def _describe_header_row(number: int) -> list[CodedText]:
    if number == 0:
        return [{"code": "no_header"}]
    return [{"code": "header_row", "row": number}] if number > 1 else []


def _describe_form(table: Table) -> list[CodedText]:
    if table.sheet is not None:
        return _describe_sheet(table, table.sheet)
    encoding: CodedText = (
        {"code": "encoding", "encoding": table.encoding} if table.encoding else {"code": "pasted"}
    )
    if table.is_list:
        return [encoding, {"code": "address_list", "n": len(table.lines)}]
    separated: CodedText = {"code": "separated", "separation": table.delimiter}
    if table.header_delimiter:
        separated = {
            "code": "separated_below",
            "separation": table.delimiter,
            "header": table.header_delimiter,
        }
    return [separated, encoding] if table.encoding else [encoding, separated]


def _describe_sheet(table: Table, sheet: str) -> list[CodedText]:
    facts: list[CodedText] = [{"code": "workbook", "format": table.format, "sheets": [sheet]}]
    if table.delimiter:
        facts.append({"code": "lines_split", "separation": table.delimiter})
    if table.header_delimiter:
        facts.append({"code": "columns_split", "separation": table.header_delimiter})
    return [
        *facts,
        *_count("sheets_unread", len(table.other_sheets), sheets=list(table.other_sheets)),
    ]

"""The parts of an Excel workbook: what calamine does not tell of its sheets, and sheets as calamine reads them rightly.

Runs in the sandbox only.
"""

import html
import itertools
import re

MOST_LINKS = 100_000

Formats = dict[bytes, tuple[str, int, str]]
"""By the number of a cell format: what stands before a number, how many digits it has at least, what stands behind."""

_SHEET = re.compile(rb"<(?:\w+:)?sheet\s([^<>]*)>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s([^<>]*)>")
_LINK = re.compile(rb"<(?:\w+:)?hyperlink\s([^<>]*)>")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})(?::.*)?")
_HIDDEN_ROW = re.compile(
    rb"""<(?:\w+:)?row\s(?=[^<>]*?\shidden=["'](?:1|true)["'])[^<>]*?\br=["'](\d{1,7})["']"""
)
_ATTRIBUTE = re.compile(rb"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def read_attributes(tag: bytes) -> dict[str, str]:
    """The attributes of a tag, without the prefixes of their names."""
    found = _ATTRIBUTE.findall(tag)
    return {
        name.decode().rpartition(":")[2].lower(): html.unescape((one or other).decode())
        for name, one, other in found
    }


def find_hidden_rows(sheet: bytes) -> list[int]:
    """The numbers of the rows that the sheet or its filter hides."""
    return [int(row[1]) for row in _HIDDEN_ROW.finditer(sheet)]


def read_mail_links(name: str, contents: dict[str, bytes]) -> list[tuple[int, int, str]]:
    """The cells of a sheet that link to an e-mail address: (row, column, address)."""
    targets = {}
    for relation_id, target in _read_relations(name, contents).items():
        if target.lower().startswith("mailto:"):
            targets[relation_id] = target[len("mailto:") :].partition("?")[0]
    if not targets:
        return []
    found = []
    for tag in itertools.islice(_LINK.findall(contents[name]), MOST_LINKS):
        about = read_attributes(tag)
        cell = _CELL.fullmatch(about.get("ref", ""))
        if cell and about.get("id") in targets:
            found.append((int(cell[2]), _column_number(cell[1]), targets[about["id"]]))
    return found


def _column_number(letters: str) -> int:
    """The column of a cell, from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def read_sheet_names(contents: dict[str, bytes]) -> dict[str, str]:
    """The names of a workbook's sheets, by their parts."""
    book = next((name for name in contents if name.lower().endswith("workbook.xml")), None)
    if book is None:
        return {}
    folder = book.rpartition("/")[0]
    relations = _read_relations(book, contents)
    names = {}
    for tag in _SHEET.findall(contents[book]):
        about = read_attributes(tag)
        target = relations.get(about.get("id", ""))
        if target and "name" in about:
            path = target if target.startswith("/") else f"{folder}/{target}"
            names[path.lstrip("/")] = about["name"]
    return names


def _read_relations(name: str, contents: dict[str, bytes]) -> dict[str, str]:
    """What a part refers to: targets by their ids."""
    folder, _, file = name.rpartition("/")
    relations = contents.get(f"{folder}/_rels/{file}.rels".lstrip("/"), b"")
    tags = [read_attributes(tag) for tag in _RELATION.findall(relations)]
    return {about.get("id", ""): about.get("target", "") for about in tags}


_DIMENSION = re.compile(rb"<((?:\w+:)?dimension)\b[^<>]*(?:/>|>\s*</\1>)")
_ERROR = re.compile(rb"""(<(?:\w+:)?c\s(?:[^<>]*?\s)?t=)(["'])e\2""")


def prepare_sheet(part: bytes, formats: Formats) -> bytes:
    """A sheet without the size that it claims to have, and with its errors (#N/A) as text: calamine drops them.

    Formulas without a stored result are shown as they are, and numbers as their formats show them, as far as those are simple.
    """
    part = _ERROR.sub(rb"\1\2str\2", _DIMENSION.sub(b"", part))
    if b"<f" in part or b":f" in part:
        part = _FORMULA.sub(_show_formula, part)
    return _NUMBER.sub(lambda cell: _show_number(cell, formats), part) if formats else part


_FORMULA = re.compile(
    rb"<((?:\w+:)?)c(\s[^<>]*)>\s*<\1f\b(?:[^<>]*/>|[^<>]*>([^<]*)</\1f>)\s*(?:<\1v\s*/>|<\1v>\s*</\1v>)?\s*</\1c>"
)
_TYPE = re.compile(rb"""\st=["'](\w+)["']""")


def _show_formula(cell: re.Match[bytes]) -> bytes:
    """A cell whose formula has no stored result: the formula as text. A stored text may be empty, and then that is the result."""
    prefix, attributes, formula = cell[1], cell[2], cell[3] or b"?"
    kind = _TYPE.search(attributes)
    if kind and kind[1] == b"str":
        return cell[0]
    attributes = _TYPE.sub(b"", attributes)
    return b'<%bc%b t="str"><%bv>=%b</%bv></%bc>' % (
        prefix,
        attributes,
        prefix,
        formula,
        prefix,
        prefix,
    )


_NUMBER = re.compile(
    rb"""<((?:\w+:)?)c(\s[^<>]*?\bs=["'](\d{1,5})["'][^<>]*)>\s*<\1v>(\d{1,15})</\1v>\s*</\1c>"""
)


def _show_number(cell: re.Match[bytes], formats: Formats) -> bytes:
    """A whole number as the cell shows it: 007, Year 7."""
    prefix, attributes, style, digits = cell[1], cell[2], cell[3], cell[4]
    kind = _TYPE.search(attributes)
    if style not in formats or (kind and kind[1] != b"n"):
        return cell[0]
    before, width, after = formats[style]
    text = html.escape(f"{before}{digits.decode().zfill(width)}{after}").encode()
    attributes = _TYPE.sub(b"", attributes)
    return b'<%bc%b t="str"><%bv>%b</%bv></%bc>' % (
        prefix,
        attributes,
        prefix,
        text,
        prefix,
        prefix,
    )


_FORMAT = re.compile(rb"<(?:\w+:)?numFmt\s([^<>]*)>")
_CELL_FORMATS = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_CELL_FORMAT = re.compile(rb"<(?:\w+:)?xf\s([^<>]*)>")
_LITERAL = r'(?:"[^"]*"|\\.|[ \-_()])*'
_SIMPLE = re.compile(rf"({_LITERAL})(0+)({_LITERAL})(?:;.*)?")


def read_formats(styles: bytes) -> Formats:
    """The formats of whole numbers with letters or leading zeros."""
    simple = {}
    for tag in _FORMAT.findall(styles):
        about = read_attributes(tag)
        found = _SIMPLE.fullmatch(about.get("formatcode", ""))
        if found and about["formatcode"] != "0":
            simple[about.get("numfmtid")] = (
                _read_literal(found[1]),
                len(found[2]),
                _read_literal(found[3]),
            )
    cell_formats = _CELL_FORMATS.search(styles)
    kinds = (
        read_attributes(tag).get("numfmtid")
        for tag in _CELL_FORMAT.findall(cell_formats[0] if cell_formats else b"")
    )
    return {str(place).encode(): simple[kind] for place, kind in enumerate(kinds) if kind in simple}


def _read_literal(text: str) -> str:
    return re.sub(r"\\(.)|\"|_.", lambda found: found[1] or "", text)

"""The content of an OpenDocument workbook: hidden rows, and sheets as calamine reads them rightly. Runs in the sandbox only."""

import re

from webapp.core.files.workbook_excel import read_attributes

MOST_HIDDEN = 1000

_BETWEEN = re.compile(rb">\s+(?=</?table:)|<!--.*?-->", re.DOTALL)
_BREAK = re.compile(rb"<text:(line-break|tab)\b[^<>]*(?:/>|>\s*</text:\1>)")
_ERROR_CELL = re.compile(
    rb"""<table:(?:covered-)?table-cell\s[^<]*?\bcalcext:value-type=(["'])error\1"""
)
_VALUE = re.compile(
    rb"""\soffice:(?:string-)?value=(?:"[^"]*"|'[^']*')|\soffice:value-type=(?:"[^"]*"|'[^']*')"""
)


_SHAPE_TAG = re.compile(
    rb"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<ends>/?)draw:(?:[^<>"']|"[^"]*"|'[^']*')*>""",
    re.DOTALL,
)
"""The beginning or the end of a drawn shape; or what may hold the letters of one and is none."""


def _drop_shapes(part: bytes) -> bytes:
    """The same without drawn shapes and all that is within them; one look at each tag, however deep they are."""
    kept, depth, here = [], 0, 0
    for tag in _SHAPE_TAG.finditer(part):
        if tag["ends"] is None:  # a comment
            continue
        if depth == 0:
            kept.append(part[here : tag.start()])
        if tag["ends"]:
            depth -= 1
        elif not tag[0].endswith(b"/>"):
            depth += 1
        if depth == 0:
            here = tag.end()
    return b"".join(kept) + part[here:]


def prepare_content(part: bytes) -> bytes:
    """The sheets with their errors as text, with the tabs and line breaks within paragraphs, and without white space
    or comments between cells: calamine reads an error as "" or 0, drops the tabs and breaks, and stumbles over those.
    Without drawn shapes too, whose text it takes for that of the cell where they begin."""
    part = _drop_shapes(part)
    part = _BETWEEN.sub(lambda found: b">" if found[0].startswith(b">") else b"", part)
    part = _BREAK.sub(lambda found: b"\t" if found[1] == b"tab" else b"\n", part)
    part = _FORMULA.sub(_show_formula, part)
    part = _NUMBER.sub(_show_number, part)
    return _ERROR_CELL.sub(
        lambda cell: _VALUE.sub(b"", cell[0]) + b' office:value-type="string"', part
    )


_FORMULA = re.compile(
    rb"""<table:table-cell(\s[^<>]*?table:formula=(?:"(?:of:)?([^"]*)"|'(?:of:)?([^']*)')[^<>]*?)(?:/>|></table:table-cell>)"""
)


def _show_formula(cell: re.Match[bytes]) -> bytes:
    """The same in an OpenDocument: a formula without a stored result as text."""
    if b"office:value-type" in cell[1]:
        return cell[0]
    formula = cell[2] or cell[3]
    return (
        b'<table:table-cell%b office:value-type="string"><text:p>%b</text:p></table:table-cell>'
        % (cell[1], formula)
    )


_NUMBER = re.compile(
    rb"""(<table:table-cell\s[^<>]*?office:value=(["'])(\d{1,15})\2[^<>]*>)<text:p>([^<>]*)</text:p></table:table-cell>"""
)
_FLOAT = re.compile(rb"""office:value-type=(["'])float\1""")


def _show_number(cell: re.Match[bytes]) -> bytes:
    """A whole number as the cell shows it, where that is the number with zeros before it or words around it."""
    beginning, digits, shown = cell[1], cell[3], cell[4]
    if (
        shown == digits
        or not _FLOAT.search(beginning)
        or not re.fullmatch(rb"\D*0*%b\D*" % digits, shown)
    ):
        return cell[0]
    beginning = _VALUE.sub(b"", beginning)[:-1] + b' office:value-type="string">'
    return b"%b<text:p>%b</text:p></table:table-cell>" % (beginning, shown)


_TABLE_OR_ROW = re.compile(rb"<table:(table-row|table)(?=[\s/>])([^<>]*)>")


def find_hidden_rows(part: bytes) -> dict[str, list[int]]:
    """The numbers of hidden and filtered rows, by the name of their sheet."""
    hidden: dict[str, list[int]] = {}
    rows: list[int] = []
    number = 0
    for tag in _TABLE_OR_ROW.finditer(part):
        about = read_attributes(tag[2])
        if tag[1] == b"table":
            rows = hidden.setdefault(about.get("name", ""), [])
            number = 0
            continue
        repeated = int(about.get("number-rows-repeated", "1")[:7])
        if about.get("visibility") in ("collapse", "filter"):
            rows += range(number + 1, number + 1 + min(repeated, MOST_HIDDEN))
        number += repeated
    return hidden

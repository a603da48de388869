"""Cleans a cell: trims invisible characters and undoes formula escaping."""

import re
from unicodedata import category

LONGEST_CELL = 2000
"""Characters in a cell; no e-mail or list of groups comes near. A file may hold more: then the cell is in error."""
CLIPPED = 200
"""Characters that a page shows of a cell that is too long."""

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
"""A spreadsheet takes a cell that begins so for a formula. Downloads put a ' before it; `clean` drops it."""

# Where Excel separates by semicolons it splits our cells at theirs, and at line breaks: what follows must be no formula either.
_BEFORE_FORMULA = re.compile(r"""(?<![;|\s"'])[;|\s"']++(?=[=+\-@＝＋－＠])""")
"""Separators, spaces and quotes within a cell that a formula follows; each run of them is looked at once."""
_SEPARATOR = re.compile(r"[;|\t\r\n]")
_ESCAPED_SEPARATOR = re.compile(r"([;|\t\r\n])'")

# What is invisible at the edge of a cell: all white space (with no-break spaces), control characters, the
# zero-width ones, and the marks of direction that come along when an address is copied from a dialog.
_EDGES = "\ufeff" + "".join(
    character for character in map(chr, range(0x3001)) if category(character)[0] in "CZ"
)
_FORMULA_STARTS = tuple(FORMULA_STARTS)


def clean(cell: str) -> str:
    """A cell without what is invisible at its edges, and without one ' before what looks like a formula."""
    cell = cell.strip(_EDGES)
    if "'" not in cell:
        return cell
    if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS):
        cell = cell[1:].strip(_EDGES)
    return _BEFORE_FORMULA.sub(lambda run: _ESCAPED_SEPARATOR.sub(r"\1", run[0]), cell)


def escape(cell: str) -> str:
    """A cell with a ' in front where a spreadsheet would take it, or what follows a separator in it, for a formula.

    One that has a ' there already gets another, because reading drops one (OWASP: CSV Injection).
    """
    if cell.lstrip("'").startswith(_FORMULA_STARTS):
        cell = "'" + cell
    return _BEFORE_FORMULA.sub(lambda run: _SEPARATOR.sub(r"\g<0>'", run[0]), cell)


def clip(cell: str, longest: int = LONGEST_CELL) -> str:
    """A cell as a page shows it: of one that is too long only the beginning."""
    return cell if len(cell) <= longest else f"{cell[:CLIPPED]}…"

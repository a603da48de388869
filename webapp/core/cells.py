"""A cell of somebody's file, as everything else of Muster sees it: without what is invisible, and what is an escape."""

LONGEST_CELL = 2000
"""Characters in a cell; no e-mail or list of groups comes near. A file may hold more: then the cell is in error."""
CLIPPED = 200
"""Characters that a page shows of a cell that is too long."""

FORMULA_STARTS = "=+-@\t\r"
"""A spreadsheet takes a cell that begins so for a formula. Downloads put a ' before it; `clean` drops it."""


# What is invisible at the edge of a cell: all white space (with no-break spaces), control characters, the
# zero-width ones, and the marks of direction that come along when an address is copied from a dialog.
_EDGES = "".join(
    character
    for character in map(chr, range(0x3001))
    if character.isspace()
    or character < " "
    or character in "\x7f\xad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064"
    or "\u202a" <= character <= "\u202e"
    or "\u2066" <= character <= "\u2069"
) + "\ufeff"  # fmt: skip
_FORMULA_STARTS = tuple(FORMULA_STARTS)


def clean(cell: str) -> str:
    """A cell without what is invisible at its edges, and without one ' before what looks like a formula."""
    cell = cell.strip(_EDGES)
    if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS):
        cell = cell[1:].strip(_EDGES)
    return cell


def clip(cell: str, longest: int = LONGEST_CELL) -> str:
    """A cell as a page shows it: of one that is too long only the beginning."""
    return cell if len(cell) <= longest else f"{cell[:CLIPPED]}…"


class Cleaned(dict[str, str]):
    """`cleaned[cell]` is `clean(cell)`. The first different cells are remembered: roles and groups repeat, and are kept once."""

    def __missing__(self, cell: str) -> str:
        found = clean(cell)
        if len(self) < _REMEMBERED:
            self[cell] = found
        return found


_REMEMBERED = 4096

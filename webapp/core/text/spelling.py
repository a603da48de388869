"""How words are compared: letters apart, and the plain form of a name."""

from __future__ import annotations

import re
import unicodedata

from rapidfuzz.distance import OSA

_SPELT_OUT = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ø": "oe",
    "å": "aa",
    "æ": "ae",
}
_DASHES = dict.fromkeys("‐‑‒–—―−", "-")
_USUAL = str.maketrans(_SPELT_OUT | _DASHES)


def plain(text: str) -> str:
    """A name in small letters, without accents on Latin letters, in the usual form of each character."""
    text = unicodedata.normalize("NFKC", text)
    text = text.casefold().translate(_USUAL)
    found = ""
    for character in unicodedata.normalize("NFD", text):
        is_accent = unicodedata.combining(character)
        if not is_accent or not "a" <= found[-1:] <= "z":
            found += character
    return unicodedata.normalize("NFC", found)


def letters_apart(a: str, b: str, most: int) -> int:
    """How many letters were added, dropped, changed, or swapped with the next one; `most` + 1 where it is more than `most`."""
    return OSA.distance(a, b, score_cutoff=most)


def by_number(name: str) -> list[tuple[int, str]]:
    """The key by which people sort names: Year 9 before Year 10."""
    pieces = []
    for piece in re.findall(r"[0-9]+|[^0-9]+", plain(name)):
        number = int(piece) if piece.isdecimal() else -1
        pieces.append((number, piece))
    return pieces

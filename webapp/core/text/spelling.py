"""How words are compared: letters apart, the plain form of a name, and text that was encoded twice."""

from __future__ import annotations

import re
import unicodedata

from rapidfuzz.distance import OSA

_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")


def plain(text: str) -> str:
    """A name in small letters, without accents on Latin letters, in the usual form of each character."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_DASHES).translate(_SPELT_OUT)
    found: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        if not (unicodedata.combining(character) and found and "a" <= found[-1] <= "z"):
            found.append(character)
    return unicodedata.normalize("NFC", "".join(found))


def letters_apart(a: str, b: str, most: int) -> int:
    """How many letters were added, dropped, changed, or swapped with the next one; `most` + 1 where it is more than `most`."""
    return OSA.distance(a, b, score_cutoff=most)


def by_number(name: str) -> list[tuple[int, str]]:
    """The place of a name among others, as people sort: Year 9 before Year 10."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", plain(name))
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def decode_again(text: str) -> str | None:
    """What UTF-8 said before it was read as Windows-1252 (“CafÃ©”); None where it was not."""
    try:
        again = text.encode("cp1252").decode()
    except UnicodeError:
        return None
    return again if again != text else None

"""Letters of other alphabets that only look Latin, in addresses."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

_LATIN = {
    ord(other): latin
    for others, latins in (
        ("аԁеԛорсуһхіјѕѵѡӏкмтнвгьп", "adeqopcyhxijsvwlkmthbrbn"),  # Cyrillic
        ("АВЕНІЈКМОРԚЅТУХ", "ABEHIJKMOPQSTYX"),
        ("αοριυνκεητχγωϲϳ", "aopiuvkentxywcj"),  # Greek
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("օսհոյզցո", "ouhnjqgn"),  # Armenian
        ("ɑɡ", "ag"),
    )
    for other, latin in zip(others, latins, strict=True)
}
_ALIKE = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE"})
"""Alphabets with letters that look Latin."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A letter that looks like another one. latin: that one, "" where there is none. fixed: the address with Latin letters."""

    latin: str
    fixed: str | None

    @property
    def sentence(self) -> str:
        return f"Has a letter that only looks like “{self.latin}”." if self.latin else "Mixes the letters of two alphabets."


def look_alike(address: str, known_domains: Collection[str] = ()) -> LookAlike | None:
    """What looks Latin in an address and is not: in a local part or a label that mixes alphabets, or in a whole domain that
    would be a known one. None for an address in one alphabet, whichever."""
    if address.isascii() and "xn--" not in address.lower():
        return None
    local, _, domain = address.rpartition("@")
    labels = [_decoded(label) for label in domain.split(".")]
    would_be_known = ".".join(map(_latin, labels)).lower() in known_domains and not all(map(str.isascii, labels))
    parts = [(local, _is_mixed(local)), *((label, would_be_known or _is_mixed(label)) for label in labels)]
    odd = "".join(part for part, is_odd in parts if is_odd)
    if not odd:
        return None
    seen = next((latin for letter in odd if not letter.isascii() and (latin := _latin(letter)) != letter and latin.isascii()), "")
    fixed_local, *fixed_labels = (_latin(part) if is_odd else part for part, is_odd in parts)
    fixed = f"{fixed_local}@{'.'.join(fixed_labels)}"
    is_whole = all(_latin(part).isascii() for part, is_odd in parts if is_odd)
    return LookAlike(seen, fixed if is_whole else None)


def _is_mixed(part: str) -> bool:
    if unicodedata.normalize("NFKC", part) != unicodedata.normalize("NFC", part):  # full-width letters and the like
        return True
    alphabets = {_alphabet(letter) for letter in part if letter.isalpha()}
    others = alphabets & _ALIKE
    return len(others) > 1 or bool(others and "LATIN" in alphabets)


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _latin(part: str) -> str:
    return unicodedata.normalize("NFKC", part).translate(_LATIN)


def _decoded(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label

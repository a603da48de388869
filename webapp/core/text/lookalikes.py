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
        return (
            f"Has a letter that only looks like “{self.latin}”."
            if self.latin
            else "Mixes the letters of two alphabets."
        )


def look_alike(address: str, known_domains: Collection[str] = ()) -> LookAlike | None:
    """What looks Latin in an address and is not: in a local part or a label that mixes alphabets, or in a whole domain that
    would be a known one. None for an address in one alphabet, whichever."""
    if address.isascii() and "xn--" not in address.lower():
        return None
    local, _, domain = address.rpartition("@")
    labels = [_decode_label(label) for label in domain.split(".")]
    looks_known = ".".join(map(_to_latin, labels)).lower() in known_domains and not all(
        map(str.isascii, labels)
    )
    odd = [label for label in labels if looks_known or _is_mixed(label)]
    if _is_mixed(local):
        odd.insert(0, local)
    if not odd:
        return None
    latin = [
        _to_latin(letter)
        for letter in "".join(odd)
        if not letter.isascii() and _to_latin(letter) != letter
    ]
    seen = next(filter(str.isascii, latin), "")
    if not all(_to_latin(part).isascii() for part in odd):
        return LookAlike(seen, None)
    fixed_local, *fixed_labels = (
        _to_latin(part) if part in odd else part for part in (local, *labels)
    )
    return LookAlike(seen, f"{fixed_local}@{'.'.join(fixed_labels)}")


def _is_mixed(part: str) -> bool:
    # full-width letters and the like
    if unicodedata.normalize("NFKC", part) != unicodedata.normalize("NFC", part):
        return True
    alphabets = {_alphabet(letter) for letter in part if letter.isalpha()}
    others = alphabets & _ALIKE
    return len(others) > 1 or bool(others and "LATIN" in alphabets)


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _to_latin(part: str) -> str:
    return unicodedata.normalize("NFKC", part).translate(_LATIN)


def _decode_label(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label

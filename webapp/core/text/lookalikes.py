"""Letters of other alphabets that only look Latin, in addresses."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

_CYRILLIC = ("аԁеԛорсуһхіјѕѵѡӏкмтнвгьпАВЕНІЈКМОРԚЅТУХ", "adeqopcyhxijsvwlkmthbrbnABEHIJKMOPQSTYX")
_GREEK = ("αοριυνκεητχγωϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aopiuvkentxywcjABEZHIKMNOPTYX")
_LATIN = str.maketrans(*_CYRILLIC) | str.maketrans(*_GREEK)
_ALIKE = {"CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE"}
"""Alphabets with letters that look Latin."""


def look_alike(address: str, known_domains: Collection[str] = ()) -> str | None:
    """The address in Latin letters, if some of its letters only look Latin; "" if it cannot be written so.

    It mixes alphabets in its local part or in a label, or its domain looks like a known one. None for all other addresses.
    """
    if address.isascii():
        return None
    latin = unicodedata.normalize("NFKC", address).translate(_LATIN)
    local, _, domain = address.rpartition("@")
    looks_known = not domain.isascii() and latin.rpartition("@")[2].lower() in known_domains
    if looks_known or any(_is_mixed(part) for part in (local, *domain.split("."))):
        return latin if latin.isascii() else ""
    return None


def _is_mixed(part: str) -> bool:
    # full-width letters and the like
    if unicodedata.normalize("NFKC", part) != unicodedata.normalize("NFC", part):
        return True
    alphabets = {unicodedata.name(letter, "").split(" ")[0] for letter in part if letter.isalpha()}
    others = alphabets & _ALIKE
    return len(others) > 1 or bool(others and "LATIN" in alphabets)

"""Letters of other alphabets that only look Latin, in addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_CYRILLIC = (
    "аԁеԛорсуһхіјѕѵѡӏкмтнвгьпАВЕНІЈКМОРԚЅТУХ",
    "adeqopcyhxijsvwlkmthbrbnABEHIJKMOPQSTYX",
)
_GREEK = (
    "αοριυνκεητχγωϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aopiuvkentxywcjABEZHIKMNOPTYX",
)
_LATIN = str.maketrans(*_CYRILLIC) | str.maketrans(*_GREEK)
_ALIKE = re.compile("[\u0370-\u058f\u13a0-\u13ff\u1f00-\u1fff\u2c80-\u2cff\uab70-\uabbf]")
"""Letters of alphabets some of which look Latin: Greek, Cyrillic, Armenian, Cherokee, Coptic."""


def look_alike(
    address: str,
    known_domains: Collection[str] = (),
) -> str | None:
    """The address in Latin letters, if some of its letters only look Latin; "" if it cannot be written so.

    It mixes alphabets in its local part or in a label, or its domain looks like a known one. None for all other addresses.
    """
    if address.isascii():
        return None
    usual = unicodedata.normalize("NFKC", address)
    latin = usual.translate(_LATIN)
    local, _, domain = address.rpartition("@")
    _, _, latin_domain = latin.rpartition("@")
    looks_known = not domain.isascii() and latin_domain.lower() in known_domains
    parts = domain.split(".")
    parts.append(local)
    if not looks_known and not any(map(_is_mixed, parts)):
        return None
    return latin if latin.isascii() else ""


def _is_mixed(part: str) -> bool:
    usual = unicodedata.normalize("NFKC", part)
    if usual != unicodedata.normalize("NFC", part):
        return True  # full-width letters and the like
    if re.search("[A-Za-z]", part) is None:
        return False
    return _ALIKE.search(part) is not None

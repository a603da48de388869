"""The address that is plainly meant by a cell that holds none, or none if that is not certain."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Sequence
from urllib.parse import unquote

from webapp.core.addresses import INVISIBLE, LONGEST_TEXT, key_of
from webapp.core.files.fields import recognise
from webapp.core.plan.suggestions import nearest_domain

_AT = re.compile(r"\s*[(\[{<]\s*(?:at|ät|@)\s*[)\]}>]\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punkt|point|\.)\s*[)\]}>]\s*", re.IGNORECASE)
_LABEL = re.compile(r"^\W*[^\W\d_][\w.\- ]{0,30}:/*\s*")
"""“E-mail: ”, “https://”."""
_CANDIDATE = re.compile(
    r"""[^\s@<>()\[\]{}"“”„«»,;:|\\/]+@[^\s@<>()\[\]{}"“”„«»,;:|\\/?]+(?:\?\S*)?"""
)
_IN_BRACKETS = re.compile(r"\([^()]*\)|<[^<>]*>|\[[^\[\]]*\]")
_NAMED = re.compile(r"[^<>@]*<[^<>]*>[\s.,;]*")
_EDGES = " \t.,;:'’‘`´?!|/\\"
_LOCAL_EDGES = ".'’"
_MAILBOX = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.IGNORECASE)
_WORDS = re.compile(r"[a-z]+")
_PLACEHOLDER_WORDS = """
    na none null nil nan nothing nobody unknown unbekannt tbc tbd tba todo pending missing fehlt keine kein keiner leer
    blank empty total totals sum summe gesamt subtotal count anzahl average email emails mail mails address adresse name names
    vorname nachname first last user users role rolle group groups gruppe gruppen team teams year years jahr jahrgang klasse
    class room raum page seite sheet blatt row rows zeile part teil section abteilung department version list liste table
    tel phone telefon fax mobile mobil date datum notes note notiz remark www http https example beispiel test
    to be confirmed announced advised decided determined follow follows grand not yet
    ref id no nr num number nummer item xx xxx not known given available applicable csv xls xlsx pdf doc docx txt
    """
_NO_MAILBOX = frozenset(_PLACEHOLDER_WORDS.split())
"""Words that stand where an address should, and are no part of a mailbox's name."""


def repair_address(
    text: str, allowed_domains: Collection[str] = (), known_domains: Sequence[str] = ()
) -> str | None:
    """The address that is plainly meant, however it is dressed up.

    known_domains: the organisation's own, likeliest first; they complete what has no domain, or a broken one.
    """
    if len(text) > LONGEST_TEXT:
        return None
    plain = _undress(text)
    if "@" not in plain:
        return _complete(plain, known_domains)
    found = _find_addresses(plain)
    if len(found) != 1 or not _is_all_there_is(plain):
        return None
    [address] = found
    if not key_of(address, allowed_domains):
        local, _, domain = address.rpartition("@")
        nearby = nearest_domain(domain, known_domains)
        if not nearby or not local or is_placeholder(local):
            return None
        address = f"{local}@{nearby}"
    return address if address != text and key_of(address, allowed_domains) else None


def _undress(text: str) -> str:
    """The text with plain characters in place of entities, %-forms, (at), full-width letters and the like."""
    text = unicodedata.normalize("NFKC", html.unescape(text)).translate(INVISIBLE)
    if "%40" in text:
        text = unquote(text)
    text = _DOT.sub(".", _AT.sub("@", text))
    text = re.sub(r"mailto:|smtp:", " ", text, flags=re.IGNORECASE)
    text = _LABEL.sub("", text)
    return re.sub(r"\s*@[\s@]*", "@", text).strip()


def _find_addresses(text: str) -> Collection[str]:
    """What looks like an address, without repeats."""
    found = {}
    for candidate in _CANDIDATE.findall(text):
        local, _, domain = candidate.partition("?")[0].strip(_EDGES).rpartition("@")
        domain = re.sub(r"\.{2,}", ".", domain)
        address = f"{local.strip(_LOCAL_EDGES)}@{domain}"
        found[address.lower()] = address
    return found.values()


def _is_all_there_is(text: str) -> bool:
    """Whether the text holds nothing but the address and perhaps a name, so that it is clear who is meant."""
    if _NAMED.fullmatch(text):
        return True
    rest = _IN_BRACKETS.sub(" ", text)
    rest = _CANDIDATE.sub("", rest)
    return not any(map(str.isalnum, rest)) and "/" not in rest.strip(_EDGES)


def _complete(text: str, known_domains: Sequence[str]) -> str | None:
    """A mailbox's name at the first domain of the organisation."""
    if not known_domains or text.lower().endswith(tuple(known_domains)):
        return None
    if not _MAILBOX.fullmatch(text) or is_placeholder(text) or recognise(text):
        return None
    has_a_word = any(len(word) > 1 for word in _WORDS.findall(text.lower()))
    is_one_word = text.isalpha()  # a heading or a mailbox: nobody knows
    return f"{text}@{known_domains[0]}" if has_a_word and not is_one_word else None


def is_placeholder(local: str) -> bool:
    """Whether the cell holds only placeholder words such as "n/a" or "TBC"."""
    words = _WORDS.findall(local.lower())
    return bool(words) and all(word in _NO_MAILBOX for word in words)

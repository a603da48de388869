"""E-mail addresses: how one is judged, and the key by which two are the same person (docs/rules.md, "Rules for a row")."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")
_SEVERAL = re.compile(r"[^\s@,;|/<>]+@[^\s@,;|/<>]+")
_ENCODED = "=?"
"""How an encoded word begins (RFC 2047). Mail programs decode it, and would read another address, or two."""
LONGEST_TEXT = 1000
"""Characters that are looked at at all, a name beside the address included."""
LONGEST_NAME = 200
"""Characters in a person's name."""
MAX_LENGTH = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets."""


class InvalidAddressError(ValueError):
    """Not an address. code: why; `core.text.row_phrases` words it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Address(NamedTuple):
    """display: as typed. key: one per person. domain: ASCII, lower case."""

    display: str
    key: str
    domain: str

    @property
    def deliverable(self) -> str:
        """What is handed to the mail server: the local part as typed, the domain in ASCII."""
        return f"{self.display.rpartition('@')[0]}@{self.domain}"


def parse(text: str, allowed_domains: Collection[str] = ()) -> Address:
    """Judge one address, without DNS. `Name <mail>` is read as mail.

    allowed_domains: ASCII domains that pass without the check of the domain (an intranet's `.local`).
    Raises InvalidAddressError.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidAddressError("email_long")
    named = _NAMED.fullmatch(text)
    address = named[2].strip() if named else text
    local, domain = _split(address, text)
    ascii_domain = domain.lower()
    if not domain.isascii() or ascii_domain not in allowed_domains:
        ascii_domain, problem = _check_domain(ascii_domain)
        if problem:
            raise InvalidAddressError(problem)
    if not (_PLAIN_LOCAL.fullmatch(local) and len(local) <= 64):
        local = _check_local(local)
    key = f"{unicodedata.normalize('NFC', local).casefold()}@{ascii_domain}"
    if max(len(local) + 1 + len(ascii_domain), len(key)) > MAX_LENGTH:
        raise InvalidAddressError("email_long")
    return Address(address, key, ascii_domain)


def _split(address: str, text: str) -> tuple[str, str]:
    """The local part and the domain. text: the whole cell. Raises InvalidAddressError."""
    if not address:
        raise InvalidAddressError("email_missing")
    local, at, domain = address.rpartition("@")
    if not at:
        raise InvalidAddressError("email_without_at")
    if "@" in local and len(_SEVERAL.findall(text)) > 1:
        raise InvalidAddressError("email_several")
    if address.count("@") == 2:
        raise InvalidAddressError("email_two_ats")
    is_quoted_wrongly = local.startswith("'") or "@" in local.strip('"')
    if not local or not domain or " " in address or is_quoted_wrongly or _ENCODED in local:
        raise InvalidAddressError("email_invalid")
    return local, domain


def split_name(text: str) -> tuple[str, str]:
    """The address and the name beside it: `Erin Bar <erin@x.org>` -> ("erin@x.org", "Erin Bar"). No name: the text and ""."""
    if named := _NAMED.fullmatch(text):
        name = named[1].strip(" '\"")
        address = named[2].strip()
        if name and address and "@" not in name:
            return address, name
    return text, ""


def keep_name(name: str, email: str) -> str:
    """A person's name as it is kept: on one line; where it is blank, the one beside the e-mail."""
    line = " ".join((name or split_name(email)[1]).split())
    return "".join(filter(str.isprintable, line))[:LONGEST_NAME]


INVISIBLE = dict.fromkeys(
    map(ord, "\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e")
)


def with_domain(text: str, domain: str) -> str:
    """The same address at another domain; `Name <mail>` keeps its name."""
    before, _, old = text.rpartition("@")
    return f"{before}@{domain}{'>' if old.rstrip().endswith('>') else ''}"


def key_of(text: str, allowed_domains: Collection[str] = ()) -> str | None:
    """The key of an address, or None where it is none."""
    try:
        return parse(text.strip(), allowed_domains).key
    except InvalidAddressError:
        return None


@functools.lru_cache(maxsize=4096)
def _check_domain(domain: str) -> tuple[str, str]:
    """The domain in ASCII, or "" and what is wrong with it: each distinct domain is judged once."""
    try:
        return validate_email("a@" + domain, check_deliverability=False).ascii_domain.lower(), ""
    except EmailNotValidError:
        if "." not in domain.strip("."):
            return "", "email_domain_incomplete"
        return "", "email_invalid"


def _check_local(local: str) -> str:
    try:
        checked = validate_email(
            f"{local}@example.org", check_deliverability=False, strict=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise InvalidAddressError("email_invalid") from error
    return checked.local_part

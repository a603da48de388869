"""The organisation's directory over LDAP: its people, and whether a password is theirs (RFC 4511, RFC 4513).

ldap3 is an optional package: only this module imports it, and only where MUSTER_LDAP_URL is set.
"""

from __future__ import annotations

import re
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core import exceptions
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn

from webapp.settings.settings import Settings

SECONDS = 5
"""For connecting, and for each answer."""
PAGE = 500
"""People an answer holds. Servers cut a longer one off, some of them without an error (RFC 2696)."""
PORTS = {"ldap": 389, "ldap+starttls": 389, "ldaps": 636}

REFUSED = (
    exceptions.LDAPInvalidCredentialsResult,
    exceptions.LDAPConstraintViolationResult,
    exceptions.LDAPInappropriateAuthenticationResult,
    exceptions.LDAPUnwillingToPerformResult,
)
"""What a server answers to a wrong, blank or expired password, or to a locked account."""


class LdapError(Exception):
    """The directory cannot be used; str() is a sentence for an administrator."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person of the directory. id: does not change when they marry or move. groups: the names, without their places."""

    dn: str
    id: str
    email: str
    name: str
    groups: tuple[str, ...]


def find_person(
    settings: Settings,
    email: str,
) -> Entry | None:
    """The person with this address; None where there is none, or more than one. Raises LdapError."""
    is_theirs = f"({settings.ldap_email}={escape_filter_chars(email)})"
    with _connect(settings) as connection:
        found = list(_search(connection, settings, is_theirs))
    return found[0] if len(found) == 1 else None


def is_password(
    settings: Settings,
    person: Entry,
    password: str,
) -> bool:
    """Whether this is the person's password: the server lets them bind with it. Raises LdapError.

    A blank password is never sent: servers take that for a bind without a name, and say yes (RFC 4513, 5.1.2).
    """
    if not password:
        return False
    try:
        with _connect(settings, person.dn, password):
            return True
    except REFUSED:
        return False


def list_people(
    settings: Settings,
    group: str = "",
) -> list[Entry]:
    """Everybody with an address, in the order of these. group: only its direct members, by its name. Raises LdapError."""
    with _connect(settings) as connection:
        found = list(_search(connection, settings, f"({settings.ldap_email}=*)"))
    chosen = [each for each in found if not group or _fold(group) in map(_fold, each.groups)]
    return sorted(chosen, key=lambda each: each.email.lower())


@contextmanager
def _connect(
    settings: Settings,
    dn: str = "",
    password: str = "",
) -> Iterator[ldap3.Connection]:
    """A connection, bound as this person, or as Muster's own. Raises LdapError, or one of REFUSED where a person is refused."""
    url = urlsplit(settings.ldap_url)
    scheme = url.scheme
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=settings.ca_file or None)
    server = ldap3.Server(
        url.hostname,
        port=url.port or PORTS[scheme],
        use_ssl=scheme == "ldaps",
        tls=tls if scheme != "ldap" else None,
        get_info=ldap3.NONE,
        connect_timeout=SECONDS,
    )
    before_bind = ldap3.AUTO_BIND_TLS_BEFORE_BIND
    try:
        with ldap3.Connection(
            server,
            user=dn or settings.ldap_bind_dn or None,
            password=password or settings.ldap_bind_password or None,
            auto_bind=before_bind if scheme == "ldap+starttls" else ldap3.AUTO_BIND_NO_TLS,
            receive_timeout=SECONDS,
            auto_referrals=False,
            raise_exceptions=True,
        ) as connection:
            yield connection
    except REFUSED as refusal:
        if dn:
            raise
        raise LdapError(_sentence(settings, "refuses MUSTER_LDAP_BIND_DN", refusal)) from refusal
    except (exceptions.LDAPException, OSError) as error:
        raise LdapError(_sentence(settings, "cannot be used", error)) from error


def _search(
    connection: ldap3.Connection,
    settings: Settings,
    condition: str,
) -> Iterator[Entry]:
    """The people that MUSTER_LDAP_FILTER and this condition find, page by page."""
    found = connection.extend.standard.paged_search(
        settings.ldap_base,
        f"(&{settings.ldap_filter}{condition})",
        attributes=[
            settings.ldap_id,
            settings.ldap_email,
            settings.ldap_name,
            settings.ldap_groups,
        ],
        paged_size=PAGE,
    )
    for each in found:
        # others are references to further servers
        if each["type"] == "searchResEntry":
            yield _read(each, settings)
    # ldap3 raises no exception where a server stops in the middle
    if connection.result["result"] != ldap3.core.results.RESULT_SUCCESS:
        raise exceptions.LDAPSizeLimitExceededResult(
            description="it gives only a part of its people; raise its limit for Muster"
        )


def _read(
    found: dict[str, Any],
    settings: Settings,
) -> Entry:
    """An entry of an answer. Names of attributes have no regard to case there."""
    values = {name.lower(): each for name, each in found["raw_attributes"].items()}

    def texts(attribute: str) -> list[str]:
        return [value.decode(errors="replace") for value in values.get(attribute.lower(), [])]

    return Entry(
        dn=found["dn"],
        id=_read_id(values.get(settings.ldap_id.lower(), [])),
        email=_first(texts(settings.ldap_email)),
        name=_first(texts(settings.ldap_name)),
        groups=tuple(map(_group_name, texts(settings.ldap_groups))),
    )


def _read_id(values: list[bytes]) -> str:
    """entryUUID is a text; objectGUID is 16 bytes."""
    if not values:
        return ""
    if len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return values[0].decode(errors="replace")


def _group_name(text: str) -> str:
    """The name of a group: the first part of its place in the directory (RFC 4514), or the text as it is."""
    try:
        name = parse_dn(text, escape=False)[0][1]
    except exceptions.LDAPInvalidDnError:
        return text
    return re.sub(r"(\\[0-9A-Fa-f]{2})+|\\(.)", _unescape, name)


def _unescape(found: re.Match[str]) -> str:
    """Bytes in figures, or one letter, after backslashes (RFC 4514, 2.4)."""
    if found[2]:
        return found[2]
    return bytes.fromhex(found[0].replace("\\", "")).decode(errors="replace")


def _first(texts: list[str]) -> str:
    return texts[0].strip() if texts else ""


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


def _sentence(settings: Settings, what: str, error: Exception) -> str:
    host = urlsplit(settings.ldap_url).hostname
    words = getattr(error, "description", None) or str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in words:
        words = "its certificate is not trusted; name its authority in MUSTER_CA_FILE"
    return f"The directory {host} {what} ({words})."

"""Parsers of settings: each checks a text and returns its value. They raise ValueError, or one like it."""

import ipaddress
import os
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.utils import parseaddr
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import idna
from sqlalchemy.engine import make_url

from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ADDRESS = re.compile(r"[!-~]+@[^\s@<>,;]+")
_PUBLIC_URL = re.compile(r"https?://[\w.:\[\]-]+(/[\w~-][\w.~-]*)*/*", re.ASCII | re.IGNORECASE)
_PLACE = re.compile(
    r"(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/"
)
_EVERYBODY = {"common", "organizations", "consumers"}
ISSUER = (
    "the issuer of your own provider, an https address such as https://login.example.org/realms/school; "
    "Entra’s common, organizations and consumers are everybody’s"
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
"""Seconds, the longest first."""


def is_loopback(host: str) -> bool:
    """Whether this address is a loopback address."""
    return bool(re.fullmatch(r"localhost|::1|127\.[0-9.]+", host.lower()))


def _refuse_unless(condition: object) -> None:
    if not condition:
        raise ValueError


def pattern(expression: str) -> Callable[[str], str]:
    """A parser for texts that match a regular expression."""

    def read(value: str) -> str:
        _refuse_unless(re.fullmatch(expression, value))
        return value

    return read


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser for whole numbers from the lowest to the highest."""

    def read(value: str) -> int:
        _refuse_unless(re.fullmatch(r"[0-9]{1,9}", value))
        _refuse_unless(lowest <= int(value) <= highest)
        return int(value)

    return read


def public_url(value: str) -> str:
    """The portal's own address; -> without a slash at its end."""
    _refuse_unless(_PUBLIC_URL.fullmatch(value))
    url = urlsplit(value)
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def issuer(value: str) -> str:
    """A provider's address as it names itself, of one organisation: anybody's tenant could claim any address."""
    url = urlsplit(value)
    host = (url.hostname or "").lower()
    _refuse_unless(re.fullmatch(r"[!-~]{1,500}", value) and host and not url.query + url.fragment)
    _refuse_unless(url.scheme == "https" or (url.scheme == "http" and is_loopback(host)))
    tenant = url.path.strip("/").partition("/")[0].lower()
    _refuse_unless(not host.startswith("login.microsoft") or tenant not in _EVERYBODY)
    return value


def ca_file(value: str) -> str:
    """A file of certificates."""
    ssl.create_default_context(cafile=value)
    return value


def network(value: str) -> Network:
    """An address or a network; not everything."""
    found = ipaddress.ip_network(value)
    _refuse_unless(found.prefixlen)
    return found


def database_url(value: str) -> str:
    """A database address; postgres:// and postgresql:// become postgresql+psycopg://."""
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    url = make_url(value)
    is_sqlite = url.drivername == "sqlite" and url.database
    _refuse_unless(is_sqlite or url.drivername == "postgresql+psycopg")
    return value


def server(*schemes: str) -> Callable[[str], str]:
    """A parser for the address of a server, with one of these schemes."""

    def read(value: str) -> str:
        url = urlsplit(value)
        _refuse_unless(url.scheme in schemes and url.hostname and url.port != 0)
        return value

    return read


def directory_server(value: str) -> str:
    """The address of a directory server. Without TLS passwords travel in the open: only to this computer."""
    value = server("ldap", "ldap+starttls", "ldaps")(value)
    url = urlsplit(value)
    _refuse_unless(url.scheme != "ldap" or is_loopback(url.hostname or ""))
    _refuse_unless("@" not in url.netloc and url.path in ("", "/"))
    return value


def redis_url(value: str) -> str:
    """A queue server's address."""
    if value.startswith("unix:"):
        return pattern(r"unix:///((?!%20)\S)+")(value)
    return server("redis", "rediss")(value)


def sender(value: str) -> str:
    """An e-mail address that every mail server accepts, perhaps with a name."""
    _refuse_unless(value.isprintable())
    address = parseaddr(value)[1]
    _refuse_unless(_ADDRESS.fullmatch(address))
    _refuse_unless("=?" not in address)
    return value


def words(value: str) -> str:
    """Several lines of plain text."""
    text = as_typed(value)
    _refuse_unless(len(text) <= LONGEST_MESSAGE)
    return text


def domain(value: str) -> str:
    """An e-mail domain; -> its ASCII form."""
    value = value.removeprefix("@").rstrip(".").lower()
    if not value.isascii():
        value = idna.encode(value, uts46=True).decode()
    _refuse_unless(_HOST_NAME.fullmatch(value))
    return value


def duration(value: str) -> timedelta:
    """A number of seconds, minutes, hours or days: 30m, 8h, 7d."""
    number = whole_number(1, 999_999)(value[:-1].strip())
    return timedelta(seconds=number * _UNITS[value[-1].lower()])


def format_duration(value: timedelta) -> str:
    """A length of time as `duration` reads it."""
    seconds = int(value.total_seconds())
    for unit, length in _UNITS.items():
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    raise ValueError


def list_zones(current: str) -> dict[str, str]:
    """The time zones that people choose from, by name, the current one among them; what each is called."""
    names = {"UTC", current}
    names |= {name for name in available_timezones() if _PLACE.match(name)}
    return {name: name.replace("_", " ") for name in sorted(names)}


def server_zone(tz: str) -> ZoneInfo:
    """The server's own zone: TZ, then where /etc/localtime points; else UTC."""
    local = os.path.realpath("/etc/localtime")
    for name in (tz, local.partition("/zoneinfo/")[2]):
        with suppress(ValueError, KeyError, OSError):
            return ZoneInfo(name)
    return ZoneInfo("UTC")

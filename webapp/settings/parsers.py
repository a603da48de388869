"""Parsers of settings: each checks a text and returns its value. They raise ValueError, or one like it."""

import ipaddress
import os
import re
from contextlib import suppress
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import idna
from sqlalchemy.engine import make_url

from webapp.core.plan.planner import Mode
from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed

SHORTEST_SECRET_KEY = 32  # characters
SHORTEST_TOKEN = 20  # characters
LONGEST_SUBJECT = 150  # characters

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_DURATION = re.compile(r"([0-9]{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def is_loopback(host: str) -> bool:
    """Whether this address is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _refuse_unless(condition: object) -> None:
    if not condition:
        raise ValueError


def drop_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without repeats, ignoring case; the first spelling stays."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.casefold(), name)
    return tuple(first.values())


def host(value: str) -> str:
    """An IP address or a host name."""
    value = value.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        _refuse_unless(_HOST_NAME.fullmatch(value))
        return value


def public_url(value: str) -> str:
    """The portal's own address; -> without a slash at its end."""
    url = urlsplit(value)
    _refuse_unless(url.scheme in ("http", "https") and url.hostname and url.port != 0)
    _refuse_unless(not (url.query or url.fragment or "@" in url.netloc))
    _refuse_unless(
        re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/*", url.path)
        and not {".", ".."} & set(url.path.split("/"))
    )
    host(url.hostname or "")
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def database_url(value: str) -> str:
    """A database address; postgres:// and postgresql:// become postgresql+psycopg://."""
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    url = make_url(value)
    _refuse_unless(
        url.drivername == "postgresql+psycopg" or (url.drivername == "sqlite" and url.database)
    )
    return value


def redis_url(value: str) -> str:
    """A queue server's address."""
    url = urlsplit(value)
    _refuse_unless(url.port is None or url.port > 0)
    if url.scheme == "unix":
        _refuse_unless(url.path.startswith("/") and not re.search(r"\s|%20", url.path))
    else:
        _refuse_unless(url.scheme in ("redis", "rediss") and url.hostname)
        _refuse_unless(re.fullmatch(r"(/[0-9]*)?", url.path))
    return value


def mail_url(value: str) -> str:
    """A mail server's address."""
    url = urlsplit(value)
    _refuse_unless(
        url.scheme in ("smtp", "smtp+starttls", "smtps") and url.hostname and url.port != 0
    )
    _refuse_unless(url.path in ("", "/") and not url.fragment)
    return value


def address(value: str) -> str:
    """An e-mail address, roughly."""
    _refuse_unless(_ADDRESS.fullmatch(value) and value.isprintable() and "=?" not in value)
    return value


def sender(value: str) -> str:
    """An e-mail address, perhaps with a name."""
    _refuse_unless(value.isprintable())
    address(parseaddr(value)[1])
    return value


def reply_address(value: str) -> str:
    """The same for the reply address, which every mail server must accept."""
    sender(value)
    _refuse_unless(parseaddr(value)[1].rpartition("@")[0].isascii())
    return value


def yes_or_no(value: str) -> str:
    """ "yes" or "no", in lower case."""
    _refuse_unless(value.lower() in ("yes", "no"))
    return value.lower()


def secret(value: str) -> str:
    """Checks that a secret is long enough."""
    _refuse_unless(len(value) >= SHORTEST_SECRET_KEY)
    return value


def token(value: str) -> str:
    """Checks that a token is long enough and can be sent in a header."""
    _refuse_unless(len(value) >= SHORTEST_TOKEN and re.fullmatch(r"[!-~]+", value))
    return value


def subject(value: str) -> str:
    """One line."""
    _refuse_unless(value.isprintable() and len(value) <= LONGEST_SUBJECT)
    return value


def words(value: str) -> str:
    """Several lines of plain text."""
    text = as_typed(value)
    _refuse_unless(len(text) <= LONGEST_MESSAGE)
    return text


def mode(value: str) -> Mode:
    """What an upload does with groups."""
    return Mode(value.lower())


def domain(value: str) -> str:
    """An e-mail domain; -> its ASCII form."""
    value = value.removeprefix("@").rstrip(".").lower()
    ascii_form = value if value.isascii() else idna.encode(value, uts46=True).decode()
    _refuse_unless(_HOST_NAME.fullmatch(ascii_form))
    return ascii_form


def group(value: str) -> str:
    """The name of a device group."""
    name = " ".join(value.split())
    _refuse_unless(name[0] not in "=+-@" and name.casefold() != "all groups" and name.isprintable())
    return name


def duration(value: str) -> timedelta:
    """A number of seconds, minutes, hours or days: 30m, 8h, 7d."""
    match = _DURATION.fullmatch(value.lower())
    _refuse_unless(match and int(match[1]) > 0)
    assert match is not None
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def lasting(value: timedelta) -> str:
    """A length of time as `duration` takes it."""
    seconds = int(value.total_seconds())
    n, unit = next(
        (seconds // each, unit)
        for unit, each in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
        if not seconds % each
    )
    return f"{n}{unit}"


def server_zone(tz: str) -> ZoneInfo:
    """The server's own zone: TZ, then /etc/timezone, then where /etc/localtime points; else UTC."""
    names = [tz.removeprefix(":")]
    with suppress(OSError, UnicodeDecodeError):
        names.append(Path("/etc/timezone").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        names.append(os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2])
    for name in filter(None, names):
        with suppress(ValueError, KeyError, OSError):
            return ZoneInfo(name)
    return ZoneInfo("UTC")

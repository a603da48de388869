"""Every setting: its name, type, default and meaning. All come from the environment, prefixed with MUSTER_.

A wrong value, an unknown name and a data folder that cannot be used raise ConfigError, whose text is one
line: it names the variable, quotes the value (never that of a secret) and says what is expected.
"""

import difflib
import hashlib
import ipaddress
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import idna
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from webapp.core.planning import Mode
from webapp.core.words import LONGEST_MESSAGE, as_typed

T = TypeVar("T")

PREFIX = "MUSTER_"
NAMES = (
    "DATA_DIR", "HOST", "PORT", "DATABASE_URL", "REDIS_URL", "MAIL_URL", "MAIL_FROM", "MAIL_RATE",
    "SECRET_KEY", "SECRET_KEY_FALLBACKS", "PUBLIC_URL", "TRUSTED_PROXIES", "MAX_ROWS", "MAX_UPLOAD_MB",
    "INVITE_DAYS", "ALLOWED_DOMAINS", "GROUPS", "WORKERS", "TIME_ZONE", "SESSION_IDLE", "SESSION_MAX",
    "REQUIRE_TOTP", "RETENTION_DAYS", "AUDIT_DAYS", "UPLOAD_MODE", "INVITE_SUBJECT", "INVITE_MESSAGE", "OWNER_EMAIL",
    "OWNER_PASSWORD",
)  # fmt: skip
SECRETS = {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "OWNER_PASSWORD", "DATABASE_URL", "REDIS_URL", "MAIL_URL"}

LONGEST_SOCKET_PATH = 100  # bytes; a socket address holds 104 on macOS, 108 on Linux
SHORTEST_SECRET_KEY = 32  # characters
LONGEST_SUBJECT = 150  # characters

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_DURATION = re.compile(r"([0-9]{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ConfigError(Exception):
    """A setting that stops the start; str() is the one line to show to the person who started it.

    name, sentence: which setting it is, and what to say under its field on a page; "" where no page sets it.
    """

    def __init__(self, line: str, name: str = "", sentence: str = "") -> None:
        super().__init__(line)
        self.name, self.sentence = name, sentence


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment asks for, checked. Made by `from_environment`; its repr() shows no secret."""

    data_dir: Path  # absolute; exists, mode 0700 when we made it
    host: str
    port: int
    database_url: str = field(repr=False)  # SQLite in data_dir unless given
    redis_url: str = field(repr=False)  # "" = the embedded server; see queue_url
    mail_url: str | None = field(repr=False)  # None = .eml files in data_dir/outbox
    mail_from: str
    mail_rate: int  # messages a minute, for the whole installation
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    public_url: str  # without a slash at its end
    trusted_proxies: int  # how many reverse proxies in front may be believed
    max_rows: int  # rows a file
    max_upload_mb: int
    invite_days: int
    reminder_days: int | None  # how long before an invitation expires its person is reminded; None = never
    allowed_domains: tuple[str, ...]  # lower-case, ASCII form; empty = any domain
    groups: tuple[str, ...]  # made on the first start
    workers: int
    time_zone: ZoneInfo
    session_idle: timedelta
    session_max: timedelta
    require_totp: str  # who must have two-step sign-in: off, managers (who manage users) or everyone
    retention_days: int | None  # of rows, files and messages with people in them; None = everything is kept
    audit_days: int | None  # of the audit log; None = everything is kept
    upload_mode: Mode  # what a new upload does with groups, until somebody chooses
    invite_subject: str  # of invitations; "" = "Maren Okafor invited you to Northfield Academy"
    invite_message: str  # the organisation's words in every invitation
    owner_email: str | None
    owner_password: str | None = field(repr=False)
    given: frozenset[str] = field(repr=False)  # names (without prefix) that the environment set
    runtime_dir: Path = field(repr=False)  # where the socket goes when data_dir's path is too long for one

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Reads and checks all settings, then makes the data folder and, once, the secret key in it.

        Raises ConfigError, before anything is made if it is a value that is wrong.
        """
        env = _Environment(environ)
        env.refuse_unknown_names()
        host = env.one("HOST", "127.0.0.1", _host, "an IP address or a host name, such as 127.0.0.1")
        port = env.number("PORT", 8000, 1, 65535)
        public_url = env.one("PUBLIC_URL", "", _public_url, "a whole address, such as https://muster.example.org")
        public_url = public_url or _loopback_url(host, port)
        data_dir = Path(os.path.abspath(Path(env.text("DATA_DIR") or "data").expanduser()))
        sqlite_url = URL.create("sqlite", database=str(data_dir / "muster.db")).render_as_string()
        long_enough = f"at least {SHORTEST_SECRET_KEY} characters"
        on_pages = {name.lower(): check(env) for name, check in ON_PAGES.items()}
        on_pages["mail_from"] = on_pages["mail_from"] or f"Muster <muster@{_mail_domain(public_url)}>"
        settings = cls(
            **on_pages,
            data_dir=data_dir,
            host=host,
            port=port,
            database_url=env.one("DATABASE_URL", sqlite_url, _database_url, "sqlite:/// or postgresql+psycopg://"),
            redis_url=env.one("REDIS_URL", "", _redis_url, "redis://, rediss://, or unix:// and a path without spaces"),
            mail_url=env.one("MAIL_URL", "", _mail_url, "smtp://, smtp+starttls:// or smtps:// and a host") or None,
            mail_rate=env.number("MAIL_RATE", 600, 1, 100_000),
            secret_key=env.one("SECRET_KEY", "", _secret, long_enough),
            secret_key_fallbacks=env.many("SECRET_KEY_FALLBACKS", _secret, long_enough + " each, with commas between"),
            public_url=public_url,
            trusted_proxies=env.number("TRUSTED_PROXIES", 0, 0, 10),
            max_upload_mb=env.number("MAX_UPLOAD_MB", 10, 1, 1000),
            groups=_unrepeated(env.many("GROUPS", _group, "names that begin with none of = + - @ and are not All groups")),
            workers=env.number("WORKERS", 2, 1, 32),
            owner_email=env.one("OWNER_EMAIL", "", _address, "one address, such as owner@example.org") or None,
            owner_password=env.text("OWNER_PASSWORD") or None,
            given=frozenset(name for name in NAMES if env.text(name)),
            runtime_dir=_runtime_dir(environ),
        )
        settings._refuse_contradictions()
        if bool(settings.owner_email) != bool(settings.owner_password):
            absent = "PASSWORD" if settings.owner_email else "EMAIL"
            raise ConfigError(f"MUSTER_OWNER_{absent} is not set; set MUSTER_OWNER_EMAIL and MUSTER_OWNER_PASSWORD both.")
        _make_data_folder(data_dir)
        if settings.secret_key:
            return settings
        return replace(settings, secret_key=_kept_secret(data_dir / "secret_key"))

    def overlaid(self, texts: Mapping[str, str]) -> Self:
        """These settings, but for what was set on a page: texts by name. What the environment gave wins.

        Raises ConfigError, whose sentence is for the field, by the same rules as the environment's.
        """
        wanted = {name: text for name, text in texts.items() if name in ON_PAGES and name not in self.given and text}
        env = _Environment({PREFIX + name: text for name, text in wanted.items()})
        changed = replace(self, **{name.lower(): ON_PAGES[name](env) for name in wanted})
        changed._refuse_contradictions()
        return changed

    def overlaid_as_far_as_they_go(self, texts: Mapping[str, str]) -> Self:
        """The same without raising: a text that no longer does, as rules or the environment changed, is passed over."""
        try:
            return self.overlaid(texts)
        except ConfigError as error:
            passed_over = {error.name} & set(texts) or {"SESSION_IDLE", "SESSION_MAX"}
            return self.overlaid_as_far_as_they_go({name: text for name, text in texts.items() if name not in passed_over})

    def text(self, name: str) -> str:
        """A setting of `ON_PAGES` as one would type it: "8h", "example.org, school.local", "0" for days without end."""
        value = getattr(self, name.lower())
        if isinstance(value, timedelta):
            return _lasting(value)
        if isinstance(value, tuple):
            return ", ".join(value)
        return "0" if value is None else str(getattr(value, "key", value))

    def _refuse_contradictions(self) -> None:
        if self.session_idle > self.session_max:
            line = "MUSTER_SESSION_IDLE is longer than MUSTER_SESSION_MAX; make it as long, or shorter."
            which = "SESSION_MAX" if "SESSION_IDLE" in self.given else "SESSION_IDLE"
            raise ConfigError(line, which, "Nobody can be idle for longer than they can be signed in. Make this fit the other.")

    @property
    def prefix(self) -> str:
        """The path under which the portal is reached: "" or, say, "/muster"."""
        return urlsplit(self.public_url).path

    @property
    def https(self) -> bool:
        """Whether people reach the portal over https (cookies are then Secure)."""
        return self.public_url.startswith("https://")

    @property
    def embedded_queue(self) -> bool:
        """Whether Muster starts a queue server of its own."""
        return not self.redis_url

    @property
    def queue_socket(self) -> Path:
        """The embedded server's socket: in data_dir, or in a private folder where that path does not do.

        A long path does not fit a socket address, and a space in it breaks RQ's reading of CLIENT INFO.
        """
        inside = self.data_dir / "valkey.sock"
        if _fits_a_socket(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return self.runtime_dir / f"muster-{digest}" / "valkey.sock"

    @property
    def queue_url(self) -> str:
        """The queue's address as redis-py takes it (`unix://...` for the embedded server)."""
        return self.redis_url or f"unix://{quote(str(self.queue_socket))}"


class _Environment:
    """Reads single variables. Blanks alone count as not set, as `NAME=` in an env file is meant."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def refuse_unknown_names(self) -> None:
        for name in sorted(self._environ):
            if name.startswith(PREFIX) and (short := name.removeprefix(PREFIX)) not in NAMES:
                near = difflib.get_close_matches(short.upper(), NAMES, n=1, cutoff=0)[0]
                raise ConfigError(f"{_shown(name)} is not a setting of Muster. Did you mean {PREFIX}{near}?")

    def text(self, name: str) -> str:
        return self._environ.get(PREFIX + name, "").strip()

    def one(self, name: str, default: str, check: Callable[[str], str], expected: str) -> str:
        """What `check` makes of the value, or of the default; "" stays as it is."""
        value = self.text(name) or default
        return self._check(name, value, check, expected) if value else ""

    def many(self, name: str, check: Callable[[str], str], expected: str) -> tuple[str, ...]:
        """The values between commas, each checked; blanks left out."""
        parts = [part.strip() for part in self.text(name).split(",") if part.strip()]
        return tuple(self._check(name, part, check, expected) for part in parts)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        def whole(value: str) -> int:
            if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
                raise ValueError
            return int(value)

        return self._check(name, self.text(name) or str(default), whole, f"a whole number from {lowest} to {highest}")

    def duration(self, name: str, default: str) -> timedelta:
        return self._check(name, self.text(name) or default, _duration, "a length of time, such as 30m, 8h or 7d")

    def choice(self, name: str, default: str, check: Callable[[str], T], expected: str) -> T:
        """One of a few values."""
        return self._check(name, self.text(name) or default, check, expected)

    def zone(self, name: str) -> ZoneInfo:
        value = self.text(name)
        expected = "the name of a time zone, such as Europe/Berlin or UTC"
        return self._check(name, value, ZoneInfo, expected) if value else _server_zone(self._environ.get("TZ", ""))

    def _check(self, name: str, value: str, check: Callable[[str], T], expected: str) -> T:
        try:
            return check(value)
        except (ValueError, KeyError, OSError, ArgumentError):
            given = "has a value" if name in SECRETS else f"is “{_shown(value)}”,"
            which = "that" if name in SECRETS else "which"
            line = f"{PREFIX}{name} {given} {which} cannot be used. Expected: {expected}."
            raise ConfigError(line, name, f"Type {expected}.") from None


def _shown(value: str) -> str:
    """The value on one line and not too long."""
    line = "".join(c if c.isprintable() else "?" for c in value)
    return line if len(line) <= 80 else line[:79] + "…"


def _refuse_unless(condition: object) -> None:
    if not condition:
        raise ValueError


def _unrepeated(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names but those that repeat an earlier one in whatever case: they would be one group."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.casefold(), name)
    return tuple(first.values())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host(value: str) -> str:
    value = value.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        _refuse_unless(_HOST_NAME.fullmatch(value))
        return value


def _loopback_url(host: str, port: int) -> str:
    if not _is_loopback(host):
        raise ConfigError(
            f"MUSTER_PUBLIC_URL is not set; with MUSTER_HOST “{host}” it must be the address people open, "
            "such as https://muster.example.org."
        )
    return f"http://{f'[{host}]' if ':' in host else host}{'' if port == 80 else f':{port}'}"


def _public_url(value: str) -> str:
    url = urlsplit(value)
    _refuse_unless(url.scheme in ("http", "https") and url.hostname and url.port != 0)
    _refuse_unless(not (url.query or url.fragment or "@" in url.netloc))
    _refuse_unless(re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/*", url.path) and not {".", ".."} & set(url.path.split("/")))
    _host(url.hostname or "")
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def _mail_domain(public_url: str) -> str:
    """The host of the portal's own address, unless that is a bare IP address."""
    host = urlsplit(public_url).hostname or ""
    return "localhost" if re.fullmatch(r"[0-9.]*|.*:.*", host) else host


def _database_url(value: str) -> str:
    """SQLAlchemy 2.1 takes postgresql:// to mean psycopg 3; postgres:// is what hosting services hand out."""
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    url = make_url(value)
    _refuse_unless(url.drivername == "postgresql+psycopg" or (url.drivername == "sqlite" and url.database))
    return value


def _redis_url(value: str) -> str:
    url = urlsplit(value)
    _refuse_unless(url.port is None or url.port > 0)
    if url.scheme == "unix":
        _refuse_unless(url.path.startswith("/") and not re.search(r"\s|%20", url.path))
    else:
        _refuse_unless(url.scheme in ("redis", "rediss") and url.hostname)
        _refuse_unless(re.fullmatch(r"(/[0-9]*)?", url.path))
    return value


def _mail_url(value: str) -> str:
    url = urlsplit(value)
    _refuse_unless(url.scheme in ("smtp", "smtp+starttls", "smtps") and url.hostname and url.port != 0)
    _refuse_unless(url.path in ("", "/") and not url.fragment)
    return value


def _address(value: str) -> str:
    _refuse_unless(_ADDRESS.fullmatch(value) and value.isprintable())
    return value


def _sender(value: str) -> str:
    _refuse_unless(value.isprintable())
    _address(parseaddr(value)[1])
    return value


def _secret(value: str) -> str:
    _refuse_unless(len(value) >= SHORTEST_SECRET_KEY)
    return value


def _subject(value: str) -> str:
    _refuse_unless(value.isprintable() and len(value) <= LONGEST_SUBJECT)
    return value


def _words(value: str) -> str:
    text = as_typed(value)
    _refuse_unless(len(text) <= LONGEST_MESSAGE)
    return text


def _mode(value: str) -> Mode:
    return Mode(value.lower())


def _who(value: str) -> str:
    _refuse_unless(value.lower() in ("off", "managers", "everyone"))
    return value.lower()


def _domain(value: str) -> str:
    value = value.removeprefix("@").rstrip(".").lower()
    ascii_form = value if value.isascii() else idna.encode(value, uts46=True).decode()
    _refuse_unless(_HOST_NAME.fullmatch(ascii_form))
    return ascii_form


def _group(value: str) -> str:
    name = " ".join(value.split())
    _refuse_unless(name[0] not in "=+-@" and name.casefold() != "all groups" and name.isprintable())
    return name


def _duration(value: str) -> timedelta:
    match = _DURATION.fullmatch(value.lower())
    _refuse_unless(match and int(match[1]) > 0)
    assert match is not None
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _lasting(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    n, unit = next(
        (seconds // each, unit) for unit, each in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if not seconds % each
    )
    return f"{n}{unit}"


def _server_zone(tz: str) -> ZoneInfo:
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


def _fits_a_socket(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and not re.search(r"\s", str(path))


def _runtime_dir(environ: Mapping[str, str]) -> Path:
    """The user's own runtime folder, or the temporary one; /tmp where those are too long for a socket."""
    longest_name = "muster-0123456789abcdef/valkey.sock"
    for folder in (environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()):
        if folder.startswith("/") and os.path.isdir(folder) and _fits_a_socket(Path(folder) / longest_name):
            return Path(folder)
    return Path("/tmp")  # noqa: S108 (for a private folder in it: see valkey.py)


def _make_data_folder(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        usable = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        reason = error.strerror or "it cannot be made"
        raise ConfigError(
            f"MUSTER_DATA_DIR is “{_shown(str(folder))}”, which cannot be made: {reason}. Name another one."
        ) from None
    if not usable:
        raise ConfigError(
            f"MUSTER_DATA_DIR is “{_shown(str(folder))}”, which this user cannot read and write; "
            "change its owner, or name another folder."
        )


def _kept_secret(file: Path) -> str:
    """The key kept in `file`, made on the first start.

    Of processes that start together one makes it for all: written beside, whole, then linked into place.
    """
    try:
        if not file.exists():
            descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=".secret_key-")  # mode 0600
            try:
                with open(descriptor, "w", encoding="ascii") as new:
                    new.write(secrets.token_urlsafe(48) + "\n")
                    new.flush()
                    os.fsync(new.fileno())
                with suppress(FileExistsError):
                    os.link(written, file)
            finally:
                os.unlink(written)
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            file.chmod(0o600)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"The secret key in “{_shown(str(file))}” cannot be used ({reason}); check the file.") from None
    if len(key) < SHORTEST_SECRET_KEY:
        raise ConfigError(
            f"The secret key in “{_shown(str(file))}” is shorter than {SHORTEST_SECRET_KEY} characters; "
            "restore the file, or delete it (everybody signs in anew, and links sent so far end)."
        )
    return key


ON_PAGES: dict[str, Callable[[_Environment], Any]] = {
    "MAIL_FROM": lambda env: env.one("MAIL_FROM", "", _sender, "an address, such as Muster <muster@example.org>"),
    "MAX_ROWS": lambda env: env.number("MAX_ROWS", 100, 1, 50_000),
    "INVITE_DAYS": lambda env: env.number("INVITE_DAYS", 7, 1, 365),
    "REMINDER_DAYS": lambda env: env.number("REMINDER_DAYS", 0, 0, 364) or None,
    "INVITE_SUBJECT": lambda env: env.one("INVITE_SUBJECT", "", _subject, f"one line of up to {LONGEST_SUBJECT} characters"),
    "INVITE_MESSAGE": lambda env: env.one("INVITE_MESSAGE", "", _words, f"up to {LONGEST_MESSAGE:,} characters"),
    "ALLOWED_DOMAINS": lambda env: env.many("ALLOWED_DOMAINS", _domain, "domains, such as example.org, intranet.local"),
    "UPLOAD_MODE": lambda env: env.choice("UPLOAD_MODE", "replace", _mode, "replace, add or remove"),
    "TIME_ZONE": lambda env: env.zone("TIME_ZONE"),
    "SESSION_IDLE": lambda env: env.duration("SESSION_IDLE", "8h"),
    "SESSION_MAX": lambda env: env.duration("SESSION_MAX", "7d"),
    "REQUIRE_TOTP": lambda env: env.one("REQUIRE_TOTP", "off", _who, "off, managers or everyone"),
    "RETENTION_DAYS": lambda env: env.number("RETENTION_DAYS", 0, 0, 36_500) or None,
    "AUDIT_DAYS": lambda env: env.number("AUDIT_DAYS", 730, 0, 36_500) or None,
}
"""What can be set on a page too, and how each is read; the environment wins."""

"""Every setting: its name, type, default and meaning. All come from the environment, prefixed with MUSTER_.

A wrong value, an unknown name and a data folder that cannot be used raise ConfigError, whose text is one
line: it names the variable, quotes the value (never that of a secret) and says what is expected.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.engine import URL

from webapp.core.plan.planner import Mode
from webapp.core.text.formatting import LONGEST_MESSAGE
from webapp.run import data_folder
from webapp.settings import parsers
from webapp.settings.environ import PREFIX, ConfigError, Environment
from webapp.settings.parsers import LONGEST_SUBJECT, SHORTEST_SECRET_KEY, SHORTEST_TOKEN

__all__ = ["NAMES", "ON_PAGES", "SECRETS", "ConfigError", "Settings"]

LONGEST_SOCKET_PATH = 100  # bytes; a socket address holds 104 on macOS, 108 on Linux


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
    mail_reply_to: str  # where replies go; "" = the sender
    mail_reply_to_inviter: str  # yes: replies to an invitation go to whoever confirmed it; or no
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
    threads: int  # of the web server
    time_zone: ZoneInfo
    session_idle: timedelta
    session_max: timedelta
    require_totp: str  # who must have two-step sign-in: off, managers (who manage users) or everyone
    retention_days: int | None  # of rows, files and messages with people in them; None = everything is kept
    audit_days: int | None  # of the audit log; None = everything is kept
    upload_mode: Mode  # what a new upload does with groups, until somebody chooses
    invite_subject: str  # of invitations; "" = "Maren Okafor invited you to Northfield Academy"
    invite_message: str  # the organisation's words in every invitation
    metrics_token: str | None = field(repr=False)  # who shows it may read /metrics
    metrics_allow: tuple[IPv4Network | IPv6Network, ...]  # who comes from there may, too; with neither nobody may
    log_format: str  # text or json
    owner_email: str | None
    owner_password: str | None = field(repr=False)
    given: frozenset[str] = field(repr=False)  # names (without prefix) that the environment set
    runtime_dir: Path = field(repr=False)  # where the socket goes when data_dir's path is too long for one

    @property
    def opens_here_only(self) -> bool:
        """Whether links open on this computer only: the public address is a loopback address."""
        return parsers.is_loopback(urlsplit(self.public_url).hostname or "")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Reads and checks all settings, then makes the data folder and, once, the secret key in it.

        Raises ConfigError, before anything is made if it is a value that is wrong.
        """
        env = Environment(environ, SECRETS)
        env.refuse_unknown_names(NAMES)
        host = env.one("HOST", "127.0.0.1", parsers.host, "an IP address or a host name, such as 127.0.0.1")
        port = env.number("PORT", 8000, 1, 65535)
        public_url = env.one("PUBLIC_URL", "", parsers.public_url, "a whole address, such as https://muster.example.org")
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
            database_url=env.one("DATABASE_URL", sqlite_url, parsers.database_url, "sqlite:/// or postgresql+psycopg://"),
            redis_url=env.one("REDIS_URL", "", parsers.redis_url, "redis://, rediss://, or unix:// and a path without spaces"),
            mail_url=env.one("MAIL_URL", "", parsers.mail_url, "smtp://, smtp+starttls:// or smtps:// and a host") or None,
            mail_rate=env.number("MAIL_RATE", 600, 1, 100_000),
            secret_key=env.one("SECRET_KEY", "", parsers.secret, long_enough),
            secret_key_fallbacks=env.many("SECRET_KEY_FALLBACKS", parsers.secret, long_enough + " each, with commas between"),
            public_url=public_url,
            trusted_proxies=env.number("TRUSTED_PROXIES", 0, 0, 10),
            max_upload_mb=env.number("MAX_UPLOAD_MB", 10, 1, 1000),
            groups=parsers.unrepeated(
                env.many("GROUPS", parsers.group, "names that begin with none of = + - @ and are not All groups")
            ),
            workers=env.number("WORKERS", 2, 1, 32),
            threads=env.number("THREADS", 8, 4, 64),
            metrics_token=env.one("METRICS_TOKEN", "", parsers.token, f"at least {SHORTEST_TOKEN} characters without spaces")
            or None,
            metrics_allow=env.many("METRICS_ALLOW", parsers.network, "networks, such as 10.0.0.0/8, 192.0.2.7"),
            log_format=env.one("LOG_FORMAT", "text", parsers.log_format, "text or json"),
            owner_email=env.one("OWNER_EMAIL", "", parsers.address, "one address, such as owner@example.org") or None,
            owner_password=env.text("OWNER_PASSWORD") or None,
            given=frozenset(name for name in NAMES if env.text(name)),
            runtime_dir=_runtime_dir(environ),
        )
        settings._refuse_contradictions()
        if bool(settings.owner_email) != bool(settings.owner_password):
            absent = "PASSWORD" if settings.owner_email else "EMAIL"
            raise ConfigError(f"MUSTER_OWNER_{absent} is not set; set MUSTER_OWNER_EMAIL and MUSTER_OWNER_PASSWORD both.")
        data_folder.make(data_dir)
        if settings.secret_key:
            return settings
        return replace(settings, secret_key=data_folder.kept_secret(data_dir / "secret_key"))

    def overlaid(self, texts: Mapping[str, str]) -> Self:
        """These settings, but for what was set on a page: texts by name. What the environment gave wins.

        Raises ConfigError, whose sentence is for the field, by the same rules as the environment's.
        """
        wanted = {name: text for name, text in texts.items() if name in ON_PAGES and name not in self.given and text}
        env = Environment({PREFIX + name: text for name, text in wanted.items()}, SECRETS)
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
            return parsers.lasting(value)
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


_NOT_SET = {"given", "runtime_dir"}
NAMES = tuple(each.name.upper() for each in fields(Settings) if each.name not in _NOT_SET)
"""What can be set, without the prefix."""
SECRETS = frozenset(each.name.upper() for each in fields(Settings) if not each.repr) & set(NAMES)
"""What is never shown."""

LEAST_AUDIT_DAYS = 30
"""So long the audit log tells at least: nobody's last week is deleted by a setting."""

ON_PAGES: dict[str, Callable[[Environment], Any]] = {
    "MAIL_FROM": lambda env: env.one("MAIL_FROM", "", parsers.sender, "an address, such as Muster <muster@example.org>"),
    "MAIL_REPLY_TO": lambda env: env.one(
        "MAIL_REPLY_TO",
        "",
        parsers.reply_address,
        "an address, such as IT help <help@example.org>, in plain letters before the @",
    ),
    "MAIL_REPLY_TO_INVITER": lambda env: env.one("MAIL_REPLY_TO_INVITER", "no", parsers.yes_or_no, "yes or no"),
    "MAX_ROWS": lambda env: env.number("MAX_ROWS", 100, 1, 50_000),
    "INVITE_DAYS": lambda env: env.number("INVITE_DAYS", 7, 1, 365),
    "REMINDER_DAYS": lambda env: env.number("REMINDER_DAYS", 0, 0, 364) or None,
    "INVITE_SUBJECT": lambda env: env.one(
        "INVITE_SUBJECT", "", parsers.subject, f"one line of up to {LONGEST_SUBJECT} characters"
    ),
    "INVITE_MESSAGE": lambda env: env.one("INVITE_MESSAGE", "", parsers.words, f"up to {LONGEST_MESSAGE:,} characters"),
    "ALLOWED_DOMAINS": lambda env: env.many("ALLOWED_DOMAINS", parsers.domain, "domains, such as example.org, intranet.local"),
    "UPLOAD_MODE": lambda env: env.choice("UPLOAD_MODE", "replace", parsers.mode, "replace, add or remove"),
    "TIME_ZONE": lambda env: env.zone("TIME_ZONE"),
    "SESSION_IDLE": lambda env: env.duration("SESSION_IDLE", "8h"),
    "SESSION_MAX": lambda env: env.duration("SESSION_MAX", "7d"),
    "REQUIRE_TOTP": lambda env: env.one("REQUIRE_TOTP", "off", parsers.who, "off, managers or everyone"),
    "RETENTION_DAYS": lambda env: env.number("RETENTION_DAYS", 0, 0, 36_500) or None,
    "AUDIT_DAYS": lambda env: env.days("AUDIT_DAYS", 730, LEAST_AUDIT_DAYS, 36_500),
}
"""What can be set on a page too, and how each is read; the environment wins."""


def _loopback_url(host: str, port: int) -> str:
    if not parsers.is_loopback(host):
        raise ConfigError(
            f"MUSTER_PUBLIC_URL is not set; with MUSTER_HOST “{host}” it must be the address people open, "
            "such as https://muster.example.org."
        )
    return f"http://{f'[{host}]' if ':' in host else host}{'' if port == 80 else f':{port}'}"


def _mail_domain(public_url: str) -> str:
    """The host of the portal's own address, unless that is a bare IP address."""
    host = urlsplit(public_url).hostname or ""
    return "localhost" if re.fullmatch(r"[0-9.]*|.*:.*", host) else host


def _fits_a_socket(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and not re.search(r"\s", str(path))


def _runtime_dir(environ: Mapping[str, str]) -> Path:
    """The user's own runtime folder, or the temporary one; /tmp where those are too long for a socket."""
    longest_name = "muster-0123456789abcdef/valkey.sock"
    for folder in (environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()):
        if folder.startswith("/") and os.path.isdir(folder) and _fits_a_socket(Path(folder) / longest_name):
            return Path(folder)
    return Path("/tmp")  # noqa: S108 (for a private folder in it: see valkey.py)

"""Every setting: its name, type, default and meaning. All come from the environment, prefixed with MUSTER_; secrets also from
files that it names.

A wrong value, an unknown name and a data folder that cannot be used raise ConfigError, whose text is one
line: it names the variable, quotes the value (never that of a secret) and says what is expected.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from webapp.core.plan.planner import Mode
from webapp.core.text.formatting import LONGEST_MESSAGE
from webapp.run import data_folder
from webapp.run.data_folder import SHORTEST_SECRET_KEY
from webapp.settings import environment, parsers, sign_in
from webapp.settings.fields import (
    PREFIX,
    ConfigError,
    Field,
    choice,
    days,
    number,
    setting,
)
from webapp.settings.parsers import Network

LONGEST_SOCKET_PATH = 100  # bytes; a socket address holds 104 on macOS, 108 on Linux

_DURATION = parsers.duration, "a length of time, such as 30m, 8h or 7d"
_ATTRIBUTE = parsers.pattern(r"[A-Za-z][A-Za-z0-9-]*"), "the name of an attribute, such as mail"
_WORD = parsers.pattern(r"[!-~]{1,300}")
_LINE = parsers.pattern(r"[^\x00-\x1f\x7f]{1,40}")
_HEADER = parsers.pattern(r"[A-Za-z0-9-]{1,64}")
_HEADER_TEXT = "the name of a header, such as Remote-Email"
_KEY = parsers.pattern(rf".{{{SHORTEST_SECRET_KEY},}}")
_KEY_TEXT = f"at least {SHORTEST_SECRET_KEY} characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment asks for, checked. Made by `from_environment`; its repr() shows no secret."""

    data_dir: Path = setting()  # absolute; exists, mode 0700 when we made it
    host: str = setting(
        parsers.pattern(r"[\w.:-]+"), "an IP address or a host name, such as 127.0.0.1", "127.0.0.1"
    )
    port: int = number(1, 65535, 8000)
    # SQLite in data_dir unless given
    database_url: str = setting(
        parsers.database_url, "sqlite:/// or postgresql+psycopg://", is_secret=True
    )
    # "" = the embedded server; see queue_url
    redis_url: str = setting(
        parsers.redis_url,
        "redis://, rediss://, or unix:// and a path without spaces",
        is_secret=True,
    )
    # "" = .eml files in data_dir/outbox
    mail_url: str = setting(
        parsers.server("smtp", "smtp+starttls", "smtps"),
        "smtp://, smtp+starttls:// or smtps:// and a host",
        is_secret=True,
    )
    mail_from: str = setting(
        parsers.sender, "an address, such as Muster <muster@example.org>", is_on_page=True
    )
    # Where replies go; "" = the sender
    mail_reply_to: str = setting(
        parsers.sender,
        "an address, such as IT help <help@example.org>, in plain letters before the @",
        is_on_page=True,
    )
    # yes: replies to an invitation go to the person who confirmed it
    mail_reply_to_inviter: str = choice("no", "yes", "no", is_on_page=True)
    mail_rate: int = number(1, 100_000, 600)  # messages a minute, for the whole installation
    secret_key: str = setting(_KEY, _KEY_TEXT, is_secret=True)
    secret_key_fallbacks: tuple[str, ...] = setting(
        _KEY, f"{_KEY_TEXT} each, with commas between", is_list=True, is_secret=True
    )
    # Without a slash at its end
    public_url: str = setting(
        parsers.public_url, "a whole address, such as https://muster.example.org"
    )
    trusted_proxies: int = number(0, 10, 0)  # how many reverse proxies in front may be believed
    max_rows: int = number(1, 50_000, 100, is_on_page=True)  # rows a file
    max_upload_mb: int = number(1, 1000, 10)
    invite_days: int = number(1, 365, 7, is_on_page=True)
    reminder_days: int = days(1, 364)  # before an invitation expires; 0 = never
    # Lower-case, ASCII form; empty = any domain
    allowed_domains: tuple[str, ...] = setting(
        parsers.domain,
        "domains, such as example.org, intranet.local",
        is_list=True,
        is_on_page=True,
    )
    # Checked and made on the first start
    groups: tuple[str, ...] = setting(is_list=True)
    workers: int = number(1, 32, 2)
    webs: int = number(1, 16, 1)  # web processes that share the port
    threads: int = number(4, 64, 8)  # of each
    time_zone: ZoneInfo = setting(
        ZoneInfo, "the name of a time zone, such as Europe/Berlin or UTC", is_on_page=True
    )
    session_idle: timedelta = setting(*_DURATION, "8h", is_on_page=True)
    session_max: timedelta = setting(*_DURATION, "7d", is_on_page=True)
    # who must have two-step sign-in
    require_totp: str = choice("off", "off", "managers", "everyone", is_on_page=True)
    # of rows, files and messages; 0 = everything is kept
    retention_days: int = days(1, 36_500)
    # of the audit log; 0 = everything is kept
    audit_days: int = days(30, 36_500, 730)
    # What a new upload does with groups, until someone chooses
    upload_mode: Mode = choice("replace", Mode.REPLACE, Mode.ADD, Mode.REMOVE, is_on_page=True)
    # Of invitations; "" = "Maren Okafor invited you to Northfield Academy"
    invite_subject: str = setting(
        parsers.pattern(r"[^\x00-\x1f\x7f]{0,150}"),
        "one line of up to 150 characters",
        is_on_page=True,
    )
    # The organisation's words in every invitation
    invite_message: str = setting(
        parsers.words, f"up to {LONGEST_MESSAGE:,} characters", is_on_page=True
    )
    # Where Home leads people who do not invite; "" = nowhere
    continue_url: str = setting(
        parsers.pattern(r"https://[^\s/?#@]+([/?#]\S*)?"),
        "an https address, such as https://intranet.example.org",
        is_on_page=True,
    )
    continue_name: str = setting(
        parsers.pattern(r"[^\x00-\x1f\x7f]{0,60}"),
        "one line of up to 60 characters",
        is_on_page=True,
    )
    # Whose certificates are trusted, of the directory and of the provider of single sign-on; "" = as the system does
    ca_file: str = setting(parsers.ca_file, "the path of a file of certificates")
    # The organisation's directory; "" = none. Without TLS only on this computer
    ldap_url: str = setting(
        parsers.directory_server,
        "ldaps:// or ldap+starttls:// and a host; ldap:// only on this computer",
    )
    # As whom Muster looks people up; "" = without a name
    ldap_bind_dn: str = setting()
    ldap_bind_password: str = setting(is_secret=True)
    ldap_base: str = setting()
    ldap_filter: str = setting(
        parsers.pattern(r"\(.+\)"),
        "a filter in brackets, such as (objectClass=person)",
        "(objectClass=person)",
    )
    # Attributes of a person
    ldap_id: str = setting(*_ATTRIBUTE, "entryUUID")
    ldap_email: str = setting(*_ATTRIBUTE, "mail")
    ldap_name: str = setting(*_ATTRIBUTE, "displayName")
    ldap_groups: str = setting(*_ATTRIBUTE, "memberOf")
    # Who shows it may read /metrics
    metrics_token: str = setting(
        parsers.pattern(r"[!-~]{20,}"),
        "at least 20 characters without spaces",
        is_secret=True,
    )
    # Sign-in with accounts elsewhere (docs/sign-in.md). "" = without a provider
    oidc_issuer: str = setting(parsers.issuer, parsers.ISSUER)
    oidc_client_id: str = setting(_WORD, "what the provider calls Muster, without spaces")
    oidc_client_secret: str = setting(is_secret=True)
    # What people call their account there
    oidc_name: str = setting(_LINE, "one line of up to 40 characters", "single sign-on")
    oidc_scopes: str = setting(
        parsers.pattern(r"(\S+ )*openid( \S+)*"),
        "words with a space between, openid among them",
        "openid email profile",
    )
    oidc_groups_claim: str = setting(_WORD, "the name of a claim", "groups")
    # What the claim does with a person's groups
    oidc_groups: str = choice("off", "off", "add", "replace")
    # "" = roles are Muster's own
    oidc_role_claim: str = setting(_WORD, "the name of a claim")
    # The highest role that it gives; "" = those that manage nobody
    oidc_max_role: str = setting()
    # trusted: also an e-mail that the provider has not verified
    oidc_email: str = choice("verified", "verified", "trusted")
    # yes: nobody but the Owner signs in by password
    oidc_only: str = choice("no", "yes", "no")
    # The proxy that signs people in; "" = none
    proxy_email_header: str = setting(_HEADER, _HEADER_TEXT)
    proxy_name_header: str = setting(_HEADER, _HEADER_TEXT)
    proxy_networks: tuple[Network, ...] = setting(
        parsers.network, "addresses or networks of that proxy, such as 10.0.0.5/32", is_list=True
    )
    proxy_sign_out_url: str = setting(
        parsers.pattern(r"(https://|/(?!/))[^\s\\]*"), "an https address, or a path"
    )
    # debug: a terminal shows each request, too
    log: str = choice("quiet", "quiet", "debug")
    # "" = text on a terminal, else json
    log_format: str = choice("", "text", "json")
    # The Owner's e-mail and password are checked on the first start
    owner_email: str = setting()
    owner_password: str = setting(is_secret=True)

    # names (without prefix) that the environment set
    given: frozenset[str] = dataclasses.field(repr=False)
    # where secrets were read from a file, by the same names
    files: Mapping[str, Path] = dataclasses.field(default_factory=dict, hash=False)

    @property
    def mail_host(self) -> str:
        """The mail server's host, or ""."""
        return urlsplit(self.mail_url).hostname or ""

    @property
    def opens_here_only(self) -> bool:
        """Whether links open on this computer only: the public address is a loopback address."""
        return parsers.is_loopback(urlsplit(self.public_url).hostname or "")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read and check all settings, then make the data folder and, once, the secret key in it.

        Raises ConfigError, before anything is made if a value is wrong.
        """
        texts, files = environment.read_texts(environ, FIELDS)
        called = {name: name + environment.FILE if name in files else name for name in FIELDS}
        values = {name.lower(): FIELDS[name].read(called[name], texts[name]) for name in FIELDS}
        sign_in.check(values, environ)
        data_dir = data_folder.locate(values["data_dir"], environ)
        values["data_dir"] = data_dir
        values["public_url"] = values["public_url"] or _loopback_url(values["host"], values["port"])
        values["mail_from"] = values["mail_from"] or _default_sender(values["public_url"])
        values["database_url"] = values["database_url"] or f"sqlite:///{data_dir}/muster.db"
        values["time_zone"] = values["time_zone"] or parsers.server_zone(environ.get("TZ", ""))
        given = frozenset(name for name, text in texts.items() if text.strip())
        settings = cls(**values, given=given, files=files)
        _check_directory(settings)
        data_folder.make(data_dir)
        if settings.secret_key:
            return settings
        return replace(settings, secret_key=data_folder.load_secret_key(data_dir / "secret_key"))

    def overlaid(self, texts: Mapping[str, str]) -> tuple[Self, dict[str, str]]:
        """These settings with the valid ones of the pages applied, and an error sentence for each invalid one.

        Blank texts change nothing, and what the environment sets stays.
        """
        values, problems = {}, {}
        for name, text in texts.items():
            if name in ON_PAGES and name not in self.given and text:
                try:
                    values[name.lower()] = FIELDS[name].read(name, text)
                except ConfigError:
                    problems[name] = f"Type {FIELDS[name].expected}."
        return replace(self, **values), problems

    def text(self, name: str) -> str:
        """The text of a page setting for its input field."""
        value = getattr(self, name.lower())
        if isinstance(value, timedelta):
            return parsers.format_duration(value)
        if isinstance(value, tuple):
            return ", ".join(value)
        return str(value)

    @property
    def secret_sources(self) -> dict[str, str]:
        """Where each secret that is set comes from, by the setting's whole name: never what it is."""
        secrets = [name for name in FIELDS if FIELDS[name].is_secret and name in self.given]
        return {PREFIX + name: str(self.files.get(name, "environment")) for name in secrets}

    @property
    def prefix(self) -> str:
        """The path under which the portal is reached: "" or, say, "/muster"."""
        return urlsplit(self.public_url).path

    @property
    def https(self) -> bool:
        """Whether people reach the portal over https (cookies are then Secure)."""
        return self.public_url.startswith("https://")

    @property
    def log_file(self) -> Path:
        """Where the log goes while Muster runs on a terminal."""
        return self.data_dir / "muster.log"

    @property
    def is_demo(self) -> bool:
        """Whether this is the example school: sign-in links are for anybody there."""
        return (self.data_dir / data_folder.DEMO).is_file()

    @property
    def queue_socket(self) -> Path:
        """The embedded server's socket: in data_dir, or in a private folder of /tmp if that path is too long or has spaces.

        A long path does not fit a socket address, and a space in it breaks RQ's reading of CLIENT INFO.
        """
        inside = self.data_dir / "valkey.sock"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH and not re.search(r"\s", str(inside)):
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(f"/tmp/muster-{digest}/valkey.sock")  # noqa: S108 -- private: see valkey.py

    @property
    def queue_url(self) -> str:
        """The queue's address as redis-py takes it (`unix://...` for the embedded server)."""
        return self.redis_url or f"unix://{quote(str(self.queue_socket))}"


FIELDS: dict[str, Field] = {
    each.name.upper(): each.metadata["field"]
    for each in dataclasses.fields(Settings)
    if "field" in each.metadata
}
"""All settings, by name without the prefix."""
ON_PAGES = tuple(name for name, field in FIELDS.items() if field.is_on_page)
"""What can be set on a page, too; the environment wins."""


def _loopback_url(host: str, port: int) -> str:
    if not parsers.is_loopback(host):
        raise ConfigError(
            f"MUSTER_PUBLIC_URL is not set; with MUSTER_HOST “{host}” it must be the address people open, "
            "such as https://muster.example.org."
        )
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _check_directory(settings: Settings) -> None:
    if not settings.ldap_url:
        return
    if not settings.ldap_base:
        raise ConfigError(
            "MUSTER_LDAP_BASE is not set; with MUSTER_LDAP_URL it must be the place where people are, such as dc=example,dc=org."
        )
    if not importlib.util.find_spec("ldap3"):
        raise ConfigError(
            "MUSTER_LDAP_URL needs a package that is not installed: install muster-portal[ldap], or requirements-ldap.txt."
        )


def _default_sender(public_url: str) -> str:
    """From the host of the portal's own address, unless that is a bare IP address."""
    host = urlsplit(public_url).hostname or ""
    if re.fullmatch(r"[0-9.]*|.*:.*", host):
        host = "localhost"
    return f"Muster <muster@{host}>"

"""Checks which host a request is for, and which site its form came from.

The CSRF token proves that a form is ours. In addition, a request that names another site as its origin is refused; a request
that names none is not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import BadRequest

from webapp import logs
from webapp.settings.parsers import is_loopback
from webapp.settings.settings import Settings

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
ANY_HOST = {"static", "health.show", "health.live", "health.figures"}
"""Health checks use any name that their network gives to this machine."""
PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]
"""Scheme, host, port."""


class WrongHostError(BadRequest):
    """The request is for a host that this portal is not known by."""


class WrongOriginError(BadRequest):
    """The form came from another site. said: what the browser said, such as "Origin: https://evil.example"."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said


def check_host() -> None:
    """Before every request: the host must be that of `MUSTER_PUBLIC_URL`, this machine, or an address in figures."""
    if "HTTP_HOST" not in request.environ or request.endpoint in ANY_HOST:
        return
    if not _is_ours(request.host):
        logs.refuse("host", f"“{_line(request.host)}” is not the host of MUSTER_PUBLIC_URL")
        raise WrongHostError


def check_origin() -> None:
    """Before a request that changes something, once its token is good: it must not come from another site."""
    if request.method not in CHANGING:
        return
    if said := _foreign(_own()):
        logs.refuse("origin", f"the form came from another site ({said})")
        raise WrongOriginError(said)


def _foreign(own: set[Origin]) -> str:
    """The header that names another site; "" if none does."""
    site, origin, referer = (
        request.headers.get(name, "") for name in ("Sec-Fetch-Site", "Origin", "Referer")
    )
    if site in ("same-origin", "none") or _origin(origin) in own:
        return ""
    if origin and origin != "null":
        return f"Origin: {_line(origin)}"
    if referer and _origin(referer) not in own:
        return f"Referer: {_line(_without_path(referer))}"
    if site in ("cross-site", "same-site"):
        return f"Sec-Fetch-Site: {site}"
    return ""


def _own() -> set[Origin]:
    """Our own origins: of `MUSTER_PUBLIC_URL`, and of the address that the request was for."""
    host = request.host
    found = {_origin(_settings().public_url), _origin(f"{request.scheme}://{host}")}
    if not request.is_secure:  # a proxy may speak https to the browser without telling us
        found.add(_origin(f"https://{host}"))
    return {origin for origin in found if origin}


def _origin(address: str) -> Origin | None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not host:
        return None
    return parts.scheme, _ascii(host), port or PORTS[parts.scheme]


def _without_path(address: str) -> str:
    """Scheme and host alone: a path may hold a token."""
    return "/".join(address.split("/")[:3])


def _is_ours(given: str) -> bool:
    try:
        host = urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return False
    host = _ascii(host)
    if host in (_ascii(urlsplit(_settings().public_url).hostname or ""), _settings().host.lower()):
        return True
    return is_loopback(host) or host.endswith(".localhost") or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ascii(host: str) -> str:
    """One spelling of a host name: lower case, without a dot at its end, as it is sent."""
    host = host.rstrip(".").lower()
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def _line(text: str) -> str:
    """The text on one line and not too long, for the log and a page."""
    return "".join(c if c.isprintable() else "?" for c in text)[:100]


def _settings() -> Settings:
    found = current_app.extensions["muster_settings"]
    assert isinstance(found, Settings)
    return found

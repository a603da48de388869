"""Checks which host a request is for, and which site its form came from.

The CSRF token proves that a form is ours. In addition, a request that names another site as its origin is refused; a request
that names none is not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import BadRequest

from webapp.http.rate_limits import log_refusal
from webapp.settings.fields import shorten
from webapp.settings.settings import Settings

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
ANY_HOST = {"static", "health.show", "health.live", "health.figures"}
"""Health checks use any name that their network gives to this machine."""
PORTS = {"http": 80, "https": 443}


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
        log_refusal("host", f"“{shorten(request.host)}” is not the host of MUSTER_PUBLIC_URL")
        raise WrongHostError


def check_origin() -> None:
    """Before a request that changes something, once its token is good: it must not come from another site."""
    if request.method in CHANGING and (said := _foreign()):
        log_refusal("origin", f"the form came from another site ({said})")
        raise WrongOriginError(said)


def _foreign() -> str:
    """The header that names another site; "" if none does."""
    site = request.headers.get("Sec-Fetch-Site", "")
    if site in ("same-origin", "none"):
        return ""
    own = {_origin(_settings().public_url), _origin(f"{request.scheme}://{request.host}")}
    if not request.is_secure:  # a proxy may speak https to the browser without telling us
        own.add(_origin(f"https://{request.host}"))
    for name in ("Origin", "Referer"):
        address = request.headers.get(name, "")
        if address in ("", "null"):
            continue
        # A path is left out: it may hold a token.
        found = _origin(address)
        return (
            "" if found and found in own else f"{name}: {shorten('/'.join(address.split('/')[:3]))}"
        )
    return f"Sec-Fetch-Site: {site}" if site else ""


def _origin(address: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address, or None if it is not one of the web."""
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return parts.scheme, _ascii(parts.hostname or ""), port


def _is_ours(given: str) -> bool:
    try:
        host = _ascii(urlsplit(f"//{given}").hostname or "")
    except ValueError:
        return False
    settings = _settings()
    if host in (_ascii(urlsplit(settings.public_url).hostname or ""), settings.host.lower()):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return True


def _ascii(host: str) -> str:
    """One spelling of a host name: lower case, without a dot at its end, as it is sent."""
    try:
        return host.rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        return host


def _settings() -> Settings:
    found: Settings = current_app.extensions["muster_settings"]
    return found

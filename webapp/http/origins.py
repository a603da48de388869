"""Checks which host a request is for, and which site its form came from.

The CSRF token proves that a form is ours. In addition, a request that names another site as its origin is refused; a request
that names none is not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import BadRequest

from webapp.http.rate_limits import log_refusal
from webapp.services.settings import in_force
from webapp.settings.fields import shorten

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
ANY_HOST = {"static", "health.show", "health.live", "health.figures"}
"""Health checks use any name that their network gives to this machine. Nobody is signed in there."""


class WrongHostError(BadRequest):
    """The request is for a host that this portal is not known by."""


class WrongOriginError(BadRequest):
    """The form came from another site. said: what the browser said, such as "Origin: https://evil.example"."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said


def check_host() -> None:
    """Before every request: the host must be that of `MUSTER_PUBLIC_URL`, this machine, or an IP address."""
    if request.endpoint not in ANY_HOST and not _is_ours():
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
    origin = request.headers.get("Origin", "null")
    if origin == "null":
        return f"Sec-Fetch-Site: {shorten(site)}" if site else ""
    public = urlsplit(in_force.environment().public_url)
    own = (
        f"{public.scheme}://{public.netloc}",
        f"{request.scheme}://{request.host}",
        f"https://{request.host}",  # a proxy may speak https to the browser without telling us
    )
    return "" if origin in own else f"Origin: {shorten(origin)}"


def _is_ours() -> bool:
    settings = in_force.environment()
    public = urlsplit(settings.public_url).hostname or ""
    try:
        host = (urlsplit(f"//{request.host}").hostname or "").rstrip(".")
        if host in (public.encode("idna").decode(), settings.host, "localhost"):
            return True
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

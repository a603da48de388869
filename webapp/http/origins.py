"""Checks which host a request is for, and which site its form came from.

The CSRF token proves that a form is ours. In addition, a request that names another site as its origin is refused; a request
that names none is not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

from flask import request

from webapp.core.errors import MusterError
from webapp.http.auth import ANY_HOST, record_refusal
from webapp.http.rate_limits import log_refusal
from webapp.services.settings import in_force
from webapp.settings.fields import shorten

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


class WrongAddressError(MusterError):
    """The request is for a host that is not ours, or its form came from another site."""

    status = 400

    def __init__(self, title: str, text: str) -> None:
        super().__init__(text)
        self.title = title


def check_host() -> None:
    """Before every request: the host must be that of `MUSTER_PUBLIC_URL`, this machine, or an IP address."""
    if request.endpoint not in ANY_HOST and not _is_ours():
        log_refusal("host", f"“{shorten(request.host)}” is not the host of MUSTER_PUBLIC_URL")
        raise WrongAddressError(
            "Muster is not known by this address",
            f"Open {in_force.environment().public_url} instead. If this address should work, the person who runs Muster has "
            "to set MUSTER_PUBLIC_URL to it, or have the proxy pass Host on.",
        )


def check_origin() -> None:
    """Before a request that changes something, once its token is good: it must not come from another site."""
    if request.method in CHANGING and (said := _foreign()):
        log_refusal("origin", f"the form came from another site ({said})")
        record_refusal("origin.refused", said)
        raise WrongAddressError(
            "This form came from another site",
            f"Your browser says that this form came from another site ({said}), so nothing was changed. "
            f"Open {in_force.environment().public_url} and repeat the last step. If that is where you are, a proxy changes "
            "the address on its way: the person who runs Muster should check MUSTER_PUBLIC_URL and that the proxy forwards Host.",
        )


def _foreign() -> str:
    """The header that names another site; "" if none does."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("same-origin", "none"):
        return f"Sec-Fetch-Site: {shorten(site)}"
    origin = request.headers.get("Origin", "null")
    own = (
        urljoin(in_force.environment().public_url, "/"),
        f"{request.scheme}://{request.host}/",
        f"https://{request.host}/",  # a proxy may speak https to the browser without telling us
    )
    return "" if origin == "null" or f"{origin}/" in own else f"Origin: {shorten(origin)}"


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

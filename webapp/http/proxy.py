"""The proxy in front that has signed somebody in, and names them in a header. Only that proxy is believed."""

from __future__ import annotations

import ipaddress

from flask import request

from webapp.core.addresses import key_of
from webapp.core.plan.claims import Claims, read_claims
from webapp.http.rate_limits import log_refusal
from webapp.services.accounts.sso import PROXY, EntryRefusedError
from webapp.services.settings import in_force
from webapp.settings.fields import shorten


def real_peer() -> str:
    """The address that the connection comes from, whatever X-Forwarded-For says."""
    kept = request.environ.get("werkzeug.proxy_fix.orig") or request.environ
    return str(kept.get("REMOTE_ADDR") or "")


def is_trusted() -> bool:
    """Whether this request comes from the proxy that signs people in."""
    try:
        peer = ipaddress.ip_address(real_peer())
    except ValueError:
        return False
    mapped = getattr(peer, "ipv4_mapped", None)
    return any((mapped or peer) in network for network in in_force.environment().proxy_networks)


def read_header() -> Claims | None:
    """Who is there, as the proxy says; None where it names nobody, or the header comes from elsewhere.

    Raises EntryRefusedError for what is no single e-mail: servers join a header that was sent twice by a comma.
    """
    settings = in_force.environment()
    if not settings.proxy_email_header:
        return None
    email = request.headers.get(settings.proxy_email_header, "").strip()
    if not email:
        return None
    if not is_trusted():
        log_refusal("proxy", f"{settings.proxy_email_header} came from {real_peer()}")
        return None
    key = key_of(email, (email.rpartition("@")[2].lower(),))
    if "," in email or not key:
        log_refusal("proxy", f"{settings.proxy_email_header} is “{shorten(email)}”")
        raise EntryRefusedError("header")
    name = request.headers.get(settings.proxy_name_header or "-", "")
    said = {"sub": key, "email": email, "email_verified": True, "name": _decode(name)}
    return read_claims(said, PROXY)


def is_named() -> bool:
    """Whether the proxy in front names somebody in this request."""
    try:
        return read_header() is not None
    except EntryRefusedError:
        return False


def _decode(name: str) -> str:
    """WSGI reads headers as Latin-1, and proxies send UTF-8."""
    try:
        return name.encode("latin-1").decode()
    except UnicodeError:
        return name

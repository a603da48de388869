"""An id and a line of the log for every request. The line never holds a token or a query."""

from __future__ import annotations

import logging
import re
import secrets
import time

from flask import Response, g, request
from sqlalchemy import inspect

from webapp import logs
from webapp.http import metrics
from webapp.services.settings import in_force
from webapp.settings.fields import shorten

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

log = logging.getLogger("muster.access")


def begin_request() -> None:
    """Before every request: give it an id and start its time. A trusted proxy in front may give the id."""
    g.began = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    is_trusted = in_force.environment().trusted_proxies > 0
    if not (is_trusted and _ID.fullmatch(given)):
        given = secrets.token_hex(6)
    logs.set_context(request=given)


def end_request(response: Response) -> Response:
    """After every request: write its line, and count its time for the metrics."""
    response.headers["X-Request-ID"] = logs.request_id() or ""
    seconds = time.perf_counter() - g.began
    method = shorten(request.method)
    status = f"{response.status_code // 100}xx"
    metrics.REQUEST_SECONDS.labels(request.endpoint or "none", status).observe(seconds)
    user = g.get("user")
    facts = {
        "method": method,
        "path": _path(),
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "user": inspect(user).identity[0] if user else None,
    }
    words = f"{method} {facts['path']} {response.status_code} in {seconds * 1000:.0f} ms"
    log.info("%s%s", words, f", user {facts['user']}" if user else "", extra=facts)
    return response


def _path() -> str:
    """The address, or its pattern where a part that is not a number may be a token."""
    if request.url_rule is None:
        return "(no such page)"
    values = (request.view_args or {}).values()
    is_numbers = all(isinstance(value, int) for value in values)
    return request.path if is_numbers else request.url_rule.rule

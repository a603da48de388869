"""What is noted of every request: an id, a line of the log, how long it took. Paths never carry a token or a query."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Response, g, request
from sqlalchemy import inspect
from werkzeug.wsgi import ClosingIterator

from webapp import logs
from webapp.http import metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNKNOWN = "(no such page)"

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_NOTED = "muster.noted"

log = logging.getLogger("muster.access")


def note(response: Response) -> Response:
    """After every request: note for its line which page it was for, and who asked."""
    if rule := request.url_rule:
        # An address of numbers can be told; another part of one may be a token, so that its pattern is told instead.
        is_plain = request.endpoint == "static" or all(
            isinstance(each, int) for each in (request.view_args or {}).values()
        )
        user = g.get("user")
        request.environ[_NOTED] = {
            "endpoint": rule.endpoint,
            "path": quote(request.path, safe="/") if is_plain else rule.rule,
            "user": inspect(user).identity[0] if user else None,
        }
    return response


class AccessLog:
    """Around the app: `X-Request-ID` in and out, one line of the log and one observation a request.

    believes: whether the proxy in front may give the id; from anybody else it is not taken.
    """

    def __init__(self, app: WSGIApplication, latency: metrics.Latency, *, believes: bool) -> None:
        self._app, self._latency, self._believes = app, latency, believes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began, answered = time.perf_counter(), []
        given = environ.get("HTTP_X_REQUEST_ID", "") if self._believes else ""
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(6)

        def begin(status: str, headers: list[tuple[str, str]], crash: Any = None) -> Any:
            answered.append(int(status[:3]))
            return start_response(status, [*headers, ("X-Request-ID", request_id)], crash)

        about = logs.about(request=request_id)
        about.__enter__()

        def end() -> None:
            self._tell(environ, answered[-1] if answered else 500, time.perf_counter() - began)
            about.__exit__(None, None, None)

        try:
            return ClosingIterator(self._app(environ, begin), [end])
        except BaseException:
            end()
            raise

    def _tell(self, environ: WSGIEnvironment, status: int, seconds: float) -> None:
        noted = environ.get(_NOTED, {})
        method = environ["REQUEST_METHOD"]
        if method not in METHODS:
            method = "OTHER"
        self._latency.observe(noted.get("endpoint", "none"), method, status, seconds)
        facts = {
            "method": method,
            "path": noted.get("path", UNKNOWN),
            "status": status,
            "ms": round(seconds * 1000, 1),
            "user": noted.get("user"),
        }
        words = f"{method} {facts['path']} {status} in {seconds * 1000:.0f} ms"
        log.info("%s%s", words, f", user {facts['user']}" if facts["user"] else "", extra=facts)

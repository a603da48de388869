"""What is noted of every request: an id, a line of the log, how long it took. Paths never carry a token or a query."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Noted:
    """What Flask knows of a request. endpoint: "" where there is no such page."""

    endpoint: str = ""
    path: str = UNKNOWN
    user: int | None = None


def note(response: Response) -> Response:
    """After every request: what its line will say."""
    if rule := request.url_rule:
        # An address of numbers can be told; another part of one may be a token, so that its pattern is told instead.
        is_plain = request.endpoint == "static" or all(
            isinstance(each, int) for each in (request.view_args or {}).values()
        )
        path = quote(request.path, safe="/") if is_plain else rule.rule
        user = g.get("user")
        request.environ[_NOTED] = Noted(
            rule.endpoint, path, inspect(user).identity[0] if user else None
        )
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
        noted = environ.get(_NOTED) or Noted()
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "OTHER"
        self._latency.observe(noted.endpoint or "none", method, status, seconds)
        facts = {
            "method": method,
            "path": noted.path,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "user": noted.user,
        }
        words = f"{method} {noted.path} {status} in {seconds * 1000:.0f} ms"
        log.info("%s%s", words, f", user {noted.user}" if noted.user else "", extra=facts)

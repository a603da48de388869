"""How a command reaches the API: over HTTP, or through the app in this process."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

SECONDS = 120
"""For each answer: a large file takes some."""
TRIES = 3
LONGEST_PAUSE = 30
"""Seconds before another try, whatever Retry-After says."""
AGAIN = (429, 502, 503, 504)


class AwayError(Exception):
    """Muster does not answer, or is busy; str() is a sentence."""


class RefusedError(Exception):
    """Muster said no; str() is its sentence. problem: the whole answer (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        lines = [problem.get("detail") or problem.get("title") or f"Muster answered {status}."]
        lines += [f"{each['pointer']}: {each['detail']}" for each in problem.get("errors", ())]
        super().__init__("\n".join(lines))
        self.status = status
        self.problem = problem


class Answer(NamedTuple):
    """An answer of the API. body: its JSON; None where there is none."""

    status: int
    tag: str
    body: Any


class Transport(Protocol):
    """Sends one request. -> status, ETag, body. Raises AwayError."""

    def __call__(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]: ...


class Api:
    """The API under /api/v1."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, path: str) -> Answer:
        """Raises RefusedError, AwayError; so do the others."""
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Send JSON. headers: If_Match for If-Match."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, data, kind | named)

    def post_file(self, path: str, name: str, content: bytes, options: Any, key: str) -> Answer:
        """Send a file, with options and an Idempotency-Key."""
        edge = "muster-" + os.urandom(16).hex()
        name = name.replace('"', "").replace("\r", "").replace("\n", "")
        head = 'Content-Disposition: form-data; name="{}"'
        parts = [
            f"--{edge}\r\n{head.format('options')}\r\n\r\n{json.dumps(options)}\r\n",
            f'--{edge}\r\n{head.format("file")}; filename="{name}"\r\n\r\n',
        ]
        data = "".join(parts).encode() + content + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        return self.send("POST", path, data, {"Content-Type": kind, "Idempotency-Key": key})

    def delete(self, path: str) -> Answer:
        """Delete something."""
        return self.send("DELETE", path)

    def pages(self, path: str, name: str) -> Iterator[Any]:
        """Everything of a list, page by page."""
        more: str | None = path
        while more:
            page = self.get(more).body
            yield from page[name]
            more = page["next"]

    def send(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """One request, tried again while Muster is busy."""
        whole = path if path.startswith("/api/") else f"/api/v1{path}"
        for left in reversed(range(TRIES)):
            status, given, body = self._transport(method, whole, data, headers)
            if status not in AGAIN:
                break
            if not left:
                raise AwayError(f"Muster is busy ({status}). Try again later.")
            pause = given.get("Retry-After", "")
            time.sleep(min(int(pause) if pause.isdigit() else 1, LONGEST_PAUSE))
        value = _read(body)
        if status >= 400:
            raise RefusedError(status, value if isinstance(value, dict) else {})
        return Answer(status, given.get("ETag", given.get("Etag", "")), value)


def over_http(url: str, token: str) -> Api:
    """The API of a Muster at this address. Raises ValueError for what is no address."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(
            f"“{url}” is not the address of a Muster, such as https://muster.example.org."
        )
    base = url.rstrip("/")
    # no redirects: the token would go along
    opener = urllib.request.build_opener(_NoRedirects)

    def send(
        method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        local = path.removeprefix(address.path.rstrip("/"))
        sent = {**headers, "Authorization": f"Bearer {token}", "User-Agent": "muster"}
        request = urllib.request.Request(base + local, data, sent, method=method)  # noqa: S310 -- checked
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise AwayError(f"{base} does not answer ({why}).") from error

    return Api(send)


@contextmanager
def in_process(email: str) -> Iterator[Api]:
    """The same routes in this process, as a user of this installation; by a token that ends with the block.

    Raises RefusedError where there is no such user, or this process may not be in the data folder.
    """
    from webapp.client.local import open_app

    with open_app(email) as (app, token):
        browser = app.test_client(use_cookies=False)
        place = urlsplit(app.extensions["muster_settings"].public_url)

        def send(
            method: str, path: str, data: bytes | None, headers: Mapping[str, str]
        ) -> tuple[int, Mapping[str, str], bytes]:
            sent = {**headers, "Authorization": f"Bearer {token}", "Host": place.netloc}
            local = path.removeprefix(place.path)
            answer = browser.open(place.path + local, method=method, data=data, headers=sent)
            return answer.status_code, dict(answer.headers), answer.get_data()

        yield Api(send)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None

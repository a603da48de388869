"""A receiver of webhooks: a real HTTP or HTTPS server, which answers as it is told and keeps what it got."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.smtp_sink import CERTIFICATE

SILENT, DRIPPING, BROKEN_OFF = -1, -2, -3
"""In place of a status: no answer; an answer that comes a byte at a time and never ends; 200 with half of its body."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def about(self) -> str:
        """ "ines@northfield.example", or the type of an event without an e-mail."""
        return str(self.event["data"].get("email", self.event["type"]))


class Receiver:
    """`with Receiver(500, 200) as receiver:` answers with these, then with 200."""

    def __init__(self, *answers: int, tls: bool = False, words: str = "") -> None:
        self.answers, self.words = deque(answers), words
        self.got: list[Received] = []
        self.at_once = self.most_at_once = 0
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self.tls = tls
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self._server.server_port}/muster?key=north"

    @property
    def about(self) -> list[str]:
        return [each.about for each in self.got]

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, received: Received) -> int:
        with self._lock:
            self.got.append(received)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return self.answers.popleft() if self.answers else 200

    def _make_handler(receiver) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(Received(self.path, headers, body))
                try:
                    self._answer(status)
                finally:
                    with receiver._lock:
                        receiver.at_once -= 1

            def _answer(self, status: int) -> None:
                if status == SILENT:
                    receiver._ended.wait(60)
                    return
                if status == DRIPPING:
                    while not receiver._ended.wait(0.05):
                        self.wfile.write(b"H")
                    return
                if status == BROKEN_OFF:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(receiver.words.encode())))
                self.end_headers()
                self.wfile.write(receiver.words.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler

"""Clients that take for ever to send their requests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

DRIPPING = 200


@contextlib.contextmanager
def drip(port: int) -> Iterator[list[socket.socket]]:
    """Connect clients that send a request one byte every half second, half of them a header and half a body."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(DRIPPING)]
    done = threading.Event()
    for client in clients[::2]:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    for client in clients[1::2]:
        client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n")

    def send_bytes() -> None:
        while not done.wait(0.5):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=send_bytes)
    thread.start()
    try:
        yield clients
    finally:
        done.set()
        thread.join()
        for client in clients:
            client.close()

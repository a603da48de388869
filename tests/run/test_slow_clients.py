"""Two hundred clients that drip their requests stop nobody else."""

import contextlib
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.run.conftest import STOP_LIMIT, TOP, Muster, wait_until

pytestmark = pytest.mark.slow

DRIPPING = 200


@contextlib.contextmanager
def drip(port: int) -> Iterator[list[socket.socket]]:
    """Half of them drip a header, half a body, a byte every half second each."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(DRIPPING)]
    done = threading.Event()
    for client in clients[::2]:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    for client in clients[1::2]:
        client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n")

    def drip() -> None:
        while not done.wait(0.5):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield clients
    finally:
        done.set()
        thread.join()
        for client in clients:
            client.close()


def test_the_portal_answers_while_two_hundred_clients_drip(muster: Muster) -> None:
    muster.started()
    with drip(muster.port) as clients:
        for _ in range(20):
            status, _ = muster.get("/healthz", timeout=30)
            assert status in (200, 503)
        with selectors.DefaultSelector() as answered:
            for client in clients:
                answered.register(client, selectors.EVENT_READ)
            assert answered.select(timeout=0) == [], "all of them are still connected and unanswered"
        assert muster.stop(limit=STOP_LIMIT) == 0


def test_a_request_that_never_ends_is_ended(muster: Muster) -> None:
    """With a limit of two seconds in place of minutes: bytes that drip in do not prolong it."""
    program = (
        "import sys, webapp.server as server\n"
        "from waitress.adjustments import Adjustments\n"
        "server.WHOLE_REQUEST = 2; Adjustments.cleanup_interval = 1\n"
        "sys.exit(server.main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=TOP, env=muster.environ, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: muster.health(), "the web server answers")
        with drip(muster.port) as clients:
            for client in clients:
                client.settimeout(60)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""
    finally:
        process.terminate()
        process.wait(60)

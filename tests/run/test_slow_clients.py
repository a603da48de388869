"""Two hundred clients that drip their requests stop nobody else."""

import contextlib
import selectors
import subprocess
import sys

import pytest

from tests.run.conftest import STOP_LIMIT, TOP, Muster, wait_until
from tests.slow_clients import drip

pytestmark = pytest.mark.slow


def test_the_portal_answers_while_two_hundred_clients_drip(muster: Muster) -> None:
    muster.migrated().started()
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
    program = "import sys, webapp.server as server\nserver.WHOLE_REQUEST = 2\nsys.exit(server.main())\n"
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

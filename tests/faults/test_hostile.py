"""Clients and files that mean ill: the pages of other people stay quick meanwhile, and the portal is well afterwards."""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from webapp.db import begin_write, db
from webapp.services.audit import events

from tests.faults.portal import Browser, Portal
from tests.files.writers import ods, sheet_xml, xlsx
from tests.run.conftest import wait_until

pytestmark = pytest.mark.slow

PAGES = ("/", "/users", "/groups", "/batches", "/healthz/live")
SECONDS = 1.0
"""Within which a page is there while all this goes on: the promise, on a machine that does nothing else."""
AT_ONCE = 10

Attack = Callable[[Portal, int], contextlib.AbstractContextManager[None]]


def time_of(browser: Browser, path: str) -> float:
    began = time.monotonic()
    status, _, _ = browser.ask("GET", path)
    assert status == 200, path
    return time.monotonic() - began


def nested() -> bytes:
    """1,3 kB: shapes in shapes, 20,000 deep."""
    drawn = f"<table:table-cell>{'<draw:a>' * 20_000}{'</draw:a>' * 20_000}</table:table-cell>"
    return ods({"People": [["Email", "Role"], ["ana@northfield.example", drawn]]})


def long() -> bytes:
    """60 MB of XML."""
    return xlsx({"People": sheet_xml("<row><c><v>1</v></c></row>" * 2_300_000)})


@contextlib.contextmanager
def uploads(portal: Portal, data: bytes, name: str, people: int) -> Iterator[None]:
    """So many at once, by one person or by many; each is answered, and none with a crash."""
    browsers = [portal.joined("Ida Sender", "Admin") for _ in range(people)]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda by=browsers[number % people]: answers.append(by.send_file(data, name)))
        for number in range(AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()
    assert len(answers) == AT_ONCE
    assert set(answers) <= {303, 422}, answers


@contextlib.contextmanager
def idle(portal: Portal, count: int) -> Iterator[None]:
    """Connections of one address that never ask."""
    with contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(socket.create_connection(("127.0.0.1", portal.muster.port), timeout=60))
        yield


@contextlib.contextmanager
def readers(portal: Portal, count: int) -> Iterator[None]:
    """Who ask for an export of 60 MB and read nothing of it."""
    with portal.app.app_context():
        begin_write()
        for _ in range(120):
            events.record(None, "setup.done", note="x" * 500_000)
        db.session.commit()
    lines = ["GET /audit/events.jsonl HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {portal.owner.cookie['Cookie']}", "", ""]
    with contextlib.ExitStack() as held:
        for _ in range(count):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", portal.muster.port), timeout=60))
            connection.sendall("\r\n".join(lines).encode())
        yield


ATTACKS = {
    "nested shapes, one person": lambda portal: uploads(portal, nested(), "nested.ods", 1),
    "nested shapes, ten people": lambda portal: uploads(portal, nested(), "nested.ods", AT_ONCE),
    "60 MB of XML, one person": lambda portal: uploads(portal, long(), "long.xlsx", 1),
    "60 MB of XML, ten people": lambda portal: uploads(portal, long(), "long.xlsx", AT_ONCE),
    "readers that do not read": lambda portal: readers(portal, 12),
    "300 idle connections": lambda portal: idle(portal, 300),
    "1,000 idle connections": lambda portal: idle(portal, 1000),
}
QUICK = ("nested shapes, ten people", "300 idle connections")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.faults]) for name in ATTACKS])
def test_the_pages_of_others_stay_quick(portal: Portal, admin: Browser, name: str) -> None:
    quiet = statistics.median(time_of(admin, path) for path in PAGES * 3)
    with ATTACKS[name](portal):
        times = [time_of(admin, path) for path in PAGES * 4]
    most = SECONDS + 10 * quiet  # a machine that is busy with something else was so before, too
    assert statistics.median(times) < SECONDS, f"{quiet:.2f} s before, then {times}"
    assert max(times) < most, f"{quiet:.2f} s before, then {times}"
    wait_until(lambda: portal.muster.health().get("status") == "ok", "all is well afterwards")

"""Workers killed, frozen and stopped at every point of their work, and at random."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.faults.conftest import Verdict
from tests.faults.mail_server import HOLD, POINTS
from tests.faults.portal import AFTER, Portal, is_gone
from tests.faults.seed import SEED
from tests.run.conftest import wait_until

IN_THE_WORKER = [
    "run_chunk.before", "run_chunk.commit", "run_chunk.committed",
    "claim.before", "claim.commit", "claim.after", "render_claimed.after",
    "begin_data.before", "begin_data.commit", "begin_data.committed",
    "record_sent.before", "record_sent.commit", "record_sent.committed", "record_sent.after",
]  # fmt: skip
AT_THE_MAIL_SERVER = [f"mail.{point}" for point in POINTS]
SIGNALS = [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM]
EVERY = [(number, point) for number in SIGNALS for point in IN_THE_WORKER + AT_THE_MAIL_SERVER]
QUICK = random.Random(SEED).sample(EVERY, 5)
"""Those that are played every time; `make faults` plays all."""

pytestmark = pytest.mark.slow


@contextmanager
def brought_to(portal: Portal, point: str) -> Iterator[Callable[[], int]]:
    """The next process at this point waits there until the block ends. -> a function that tells who: its process id."""
    place, _, name = point.partition(".")
    if place != "mail":
        with portal.points.armed(point) as reached:
            yield reached
        return
    portal.mail.plan(name, HOLD)
    before = len(portal.mail.events())

    def client() -> int:
        wait_until(lambda: any(e["event"] == "held" for e in portal.mail.events()[before:]), f"a client is held at {name}", AFTER)
        talking = [pid for pid in portal.workers() if talks_to(pid, portal.mail.port)]
        assert talking, portal.workers()
        return talking[0]

    try:
        yield client
    finally:
        portal.mail.go()


def talks_to(pid: int, port: int) -> bool:
    try:
        return any(c.raddr and c.raddr.port == port and c.status == "ESTABLISHED" for c in psutil.Process(pid).net_connections())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("number", "point"),
    [pytest.param(*one, id=f"{one[0].name}-{one[1]}", marks=[] if one in QUICK else [pytest.mark.faults]) for one in EVERY],
)
def test_a_worker_is_ended_or_frozen_at_a_point(portal: Portal, verdict: Verdict, number: signal.Signals, point: str) -> None:
    batch_id = portal.uploaded()
    with brought_to(portal, point) as reached:
        portal.confirm(batch_id)
        pid = reached()
        PLAY[number](portal, pid, point)
    if number is signal.SIGSTOP:
        thaw(portal, pid, batch_id, is_within_transaction=point.endswith(".commit"))
    portal.pass_time()
    verdict(portal, batch_id)


def kill(portal: Portal, pid: int, point: str) -> None:
    portal.kill(pid)


def freeze(portal: Portal, pid: int, point: str) -> None:
    portal.kill(pid, number=signal.SIGSTOP)


def thaw(portal: Portal, pid: int, batch_id: int, *, is_within_transaction: bool) -> None:
    """It goes on, long after others have taken over what it had; within a transaction it holds others up until then."""
    if is_within_transaction:
        time.sleep(3)
    else:
        portal.pass_time()
        portal.settle(batch_id, after=5)  # as far as the others come
    portal.thaw(pid)


def stop(portal: Portal, pid: int, point: str) -> None:
    """The worker is asked to stop while it still waits at the point: it is cut off there."""
    portal.kill(pid, number=signal.SIGTERM)
    with portal.interruption():
        # Its timer may just be waiting for the very lock that this job holds, as long as SQLite lets it.
        wait_until(lambda: is_gone(pid), "the worker has stopped")


PLAY = {signal.SIGKILL: kill, signal.SIGSTOP: freeze, signal.SIGTERM: stop}


@pytest.mark.faults
def test_ended_at_one_point_after_another_in_real_time(portal: Portal, verdict: Verdict) -> None:
    """Nobody sets a lease back: what a dead worker had is taken over by itself, in time."""
    batch_ids = []
    for point in IN_THE_WORKER + AT_THE_MAIL_SERVER:
        if point.endswith(".commit"):  # a process that waits within a transaction holds up the confirming of the next
            continue
        batch_ids.append(batch_id := portal.uploaded())
        with brought_to(portal, point) as reached:
            portal.confirm(batch_id)
            portal.kill(reached())
    verdict(portal, *batch_ids, faults=len(batch_ids))


@pytest.mark.faults
@pytest.mark.parametrize("point", ["claim.after", "begin_data.committed", "mail.dot", "record_sent.before"])
def test_frozen_for_longer_than_a_lease_in_real_time(portal: Portal, verdict: Verdict, point: str) -> None:
    """Others take over what it had; when it goes on, nothing of that is its own any more."""
    batch_id = portal.uploaded()
    with brought_to(portal, point) as reached:
        portal.confirm(batch_id)
        pid = reached()
        portal.kill(pid, number=signal.SIGSTOP)
    verdict(portal, batch_id)
    portal.thaw(pid)
    time.sleep(5)
    verdict(portal, batch_id)

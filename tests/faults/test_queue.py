"""The queue server flushed, frozen, and killed and started again empty: it costs a sweep at most."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Verdict
from tests.faults.portal import Portal

pytestmark = pytest.mark.slow

SWEEP = 15.0
"""Seconds, at most, until a worker looks by itself; and some for a busy machine."""


def kill(portal: Portal) -> None:
    """Those who keep it start it again, empty."""
    portal.restart_queue()


def freeze(portal: Portal) -> None:
    for pid in portal.queue_servers():
        os.kill(pid, signal.SIGSTOP)
    time.sleep(4)
    for pid in portal.queue_servers():
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "fault", [Portal.flush_queue, pytest.param(kill, marks=pytest.mark.faults), pytest.param(freeze, marks=pytest.mark.faults)]
)
@pytest.mark.parametrize("when", ["before it is confirmed", "while rows are worked on", "while messages go"])
@pytest.mark.faults
def test_the_queue_forgets(portal: Portal, verdict: Verdict, fault: Callable[[Portal], None], when: str) -> None:
    if when == "before it is confirmed":
        fault(portal)
        began, batch_id = time.monotonic(), portal.invite(40)
    else:
        with portal.points.armed("run_chunk.committed" if "rows" in when else "record_sent.committed") as reached:
            batch_id = portal.invite(40)
            reached()
            fault(portal)
            began = time.monotonic()
    portal.settle(batch_id)
    assert time.monotonic() - began < SWEEP + 20
    verdict(portal, batch_id)


def test_flushed_while_messages_go(portal: Portal, verdict: Verdict) -> None:
    with portal.points.armed("claim.before") as reached:
        batch_id = portal.invite(40)
        reached()
        portal.flush_queue()
    portal.ring()
    verdict(portal, batch_id)


def test_killed_between_confirmation_and_work(portal: Portal, verdict: Verdict) -> None:
    with portal.points.armed("run_chunk.before") as reached:
        batch_id = portal.invite(40)
        reached()
        kill(portal)
    portal.ring()
    verdict(portal, batch_id)

"""Everything at once and at random: faults play while people go on inviting."""

from __future__ import annotations

import http.client
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from webapp.models import BatchState

from tests.faults.conftest import Verdict
from tests.faults.mail_server import CUT, HOLD, POINTS
from tests.faults.portal import Portal
from tests.run.conftest import wait_until

pytestmark = pytest.mark.slow

MOST_WAITING = 100


class Nemesis:
    """Plays faults that a seed chooses, and at the end makes everything well again."""

    def __init__(self, portal: Portal, rng: random.Random) -> None:
        self._portal, self._rng = portal, rng
        self._frozen: list[int] = []
        self.played: list[str] = []

    def play(self) -> None:
        faults: list[Callable[[], None]] = [
            self.kill_a_worker, self.stop_a_worker, self.freeze_a_worker, self.thaw, self.hit_the_web,
            self.flush_the_queue, self.kill_the_queue, self.misbehave, self.misbehave, self.restart_the_mail_server,
            *([self.restart_the_database] if self._portal.postgresql else []),
        ]  # fmt: skip
        fault = self._rng.choice(faults)
        self.played.append(fault.__name__)
        fault()

    def heal(self) -> None:
        self.thaw()
        self._portal.mail.go()
        wait_until(self._portal.muster.health, "the web server is back")

    def kill_a_worker(self) -> None:
        with self._portal.interruption():
            self._signal(self._portal.workers(), signal.SIGKILL)

    def stop_a_worker(self) -> None:
        with self._portal.interruption():
            self._signal(self._portal.workers(), signal.SIGTERM)
            time.sleep(7)

    def freeze_a_worker(self) -> None:
        self._frozen += self._signal(self._portal.workers(), signal.SIGSTOP)

    def thaw(self) -> None:
        while self._frozen:
            with suppress(ProcessLookupError):
                self._portal.thaw(self._frozen.pop())

    def hit_the_web(self) -> None:
        number = self._rng.choice([signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
        with suppress(ProcessLookupError):  # it may just end by itself
            for pid in self._portal.muster.processes("webapp.server"):
                self._portal.hit_the_web(pid, number)

    def flush_the_queue(self) -> None:
        with suppress(Exception):  # it may be away
            self._portal.flush_queue()

    def kill_the_queue(self) -> None:
        self._portal.restart_queue()

    def misbehave(self) -> None:
        answer = self._rng.choice([HOLD, CUT, "421 4.3.2 Shutting down", "451 4.7.1 Later"])
        self._portal.mail.plan(self._rng.choice(POINTS), answer, times=self._rng.randint(1, 3))
        time.sleep(self._rng.uniform(0, 2))
        if answer == HOLD:
            self._portal.mail.go()

    def restart_the_mail_server(self) -> None:
        self._portal.mail.kill()
        time.sleep(self._rng.uniform(0, 2))
        self._portal.mail.start()

    def restart_the_database(self) -> None:
        assert self._portal.postgresql
        with self._portal.interruption(senders=3):
            self._portal.postgresql.restart(self._rng.choice([signal.SIGINT, signal.SIGQUIT]))

    def _signal(self, pids: list[int], number: int) -> list[int]:
        chosen = self._rng.sample(pids, 1) if pids else []
        self._portal.kill(*chosen, number=number)
        return chosen


def invite(portal: Portal, count: int) -> int | None:
    """As somebody who tries again as long as the portal is away. -> the batch's id; None where that is not known."""
    with suppress(OSError, http.client.HTTPException, AssertionError):
        return portal.uploaded(count)
    return None


def confirm(portal: Portal, batch_id: int) -> bool:
    with suppress(OSError, http.client.HTTPException, AssertionError):
        portal.confirm(batch_id)
        return True
    return False


def played(portal: Portal, rng: random.Random, seconds: float, people: int) -> tuple[list[int], Nemesis]:
    """Faults for so long, while file after file is uploaded and confirmed."""
    nemesis, batch_ids, end = Nemesis(portal, rng), [], time.monotonic() + seconds
    while time.monotonic() < end:
        # No more than a starved machine gets done afterwards: what waits for its turn is not stuck.
        batch_id = invite(portal, people) if portal.waiting() < MOST_WAITING else None
        if batch_id and confirm(portal, batch_id):
            batch_ids.append(batch_id)
        elif batch_id:  # whether it was confirmed is not known: what was sent of it is judged all the same
            batch_ids += [batch_id] if portal.state(batch_id) is not BatchState.REVIEWING else []
        nemesis.play()
        time.sleep(rng.uniform(0, 1.5))
    nemesis.heal()
    return batch_ids, nemesis


def test_for_some_seconds(portal: Portal, verdict: Verdict, rng: random.Random) -> None:
    batch_ids, nemesis = played(portal, rng, 5, 10)
    portal.go_on(*batch_ids, seconds=3)
    portal.pass_time()
    found = verdict(portal, *batch_ids, faults=len(nemesis.played))
    assert found.invitations, nemesis.played


@pytest.mark.faults
@pytest.mark.parametrize("round_", range(3))
def test_for_minutes_and_in_real_time(portal: Portal, verdict: Verdict, rng: random.Random, round_: int) -> None:
    batch_ids, nemesis = played(portal, rng, 120, 20)
    found = verdict(portal, *batch_ids, faults=len(nemesis.played))
    assert found.invitations, nemesis.played

"""PostgreSQL restarted, in order and by a crash, in the midst of transactions."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.conftest import ON_POSTGRESQL, Verdict
from tests.faults.portal import Portal
from tests.run.conftest import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.faults, ON_POSTGRESQL]

HOW = {"in order": signal.SIGINT, "by a crash": signal.SIGQUIT}
POINTS = [
    "run_chunk.commit",
    "run_chunk.committed",
    "claim.commit",
    "claim.after",
    "begin_data.commit",
    "record_sent.before",
    "record_sent.commit",
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("point", POINTS)
def test_restarted_at_a_point(portal: Portal, verdict: Verdict, point: str, how: str) -> None:
    """A process in a transaction has lost it, and everybody finds the database again."""
    assert portal.postgresql
    batch_id = portal.uploaded(20)
    with portal.points.armed(point) as reached:
        portal.confirm(batch_id)
        reached()
        with portal.interruption(senders=3):
            portal.postgresql.restart(HOW[how])
    wait_until(lambda: portal.muster.health().get("database", "") != "away" and portal.muster.health(), "the portal is back")
    verdict(portal, batch_id)


@pytest.mark.parametrize("how", HOW)
def test_away_for_a_while(portal: Portal, verdict: Verdict, how: str) -> None:
    """While the database is away people get an answer that says so, and no worker gives up."""
    assert portal.postgresql
    batch_id = portal.uploaded(40)
    with portal.interruption(senders=3):
        portal.confirm(batch_id)
        time.sleep(0.3)
        portal.postgresql.stop(HOW[how])
        assert portal.owner.ask("GET", "/")[0] == 503
        time.sleep(20)
        portal.postgresql.start()
    verdict(portal, batch_id)
    assert portal.owner.ask("GET", "/")[0] == 200

"""Portals to be played against, the seed, and the judge after each fault."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.checker import Findings
from tests.faults.portal import Portal
from tests.faults.seed import PROPERTY, SEED

Verdict = Callable[..., Findings]


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """SQLite, the embedded queue server, two workers: as `make run` starts them."""
    made = Portal(tmp_path_factory.mktemp("faults"), SEED)
    try:
        yield made.start()
        assert made.muster.stop() == 0, made.muster.output()
    finally:
        made.clean_up()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance, the same for this test whenever the seed is."""
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture
def verdict(record_property: Callable[[str, object], None]) -> Verdict:
    """`verdict(portal, batch_id)`: wait until all is at its end, compare, count for the last line, and fail on any finding."""

    def judge(portal: Portal, *batch_ids: int, faults: int = 1) -> Findings:
        waited = portal.settle(*batch_ids)
        found = portal.judge(*batch_ids)
        record_property(PROPERTY, {"faults": faults, **found.counts()})
        assert found.are_none, f"seed {SEED}, after {waited:.0f} s:\n{found}\n{portal.muster.output()[-4000:]}"
        return found

    return judge

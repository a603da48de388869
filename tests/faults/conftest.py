"""Portals to be played against, the seed, and the judge after each fault."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.checker import Findings
from tests.faults.portal import Browser, Portal
from tests.faults.seed import PROPERTY, SEED
from tests.servers import PostgreSQL, Valkey

Verdict = Callable[..., Findings]
ON_POSTGRESQL = pytest.mark.parametrize("portal", ["postgresql"], indirect=True)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)])
def portal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """sqlite: with the embedded queue server, as `make run` starts it. postgresql: with a Valkey on TCP, and more workers."""
    made = Portal(tmp_path_factory.mktemp("faults"))
    try:
        if request.param == "postgresql":
            made.postgresql, made.valkey = PostgreSQL(durable=True), Valkey()
            given = {"MUSTER_DATABASE_URL": made.postgresql.url, "MUSTER_REDIS_URL": made.valkey.start().url}
            made.muster.environ |= {**given, "MUSTER_WORKERS": "3"}
        yield made.start()
        assert made.muster.stop() == 0, made.muster.output()
    finally:
        made.clean_up()


@pytest.fixture
def admin(portal: Portal) -> Browser:
    """A second person who may confirm."""
    return portal.joined("Devika Raman", "Admin")


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

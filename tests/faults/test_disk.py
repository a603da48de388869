"""A full disk, without a mail server: messages are files then.

A limit on the size of files, set on the running processes from outside, stands for the full disk: what would be written beyond
it is refused by the kernel in the midst of the file, as on a disk with nothing left.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Verdict
from tests.faults.portal import OVER, Portal
from tests.run.conftest import wait_until
from tests.servers import PostgreSQL

pytestmark = [pytest.mark.slow, pytest.mark.faults]

FULL = 1000
"""Bytes: less than any message has."""


@pytest.fixture(scope="module", params=["postgresql"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Without a mail server. postgresql: elsewhere, so that the disk is full for messages alone. sqlite: for the database too."""
    made = Portal(tmp_path_factory.mktemp("files"), MUSTER_MAIL_URL="")
    try:
        if request.param == "postgresql":
            made.postgresql = PostgreSQL(durable=True)
            made.muster.environ["MUSTER_DATABASE_URL"] = made.postgresql.url
        yield made.start()
        assert made.muster.stop() == 0, made.muster.output()
    finally:
        made.clean_up()


def limit(portal: Portal, size: int) -> None:
    """For those that send."""
    for pid in portal.workers():
        psutil.Process(pid).rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_full_and_emptied_again(files: Portal, verdict: Verdict) -> None:
    limit(files, FULL)
    try:
        batch_id = files.invite(20)
        wait_until(files.alarm, "the alarm is on")
        outbox = files.muster.data_dir / "outbox"
        assert not list(outbox.glob("*.eml")), "no half message looks like a whole one"
    finally:
        limit(files, resource.RLIM_INFINITY)
    verdict(files, batch_id)
    assert not files.alarm()
    assert_no_remains(outbox)
    assert {mail.attempts for mail in files.mails(batch_id)} == {1}


def test_full_in_the_midst_of_it(files: Portal, verdict: Verdict) -> None:
    with files.points.armed("record_sent.committed") as reached:
        batch_id = files.invite(40)
        reached()
        limit(files, FULL)
    try:
        wait_until(files.alarm, "the alarm is on")
    finally:
        limit(files, resource.RLIM_INFINITY)
    verdict(files, batch_id)


@pytest.mark.parametrize("files", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", ["run_chunk.before", "claim.after", "begin_data.committed", "record_sent.before"])
def test_full_for_the_database_too(files: Portal, verdict: Verdict, point: str) -> None:
    """Nothing can be written down, not even that nothing can: a worker in the gap then sends once more, to the same file."""
    with files.points.armed(point) as reached:
        batch_id = files.invite(20)
        reached()
        limit(files, FULL)
    try:
        time.sleep(20)
        assert files.state(batch_id) not in OVER, "nobody could write that it is done"
    finally:
        limit(files, resource.RLIM_INFINITY)
    verdict(files, batch_id)
    assert_no_remains(files.muster.data_dir / "outbox")


def assert_no_remains(outbox: Path) -> None:
    assert not list(outbox.glob(".*.part")), "what was begun was overwritten, and became a message"

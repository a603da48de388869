"""Several web processes on one port: they answer for each other, count together, and one that dies is missed by nobody."""

import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from webapp.run import data_folder, listening
from webapp.settings.fields import ConfigError

from tests.faults.portal import Browser
from tests.run.conftest import Muster, wait_until

pytestmark = pytest.mark.slow

TOKEN = "a-token-for-the-monitor"
OWNER, PASSWORD = "maren@northfield.example", "correct horse battery"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muster]:
    """One with two web processes, and an Owner."""
    run = Muster(
        tmp_path_factory.mktemp("webs") / "data",
        MUSTER_WEBS="2",
        MUSTER_METRICS_TOKEN=TOKEN,
        MUSTER_OWNER_EMAIL=OWNER,
        MUSTER_OWNER_PASSWORD=PASSWORD,
    ).migrated()
    try:
        run.started()
        wait_until(lambda: len(webs(run)) == 2, "both are there")
        for pid in webs(run):
            with only(run, pid):
                assert run.get("/healthz/live")[0] == 200
        yield run
        assert run.stop() == 0
    finally:
        run.clean_up()


def webs(muster: Muster) -> list[int]:
    return muster.processes("-m webapp.server")


@contextmanager
def only(muster: Muster, pid: int) -> Iterator[None]:
    """Only this web process answers: the others are frozen."""
    others = [each for each in webs(muster) if each != pid]
    for each in others:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in others:
            os.kill(each, signal.SIGCONT)


def requests_counted(muster: Muster) -> float:
    """How many requests for the page of signing in /metrics tells of."""
    connection = http.client.HTTPConnection("127.0.0.1", muster.port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.search(r'^muster_request_seconds_count\{endpoint="sessions\.new",status="2xx"\} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_a_session_is_known_to_all(running: Muster) -> None:
    one, other = webs(running)
    with only(running, one):
        browser = Browser(running.port).sign_in(OWNER, PASSWORD)
    with only(running, other):
        assert "Maren" in browser.get("/account")


def test_tries_to_sign_in_are_counted_together(running: Muster) -> None:
    answers = []
    for pid in webs(running):
        with only(running, pid):
            browser = Browser(running.port)
            browser.get("/sign-in")
            answers += [browser.post("/sign-in", email="carol@northfield.example", password="wrong")[0] for _ in range(6)]
    assert answers == [422] * 10 + [429] * 2


def test_each_of_them_tells_the_figures_of_all(running: Muster) -> None:
    before = requests_counted(running)
    for pid in webs(running):
        with only(running, pid):
            running.get("/sign-in")
            running.get("/sign-in")
    for pid in webs(running):
        with only(running, pid):
            assert requests_counted(running) == before + 4


def test_one_that_is_killed_is_missed_by_nobody_and_is_back(running: Muster) -> None:
    before = set(webs(running))
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    while set(webs(running)) - {killed} <= before:
        assert running.get("/healthz/live")[0] == 200
    wait_until(lambda: len(webs(running)) == 2, "it is back")
    counted = requests_counted(running)
    assert counted > 0, "what the killed one had counted is not forgotten"


def test_who_connects_while_the_only_one_starts_again_waits_and_is_answered(muster: Muster) -> None:
    muster.migrated().started()
    (web,) = webs(muster)
    os.kill(web, signal.SIGKILL)
    wait_until(lambda: web not in webs(muster), "it is gone")
    answers: list[int] = []
    people = [threading.Thread(target=lambda: answers.append(muster.get("/healthz/live", timeout=180)[0])) for _ in range(3)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert answers == [200] * 3
    assert muster.stop() == 0


def test_one_that_is_started_alone_opens_its_own_port(muster: Muster) -> None:
    muster.migrated().start("webapp", "web")
    wait_until(lambda: muster.ended() or muster.health(), "it answers")
    assert muster.get("/healthz/live")[0] == 200, muster.output()
    assert muster.stop() == 0


def test_an_address_that_is_not_of_this_machine_is_refused(muster: Muster) -> None:
    muster.environ |= {"MUSTER_HOST": "192.0.2.1", "MUSTER_PUBLIC_URL": "https://muster.example.org"}
    refused = muster.run()
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Muster cannot listen on 192.0.2.1:{muster.port} (")
    assert len(refused.stderr.splitlines()) == 1


def test_a_name_with_two_addresses_gets_a_socket_for_each(muster: Muster) -> None:
    opened = listening.open_sockets("localhost", muster.port)
    addresses = {each.getsockname()[:2] for each in opened}
    assert len(addresses) == len(opened)
    assert ("127.0.0.1", muster.port) in addresses
    opened[0].listen()
    with pytest.raises(ConfigError, match="Another program listens on"):
        listening.open_sockets("localhost", muster.port)
    listening.close(opened)
    listening.close(listening.open_sockets("localhost", muster.port))


def test_figures_of_an_earlier_start_are_gone(muster: Muster) -> None:
    muster.data_dir.mkdir()
    folder = data_folder.make_empty(muster.data_dir / "metrics")
    (folder / "histogram_1.db").write_bytes(b"of an earlier start")
    assert not list(data_folder.make_empty(folder).iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700

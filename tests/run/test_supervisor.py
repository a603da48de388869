"""`make run`: one command starts everything, keeps it alive, and leaves nothing behind."""

import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from webapp.run import processes

from tests.run.conftest import STOP_LIMIT, TOP, Muster, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muster]:
    """One that runs, for the tests that leave it running."""
    run = Muster(tmp_path_factory.mktemp("running") / "data")
    try:
        yield run.started()
        assert run.stop() == 0
    finally:
        run.clean_up()


def heartbeats(muster: Muster) -> dict[str, str]:
    with sqlite3.connect(f"file:{muster.data_dir / 'muster.db'}?mode=ro", uri=True) as database:
        return dict(database.execute("SELECT name, seen_at FROM workers").fetchall())


def test_start_answer_stop(muster: Muster) -> None:
    del muster.environ["MUSTER_WORKERS"]
    muster.started()
    health = wait_until(lambda: (h := muster.health()).get("workers") == 2 and h, "both workers are seen")
    assert health["database"] == health["queue"] == "ok"
    assert muster.stop(signal.SIGTERM, STOP_LIMIT) == 0
    assert heartbeats(muster) == {}
    assert f"Muster is running at http://127.0.0.1:{muster.port}\n" in muster.output()
    assert "Traceback" not in muster.output()


def test_the_first_start_ends_with_the_set_up_link_beside_the_address(running: Muster) -> None:
    frame = running.output().split(72 * "-")[1].splitlines()
    assert frame[1] == f"Muster is running at http://127.0.0.1:{running.port}"
    assert frame[2].startswith(f"Set up Muster: http://127.0.0.1:{running.port}/setup/")
    assert frame[3:] == [f"Mail   none: emails become files in {running.data_dir}/outbox", f"Data   {running.data_dir}"]


def test_a_second_start_on_the_same_data_folder_is_refused(running: Muster) -> None:
    again = Muster(running.data_dir).run()
    assert again.returncode == 1
    first = running.process and running.process.pid
    assert again.stderr == (
        f"Muster runs already on the data folder “{running.data_dir}”, as process {first}. "
        "Stop it first, or set MUSTER_DATA_DIR to another folder.\n"
    )


def test_workers_of_machines_with_one_name_are_told_apart_and_one_that_stops_is_gone_at_once(running: Muster) -> None:
    name = f"{socket.gethostname()[:40]}-1"
    wait_until(lambda: len(heartbeats(running)) == 1, "our worker is seen")
    twin = processes.spawn([sys.executable, str(TOP / "worker.py"), name], env=running.environ, cwd=TOP)
    try:
        wait_until(lambda: len(heartbeats(running)) == 2, "another of the same name, as from a machine called the same")
        assert all(each.startswith(f"{name}-") for each in heartbeats(running)), "and people read which they are"
        assert running.health()["workers"] == 2
    finally:
        processes.end([twin], STOP_LIMIT)
    assert twin.returncode == 0
    assert running.health()["workers"] == 1


def test_whatever_is_killed_is_started_again(running: Muster) -> None:
    for words in ((f"worker.py {socket.gethostname()[:40]}-1",), ("-m webapp.server",), ("valkey.sock",)):
        before = set(running.processes(*words))
        os.kill(min(before), signal.SIGKILL)

        def is_back(words: tuple[str, ...] = words, before: set[int] = before) -> bool:
            return bool(set(running.processes(*words)) - before) and running.health().get("queue") == "ok"

        wait_until(is_back, f"{words} is back")


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works_and_ends_by_ctrl_c(muster: Muster) -> None:
    muster.started()
    assert muster.process
    muster.process.kill()
    muster.process.wait()
    wait_until(lambda: not muster.processes(), "nothing is left", STOP_LIMIT)
    muster.said.unlink()
    muster.started()
    assert muster.stop(signal.SIGINT, STOP_LIMIT) == 0
    assert heartbeats(muster) == {}
    assert "Traceback" not in muster.output()


def test_a_worker_keeps_time_while_the_queue_server_is_frozen(running: Muster) -> None:
    """With a tick each second in place of 15."""
    program = "import sys, worker; worker.TICK = 1.0; sys.exit(worker.main(['quick']))"
    quick = processes.spawn([sys.executable, "-c", program], env=running.environ, cwd=TOP)
    queue_server = running.one("valkey.sock")

    def last_seen() -> str:
        return max((at for name, at in heartbeats(running).items() if name.startswith("quick")), default="")

    try:
        wait_until(lambda: last_seen(), "a first heartbeat")
        os.kill(queue_server, signal.SIGSTOP)
        for _ in range(2):  # one may have been on its way
            before = last_seen()
            wait_until(lambda before=before: last_seen() > before, "a heartbeat while the queue server is frozen")
        assert running.health()["queue"] != "ok"
    finally:
        os.kill(queue_server, signal.SIGCONT)
        processes.end([quick], STOP_LIMIT)
    assert quick.returncode == 0


def test_a_port_that_is_taken_is_refused(muster: Muster) -> None:
    with socket.create_server(("127.0.0.1", muster.port)):
        refused = muster.run()
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Another program listens on 127.0.0.1:{muster.port} already. Stop it, or set MUSTER_PORT to another port.\n"
    )
    assert not muster.processes()


def test_it_runs_in_a_folder_with_a_long_name_and_spaces(tmp_path: Path) -> None:
    muster = Muster(tmp_path / "Müster & friends" / ("so long a name " * 8).strip())
    muster.data_dir.parent.mkdir()
    try:
        muster.started()
        wait_until(lambda: muster.health().get("queue") == "ok", "the queue answers")
    finally:
        muster.clean_up()


def test_a_stop_during_the_start(muster: Muster) -> None:
    muster.start()
    wait_until(lambda: muster.processes("prepare"), "the database is being made")
    assert muster.stop(limit=STOP_LIMIT) == 0
    assert "Muster is running" not in muster.output()

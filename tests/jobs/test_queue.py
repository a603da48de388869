"""What a worker does with the queue: it runs our own jobs and drops whatever else somebody wrote there."""

from __future__ import annotations

import os
import time

import pytest
import rq
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from webapp.db import db
from webapp.models import Message, MessageState
from webapp.queue import QUEUE, enqueue_send, open_queue
from worker import JobRunner

PROCESS = "webapp.jobs.batches.process"


@pytest.fixture
def waiting(queue):
    return open_queue(queue, 5)


@pytest.fixture
def folder(tmp_path):
    """Where a foreign job would make a folder."""
    return str(tmp_path / "made")


def work(app, waiting):
    JobRunner(app, waiting).work(burst=True, logging_level="ERROR")


def foreign(folder):
    """Ways to have a worker call `os.mkdir`."""
    callback = rq.Callback("os.mkdir")
    return {
        "another function": {"f": "os.mkdir", "args": (folder,)},
        "ours, and a callback once it is done": {"f": PROCESS, "args": (folder,), "on_success": callback},
        "ours, and a callback when it fails": {"f": PROCESS, "args": (folder,), "on_failure": callback},
        "a text for a number": {"f": PROCESS, "args": (folder,)},
        "a truth for a number": {"f": PROCESS, "args": (True,)},
        "too many numbers": {"f": PROCESS, "args": (1, 2)},
        "too few": {"f": PROCESS},
        "a named argument": {"f": PROCESS, "kwargs": {"batch_id": 1}},
        "another function of the same module": {"f": "webapp.jobs.batches.queue.enqueue_batch", "args": ("os.mkdir",)},
        "nothing": {"f": "no.such.thing"},
    }


@pytest.mark.parametrize("which", foreign(""))
def test_what_is_not_ours_is_dropped_with_a_line(app, waiting, folder, which, caplog):
    job = waiting.enqueue(**foreign(folder)[which], retry=rq.Retry(max=3))
    work(app, waiting)
    assert not os.path.exists(folder)
    assert "a job that is not ours was dropped" in caplog.text
    assert waiting.count == 0
    assert not Job.exists(job.id, connection=waiting.connection)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04 no json",
        b"{}",
        b"1",
        b'[["os.mkdir"], null, [], {}]',
        b'["webapp.jobs.batches.process", null, 5, {}]',
        b"[[],1]",
    ],
)
def test_what_cannot_even_be_read_is_dropped(app, waiting, caplog, data):
    job = waiting.enqueue(PROCESS, 1)
    waiting.connection.hset(job.key, "data", data)
    work(app, waiting)
    assert "a job that is not ours was dropped" in caplog.text
    assert waiting.count == 0


def test_callbacks_are_not_called_even_with_a_job_of_ours(app, waiting):
    callback = rq.Callback("os.getpid")  # it would be called with three arguments too many, and say so
    waiting.enqueue("webapp.jobs.outbox.send", on_success=callback, on_failure=callback, on_stopped=callback)
    work(app, waiting)
    assert waiting.count == 0
    assert waiting.failed_job_registry.count == 0


def test_nor_when_a_job_is_found_that_its_worker_left_behind(app, waiting, caplog):
    job = waiting.enqueue(PROCESS, 404, on_failure=rq.Callback("os.mkdir"))
    waiting.remove(job)
    job.set_status(JobStatus.STARTED)
    waiting.connection.zadd(StartedJobRegistry(QUEUE, connection=waiting.connection).key, {f"{job.id}:1": time.time() - 100})
    work(app, waiting)
    assert "os.mkdir" not in caplog.text
    assert "mkdir" not in caplog.text


def test_ours_is_run(app, waiting, owner):
    owner.post("/invitations", {"email": "ana@northfield.example", "role": "Analyst"})
    assert enqueue_send()
    work(app, waiting)
    assert db.session.scalars(db.select(Message.state)).all() == [MessageState.WRITTEN]

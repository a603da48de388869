"""The RQ worker: one process. Its main thread runs jobs, one after the other, each in an app context of its own; another
thread keeps time.

Every 15 s the timer ticks (`webapp.jobs.maintenance`): it writes the heartbeat and finds what is due, whether the queue
server answers or not. Jobs are taken from RQ's queue and run right here, without a fork: a job gives way after 20 s, and a crash
ends this process, which `make run` or systemd starts again. A job inherits no database connection this way.

`python worker.py [name]`: what people call it. The name of its heartbeat begins with it and is of this process alone.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time

from flask import Flask
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from webapp import create_app, logs
from webapp.jobs import maintenance, stopping
from webapp.queue import JOB_TIMEOUT, JOBS, open_queue
from webapp.run import processes, program
from webapp.services.operations import heartbeats

TICK = 15.0  # seconds
PAUSE = 1.0  # seconds between two tries to reach the queue server
CUT = 2.0  # seconds from the stop until the running job is cut off
GONE = 5.5  # seconds from the stop until this process ends in any case

log = logging.getLogger("worker")


def main(arguments: list[str]) -> int:
    """The exit code: 0 after a stop that was asked for."""
    settings = program.begin("worker")
    app = create_app(settings)
    processes.tune_gc()
    name = processes.unique_name(arguments[0] if arguments else socket.gethostname())
    obey_signals()
    timer = threading.Thread(target=keep_time, args=(app, name), daemon=True)
    timer.start()
    try:
        run_jobs(app, settings.queue_url)
        timer.join()
    except SystemExit:
        log.warning("what was running was cut off by the stop")
    leave(app, name)
    return 0


def obey_signals() -> None:
    """The first SIGTERM or SIGINT sets `stopping`. What is still running is cut off soon, and the process ends in any case."""

    def stop(*_: object) -> None:
        if stopping.is_set():
            return
        stopping.set()
        for seconds, number in ((CUT, signal.SIGUSR1), (GONE, signal.SIGKILL)):
            timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
            timer.daemon = True
            timer.start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(1))


def keep_time(app: Flask, name: str) -> None:
    """Tick at once and then every 15 s, until the stop."""
    while not stopping.is_set():
        due = time.monotonic() + TICK
        try:
            with app.app_context():
                maintenance.tick(name)
        except Exception:
            log.exception("the sweep failed; the next one is in %d s", TICK)
        stopping.wait(max(0.0, due - time.monotonic()))


def run_jobs(app: Flask, queue_url: str) -> None:
    """Run one job after the other until the stop. While the queue server is away, try again every second."""
    queue = open_queue(queue_url, timeout=5)
    was_away = False
    while not stopping.is_set():
        try:
            run_next_job(app, queue)
            was_away = False
        except Exception as error:
            if not was_away:
                log.warning("the queue server does not answer (%s)", type(error).__name__)
            was_away = True
            stopping.wait(PAUSE)


def run_next_job(app: Flask, queue: Queue) -> None:
    """Run the next job of ours, in an app context of its own, and drop any other. Waits for one for a second at most.

    Others may write to the queue server, too. So nothing that a job names is imported or called but one of `JOBS`. A job
    that fails is not kept: the sweep finds again what is due.
    """
    try:
        found = Queue.dequeue_any([queue], 1, queue.connection, serializer="json")
    except DequeueTimeout:
        return
    assert found
    job = found[0]
    queue.connection.lrem(queue.intermediate_queue_key, 1, job.id)
    job.delete()
    if not is_ours(job):
        log.warning("a job that is not ours was dropped: %r", job.id[:100])
        return
    began = time.perf_counter()
    how = "done"
    logs.set_context(job=job.id, request=job.meta.get("request"))
    with app.app_context():
        try:
            with UnixSignalDeathPenalty(JOB_TIMEOUT, JobTimeoutException):  # type: ignore[no-untyped-call]
                job.func(*job.args)
        except Exception:
            how = "failed"
            log.exception("job %s raised an error", job.id)
        ms = round((time.perf_counter() - began) * 1000, 1)
        log.info("job %s %s in %.0f ms", job.id, how, ms, extra={"ms": ms})
    logs.set_context()


def leave(app: Flask, name: str) -> None:
    """Take the heartbeat back."""
    try:
        with app.app_context():
            heartbeats.leave(name)
    except Exception as error:
        log.warning("the last heartbeat stays for a while (%s)", type(error).__name__)


def is_ours(job: Job) -> bool:
    """Whether it is one of `JOBS`, with numbers alone."""
    try:
        kinds = [type(each) for each in job.args]
        return not (job.kwargs or job.instance) and kinds == [int] * JOBS[str(job.func_name)]
    except Exception:  # it cannot be read, or is of another form
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

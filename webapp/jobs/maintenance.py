"""The sweep, by each worker's own timer: it needs no queue, and finds what no job was enqueued for."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from webapp import queue
from webapp.jobs import batches as batch_jobs
from webapp.jobs import outbox as outbox_jobs
from webapp.jobs import stopping
from webapp.jobs import webhooks as webhook_jobs
from webapp.services.audit import chain
from webapp.services.batches import execute
from webapp.services.invitations import invitations
from webapp.services.mail import claim, results, throttle
from webapp.services.operations import heartbeats, retention
from webapp.services.webhooks import delivery

BUDGET = 10.0
"""Seconds that a sweep works itself while the queue is away, so that the next heartbeat is in time."""
CARE = 2.0
"""Seconds that a sweep spends on the audit log's chain, and as many on deleting what is too old."""


def tick(worker_name: str) -> None:
    """One sweep: the heartbeat; then what is due is rung for, or done right here while the queue is away."""
    end = time.monotonic() + BUDGET
    heartbeats.beat(worker_name)
    for batch_id in execute.batches_with_work():
        if not queue.enqueue_batch(batch_id):
            _work_until(end, partial(batch_jobs.work, batch_id))
    results.finish_done()
    _work_until(end, invitations.send_reminders)
    is_due = claim.oldest_due() or throttle.alarm()
    if is_due and not queue.enqueue_send():
        outbox_jobs.send(turn=end - time.monotonic())
    _work_until(time.monotonic() + CARE, chain.seal)
    for endpoint_id in delivery.list_due():
        if not queue.enqueue_webhook(endpoint_id):
            webhook_jobs.deliver(endpoint_id, turn=end - time.monotonic())
    end = time.monotonic() + CARE
    # as far as the time goes; the next sweep, of whichever worker, goes on
    if retention.is_due() and not any(_work_until(end, step) for step in retention.STEPS):
        retention.mark_done()


def _work_until(end: float, step: Callable[[], int | bool]) -> int | bool:
    """Repeat a step until it has nothing more to do, the time is up, or the worker stops. -> whether more may be left."""
    more: int | bool = True
    while more and not stopping.is_set() and time.monotonic() < end:
        more = step()
    return more

"""The queue: tells a worker that there is something to do. The database is the truth, so a job may be lost.

Whatever is due is found again by the sweep of `webapp.jobs.maintenance`; hence nothing here raises, and
nothing waits longer than 0.3 s for a queue server that is away or frozen.
"""

import logging
import secrets

import redis
from flask import current_app
from redis.backoff import NoBackoff
from redis.retry import Retry as NoRetry
from rq import Queue

from webapp import logs
from webapp.settings.settings import Settings

QUEUE = "muster"  # the only one: a worker that listens to several can lose a job in a crash
SEND = "webapp.jobs.outbox.send"
PROCESS = "webapp.jobs.batches.process"
DELIVER = "webapp.jobs.webhooks.deliver"
JOBS = {PROCESS: 1, SEND: 0, DELIVER: 1}
"""Every job there is, and how many numbers it takes. Workers run nothing else."""
TIMEOUT = 0.3  # seconds

JOB_TIMEOUT = 300  # seconds; a job gives way after 20, but a message in hand may wait for a server at each command

log = logging.getLogger(__name__)


def enqueue_send() -> bool:
    """Ask a worker to send what is due. False when the queue is away; never raises."""
    return _enqueue_once("outbox", SEND)


def enqueue_batch(batch_id: int) -> bool:
    """Ask a worker to work on a batch. False when the queue is away; never raises."""
    return _enqueue_once(f"batch-{batch_id}", PROCESS, batch_id)


def enqueue_webhook(endpoint_id: int) -> bool:
    """Ask a worker to tell an endpoint what happened. False when the queue is away; never raises."""
    return _enqueue_once(f"webhook-{endpoint_id}", DELIVER, endpoint_id)


def _enqueue_once(name: str, job: str, *args: int) -> bool:
    """Enqueue a job unless one of this name waits already.

    Only the waiting ones count: jobs that were taken out of the queue may have looked past what is new, or their worker
    was killed and they only seem to run, for minutes. So a job that gives way can enqueue itself again, and one that finds
    much can ask another worker to help.
    """
    try:
        queue = _queue()
        waiting = [job_id.rpartition("-")[0] for job_id in queue.job_ids]
        if name not in waiting:
            queue.enqueue(
                job,
                *args,
                job_id=f"{name}-{secrets.token_hex(4)}",
                meta={"request": logs.request_id()},  # what the worker logs is then found by it
            )
        return True
    except Exception as error:
        log.warning("the queue did not take %s (%s); the sweep will", name, type(error).__name__)
        return False


def ping() -> bool:
    """Whether the queue server answers now, within 0.3 s."""
    return depth() is not None


def depth() -> int | None:
    """How many jobs wait; None while the queue server does not answer within 0.3 s."""
    try:
        return _queue().count
    except (redis.RedisError, OSError):
        return None


def open_queue(url: str, timeout: float) -> Queue:
    """The queue, over a client of `connect`."""
    return Queue(QUEUE, connection=connect(url, timeout), serializer="json")


def connect(url: str, timeout: float) -> redis.Redis:
    """A client that gives up after `timeout` seconds and does not try again by itself."""
    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=NoRetry(NoBackoff(), 0)
    )


def _queue() -> Queue:
    """The app's queue; it is safe to use from threads and after a fork."""
    extensions = current_app.extensions
    if "muster_queue" not in extensions:
        settings: Settings = extensions["muster_settings"]
        extensions["muster_queue"] = open_queue(settings.queue_url, TIMEOUT)
    queue: Queue = extensions["muster_queue"]
    return queue

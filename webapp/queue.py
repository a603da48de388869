"""The bell: tells a worker that there is something to do. The database is the truth, so a bell may be lost.

Whatever is due is found again by the sweep of `webapp.jobs.maintenance`; hence nothing here raises, and
nothing waits for a queue server that is away or frozen: the first call takes 0.3 s, and those of the next
second no time at all.
"""

import logging
import secrets
import time
from dataclasses import dataclass

import redis
from flask import current_app
from redis.backoff import NoBackoff
from redis.retry import Retry as NoRetry
from rq import Queue, Retry

from webapp import logs
from webapp.settings.settings import Settings

QUEUE = "muster"  # the only one: a worker that listens to several can lose a job in a crash
_WAITING = Queue.redis_queue_namespace_prefix + QUEUE  # the list of what waits, by job
JOBS = {"webapp.jobs.batches.process": 1, "webapp.jobs.outbox.send": 0}
"""Every job there is, and how many numbers it takes. Workers run nothing else."""
TIMEOUT = 0.3  # seconds
SILENCE = 1.0  # seconds in which nobody tries again after a failure

JOB_TIMEOUT = 300  # seconds; a job gives way after 20, but a message in hand may wait for a server at each command
FAILURE_TTL = 60  # seconds that a failed job is kept to be looked at
TRIES_AGAIN = 2

log = logging.getLogger(__name__)


@dataclass
class _Bell:
    """One app's client (safe to use from threads and after a fork) and until when not to try it."""

    client: redis.Redis
    away_until: float = 0.0


def ring(job: str, *args: int, name: str) -> bool:
    """Ask for `job` (a dotted name) to run soon. False when the queue is away; never raises.

    `name` (letters, digits, - and _) makes it one job that waits, however often it is rung. What counts is the queue
    itself: jobs that were taken out of it may have looked past what is new, or their worker was killed and they only
    seem to wait or to run, for minutes. So a job that gives way can ring for itself, one that finds much can ring for
    another worker to help, and no number of deaths silences the bell.
    """
    bell = _bell()
    if time.monotonic() < bell.away_until:
        return False
    try:
        if not _waits(bell.client, name):
            _enqueue(Queue(QUEUE, connection=bell.client, serializer="json"), job, args, f"{name}-{secrets.token_hex(4)}")
        return True
    except Exception as error:
        bell.away_until = time.monotonic() + SILENCE
        log.warning("the queue did not take %s (%s); the sweep will", name, type(error).__name__)
        return False


def ping() -> bool:
    """Whether the queue server answers now, within 0.3 s."""
    try:
        return bool(_bell().client.ping())
    except (redis.RedisError, OSError):
        return False


def depth() -> int | None:
    """How many jobs wait; None while the queue server does not answer within 0.3 s."""
    try:
        return int(_bell().client.llen(_WAITING))
    except (redis.RedisError, OSError):
        return None


def connect(url: str, timeout: float) -> redis.Redis:
    """A client that gives up after `timeout` seconds and does not try again by itself."""
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=NoRetry(NoBackoff(), 0))


def _bell() -> _Bell:
    bell = current_app.extensions.get("muster_bell")
    if bell is None:
        settings: Settings = current_app.extensions["muster_settings"]
        bell = current_app.extensions.setdefault("muster_bell", _Bell(connect(settings.queue_url, TIMEOUT)))
    assert isinstance(bell, _Bell)
    return bell


def _waits(client: redis.Redis, name: str) -> bool:
    """Whether a job of this name is in the queue."""
    ids = [id for id in client.lrange(_WAITING, 0, -1) if isinstance(id, bytes)]
    return any(id.rpartition(b"-")[0] == name.encode() for id in ids)


def _enqueue(queue: Queue, job: str, args: tuple[int, ...], job_id: str) -> None:
    queue.enqueue(
        job,
        args=args,
        kwargs={},
        job_id=job_id,
        job_timeout=JOB_TIMEOUT,
        result_ttl=0,
        failure_ttl=FAILURE_TTL,
        retry=Retry(max=TRIES_AGAIN),
        description=job_id,
        meta={"request": logs.request_id()},  # what the worker logs is then found by it
    )

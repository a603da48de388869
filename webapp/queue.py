"""The bell: tells a worker that there is something to do. The database is the truth, so a bell may be lost.

Whatever is due is found again by the sweep of `webapp.jobs.maintenance`; hence nothing here raises, and
nothing waits for a queue server that is away or frozen: the first call takes 0.3 s, and those of the next
second no time at all.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import redis
from flask import current_app
from redis.backoff import NoBackoff
from redis.retry import Retry as NoRetry
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus

from webapp import logs
from webapp.config import Settings

QUEUE = "muster"  # the only one: a worker that listens to several can lose a job in a crash
TIMEOUT = 0.3  # seconds
SILENCE = 1.0  # seconds in which nobody tries again after a failure

JOB_TIMEOUT = 300  # seconds; a job gives way after 20, but a message in hand may wait for a server at each command
FAILURE_TTL = 60  # seconds that a failed job is kept to be looked at
TRIES_AGAIN = 2
MOST = 32  # jobs of one name at a time: as many workers share a batch, and send

log = logging.getLogger(__name__)


@dataclass
class _Bell:
    """One app's client (safe to use from threads and after a fork) and until when not to try it."""

    client: redis.Redis
    away_until: float = 0.0


def ring(job: str, *args: int, name: str) -> bool:
    """Ask for `job` (a dotted name) to run soon. False when the queue is away; never raises.

    `name` (letters, digits, - and _) makes it one job that waits, however often it is rung. Those that have begun do
    not count: they may have looked past what is new, or their worker was killed and they only seem to run. So a job
    that gives way can ring for itself, and one that finds much can ring for another worker to help.
    """
    bell = _bell()
    if time.monotonic() < bell.away_until:
        return False
    try:
        names = [name, *(f"{name}-{number}" for number in range(2, MOST + 1))]
        states = _states(bell.client, names)
        if JobStatus.QUEUED.value.encode() not in states and None in states:
            _enqueue(Queue(QUEUE, connection=bell.client, serializer="json"), job, args, names[states.index(None)])
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
        return int(_bell().client.llen(Queue.redis_queue_namespace_prefix + QUEUE))
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


def _states(client: redis.Redis, names: Sequence[str]) -> list[bytes | None]:
    """Of each of these jobs; None where there is none."""
    with client.pipeline(transaction=False) as asked:
        for name in names:
            asked.hget(Job.key_for(name), "status")
        return list(asked.execute())


def _enqueue(queue: Queue, job: str, args: tuple[int, ...], job_id: str) -> None:
    with suppress(DuplicateJobError):  # somebody else has rung a moment ago
        queue.enqueue(
            job,
            args=args,
            kwargs={},
            job_id=job_id,
            unique=True,
            job_timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
            retry=Retry(max=TRIES_AGAIN),
            description=job_id,
            meta={"request": logs.request_id()},  # what the worker logs is then found by it
        )

"""How often somebody may try to sign in.

Counted on the queue server, for all processes together; in memory, for this process, while that server is away.
A frozen server costs a quarter of a second once, then nobody asks it again for a while.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis
from flask import current_app
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.config import Settings

MINUTES = 15
BY_PEER = RateLimitItemPerMinute(100, MINUTES, namespace="sign-in-peer")
BY_BOTH = RateLimitItemPerMinute(10, MINUTES, namespace="sign-in-both")
BY_ACCOUNT = RateLimitItemPerMinute(50, MINUTES, namespace="sign-in-account")

TIMEOUT = 0.2  # seconds
SILENCE = 10.0  # seconds in which the queue server is not asked again after a failure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tries:
    """What is left after a try. left: of this account from this peer. again_at: set when it was one too many."""

    left: int
    again_at: datetime | None = None


@dataclass
class _Counters:
    """One app's counters: the shared one, the one in memory, and until when the shared one is left alone."""

    pool: redis.ConnectionPool
    shared: Storage | None = None
    memory: MemoryStorage = field(default_factory=MemoryStorage)
    away_until: float = 0.0


def spend(account: str, peer: str) -> Tries:
    """Count one try to sign in. account: what stands for the account, whether there is one or not.

    The peer comes first, and what is refused counts no further: one peer alone cannot lock an account for all others.
    """
    left = 0
    for item, names in _limits(account, peer):
        key = item.key_for(*names)
        count = _counted(key, item, 1)
        if count > item.amount:
            return Tries(0, datetime.fromtimestamp(_ends(key), UTC))
        if item is BY_BOTH:
            left = item.amount - count
    return Tries(left)


def give_back(account: str, peer: str) -> None:
    """The try was right: it does not count, so that many people behind one address can sign in."""
    for item, names in _limits(account, peer):
        _counted(item.key_for(*names), item, -1)


def _limits(account: str, peer: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
    who = hashlib.sha256(account.encode()).hexdigest()[:32]
    return [(BY_PEER, (peer,)), (BY_BOTH, (who, peer)), (BY_ACCOUNT, (who,))]


def _counted(key: str, item: RateLimitItem, amount: int) -> int:
    counters = _counters()
    if time.monotonic() >= counters.away_until:
        try:
            return _shared(counters).incr(key, item.get_expiry(), amount)
        except (redis.RedisError, OSError) as error:
            _leave_alone(counters, error)
    return counters.memory.incr(key, item.get_expiry(), amount)


def _ends(key: str) -> float:
    """When the window of a counter ends, in seconds of the epoch."""
    counters = _counters()
    if time.monotonic() >= counters.away_until:
        try:
            return _shared(counters).get_expiry(key)
        except (redis.RedisError, OSError) as error:
            _leave_alone(counters, error)
    return counters.memory.get_expiry(key)


def _shared(counters: _Counters) -> Storage:
    if counters.shared is None:
        # The address is only a formality: the pool knows where the server is, and how long to wait for it.
        counters.shared = RedisStorage("redis://", connection_pool=counters.pool, key_prefix="muster-limits")
    return counters.shared


def _leave_alone(counters: _Counters, error: Exception) -> None:
    counters.away_until = time.monotonic() + SILENCE
    log.warning("the queue server does not count tries to sign in (%s); this process does", type(error).__name__)


def _counters() -> _Counters:
    found = current_app.extensions.get("muster_limits")
    if found is None:
        settings: Settings = current_app.extensions["muster_settings"]
        pool = redis.ConnectionPool.from_url(
            settings.queue_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        found = current_app.extensions.setdefault("muster_limits", _Counters(pool))
    assert isinstance(found, _Counters)
    return found

"""How often somebody may try to sign in, to give a code, or to ask for a new password.

Counted on the queue server, for all processes together; in memory, for this process, while that server is away.
A frozen server costs a quarter of a second once, then nobody asks it again for a while.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import redis
from flask import current_app
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.core.security.peers import place_of
from webapp.settings.settings import Settings

MINUTES = 15
BY_PEER = 100


class Door(StrEnum):
    """What is tried; each is counted by itself."""

    SIGN_IN = "sign-in"
    RESET = "reset"
    CODE = "code"
    """The second step. A code has six figures: nobody guesses at an account from many peers."""


BY_BOTH_AND_ACCOUNT = {Door.SIGN_IN: (10, 50), Door.RESET: (10, 50), Door.CODE: (10, 10)}
"""Tries of an account from one peer, and from all together."""

TIMEOUT = 0.2  # seconds
SILENCE = 10.0  # seconds in which the queue server is not asked again after a failure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tries:
    """What is left after a try. left: of this account. again_at: set when it was one too many; of_place: of this peer."""

    left: int
    again_at: datetime | None = None
    of_place: bool = False


@dataclass
class _Counters:
    """One app's counters: the shared one, the one in memory, and until when the shared one is left alone."""

    pool: redis.ConnectionPool
    shared: Storage | None = None
    memory: MemoryStorage = field(default_factory=MemoryStorage)
    away_until: float = 0.0


def spend(account: str, peer: str, door: Door = Door.SIGN_IN, device: str = "") -> Tries:
    """Count one try. account: what stands for the account, whether there is one or not.

    device: names a browser in which this account has signed in before; "" for any other. Such browsers are counted apart
    from all others, so that only somebody who once signed in can lock the account there. For all others the peer comes
    first, and what is refused counts no further: one peer alone cannot lock an account.
    """
    left = BY_PEER
    for item, names in _limits(account, peer, door, device):
        key, of_place = item.key_for(*names), item.namespace == f"{door}-peer"
        count = _counted(key, item, 1)
        if count > item.amount:
            return Tries(0, datetime.fromtimestamp(_ends(key), UTC), of_place)
        left = left if of_place else min(left, item.amount - count)
    return Tries(left)


def give_back(account: str, peer: str, door: Door = Door.SIGN_IN, device: str = "") -> None:
    """The try was right: it does not count, so that many people behind one address can sign in."""
    for item, names in _limits(account, peer, door, device):
        _counted(item.key_for(*names), item, -1)


def miss(peer: str) -> Tries:
    """Count a link that does not exist. It is the peer's alone: links that do exist open all the same."""
    item = RateLimitItemPerMinute(BY_PEER, MINUTES, namespace="link-peer")
    key = item.key_for(place_of(peer))
    count = _counted(key, item, 1)
    if count > item.amount:
        return Tries(0, datetime.fromtimestamp(_ends(key), UTC), of_place=True)
    return Tries(item.amount - count)


def _limits(account: str, peer: str, door: Door, device: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
    who, place = hashlib.sha256(account.encode()).hexdigest()[:32], place_of(peer)
    by_both, by_account = BY_BOTH_AND_ACCOUNT[door]
    if device:
        return [
            (RateLimitItemPerMinute(by_both, MINUTES, namespace=f"{door}-device"), (who, device)),
            (RateLimitItemPerMinute(by_account, MINUTES, namespace=f"{door}-devices"), (who,)),
        ]
    return [
        (RateLimitItemPerMinute(BY_PEER, MINUTES, namespace=f"{door}-peer"), (place,)),
        (RateLimitItemPerMinute(by_both, MINUTES, namespace=f"{door}-both"), (who, place)),
        (RateLimitItemPerMinute(by_account, MINUTES, namespace=f"{door}-account"), (who,)),
    ]


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

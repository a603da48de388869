"""How often one account or one address may try to sign in, give a code, or ask for a new password.

All processes count together on the queue server. While it does not answer, each process counts in its own memory.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import redis
from flask import current_app
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.core.security.peers import place_of

MINUTES = 15
BY_PEER = 100
LINES = 20


class Limit(StrEnum):
    """What is tried; each is counted separately."""

    SIGN_IN = "sign-in"
    RESET = "reset"
    CODE = "code"
    """The second step. A code has six digits: nobody guesses at an account from many addresses."""


BY_BOTH_AND_ACCOUNT = {Limit.SIGN_IN: (10, 50), Limit.RESET: (10, 50), Limit.CODE: (10, 10)}
"""Tries of an account from one address, and from all together."""

TIMEOUT = 0.2  # seconds
SILENCE = 10.0  # seconds in which the queue server is not asked again after a failure

log = logging.getLogger(__name__)
security = logging.getLogger("muster.security")

Counter = tuple[RateLimitItem, tuple[str, ...]]
"""A limit, and whose it is."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What is left after a try. left: of this account. again_at: set when it was one too many; of_place: of this address."""

    left: int
    again_at: datetime | None = None
    of_place: bool = False


class Counters:
    """One app's counters: on the queue server, and in memory while that does not answer."""

    def __init__(self, url: str) -> None:
        pool = redis.ConnectionPool.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        # The address is a formality: the pool knows it.
        self._shared = FixedWindowRateLimiter(
            RedisStorage("redis://", connection_pool=pool, key_prefix="muster-limits")
        )
        self.own = FixedWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def call(self, method: str, counter: Counter, **options: Any) -> Any:
        """Call a method of the shared counter, or of our own while the queue server does not answer."""
        item, names = counter
        if time.monotonic() >= self._away_until:
            try:
                return getattr(self._shared, method)(item, *names, **options)
            except (redis.RedisError, OSError) as error:
                self._away_until = time.monotonic() + SILENCE
                log.warning(
                    "the queue server does not count tries to sign in (%s); this process does",
                    type(error).__name__,
                )
        return getattr(self.own, method)(item, *names, **options)


def hit(account: str, peer: str, limit: Limit = Limit.SIGN_IN, device: str = "") -> Tries:
    """Count one try. account: its e-mail, whether such an account exists or not.

    device: names a browser in which this account has signed in before; "" for any other. Known browsers are counted
    separately, so only someone who once signed in can lock the account there. For all others the address is counted
    first, and a refused try counts no further: one address alone cannot lock an account.
    """
    left = BY_PEER
    for counter in _counters_of(account, peer, limit, device):
        tries = _hit(counter)
        if tries.again_at:
            return tries
        left = min(left, tries.left)
    return Tries(left)


def refund(account: str, peer: str, limit: Limit = Limit.SIGN_IN, device: str = "") -> None:
    """Take a try back, because it was right: many people behind one address can sign in."""
    for counter in _counters_of(account, peer, limit, device):
        _counters().call("hit", counter, cost=-1)


def hit_dead_link(peer: str) -> Tries:
    """Count the opening of a link that does not exist, for this address alone."""
    return _hit(_counter(BY_PEER, "link-peer", place_of(peer)))


def log_refusal(kind: str, words: str) -> None:
    """Log a request that was refused for security reasons, at most LINES of a kind a minute."""
    if _counters().own.hit(RateLimitItemPerMinute(LINES, namespace="log"), kind):
        security.warning("refused (%s): %s", kind, words)


def _hit(counter: Counter) -> Tries:
    is_within = _counters().call("hit", counter)
    ends, left = _counters().call("get_window_stats", counter)
    is_of_place = counter[0].namespace.endswith("-peer")
    if not is_within:
        return Tries(0, datetime.fromtimestamp(ends, UTC), is_of_place)
    return Tries(BY_PEER if is_of_place else left)


def _counters_of(account: str, peer: str, limit: Limit, device: str) -> list[Counter]:
    who = hashlib.sha256(account.encode()).hexdigest()[:32]
    place = place_of(peer)
    by_both, by_account = BY_BOTH_AND_ACCOUNT[limit]
    if device:
        return [
            _counter(by_both, f"{limit}-device", who, device),
            _counter(by_account, f"{limit}-devices", who),
        ]
    return [
        _counter(BY_PEER, f"{limit}-peer", place),
        _counter(by_both, f"{limit}-both", who, place),
        _counter(by_account, f"{limit}-account", who),
    ]


def _counter(most: int, name: str, *whose: str) -> Counter:
    return RateLimitItemPerMinute(most, MINUTES, namespace=name), whose


def _counters() -> Counters:
    found: Counters | None = current_app.extensions.get("muster_limits")
    if found is None:
        url = current_app.extensions["muster_settings"].queue_url
        found = current_app.extensions.setdefault("muster_limits", Counters(url))
    return found

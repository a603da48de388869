"""How often one account or one address may try to sign in, give a code, or ask for a new password.

All processes count together on the queue server. While it does not answer, each process counts in its own memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import redis
from flask import current_app
from limits.storage import MemoryStorage, RedisStorage

from webapp import queue
from webapp.core.security.peers import place_of
from webapp.core.security.tokens import hash_token
from webapp.services.settings import in_force

MINUTES = 15
"""How long a counter lives."""
BY_PEER = 100
BY_BOTH = 10
BY_ACCOUNT = 50
"""The most tries from one address, of an account from there, and of an account from all addresses together."""
LINES = 20
BY_TOKEN = 600
"""The most API calls of one token in a minute."""


class Limit(StrEnum):
    """What is tried; each is counted separately."""

    SIGN_IN = "sign-in"
    RESET = "reset"
    CODE = "code"
    """The second step."""


TIMEOUT = 0.2  # seconds
SILENCE = 10.0  # seconds in which the queue server is not asked again after a failure

log = logging.getLogger(__name__)
security = logging.getLogger("muster.security")


class Counters:
    """One app's counters: on the queue server, and in memory while that does not answer."""

    def __init__(self, url: str) -> None:
        # The address is a formality: the pool knows it.
        self._shared = RedisStorage(
            "redis://",
            connection_pool=queue.connect(url, TIMEOUT).connection_pool,
            key_prefix="muster-limits",
        )
        self.own = MemoryStorage()
        self._away_until = 0.0

    def add(self, key: str, amount: int = 1, seconds: int = MINUTES * 60) -> int:
        """Add to a counter, which lives so many seconds. -> its new value."""
        if time.monotonic() >= self._away_until:
            try:
                return self._shared.incr(key, seconds, amount)
            except (redis.RedisError, OSError) as error:
                self._away_until = time.monotonic() + SILENCE
                log.warning(
                    "the queue server does not count tries to sign in (%s); this process does",
                    type(error).__name__,
                )
        return self.own.incr(key, seconds, amount)


def hit(account: str, peer: str, limit: Limit = Limit.SIGN_IN, device: str = "") -> list[str]:
    """Count one try. -> its counters, for `refund`; none where this was one too many.

    account: its e-mail, whether such an account exists or not. device: names a browser in which this account has signed
    in before; "" for any other. Known browsers are counted separately, so only someone who once signed in can lock the
    account there. For all others the address is counted first, and a refused try counts no further: one address alone
    cannot lock an account.
    """
    counters = []
    for key, most in _limits(account, peer, limit, device).items():
        counters.append(key)
        if _counters().add(key) > most:
            return []
    return counters


def refund(counters: Iterable[str]) -> None:
    """Take a try back, because it was right: many people behind one address can sign in."""
    for key in counters:
        _counters().add(key, -1)


def hit_dead_link(peer: str) -> bool:
    """Count the opening of a link that does not exist, for this address alone. -> whether that was one too many."""
    return _counters().add(f"link-peer/{place_of(peer)}") > BY_PEER


def hit_wrong_token(peer: str) -> bool:
    """Count an API token that does not work, for this address alone. -> whether that was one too many."""
    return _counters().add(f"token-peer/{place_of(peer)}") > BY_PEER


class Allowance(NamedTuple):
    """How many calls a token has left in this minute, below zero where it had too many, and how many seconds are left of it."""

    left: int
    seconds: int


def count_call(token_id: int) -> Allowance:
    """Count one API call of a token."""
    minute, passed = divmod(int(time.time()), 60)
    n = _counters().add(f"api/{token_id}/{minute}", seconds=60)
    return Allowance(BY_TOKEN - n, 60 - passed)


def log_refusal(kind: str, words: str) -> None:
    """Log a request that was refused for security reasons, at most LINES of a kind a minute."""
    if _counters().own.incr(f"log/{kind}", 60) <= LINES:
        security.warning("refused (%s): %s", kind, words)


def _limits(account: str, peer: str, limit: Limit, device: str) -> dict[str, int]:
    """The counters of a try, and the most that each may reach."""
    who = hash_token(account)
    place = place_of(peer)
    by_account = BY_BOTH if limit is Limit.CODE else BY_ACCOUNT  # a code has only six digits
    if device:
        return {
            f"{limit}-device/{who}/{device}": BY_BOTH,
            f"{limit}-devices/{who}": by_account,
        }
    return {
        f"{limit}-peer/{place}": BY_PEER,
        f"{limit}-both/{who}/{place}": BY_BOTH,
        f"{limit}-account/{who}": by_account,
    }


def _counters() -> Counters:
    if "muster_limits" not in current_app.extensions:
        current_app.extensions["muster_limits"] = Counters(in_force.environment().queue_url)
    counters: Counters = current_app.extensions["muster_limits"]
    return counters

"""Hashing passwords with argon2id."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webapp.core.errors import BusyError

LONGEST = 256
AT_ONCE, WAIT = 2, 5.0  # seconds

_hasher = PasswordHasher()
_at_once = threading.BoundedSemaphore(AT_ONCE)


def hash_password(password: str) -> str:
    """The argon2id hash of a password. Slow (half a second): never call it inside a transaction."""
    with _one_of_few():
        return _hasher.hash(_normalise(password))


def verify(stored: str, password: str) -> str:
    """The hash to keep for a right password, made again if its costs are not today's; "" for a wrong one. Slow."""
    if len(password) > LONGEST:
        return ""
    try:
        with _one_of_few():
            _hasher.verify(stored, _normalise(password))
    except (VerificationError, InvalidHashError):
        return ""
    return hash_password(password) if _hasher.check_needs_rehash(stored) else stored


@cache
def dummy_hash() -> str:
    """A hash that takes as long to check as a real one, and whose password nobody knows."""
    return hash_password(secrets.token_hex())


@contextmanager
def _one_of_few() -> Iterator[None]:
    """Run AT_ONCE checks at a time, as each takes 64 MB for a moment. Raises BusyError after WAIT."""
    if not _at_once.acquire(timeout=WAIT):
        raise BusyError("Many people sign in just now. Try again in a moment.")
    try:
        yield
    finally:
        _at_once.release()


def _normalise(password: str) -> str:
    """One spelling for what one person types on different keyboards (RFC 8265, 4.2.1: NFC)."""
    return unicodedata.normalize("NFC", password)

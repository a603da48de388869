"""Whose turn it is to have a file read, in this process. It can take seconds, and other people want to be answered, too."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from webapp.core.files.errors import UnreadableFileError
from webapp.models import User

_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
"""A lock for each user, by id."""


@contextmanager
def upload(by: User, wait: float = 0) -> Iterator[None]:
    """Read a file for this person, one at a time. Raises UnreadableFileError while another one of theirs is read.

    wait: how many seconds to wait for that one.
    """
    lock = _locks[by.id]
    if not lock.acquire(timeout=wait):
        raise UnreadableFileError(
            "Muster is still reading another file of yours.",
            "Wait until it is done, then upload this one.",
        )
    try:
        yield
    finally:
        lock.release()

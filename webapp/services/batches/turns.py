"""Whose turn it is to have a file read, in this process. It can take seconds, and other people want to be answered, too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from webapp.core.files.errors import UnreadableFileError
from webapp.models import User

_lock = threading.Lock()
_uploading: set[int] = set()


@contextmanager
def upload(by: User) -> Iterator[None]:
    """Read a file for this person, one at a time. Raises UnreadableFileError while another one of theirs is read."""
    user_id = by.id
    with _lock:
        if user_id in _uploading:
            raise UnreadableFileError(
                "Muster is still reading another file of yours.",
                "Wait until it is done, then upload this one.",
            )
        _uploading.add(user_id)
    try:
        yield
    finally:
        with _lock:
            _uploading.remove(user_id)

"""Runs a function with a time-out, so that a database that hangs holds up no monitor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from flask import Flask, current_app

T = TypeVar("T")

_slots = threading.BoundedSemaphore(8)
"""A function that hangs keeps its thread: at most so many at once."""


def run_with_timeout(function: Callable[[], T], seconds: float) -> T:
    """Run a function in another thread, in an app context of its own. Raises TimeoutError, and what the function raises."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    answer: Future[T] = Future()

    def run() -> None:
        try:
            with app.app_context():
                answer.set_result(function())
        except Exception as error:
            answer.set_exception(error)
        finally:
            _slots.release()

    if not _slots.acquire(blocking=False):
        raise TimeoutError("no answer in time")
    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise TimeoutError("no answer in time") from None

"""Tells an endpoint what happened: one event after the other, as long as each is taken."""

from __future__ import annotations

import secrets
import time

from webapp import queue, webhooks
from webapp.jobs import stopping
from webapp.services.webhooks import delivery

TURN = 5.0
"""Seconds after which the job gives way to others."""


def deliver(endpoint_id: int, turn: float = TURN) -> None:
    """Deliver until nothing is due, the turn is over, or the worker stops. May run twice, or never: a sweep rings again.

    turn: seconds; a last try may take longer.
    """
    end = time.monotonic() + turn
    worker = secrets.token_hex(8)
    more = True
    try:
        while more and not stopping.is_set() and time.monotonic() < end:
            more = deliver_next(endpoint_id, worker)
    finally:
        delivery.release(endpoint_id, worker)
    if more:
        queue.enqueue_webhook(endpoint_id)


def deliver_next(endpoint_id: int, worker: str) -> bool:
    """Post what is due next. -> whether there was something."""
    due = delivery.claim(endpoint_id, worker)
    if due is None:
        return False
    answer = webhooks.post(due.url, due.headers, due.body, due.ca_file)
    delivery.record(due, worker, answer)
    return True

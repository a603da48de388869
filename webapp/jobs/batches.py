"""Working off a confirmed batch, and the reminders that its report asks for."""

from __future__ import annotations

import time

from webapp import queue
from webapp.jobs import stopping
from webapp.services.batches import execute, reminders

CHUNK = 50
"""Rows a transaction: small, so that other writers get their turn, and enough to make commits cheap."""
TURN = 5.0
"""Seconds after which a job gives way to others: e-mails that people wait for are sent by the same workers."""


def process(batch_id: int) -> None:
    """Work until nothing is left, the turn is over, or the worker stops. May run twice, or never: a sweep rings again.

    After each chunk it rings for the e-mails that it made and, while more may be left, for another worker to help.
    """
    end_of_turn = time.monotonic() + TURN
    more = True
    while more and not stopping.is_set() and time.monotonic() < end_of_turn:
        more = work(batch_id)
        queue.enqueue_send()
        if more:
            queue.enqueue_batch(batch_id)


def work(batch_id: int) -> bool:
    """Apply some rows or, when none is left, queue some reminders. -> whether more may be left."""
    return execute.run_chunk(batch_id, CHUNK) or reminders.queue_chunk(batch_id)

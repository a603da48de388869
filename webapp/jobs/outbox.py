"""Sending what is due."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from webapp import queue
from webapp.core.errors import (
    ConflictError,
    MailServerUnavailableError,
    MailThrottledError,
    PermanentDeliveryError,
    SenderRefusedError,
    TemporaryDeliveryError,
)
from webapp.jobs import stopping
from webapp.jobs.refusals import Refusals
from webapp.mail import mime, transports
from webapp.mail.transports import ConnectionLostError, Transport, UncertainDeliveryError
from webapp.run import processes
from webapp.services.mail import claim, finish_batch, results
from webapp.services.mail.claim import ClaimedMessage

TURN = 20.0
"""Seconds after which the job gives way to others."""
CLAIM = 20
"""Messages claimed at a time."""


def send(turn: float = TURN) -> None:
    """Send what is due until nothing is, the turn is over, or the worker stops. May run twice, or never.

    turn: seconds. All of it goes over one connection, unless that breaks. Where there is much, other workers help.
    """
    end_of_turn = time.monotonic() + turn
    worker = processes.unique_name(socket.gethostname())
    while claimed := _claimed(worker, end_of_turn):
        try:
            with _leases_renewed(worker), transports.connect(claim.read_settings()) as transport:
                _send_on(transport, claimed, worker, end_of_turn)
        except MailServerUnavailableError as error:
            claim.server_unreachable(worker, str(error), error.refused)
        except MailThrottledError as error:
            claim.slow_down(worker, str(error))
        finally:
            claim.release_claims(worker)
    if not stopping.is_set() and claim.claim_probe():
        _probe(worker)
    if not stopping.is_set() and claim.has_work():
        queue.enqueue_send()


def _probe(worker: str) -> None:
    """See whether the mail server is back, where no message is due that would show it."""
    try:
        with transports.connect(claim.read_settings()) as transport:
            transport.try_out()
    except (MailServerUnavailableError, TemporaryDeliveryError, PermanentDeliveryError) as error:
        claim.server_unreachable(worker, str(error))
    else:
        claim.server_reachable()


def _claimed(worker: str, end_of_turn: float) -> list[int]:
    """The next messages, while there is time; where more may be due, a bell for another worker."""
    ids = claim.claim(worker, CLAIM) if _has_time(end_of_turn) else []
    if len(ids) == CLAIM:
        queue.enqueue_send()
    return ids


def _has_time(end_of_turn: float) -> bool:
    return not stopping.is_set() and time.monotonic() < end_of_turn


@contextmanager
def _leases_renewed(worker: str) -> Iterator[None]:
    """What the worker has claimed stays its own until the block ends, by a thread that dies and freezes with it."""
    ended = threading.Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def renew() -> None:
        while not ended.wait(claim.RENEWAL):
            with app.app_context():
                try:
                    claim.renew(worker)
                except Exception as error:
                    app.logger.warning("leases were not renewed (%s)", type(error).__name__)

    threading.Thread(target=renew, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _send_on(transport: Transport, claimed: list[int], worker: str, end_of_turn: float) -> None:
    """Send what was claimed, then claim more. Returns early when the connection broke.

    Raises MailServerUnavailableError and MailThrottledError.
    """
    refusals = Refusals(worker)
    try:
        while claimed:
            settled: set[int | None] = set()
            try:
                for letter in claim.render_claimed(claimed, worker):
                    if not _has_time(end_of_turn):
                        return
                    try:
                        settled |= _send(transport, letter, worker, refusals)
                    except ConnectionLostError as error:
                        settled.add(results.defer(letter.id, worker, str(error), broke_off=True))
                        return
                    except UncertainDeliveryError as error:
                        settled.add(results.record_uncertain(letter.id, worker, str(error)))
                        return
            finally:
                _finish(settled)
            claimed = _claimed(worker, end_of_turn)
    finally:
        _finish(refusals.end())


def _finish(batch_ids: Iterable[int | None]) -> None:
    for batch_id in filter(None, batch_ids):
        finish_batch.finish_if_done(batch_id)


def _send(transport: Transport, letter: ClaimedMessage, worker: str, refusals: Refusals) -> set[int | None]:
    """One message to its outcome. -> the batches whose rows have got one.

    Raises MailServerUnavailableError, MailThrottledError, ConnectionLostError and UncertainDeliveryError.
    """
    try:
        parcel = mime.pack(letter.email, letter.sender, letter.message_id, letter.date, letter.reply_to)
    except PermanentDeliveryError as error:
        return {results.record_failed(letter.id, worker, str(error), by_server=False)}
    try:
        answer = transport.send(parcel, lambda: claim.begin_data(letter.id, worker, is_file=transport.is_file))
    except (TemporaryDeliveryError, SenderRefusedError) as error:
        return {*refusals.add(letter.id, error)}
    except PermanentDeliveryError as error:
        current_app.logger.info("message %d was refused for good, Message-ID %s", letter.id, letter.message_id)
        return {*refusals.end(), results.record_failed(letter.id, worker, str(error))}
    except ConflictError:
        return {results.release(letter.id, worker)}
    current_app.logger.info("message %d was handed over, Message-ID %s", letter.id, letter.message_id)
    return {results.record_sent(letter.id, worker, answer, is_file=transport.is_file), *refusals.end(has_taken=True)}

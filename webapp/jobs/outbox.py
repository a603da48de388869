"""Sends the messages that are due."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from webapp import queue
from webapp.core.errors import ConflictError
from webapp.jobs import stopping
from webapp.jobs.refusals import Refusals
from webapp.mail import mime, transports
from webapp.mail.errors import (
    ConnectionLostError,
    MailError,
    MailServerUnavailableError,
    MailThrottledError,
    PermanentDeliveryError,
    SenderRefusedError,
    TemporaryDeliveryError,
    UncertainDeliveryError,
)
from webapp.mail.transports import Transport
from webapp.run import processes
from webapp.services.mail import claim, finish_batch, results
from webapp.services.mail.claim import ClaimedMessage

TURN = 20.0
"""Seconds after which the job gives way to others."""
CLAIM = 20
"""Messages claimed at a time."""


def send(turn: float = TURN) -> None:
    """Send what is due until nothing is, the turn is over, or the worker stops. May run twice, or never.

    turn: seconds. Uses one connection, unless that breaks; wakes another worker when more is due.
    """
    end_of_turn = time.monotonic() + turn
    worker = processes.unique_name(socket.gethostname())
    while claimed := _claim(worker, end_of_turn):
        try:
            with _renew_leases(worker), transports.connect(claim.read_settings()) as transport:
                _send_claimed(transport, claimed, worker, end_of_turn)
        except MailServerUnavailableError as error:
            claim.server_unreachable(worker, error.answer, error.refused)
        except MailThrottledError as error:
            claim.slow_down(worker, error.answer["words"])
        finally:
            claim.release_claims(worker)
    if not stopping.is_set() and claim.claim_probe():
        _probe(worker)
    if not stopping.is_set() and claim.has_work():
        queue.enqueue_send()


def _probe(worker: str) -> None:
    """Check whether the mail server is back, when no message is due that would show it."""
    try:
        with transports.connect(claim.read_settings()) as transport:
            transport.probe()
    except MailError as error:
        claim.server_unreachable(worker, error.answer)
    else:
        claim.server_reachable()


def _claim(worker: str, end_of_turn: float) -> list[int]:
    """Claim the next messages, while there is time; if more may be due, wake another worker."""
    ids = claim.claim(worker, CLAIM) if _has_time(end_of_turn) else []
    if len(ids) == CLAIM:
        queue.enqueue_send()
    return ids


def _has_time(end_of_turn: float) -> bool:
    return not stopping.is_set() and time.monotonic() < end_of_turn


@contextmanager
def _renew_leases(worker: str) -> Iterator[None]:
    """Renew the worker's leases until the block ends, in a thread that dies and freezes with the worker."""
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


def _send_claimed(
    transport: Transport, claimed: list[int], worker: str, end_of_turn: float
) -> None:
    """Send what was claimed, then claim more. Returns when nothing is due, time is up, or the connection broke.

    Raises MailServerUnavailableError and MailThrottledError.
    """
    refusals = Refusals(worker)
    is_open = True
    try:
        while claimed and is_open:
            is_open = _send_each(
                transport, claim.render_claimed(claimed, worker), worker, end_of_turn, refusals
            )
            claimed = _claim(worker, end_of_turn) if is_open else []
    finally:
        finish_batch.finish_all(refusals.end())


def _send_each(
    transport: Transport,
    messages: list[ClaimedMessage],
    worker: str,
    end_of_turn: float,
    refusals: Refusals,
) -> bool:
    """Send messages until time is up or the connection breaks. Returns whether it is still open.

    Raises MailServerUnavailableError and MailThrottledError.
    """
    settled: set[int | None] = set()
    try:
        for message in messages:
            if not _has_time(end_of_turn):
                break
            settled |= _send(transport, message, worker, refusals)
    except ConnectionLostError as error:
        settled.add(results.defer(message.id, worker, error.answer, broke_off=True))
        return False
    except UncertainDeliveryError as error:
        settled.add(results.record_uncertain(message.id, worker, error.answer))
        return False
    finally:
        finish_batch.finish_all(settled)
    return True


def _send(
    transport: Transport, message: ClaimedMessage, worker: str, refusals: Refusals
) -> set[int | None]:
    """Send one message and record the result. Returns the batches whose rows it settled.

    Raises MailServerUnavailableError, MailThrottledError, ConnectionLostError and UncertainDeliveryError.
    """
    message_id = message.id
    try:
        mail = mime.build(
            message.email, message.sender, message.message_id, message.date, message.reply_to
        )
    except PermanentDeliveryError as error:
        return {results.record_failed(message_id, worker, error.answer, by_server=False)}
    try:
        answer = transport.send(
            mail, lambda: claim.begin_data(message_id, worker, is_file=transport.is_file)
        )
    except (TemporaryDeliveryError, SenderRefusedError) as error:
        return {*refusals.add(message_id, error)}
    except PermanentDeliveryError as error:
        current_app.logger.info(
            "message %d was refused for good, Message-ID %s", message_id, message.message_id
        )
        return {*refusals.end(), results.record_failed(message_id, worker, error.answer)}
    except ConflictError:
        return {results.release(message_id, worker)}
    current_app.logger.info(
        "message %d was handed over, Message-ID %s", message_id, message.message_id
    )
    return {
        results.record_sent(message_id, worker, answer, is_file=transport.is_file),
        *refusals.end(has_taken=True),
    }

"""Sends the messages that are due."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Flask, current_app

from webapp import queue
from webapp.core import mail_answers
from webapp.core.errors import ConflictError
from webapp.db import utcnow
from webapp.jobs import stopping
from webapp.mail import transports
from webapp.mail.errors import (
    ConnectionLostError,
    MailServerUnavailableError,
    MailThrottledError,
    PermanentDeliveryError,
    SenderRefusedError,
    TemporaryDeliveryError,
    UncertainDeliveryError,
)
from webapp.mail.mime import MimeMessage
from webapp.mail.transports import Transport
from webapp.run import processes
from webapp.services.mail import claim, results, throttle

TURN = 20.0
"""Seconds after which the job gives way to others."""
CLAIM = 20
"""Messages claimed at a time."""
SEVERAL = 3
"""After so many messages in a row that are answered with the same codes, it is the server."""

CollectedError = TemporaryDeliveryError | SenderRefusedError


def send(turn: float = TURN) -> None:
    """Send what is due until nothing is, the turn is over, or the worker stops. May run twice, or never.

    turn: seconds. Uses one connection, unless that breaks; wakes another worker when more is due.
    """
    end_of_turn = time.monotonic() + turn
    worker = processes.unique_name(socket.gethostname())
    while claimed := _claim(worker, end_of_turn):
        try:
            with _renew_leases(worker), transports.connect(claim.read_settings()) as transport:
                _Run(transport, worker, end_of_turn).send_all(claimed)
        except MailServerUnavailableError as error:
            throttle.trip(error.answer)
            # others go first, so that these alone can hold up nobody
            claim.release(worker, surely_unsent=True, due_at=utcnow() + throttle.PROBE)
        except MailThrottledError as error:
            throttle.slow_down(error.answer["words"])
            claim.release(worker, surely_unsent=True)
        finally:
            claim.release(worker)
            results.finish_done()
    if not _has_time(end_of_turn):
        queue.enqueue_send()


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


class _Run:
    """Sends over one connection, and tells an answer about one recipient from an answer about everybody.

    Messages that are put off, or refused for their sender, one after the other and with the same codes, are collected until
    it is clear which it is.
    """

    def __init__(self, transport: Transport, worker: str, end_of_turn: float) -> None:
        self._transport = transport
        self._worker = worker
        self._end_of_turn = end_of_turn
        self._has_answered = False
        self._has_taken = False
        self._collected: dict[int, CollectedError] = {}
        self._codes: list[str] = []

    def send_all(self, claimed: Sequence[int]) -> None:
        """Send what was claimed, then claim more. Returns when nothing is due, time is up, or the connection broke.

        Raises MailServerUnavailableError and MailThrottledError: these cost no collected message a try.
        """
        is_open = True
        while claimed and is_open:
            for message_id, message in claim.render_claimed(claimed, self._worker):
                is_open = _has_time(self._end_of_turn) and self._send(message_id, message)
                if not is_open:
                    break
            else:
                claimed = _claim(self._worker, self._end_of_turn)
        self._settle_collected()

    def _send(self, message_id: int, message: MimeMessage) -> bool:
        """Send one message and record the result. Returns whether the connection is still open. Raises as `send_all`."""
        worker, is_file = self._worker, self._transport.is_file
        logger = current_app.logger
        try:
            answer = self._transport.send(
                message, lambda: claim.begin_data(message_id, worker, is_file=is_file)
            )
        except ConnectionLostError as error:
            if not self._has_answered:
                results.defer(message_id, worker, error.answer, by_server=False)
                raise MailServerUnavailableError(**error.answer) from error
            # servers do this after some messages; it is sent over a new one
            self._settle_collected()
            claim.release(worker, surely_unsent=True)
            return False
        except UncertainDeliveryError as error:
            results.record_uncertain(message_id, worker, error.answer)
            return False
        except (TemporaryDeliveryError, SenderRefusedError) as error:
            self._collect(message_id, error)
        except PermanentDeliveryError as error:
            logger.info("message %d was refused, Message-ID %s", message_id, message.message_id)
            self._settle_collected()
            results.record_failed(message_id, worker, error.answer)
        except ConflictError:
            pass  # it is released with the run; if its invitation is closed, the next claim cancels it
        else:
            logger.info("message %d was handed over, Message-ID %s", message_id, message.message_id)
            results.record_sent(message_id, worker, answer, is_file=is_file)
            self._has_taken = True
            self._settle_collected()
        self._has_answered = True
        return True

    def _collect(self, message_id: int, error: CollectedError) -> None:
        """Collect a message. Raises as `send_all` when it is clear that all others would be answered like it."""
        words = error.answer["words"]
        codes = mail_answers.codes(words)
        if codes != self._codes:
            self._settle_collected()
        self._codes = codes
        self._collected[message_id] = error
        is_several = len(self._collected) >= SEVERAL
        if isinstance(error, SenderRefusedError):
            # where sending is held up, one shows that this goes on
            if not self._has_taken and (is_several or throttle.alarm()):
                raise MailServerUnavailableError(**{**error.answer, "code": "sender_refused"})
        elif is_several and mail_answers.is_about_pace(words, has_taken=self._has_taken):
            raise MailThrottledError(**error.answer)

    def _settle_collected(self) -> None:
        """Record each collected message by itself: the answer was about its recipient."""
        for message_id, error in self._collected.items():
            is_refused = isinstance(error, SenderRefusedError)
            record = results.record_failed if is_refused else results.defer
            record(message_id, self._worker, error.answer)
        self._collected.clear()

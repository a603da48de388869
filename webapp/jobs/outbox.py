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
from webapp.jobs import stopping
from webapp.mail import transports
from webapp.mail.errors import (
    ConnectionLostError,
    MailServerUnavailableError,
    MailThrottledError,
    PermanentDeliveryError,
    TemporaryDeliveryError,
    UncertainDeliveryError,
)
from webapp.mail.mime import MimeMessage
from webapp.mail.transports import Transport
from webapp.run import processes
from webapp.services.mail import claim, results

TURN = 20.0
"""Seconds after which the job gives way to others."""
CLAIM = 20
"""Messages claimed at a time."""
SEVERAL = 3
"""After so many messages in a row that are put off with the same codes, it is the server."""


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
            claim.server_unreachable(worker, error.answer)
        except MailThrottledError as error:
            claim.slow_down(worker, error.answer["words"])
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
    """Sends over one connection, and tells what is put off for one recipient from what is put off for everybody.

    Messages that are put off with the same codes, one after the other, are collected until it is clear which they are.
    """

    def __init__(self, transport: Transport, worker: str, end_of_turn: float) -> None:
        self._transport = transport
        self._worker = worker
        self._end_of_turn = end_of_turn
        self._has_answered = False
        self._has_taken = False
        self._put_off: dict[int, TemporaryDeliveryError] = {}

    def send_all(self, claimed: Sequence[int]) -> None:
        """Send what was claimed, then claim more. Returns when nothing is due, time is up, or the connection broke.

        Raises MailServerUnavailableError and MailThrottledError.
        """
        try:
            while claimed:
                for message_id, message in claim.render_claimed(claimed, self._worker):
                    is_open = _has_time(self._end_of_turn) and self._send(message_id, message)
                    if not is_open:
                        return
                claimed = _claim(self._worker, self._end_of_turn)
        finally:
            self._defer_collected()

    def _send(self, message_id: int, message: MimeMessage) -> bool:
        """Send one message and record the result. Returns whether the connection is still open. Raises as `send_all`."""
        worker, is_file = self._worker, self._transport.is_file
        logger = current_app.logger
        try:
            answer = self._transport.send(
                message, lambda: claim.begin_data(message_id, worker, is_file=is_file)
            )
        except ConnectionLostError as error:
            if self._has_answered:  # servers do this after some messages; it is sent over a new one
                self._defer_collected()
                claim.release(worker, surely_unsent=True)
                return False
            results.defer(message_id, worker, error.answer, by_server=False)
            raise MailServerUnavailableError(**error.answer) from error
        except UncertainDeliveryError as error:
            results.record_uncertain(message_id, worker, error.answer)
            return False
        except TemporaryDeliveryError as error:
            self._collect(message_id, error)
        except PermanentDeliveryError as error:
            logger.info("message %d was refused, Message-ID %s", message_id, message.message_id)
            self._defer_collected()
            results.record_failed(message_id, worker, error.answer)
        except ConflictError:
            pass  # it is released with the run; if its invitation is closed, the next claim cancels it
        else:
            logger.info("message %d was handed over, Message-ID %s", message_id, message.message_id)
            results.record_sent(message_id, worker, answer, is_file=is_file)
            self._has_taken = True
            self._defer_collected()
        self._has_answered = True
        return True

    def _collect(self, message_id: int, error: TemporaryDeliveryError) -> None:
        """Add a message that was put off. If the server gets too much, forget them all, and raise that."""
        words = error.answer["words"]
        before = [mail_answers.codes(each.answer["words"]) for each in self._put_off.values()]
        if mail_answers.codes(words) not in before:
            self._defer_collected()
        self._put_off[message_id] = error
        # not so where a first try is never taken: that is greylisting
        is_likely = self._has_taken or mail_answers.is_about_pace(words)
        if is_likely and mail_answers.may_be_about_pace(words) and len(self._put_off) >= SEVERAL:
            self._put_off.clear()
            raise MailThrottledError(**error.answer)

    def _defer_collected(self) -> None:
        """Defer each collected message by itself."""
        put_off, self._put_off = self._put_off, {}
        for message_id, error in put_off.items():
            results.defer(message_id, self._worker, error.answer)

"""Sending what is due."""

from __future__ import annotations

import os
import secrets
import socket
import time
from email.message import EmailMessage

from webapp import emails, mail, queue
from webapp.core.errors import Conflict, MailServerAway, TryLater, Undeliverable
from webapp.jobs import stopping
from webapp.mail import Transport, Uncertain
from webapp.services import outbox
from webapp.services.outbox import Letter

TURN = 20.0
"""Seconds after which the job gives way to others."""


def send(turn: float = TURN) -> None:
    """Send what is due until nothing is, the turn is over, or the worker stops. May run twice, or never.

    turn: seconds. All of it goes over one connection, unless that breaks.
    """
    end_of_turn = time.monotonic() + turn
    worker = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
    while _has_time(end_of_turn) and (claimed := outbox.claim(worker)):
        try:
            with mail.connect(outbox.settings()) as transport:
                _send_on(transport, claimed, worker, end_of_turn)
        except MailServerAway as error:
            outbox.away(worker, str(error))
        finally:
            outbox.give_back(worker)
    if not stopping.is_set() and outbox.due():
        queue.ring("webapp.jobs.outbox.send", name="outbox")


def _has_time(end_of_turn: float) -> bool:
    return not stopping.is_set() and time.monotonic() < end_of_turn


def _send_on(transport: Transport, claimed: list[int], worker: str, end_of_turn: float) -> None:
    """Send what was claimed, then claim more. Returns early when the connection broke. Raises MailServerAway."""
    while claimed:
        for letter in outbox.letters(claimed, worker):
            if not _has_time(end_of_turn):
                return
            try:
                _send(transport, letter, worker)
            except Uncertain as error:
                outbox.interrupted(letter.id, worker, str(error))
                return
        claimed = outbox.claim(worker) if _has_time(end_of_turn) else []


def _send(transport: Transport, letter: Letter, worker: str) -> None:
    """One message to its outcome. Raises MailServerAway and Uncertain, which end the connection."""
    try:
        recipient, mime = _written(letter)
    except Undeliverable as error:
        outbox.failed(letter.id, worker, str(error), by_server=False)
        return
    try:
        answer = transport.send(mime, recipient, lambda: outbox.begin_data(letter.id, worker))
    except TryLater as error:
        outbox.put_off(letter.id, worker, str(error))
    except Undeliverable as error:
        outbox.failed(letter.id, worker, str(error))
    except Conflict:
        outbox.let_go(letter.id, worker)
    else:
        outbox.sent(letter.id, worker, answer)


def _written(letter: Letter) -> tuple[str, EmailMessage]:
    return emails.deliverable(letter.email.to), emails.mime(letter.email, letter.sender, letter.message_id, letter.date)

"""Messages over SMTP, with the standard library's client.

Each step waits for the server for so many seconds at most. A server that sends a byte now and then never lets one of these
times pass: such a talk is ended by the time-out of the job, and counts as a lost connection.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote

from rq.timeouts import BaseTimeoutException

from webapp.core import mail_answers
from webapp.mail.errors import (
    ConnectionLostError,
    MailServerUnavailableError,
    PermanentDeliveryError,
    SenderRefusedError,
    TemporaryDeliveryError,
    UncertainDeliveryError,
)
from webapp.mail.mime import MimeMessage, ascii_domain

COMMAND_SECONDS = 30.0
"""For connecting, and for each command and its answer."""
ANSWER_SECONDS = 60.0
"""For the message itself and the answer to it: servers scan it first, and a client that gives up early sends it twice
(RFC 5321, 4.5.3.2.6)."""

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
AUTHENTICATION_CODES = {530, 534, 535, 538}
"""Answers about the sign-in and not about the message, to whatever command (RFC 4954, 6)."""
TOO_LARGE = 552

Reply = tuple[int, bytes | str]


class SmtpTransport:
    """One connection to the mail server."""

    is_file = False

    def __init__(self, url: SplitResult, sender: str, local_name: str) -> None:
        local, _, domain = sender.rpartition("@")
        self._url = url
        self._sender = f"{local}@{ascii_domain(domain)}"
        self._port = url.port or PORTS[url.scheme]
        self._server = f"The mail server {url.hostname}:{self._port}"
        self._smtp = self._open(local_name)

    def quit(self) -> None:
        """Say goodbye."""
        with suppress(OSError):
            self._smtp.quit()

    def close(self) -> None:
        """Close the connection, whatever was said."""
        self._smtp.close()

    def _open(self, local_name: str) -> smtplib.SMTP:
        """Connect, encrypt and sign in, as the URL says."""
        url = self._url
        where = (url.hostname or "", self._port, local_name)
        context = ssl.create_default_context()
        smtp: smtplib.SMTP
        try:
            if url.scheme == "smtps":
                smtp = smtplib.SMTP_SSL(*where, timeout=COMMAND_SECONDS, context=context)
            else:
                smtp = smtplib.SMTP(*where, timeout=COMMAND_SECONDS)
            if url.scheme == "smtp+starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if url.username:
                smtp.login(unquote(url.username), unquote(url.password or ""))
        except Exception as error:
            raise MailServerUnavailableError(
                "unreachable", server=self._server, cause=_cause(error)
            ) from error
        return smtp

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """See `transports.Transport`."""
        smtp = self._smtp
        is_ascii = (self._sender + message.recipient).isascii()
        if not is_ascii and not smtp.has_extn("smtputf8"):
            raise PermanentDeliveryError("smtputf8_missing")
        options = [] if is_ascii else ["SMTPUTF8", "BODY=8BITMIME"]
        is_in_data = False
        try:
            self._check(smtp.mail(self._sender, options), is_about_all=is_ascii)
            self._check(smtp.rcpt(message.recipient))
            before_data()
            self._check(smtp.docmd("DATA"), wanted=3)
            is_in_data = True
            assert smtp.sock
            smtp.sock.settimeout(ANSWER_SECONDS)
            smtp.send(re.sub(rb"(?m)^\.", b"..", message.data) + b".\r\n")
            reply = smtp.getreply()
            if reply[0] < 0:
                raise smtplib.SMTPServerDisconnected("its answer cannot be read")
            smtp.sock.settimeout(COMMAND_SECONDS)
            self._check(reply)
        except (OSError, BaseTimeoutException) as error:
            smtp.close()
            about = {"server": self._server, "cause": _cause(error)}
            if is_in_data:
                raise UncertainDeliveryError("uncertain", **about) from error
            raise ConnectionLostError("broken", **about) from error
        except Exception:
            with suppress(OSError):  # the next message notices a server that is gone
                smtp.rset()
            raise
        return {"code": "accepted", "words": mail_answers.words_of(*reply)}

    def _check(self, reply: Reply, wanted: int = 2, *, is_about_all: bool = False) -> None:
        """Raise the fitting error if the reply does not begin with the wanted digit.

        is_about_all: it answers MAIL, so a refusal concerns every message, unless this one is too large.
        """
        code = reply[0]
        words = mail_answers.words_of(*reply)
        if code // 100 == wanted:
            return
        if code in AUTHENTICATION_CODES:
            raise MailServerUnavailableError("stopped", server=self._server, words=words)
        if code == 421 or code < 0:
            self._smtp.close()
            raise ConnectionLostError("stopped", server=self._server, words=words)
        if code < 500:
            raise TemporaryDeliveryError("deferred", words=words)
        about = {"server": self._server, "sender": self._sender, "words": words}
        if is_about_all and code != TOO_LARGE:
            raise MailServerUnavailableError("sender_refused", **about)
        if mail_answers.is_about_sender(words, self._sender):
            raise SenderRefusedError("refused", **about)
        raise PermanentDeliveryError("refused", words=words)


def _cause(error: BaseException) -> str:
    """Why a connection failed, in the words of the server or of the operating system."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = mail_answers.words_of(error.smtp_code, error.smtp_error)
    else:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.rstrip(".")

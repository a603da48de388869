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
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote

from rq.timeouts import BaseTimeoutException

from webapp.core import mail_answers
from webapp.mail.errors import (
    ConnectionLostError,
    MailError,
    MailServerUnavailableError,
    PermanentDeliveryError,
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

Reply = tuple[int, bytes | str]


class SmtpTransport:
    """One connection to the mail server."""

    is_file = False

    def __init__(self, url: SplitResult, sender: str, local_name: str) -> None:
        local, _, domain = sender.rpartition("@")
        self._url = url
        self._sender = f"{local}@{ascii_domain(domain)}"
        self._local_name = local_name
        self._port = url.port or PORTS[url.scheme]
        self._server = f"The mail server {url.hostname}:{self._port}"
        self._smtp = self._open()
        self._has_taken = False

    def quit(self) -> None:
        """Say goodbye, without waiting long for the answer."""
        with suppress(OSError):
            if self._smtp.sock:
                self._smtp.sock.settimeout(1)
            self._smtp.quit()
        self._smtp.close()

    def _open(self) -> _Client:
        """Connect, encrypt and sign in, as the URL says."""
        url = self._url
        context = ssl.create_default_context()
        client = partial(_TlsClient, context=context) if url.scheme == "smtps" else _Client
        try:
            smtp = client(url.hostname or "", self._port, self._local_name, timeout=COMMAND_SECONDS)
            if url.scheme == "smtp+starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if url.username:
                smtp.login(unquote(url.username), unquote(url.password or ""))
        except smtplib.SMTPAuthenticationError as error:
            words = mail_answers.words_of(error.smtp_code, error.smtp_error)
            raise MailServerUnavailableError(
                "sign_in_refused", server=self._server, words=words
            ) from error
        except Exception as error:
            raise MailServerUnavailableError(
                "unreachable", server=self._server, cause=_cause(error)
            ) from error
        return smtp

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """See `transports.Transport`."""
        smtp = self._smtp
        smtp.before_data = before_data
        smtp.is_in_data = False
        is_ascii = (self._sender + message.recipient).isascii()
        if not is_ascii and not smtp.has_extn("smtputf8"):
            raise PermanentDeliveryError("smtputf8_missing")
        options = [] if is_ascii else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            smtp.sendmail(self._sender, [message.recipient], message.data, options)
        except smtplib.SMTPRecipientsRefused as error:
            refused: Reply = error.recipients[message.recipient]
            raise self._refusal(refused, message.recipient) from error
        except smtplib.SMTPResponseException as error:
            at_mail = isinstance(error, smtplib.SMTPSenderRefused)
            reply = error.smtp_code, error.smtp_error
            raise self._refusal(reply, message.recipient, at_mail=at_mail) from error
        except (OSError, BaseTimeoutException) as error:
            self._smtp.close()
            about = {"server": self._server, "cause": _cause(error)}
            if smtp.is_in_data:
                raise UncertainDeliveryError("uncertain", **about) from error
            raise ConnectionLostError("broken", **about) from error
        self._has_taken = True
        return {"code": "accepted", "words": mail_answers.words_of(*smtp.reply)}

    def _refusal(self, reply: Reply, recipient: str, *, at_mail: bool = False) -> MailError:
        """What a reply means that is not yes. What is said to MAIL concerns every message, unless it is about this one."""
        code = reply[0]
        words = mail_answers.words_of(*reply)
        if code in AUTHENTICATION_CODES:
            return MailServerUnavailableError("stopped", server=self._server, words=words)
        if code == 421 or code < 0:
            self._smtp.close()
            return ConnectionLostError("stopped", server=self._server, words=words)
        if code < 500:
            return TemporaryDeliveryError("deferred", words=words)
        is_about_all = at_mail and recipient.isascii()
        is_about_sender = mail_answers.is_about_sender(words, self._sender)
        if is_about_all or (is_about_sender and not self._has_taken):
            about = {"server": self._server, "sender": self._sender, "words": words}
            return MailServerUnavailableError("sender_refused", **about)
        return PermanentDeliveryError("refused", words=words)


class _Client(smtplib.SMTP):
    """smtplib's client, which calls `before_data` before DATA, and waits longer for the answer to the message."""

    before_data: Callable[[], None]
    is_in_data = False
    """Whether the server may have taken the message."""
    reply: Reply

    def data(self, msg: bytes) -> Reply:  # type: ignore[override]
        """As smtplib's; the answer is kept."""
        try:
            self.before_data()
        except Exception:
            with suppress(OSError):  # the next message notices a server that is gone
                self.rset()
            raise
        code, words = self.docmd("DATA")
        if code != 354:
            return (code if code >= 400 else -1), words
        self.is_in_data = True
        assert self.sock
        self.sock.settimeout(ANSWER_SECONDS)
        self.send(re.sub(rb"(?m)^\.", b"..", msg) + b".\r\n")
        self.reply = self.getreply()
        if self.reply[0] < 0:
            raise smtplib.SMTPServerDisconnected("its answer cannot be read")
        self.is_in_data = False
        self.sock.settimeout(COMMAND_SECONDS)
        return self.reply


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def _cause(error: BaseException) -> dict[str, str]:
    """Why a connection failed, in the words of the server or of the operating system."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = mail_answers.words_of(error.smtp_code, error.smtp_error)
    else:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return {"code": "text", "text": text.rstrip(".")}

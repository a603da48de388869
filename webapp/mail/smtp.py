"""Messages over SMTP, with the standard library's client.

Each step waits for the server for so many seconds at most. A server that sends a byte now and then never lets one of these
times pass: such a talk is ended by the time-out of the job, and counts as a lost connection.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any
from urllib.parse import SplitResult, unquote

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

OPENING_SECONDS = 30.0
"""For each step until the sign-in."""
COMMAND_SECONDS = 30.0
"""For each command and its answer."""
ANSWER_SECONDS = 60.0
"""For the message itself and the answer to it: servers scan it first, and a client that gives up early sends it twice
(RFC 5321, 4.5.3.2.6)."""

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
AUTHENTICATION_CODES = {530, 534, 535, 538}
"""Answers about the sign-in and not about the message, to whatever command (RFC 4954, 6)."""

LONGEST_REPLY = 64 * 1024
"""Bytes. smtplib keeps as many lines as the server sends: an endless reply would take all memory."""

Reply = tuple[int, bytes]


class SmtpTransport:
    """One connection to the mail server; a new one if the server closes it between two messages."""

    is_file = False

    def __init__(self, url: SplitResult, sender: str, local_name: str) -> None:
        local, _, domain = sender.rpartition("@")
        self._url = url
        self._sender = f"{local}@{ascii_domain(domain)}"
        self._local_name = local_name
        self._port = url.port or PORTS[url.scheme]
        self._server = f"The mail server {url.hostname}:{self._port}"
        self._open()

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """See `transports.Transport`."""
        try:
            return self._hand_over(message, before_data)
        except ConnectionLostError:
            if not self._is_proven:
                raise
            self.close()
            self._open()
            return self._hand_over(message, before_data)

    def probe(self) -> None:
        """See `transports.Transport`. Signs in, and asks whether the sender may send."""
        try:
            self._mail("", [])
            self._reset()
        except ConnectionLostError as error:
            raise MailServerUnavailableError(**error.answer) from error

    def quit(self) -> None:
        """Say goodbye, without waiting long for the answer."""
        with suppress(OSError):
            if self._smtp.sock:
                self._smtp.sock.settimeout(1)
            self._smtp.quit()
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._smtp.close()

    # The connection

    def _open(self) -> None:
        self._is_proven = False  # whether the server has answered to a message on this connection
        try:
            self._smtp = self._connect()
        except smtplib.SMTPResponseException as error:
            raise self._unavailable("not_accepting", error) from error
        except Exception as error:
            raise self._unavailable("unreachable", error) from error
        try:
            self._sign_in()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> smtplib.SMTP:
        address = (self._url.hostname or "", self._port, self._local_name)
        if self._url.scheme == "smtps":
            return _TlsClient(
                *address, timeout=OPENING_SECONDS, context=ssl.create_default_context()
            )
        return _Client(*address, timeout=OPENING_SECONDS)

    def _sign_in(self) -> None:
        """Greet, encrypt and sign in, as the URL says."""
        smtp = self._smtp
        try:
            smtp.ehlo_or_helo_if_needed()
            if self._url.scheme == "smtp+starttls":
                if not smtp.has_extn("starttls"):
                    raise MailServerUnavailableError("starttls_missing", server=self._server)
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if self._url.username:
                smtp.login(unquote(self._url.username), unquote(self._url.password or ""))
        except MailServerUnavailableError:
            raise
        except smtplib.SMTPAuthenticationError as error:
            raise self._unavailable("sign_in_refused", error) from error
        except smtplib.SMTPResponseException as error:
            raise self._unavailable("session_refused", error) from error
        except Exception as error:
            raise self._unavailable("broken", error) from error

    def _unavailable(self, code: str, error: Exception) -> MailServerUnavailableError:
        if isinstance(error, smtplib.SMTPResponseException):
            words = mail_answers.words_of(error.smtp_code, error.smtp_error)
            return MailServerUnavailableError(code, server=self._server, words=words)
        return MailServerUnavailableError(code, server=self._server, cause=_cause(error))

    # One message

    def _hand_over(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        options = self._options(message)
        try:
            self._mail(message.recipient, options)
            self._check(self._command(self._smtp.rcpt, message.recipient), message.recipient)
            before_data()
            self._check(self._command(self._smtp.docmd, "DATA"), message.recipient, expected=354)
        except ConnectionLostError:
            raise
        except Exception:
            self._reset()
            raise
        reply = self._transmit(message.data)
        self._check(reply, message.recipient)
        self._is_proven = True
        return {"code": "accepted", "words": mail_answers.words_of(*reply)}

    def _options(self, message: MimeMessage) -> list[str]:
        if not (self._sender + message.recipient).isascii():
            if not self._smtp.has_extn("smtputf8"):
                raise PermanentDeliveryError("smtputf8_missing")
            return ["SMTPUTF8", "BODY=8BITMIME"]
        if not self._smtp.has_extn("size"):
            return []
        size = len(message.data)
        limit = self._smtp.esmtp_features["size"]
        if limit.isdecimal() and 0 < int(limit) < size:
            raise PermanentDeliveryError("too_large", limit=int(limit), size=size)
        return [f"SIZE={size}"]

    def _mail(self, recipient: str, options: list[str]) -> None:
        """MAIL FROM. What the server answers before there is a recipient concerns every message."""
        reply = self._command(self._smtp.mail, self._sender, options)
        words = mail_answers.words_of(*reply)
        if reply[0] in AUTHENTICATION_CODES:
            raise MailServerUnavailableError("stopped", server=self._server, words=words)
        concerns_message = mail_answers.is_about_size(words) or (
            "SMTPUTF8" in options and self._sender.isascii()
        )
        if reply[0] >= 500 and not concerns_message:
            raise MailServerUnavailableError(
                "sender_refused", server=self._server, sender=self._sender, words=words
            )
        self._check(reply, recipient)

    def _command(self, command: Callable[..., Reply], *args: Any) -> Reply:
        try:
            self._wait_at_most(COMMAND_SECONDS)
            return command(*args)
        except Exception as error:
            self.close()
            # the time-out of the job: no time is left for another connection
            if not isinstance(error, OSError):
                self._is_proven = False
            raise ConnectionLostError("broken", server=self._server, cause=_cause(error)) from error

    def _transmit(self, data: bytes) -> Reply:
        """Send the message itself, dots stuffed (RFC 5321, 4.5.2). From here on the server may have it."""
        try:
            self._wait_at_most(ANSWER_SECONDS)
            self._smtp.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")
            reply = self._smtp.getreply()
        except Exception as error:  # the time-out of the job, too
            self.close()
            raise UncertainDeliveryError(
                "uncertain", server=self._server, cause=_cause(error)
            ) from error
        if reply[0] < 0:
            cause = {"code": "unreadable"}
            raise UncertainDeliveryError("uncertain", server=self._server, cause=cause)
        return reply

    def _wait_at_most(self, seconds: float) -> None:
        if self._smtp.sock:
            self._smtp.sock.settimeout(seconds)

    def _check(self, reply: Reply, recipient: str, expected: int = 250) -> None:
        """Raise what the reply means, unless it is yes."""
        code = reply[0]
        words = mail_answers.words_of(*reply)
        if code == expected or (expected == 250 and code == 251):
            return
        if code == 421 or code in AUTHENTICATION_CODES or code < 0:
            raise ConnectionLostError("stopped", server=self._server, words=words)
        self._is_proven = True  # if the server hangs up now, that is no reason for an alarm
        if code < 500:
            raise TemporaryDeliveryError("deferred", words=words)
        if mail_answers.is_about_sender(words, self._sender):
            raise SenderRefusedError(
                "sender_refused", server=self._server, sender=self._sender, words=words
            )
        raise PermanentDeliveryError(**mail_answers.explain_refusal(words, recipient))

    def _reset(self) -> None:
        with suppress(ConnectionLostError):  # the next message notices a server that is gone
            self._command(self._smtp.rset)


class _Client(smtplib.SMTP):
    """smtplib's client, which refuses a reply that is too long."""

    def getreply(self) -> Reply:
        """As smtplib's."""
        if self.file is None and self.sock:
            self.file = _ReplyReader(self.sock.makefile("rb"))
        if self.file:
            self.file.bytes_left = LONGEST_REPLY
        return super().getreply()


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class _ReplyReader:
    """The file from which smtplib reads replies."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.close = file.close
        self.bytes_left = 0

    def readline(self, limit: int) -> bytes:
        """As a file's. Raises OSError if the reply is too long."""
        line = self._file.readline(limit)
        self.bytes_left -= len(line)
        if self.bytes_left < 0:
            raise OSError("its answer does not end")
        return line


def _cause(error: Exception) -> dict[str, str]:
    """Why a connection failed, as a code with parameters."""
    cause: BaseException = error
    if isinstance(error, smtplib.SMTPServerDisconnected) and error.__context__:
        cause = error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return {"code": "certificate", "words": cause.verify_message}
    if isinstance(cause, TimeoutError):
        return {"code": "timeout"}
    if isinstance(cause, socket.gaierror):
        return {"code": "no_host"}
    if isinstance(cause, smtplib.SMTPServerDisconnected):
        return {"code": "closed"}
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return {"code": "text", "text": text.rstrip(".")}

"""Transports: how an e-mail leaves the house, by SMTP or as a file. The outbox decides what and when."""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from webapp.core import mail_answers
from webapp.core.errors import (
    MailServerUnavailableError,
    MusterError,
    PermanentDeliveryError,
    SenderRefusedError,
    TemporaryDeliveryError,
)
from webapp.mail.mime import Parcel
from webapp.mail.smtp import Client, ClientOverTls
from webapp.settings.settings import Settings

OPENING_SECONDS = 30.0
"""To be connected, greeted, encrypted and signed in, all together. Each of these times ends by the clock, however fast or
slowly a server drips its answers (`webapp.mail.smtp`); together they are shorter than a job may last."""
COMMAND_SECONDS = 30.0
"""For each command and its answer."""
ANSWER_SECONDS = 60.0
"""For the message itself and the answer to it: servers scan it first, and who gives up early sends it twice
(RFC 5321, 4.5.3.2.6)."""

NO_SMTPUTF8 = "The mail server does not take addresses with letters outside ASCII before the @ (it lacks SMTPUTF8)."
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
SIGN_IN_WANTED = {530, 534, 535, 538}
"""Codes that tell of the sign-in and not of the message (RFC 4954, 6), whatever command they answer."""
LONGEST_WORDS = 300


class ConnectionLostError(MusterError):
    """The connection failed in the midst of a message, though it had just been opened: not taken, perhaps for its own sake."""


class UncertainDeliveryError(MusterError):
    """The connection ended while the message was handed over: the server may have taken it."""


class Transport(Protocol):
    """A way out that is open; it carries any number of messages."""

    is_file: bool
    """Whether messages become files instead of going to a mail server."""

    def send(self, parcel: Parcel, before_data: Callable[[], None]) -> str:
        """Hand one message over; -> the answer in words.

        before_data is called when the server has agreed to
        the recipient and the message itself comes next; what it raises stops this message alone. After a
        reconnection it may be called a second time.
        Raises TemporaryDeliveryError, PermanentDeliveryError, ConnectionLostError and MailServerUnavailableError (not taken),
        UncertainDeliveryError (perhaps taken).
        """

    def try_out(self) -> None:
        """See that messages would be taken, and hand nothing over.

        Raises MailServerUnavailableError, or what the server answers.
        """


@contextmanager
def connect(settings: Settings) -> Iterator[Transport]:
    """The way out that the settings name, open until the block ends. Raises MailServerUnavailableError."""
    if not settings.mail_url:
        yield Files(settings.data_dir / "outbox")
        return
    smtp = Smtp(urlsplit(settings.mail_url), parseaddr(settings.mail_from)[1], urlsplit(settings.public_url).hostname)
    try:
        yield smtp
    finally:
        smtp.close()


class Files:
    """Messages as .eml files, for installations without a mail server."""

    is_file = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, parcel: Parcel, before_data: Callable[[], None]) -> str:
        """Whole or not at all, under a name made of the Message-ID: a second try overwrites the first."""
        name = file_name(parcel.message_id)
        before_data()
        temporary = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open(temporary, "wb", opener=_private) as file:
                file.write(parcel.data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._folder / name)
            self._sync_folder()
        except OSError as error:
            raise MailServerUnavailableError(
                f"The email could not be written to {self._folder}: {error.strerror or error}."
            ) from error
        return f"Written as {name}"

    def try_out(self) -> None:
        """See Transport."""
        probe = self._folder / ".try-out.part"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            probe.write_bytes(b"?")
            probe.unlink()
        except OSError as error:
            raise MailServerUnavailableError(f"Emails cannot be written to {self._folder}: {error.strerror or error}.") from error

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def discard(folder: Path, message_ids: Iterable[str]) -> None:
    """Delete the files of these messages; of those that were never written nothing is there."""
    for message_id in message_ids:
        (folder / file_name(message_id)).unlink(missing_ok=True)


def file_name(message_id: str) -> str:
    """What a message's file is called."""
    return re.sub(r"[^A-Za-z0-9.-]", "", message_id.partition("@")[0]) + ".eml"


class Smtp:
    """One connection to the mail server; where the server closes it between two messages, a new one."""

    is_file = False

    def __init__(self, url: SplitResult, sender: str, local_name: str | None) -> None:
        self._url = url
        local, _, domain = sender.rpartition("@")
        self._sender = f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
        self._local_name = local_name or "localhost"
        self._server = f"The mail server {url.hostname}:{url.port or PORTS[url.scheme]}"
        self._open()

    def send(self, parcel: Parcel, before_data: Callable[[], None]) -> str:
        """See Transport."""
        try:
            return self._hand_over(parcel, before_data)
        except ConnectionLostError:
            if not self._has_carried:
                raise
            self._smtp.close()
            self._open()
            return self._hand_over(parcel, before_data)

    def try_out(self) -> None:
        """See Transport; the sign-in, where there is one, has been made. Whether the sender may send is asked, too."""
        try:
            self._begin_message("", [])
            self._forget_transaction()
        except ConnectionLostError as error:
            raise MailServerUnavailableError(str(error)) from error

    def close(self) -> None:
        """Say goodbye, without waiting for a server that does not."""
        with suppress(OSError):
            self._smtp.within(1)
            self._smtp.quit()
        self._smtp.close()

    def _open(self) -> None:
        self._has_carried = False
        try:
            self._smtp = self._connected()
        except smtplib.SMTPResponseException as error:
            raise MailServerUnavailableError(f"{self._server} does not accept connections ({_said(error)}).") from error
        except OSError as error:
            raise MailServerUnavailableError(f"{self._server} cannot be reached ({_cause(error)}).") from error
        try:
            self._begin()
        except BaseException:
            self._smtp.close()
            raise

    def _connected(self) -> Client:
        where = self._url.hostname or "", self._url.port or PORTS[self._url.scheme], self._local_name
        if self._url.scheme == "smtps":
            return ClientOverTls(*where, OPENING_SECONDS, context=ssl.create_default_context())
        return Client(*where, OPENING_SECONDS)

    def _begin(self) -> None:
        """Greet, encrypt, sign in, as the address says."""
        try:
            self._smtp.ehlo_or_helo_if_needed()
            if self._url.scheme == "smtp+starttls":
                if not self._smtp.has_extn("starttls"):
                    raise MailServerUnavailableError(f"{self._server} does not offer STARTTLS.")
                self._smtp.starttls(context=ssl.create_default_context())
                self._smtp.ehlo_or_helo_if_needed()
            if self._url.username:
                self._smtp.login(unquote(self._url.username), unquote(self._url.password or ""))
        except smtplib.SMTPAuthenticationError as error:
            raise MailServerUnavailableError(f"{self._server} refused the sign-in ({_said(error)}).") from error
        except smtplib.SMTPResponseException as error:
            raise MailServerUnavailableError(f"{self._server} broke off ({_said(error)}).") from error
        except (OSError, UnicodeError) as error:
            raise MailServerUnavailableError(f"{self._server} broke off ({_cause(error)}).") from error

    def _hand_over(self, parcel: Parcel, before_data: Callable[[], None]) -> str:
        recipient, options = parcel.recipient, self._options(parcel)
        try:
            self._begin_message(recipient, options)
            self._agree(self._command(lambda: self._smtp.rcpt(recipient)), recipient)
            before_data()
            self._agree(self._command(lambda: self._smtp.docmd("DATA")), recipient, expected=354)
        except ConnectionLostError:
            raise
        except Exception:
            self._forget_transaction()
            raise
        answer = self._transmit(parcel.data)
        self._agree(answer, recipient)
        self._has_carried = True
        return _words(*answer)

    def _begin_message(self, recipient: str, options: list[str]) -> None:
        """MAIL FROM. What is said before there is a recipient is said to everybody."""
        answer = self._command(lambda: self._smtp.mail(self._sender, options))
        if answer[0] in SIGN_IN_WANTED:
            raise MailServerUnavailableError(self._does_not_go_on(answer))
        words = _words(*answer)
        is_its_own = mail_answers.is_about_size(words) or ("SMTPUTF8" in options and self._sender.isascii())
        if answer[0] >= 500 and not is_its_own:
            raise MailServerUnavailableError(self._refuses_sender(words))
        self._agree(answer, recipient)

    def _options(self, parcel: Parcel) -> list[str]:
        if not (self._sender + parcel.recipient).isascii():
            if not self._smtp.has_extn("smtputf8"):
                raise PermanentDeliveryError(NO_SMTPUTF8)
            return ["SMTPUTF8", "BODY=8BITMIME"]
        if not self._smtp.has_extn("size"):
            return []
        size, most = len(parcel.data), self._smtp.esmtp_features["size"]
        if most.isdecimal() and 0 < int(most) < size:
            raise PermanentDeliveryError(
                f"The mail server takes {int(most):,} bytes a message, and this one has {size:,}. Shorten its words."
            )
        return [f"SIZE={size}"]

    def _command(self, command: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        self._smtp.within(COMMAND_SECONDS)
        try:
            return command()
        except OSError as error:
            raise ConnectionLostError(f"{self._server} broke off ({_cause(error)}).") from error

    def _transmit(self, data: bytes) -> tuple[int, bytes]:
        """The message itself, dots stuffed (RFC 5321, 4.5.2); from here on the server may have it."""
        try:
            self._smtp.within(ANSWER_SECONDS)
            self._smtp.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")
            answer = self._smtp.getreply()
        except OSError as error:
            self._smtp.close()
            raise UncertainDeliveryError(
                f"{self._server} broke off while the message was handed over ({_cause(error)})."
            ) from error
        if answer[0] < 0:
            raise UncertainDeliveryError(f"{self._server} gave no answer that can be read when the message was handed over.")
        return answer

    def _agree(self, answer: tuple[int, bytes], recipient: str, expected: int = 250) -> None:
        """Raises what the answer means, unless it is yes."""
        code, _ = answer
        words = _words(*answer)
        if code == expected or (expected == 250 and code == 251):
            return
        if code == 421 or code in SIGN_IN_WANTED or code < 0:
            raise ConnectionLostError(self._does_not_go_on(answer))
        self._has_carried = True  # it talks to us: should it hang up now, that is no reason for an alarm
        if code < 500:
            raise TemporaryDeliveryError(words)
        if mail_answers.is_about_sender(words, self._sender):
            raise SenderRefusedError(self._refuses_sender(words), mail_answers.codes(words))
        raise PermanentDeliveryError(refusal(words, recipient))

    def _refuses_sender(self, words: str) -> str:
        return (
            f"{self._server} refuses the sender {self._sender} ({words}). "
            "Set one that it lets pass: Account Settings, Email, or MUSTER_MAIL_FROM."
        )

    def _does_not_go_on(self, answer: tuple[int, bytes]) -> str:
        return f"{self._server} does not go on ({_words(*answer)})."

    def _forget_transaction(self) -> None:
        with suppress(ConnectionLostError):  # a server that is gone is noticed by the next message
            self._command(self._smtp.rset)


def refusal(words: str, recipient: str) -> str:
    """A server's final refusal ("552 5.2.2 Over quota") as the report tells it.

    By the enhanced code where there is one (RFC 3463): a plain 552 also stands for a message too large.
    """
    found = re.fullmatch(r"(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: .*)?", words)
    code, enhanced = found.groups() if found else ("", None)
    codes = " ".join(filter(None, (code, enhanced)))
    detail = (enhanced or "").partition(".")[2]
    if detail == "2.2" or (code == "552" and not enhanced):
        return f"Mailbox full ({codes})"
    if detail in {"1.2", "4.4"}:
        return f"Mail server for {recipient.rpartition('@')[2]} not found ({codes})"
    return f"Refused by the mail server ({words})"


def _said(error: smtplib.SMTPResponseException) -> str:
    return _words(error.smtp_code, error.smtp_error)


def _words(code: int, text: bytes | str) -> str:
    """A server's answer on one line; the enhanced code, which smtplib leaves on every line, once."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in said.splitlines()]
    first = lines[0] if lines else ""
    enhanced = re.match(r"\d\.\d{1,3}\.\d{1,3}(?= |$)", first)
    rest = [line.removeprefix(enhanced.group()).strip() if enhanced else line for line in lines[1:]]
    words = " ".join(" ".join((str(code), first, *rest)).split())
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"


def _cause(error: Exception) -> str:
    """Why a connection failed, in words a person can search for."""
    cause = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) and error.__context__ else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate does not pass: {cause.verify_message}"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "no such host"
    if isinstance(cause, smtplib.SMTPServerDisconnected):
        return "it closed the connection"
    return (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).rstrip(".")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

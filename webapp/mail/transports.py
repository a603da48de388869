"""The two ways out for messages: SMTP, or files. The outbox decides what is sent and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from typing import Any, Protocol
from urllib.parse import urlsplit

from webapp.mail.files import FileTransport
from webapp.mail.mime import MimeMessage
from webapp.mail.smtp import SmtpTransport
from webapp.settings.settings import Settings


class Transport(Protocol):
    """An open way out; it carries any number of messages."""

    is_file: bool
    """Whether messages become files instead of going to a mail server."""

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """Hand one message over. -> what the server answered, as a code with parameters.

        before_data is called when the server has agreed to the recipient, right before the message itself. What it raises
        stops this message alone. After a reconnection it may be called a second time.
        Raises the errors of `webapp.mail.errors`.
        """

    def probe(self) -> None:
        """Check that messages would be taken, without handing one over. Raises the errors of `webapp.mail.errors`."""


@contextmanager
def connect(settings: Settings) -> Iterator[Transport]:
    """Open the way out that the settings name, until the block ends. Raises MailServerUnavailableError."""
    if not settings.mail_url:
        yield FileTransport(settings.data_dir / "outbox")
        return
    sender = parseaddr(settings.mail_from)[1]
    local_name = urlsplit(settings.public_url).hostname
    smtp = SmtpTransport(urlsplit(settings.mail_url), sender, local_name or "localhost")
    try:
        yield smtp
    except BaseException:
        smtp.close()
        raise
    smtp.quit()

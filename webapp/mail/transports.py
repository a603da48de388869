"""The two ways out for messages: SMTP, or files. The outbox decides what is sent and when."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from webapp.mail.errors import MailServerUnavailableError
from webapp.mail.mime import MimeMessage
from webapp.mail.smtp import SmtpTransport
from webapp.run import data_folder
from webapp.settings.settings import Settings


class FileTransport:
    """Writes each message to a folder, as an .eml file, for installations without a mail server."""

    is_file = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """Write a file. Its name is made of the Message-ID: a second try replaces the first."""
        name = file_name(message.message_id)
        before_data()
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with (self._folder / name).open("wb") as file:
                file.write(message.data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            about = {"folder": str(self._folder), "words": error.strerror or str(error)}
            raise MailServerUnavailableError("folder", **about) from error
        data_folder.sync_folder(self._folder)
        return {"code": "file", "name": name}


def delete_files(folder: Path, message_ids: Iterable[str]) -> None:
    """Delete the files of these messages, as far as there are any."""
    for message_id in message_ids:
        (folder / file_name(message_id)).unlink(missing_ok=True)


def file_name(message_id: str) -> str:
    """What a message's file is called."""
    return re.sub(r"[^A-Za-z0-9.-]", "", message_id.partition("@")[0]) + ".eml"


Transport = SmtpTransport | FileTransport
"""An open way out; it carries any number of messages.

`send(message, before_data)` hands one over and returns what was answered, as a code with parameters. It calls before_data
when the server has agreed to the recipient, right before the message itself. What that raises stops this message alone.
It raises the errors of `webapp.mail.errors`.
"""


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
        smtp.quit()
    finally:  # a server that has half a message would let a goodbye wait
        smtp.close()

"""Messages as .eml files, for installations without a mail server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from webapp.mail.errors import MailServerUnavailableError
from webapp.mail.mime import MimeMessage
from webapp.run import data_folder


class FileTransport:
    """Writes each message to a folder. See `transports.Transport`."""

    is_file = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: MimeMessage, before_data: Callable[[], None]) -> dict[str, Any]:
        """Write a file, whole or not at all. Its name is made of the Message-ID: a second try replaces the first."""
        name = file_name(message.message_id)
        before_data()
        temporary = self._folder / f".{name}.part"
        self._write(temporary, message.data)
        os.replace(temporary, self._folder / name)
        data_folder.sync_folder(self._folder)
        return {"code": "file", "name": name}

    def probe(self) -> None:
        """Write and delete a file."""
        file = self._folder / ".probe.part"
        self._write(file, b"?")
        file.unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open(path, "wb", opener=data_folder.private_opener) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            words = error.strerror or str(error)
            raise MailServerUnavailableError(
                "folder", folder=str(self._folder), words=words
            ) from error


def delete_files(folder: Path, message_ids: Iterable[str]) -> None:
    """Delete the files of these messages, as far as there are any."""
    for message_id in message_ids:
        (folder / file_name(message_id)).unlink(missing_ok=True)


def file_name(message_id: str) -> str:
    """What a message's file is called."""
    return re.sub(r"[^A-Za-z0-9.-]", "", message_id.partition("@")[0]) + ".eml"

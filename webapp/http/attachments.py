"""Files for the browser to save. Each is made whole on disk first, so that no long one is held in memory."""

from __future__ import annotations

from collections.abc import Iterable
from tempfile import SpooledTemporaryFile

from flask import Response, send_file

from webapp.core.text.formatting import to_one_line

IN_MEMORY = 1 << 20
"""Bytes; a file that is longer goes to disk."""


def attach(parts: Iterable[bytes], name: str, mimetype: str = "text/csv") -> Response:
    """A file to be saved under a name, whatever letters that has."""
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the answer closes it
    for part in parts:  # writelines() keeps all of it in memory
        file.write(part)
    length = file.tell()
    file.seek(0)
    response = send_file(file, mimetype, as_attachment=True, download_name=to_one_line(name))
    response.content_length = length
    return response

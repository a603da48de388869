"""Files for the browser to save. Each is made whole on disk first, so that no long one is held in memory."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from contextlib import nullcontext
from tempfile import SpooledTemporaryFile

from flask import Response, send_file

from webapp.http import compression

IN_MEMORY = 1 << 20
"""Bytes; a file that is longer goes to disk."""


def attach(parts: Iterable[bytes], name: str, mimetype: str = "text/csv") -> Response:
    """A file to be saved under a name, whatever letters that has; gzipped on the way where the browser takes that."""
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the answer closes it
    is_packed = compression.is_wanted(mimetype)
    with compression.packer(file) if is_packed else nullcontext(file) as sink:
        for part in parts:  # writelines() keeps all of it in memory
            sink.write(part)
    length = file.tell()
    file.seek(0)
    on_one_line = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter
        for letter in name
    )
    response = send_file(file, mimetype, as_attachment=True, download_name=on_one_line)
    response.content_length = length
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return response

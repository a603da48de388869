"""Files for the browser to save. Each is made whole on disk first, so that no long one is held in memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from tempfile import SpooledTemporaryFile
from urllib.parse import quote

from flask import Response

from webapp.http import compression

IN_MEMORY = 1 << 20
"""Bytes; a file that is longer goes to disk."""
BLOCK = 1 << 16

_NOT_PLAIN = re.compile(r"[^ !#-$&-.0-9:-\[\]-~]")
"""What a name for old browsers is without: letters beyond ASCII, quotes, and what separates folders."""


def attach(parts: Iterable[bytes], name: str, mimetype: str = "text/csv") -> Response:
    """A file to be saved under a name, whatever letters that has; gzipped on the way where the browser takes that."""
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the answer closes it
    is_packed = compression.is_wanted(mimetype)
    with compression.packer(file) if is_packed else nullcontext(file) as sink:
        for part in parts:  # writelines() keeps all of it in memory
            sink.write(part)
    response = Response(_blocks(file), mimetype=mimetype)
    response.content_length = file.tell()
    response.call_on_close(file.close)
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    set_name(response, name)
    return response


def set_name(response: Response, name: str) -> None:
    """Have the browser save this under a name: RFC 6266, with a name in ASCII for what does not know `filename*`."""
    name = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter
        for letter in name
    )
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", name)
        if not unicodedata.combining(letter)
    )
    plain = _NOT_PLAIN.sub("_", bare)
    names = {"filename": plain}
    if plain != name:
        names["filename*"] = "UTF-8''" + quote(name, safe="!#$&+-.^_`|~")
    response.headers.set("Content-Disposition", "attachment", **names)


def _blocks(file: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK):
        yield block

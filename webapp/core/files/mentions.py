"""Whether a file that somebody uploaded names one of these e-mail addresses."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection, Iterator
from xml.sax.saxutils import escape

from webapp.core.files.workbook import MOST_UNPACKED, is_container
from webapp.core.text.redact import Words


def names(data: bytes, addresses: Collection[str]) -> bool:
    """A text in whatever encoding, or a workbook, in whose parts is looked. An e-mail within a longer one is another's."""
    words = Words({*addresses, *map(escape, addresses)}, (), "")
    plain = [address.casefold() for address in words.all]
    for part in _parts(data):
        if is_container(part):  # an .xls: what stands before and after a text there means nothing
            found = any(address in text.casefold() for text in _readings(part) for address in plain)
        else:
            found = any(words.are_in(text) for text in _readings(part))
        if found:
            return True
    return False


def _parts(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            parts = container.infolist()
            if sum(part.file_size for part in parts) <= MOST_UNPACKED:
                yield from (container.read(part) for part in parts)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError, ValueError):
        yield data


def _readings(data: bytes) -> Iterator[str]:
    """UTF-8, then one byte a letter; NUL bytes are left out, which makes UTF-16 readable, too."""
    bare = data.replace(b"\0", b"")
    yield bare.decode("utf-8", "replace")
    yield bare.decode("cp1252", "replace")

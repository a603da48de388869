"""The CSV template, and the one way in which every download is written. Rules: docs/rules.md: The file."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from webapp.core.files.cleaning import escape
from webapp.core.files.fields import Field

EXAMPLES = ("example.one@example.com", "example.two@example.com")
"""Whom the template's example rows invite. Left in a file they are skipped (RFC 2606: nobody's domain)."""


def template(roles: Sequence[str], groups: Sequence[str]) -> bytes:
    """The file to fill in, with this portal's own roles (those that may be granted) and groups.

    One example row has two groups and one has one, as far as there are any. The roles named last come
    first: they are taken to be the lesser ones.
    """
    lesser_roles = [*reversed(roles)] or [""]
    memberships = (groups[:2], groups[2:3] or groups[:1])
    rows = (
        (address, lesser_roles[place % len(lesser_roles)], ", ".join(names))
        for place, (address, names) in enumerate(zip(EXAMPLES, memberships, strict=True))
    )
    return write([field.heading for field in Field], rows)


def write(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file for download: RFC 4180, every cell quoted and escaped, UTF-8 with the BOM by which Excel knows it."""
    return b"".join(write_lines(header, rows))


def write_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The same line by line, for what is too long to be held at once."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    yield codecs.BOM_UTF8
    for row in chain([header], rows):
        writer.writerow([escape(cell) for cell in row])
        yield file.getvalue().encode()
        file.seek(0)
        file.truncate()

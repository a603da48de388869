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


def template(
    roles: Sequence[str],
    groups: Sequence[str],
) -> Iterator[bytes]:
    """The file to fill in, with this portal's own roles (those that may be granted) and groups.

    The role named last is taken to be the least: the examples have it.
    """
    least = "".join(roles[-1:])
    rows = [
        (EXAMPLES[0], "Example One", least, ", ".join(groups[:2])),
        (EXAMPLES[1], "Example Two", least, ", ".join(groups[:1])),
    ]
    return write_lines([field.heading for field in Field], rows)


def write_lines(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> Iterator[bytes]:
    """A CSV file for download, line by line: RFC 4180, every cell quoted and escaped, UTF-8 with the BOM that Excel needs."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    yield codecs.BOM_UTF8
    for row in chain([header], rows):
        writer.writerow(map(escape, row))
        yield file.getvalue().encode()
        file.seek(0)
        file.truncate()

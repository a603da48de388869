"""Stages what a program sends: rows or a file, with options, once for each key that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.core.errors import RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.files.columns import Places
from webapp.core.files.csv_writer import write_lines
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells
from webapp.core.files.fields import Field
from webapp.core.files.table import Line, Sheet, Table
from webapp.core.text.notices import find_notices
from webapp.models import Batch, User
from webapp.services.batches import turns, upload
from webapp.services.batches.import_rows import Reading, Source
from webapp.services.directory import lookup

WAIT = 20.0
"""Seconds that a request waits while another one of the same user is read."""
HEADER = tuple(each.heading for each in Field)
PLACES = Places({place: each.value for place, each in enumerate(Field)})


class KeyReusedError(RuleViolationError):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Order:
    """How something is staged. options: of the batch. key: of the request, or None; digest: SHA-256 (hex) of all of it."""

    split: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    digest: str = ""


def stage_file(data: bytes, name: str, by: User, order: Order) -> tuple[Batch, bool]:
    """Stage a file. -> its batch, and whether it is new. Raises UnreadableFileError, KeyReusedError."""
    with turns.upload(by, WAIT):
        if found := _find_repeated(order, by):
            return found, False
        source = Source(data, upload.file_name(name))
        return _create(upload.read(source), by, order)


def stage_rows(
    rows: Sequence[Mapping[str, str]], name: str, by: User, order: Order
) -> tuple[Batch, bool]:
    """Stage rows, each with the cells of a file: row 2 is the first. -> as `stage_file`, and raises the same.

    None is skipped, however blank. They are kept as a CSV file, so that people can go on with it.
    """
    with turns.upload(by, WAIT):
        if found := _find_repeated(order, by):
            return found, False
        return _create(_read(rows, upload.file_name(name)), by, order)


def _read(rows: Sequence[Mapping[str, str]], name: str) -> Reading:
    if not rows:
        raise UnreadableFileError("There are no rows.", "Send at least one.")
    version = lookup.directory_version()
    lines = []
    people = []
    for number, row in enumerate(rows, start=2):
        cells = {each.value: clean(row.get(each.value, "")) for each in Field}
        lines.append(Line(number, tuple(cells.values())))
        people.append(Cells(number, **cells))
    table = Table(HEADER, lines, Sheet(lines, (), 0), 1)
    notices, hints = find_notices(table, PLACES, people)
    data = b"".join(write_lines(HEADER, (line.cells for line in lines)))
    return Reading(Source(data, name), table, version, PLACES, people, (), notices, hints)


def _create(reading: Reading, by: User, order: Order) -> tuple[Batch, bool]:
    new = upload.new_batch(by, **order.options, request_key=order.key, request_hash=order.digest)
    batch = upload.create_batch(new, reading, by, order.split)
    if batch is not new:
        _check_same(batch, order)
    return batch, batch is new


def _find_repeated(order: Order, by: User) -> Batch | None:
    """The batch that this request has made before. Raises KeyReusedError."""
    batch = upload.find_by_key(order.key, by) if order.key else None
    if batch:
        _check_same(batch, order)
    return batch


def _check_same(batch: Batch, order: Order) -> None:
    if batch.request_hash != order.digest:
        raise KeyReusedError(
            f"This Idempotency-Key was used for another request, which made upload {batch.id}. Use a new key."
        )

"""A batch's rows as a table in the shape of the uploaded file. Questions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import select

from webapp.core.addresses import with_domain
from webapp.core.files import columns
from webapp.core.files.columns import Places
from webapp.core.files.fields import REQUIRED, Field
from webapp.core.lists.row_filter import Find
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch, BatchFile, BatchState, Row
from webapp.services.batches import review
from webapp.services.directory import aliases

SAID = ("Status", "Reason", "Suggestion")
"""The columns that Muster adds; a file that ends with them already, as one of ours, gets them no second time."""

RECENT = 50
"""Uploads that are asked whether a file was downloaded from them."""

_SEEN = (BatchState.REVIEWING, *review.AT_WORK, BatchState.FINISHED, BatchState.CANCELLED)

SAMPLE = 50
"""Rows that are asked which column holds what."""

_PLANS = {
    Plan.INVITE: "New invite",
    Plan.UPDATE: "Access update",
    Plan.UNCHANGED: "Unchanged",
    Plan.DUPLICATE: "Duplicate",
    Plan.ATTENTION: "Needs attention",
}


def stem(batch: Batch) -> str:
    """The file's name without its ending."""
    return batch.name.rpartition(".")[0] or batch.name


def rows(batch: Batch, find: Find) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    """The header and the lines of what the review shows on all its pages: the columns as uploaded, then SAID.

    What was edited stands in place of what was read. A row that was added by hand has only its e-mail, role and groups.
    """
    header, places = _shape(batch)
    return (*header, *SAID), (_line(batch, row, places, len(header)) for row in review.all_of(batch, find))


def columns_of(header: Sequence[str]) -> Places | None:
    """Which column holds what in a file with this header that was downloaded here; None: it was not, or too long ago."""
    if not is_ours(header):
        return None
    bare = list(header[: -len(SAID)])
    for batch in db.session.scalars(select(Batch).where(Batch.state.in_(_SEEN)).order_by(Batch.id.desc()).limit(RECENT)):
        if batch.header and bare[: len(_bare(batch.header))] == _bare(batch.header) and (found := _shape(batch))[0] == bare:
            return found[1]
    return None


def is_ours(header: Sequence[str]) -> bool:
    """Whether a file with this header was downloaded from a review or a report here."""
    return tuple(header[-len(SAID) :]) == SAID


def _bare(header: Sequence[str]) -> list[str]:
    return list(header[: -len(SAID)] if is_ours(header) else header)


def _shape(batch: Batch) -> tuple[list[str], Places]:
    """The columns of the batch's download but for SAID, and which of them holds what."""
    header = _bare(batch.header)
    places = _places(batch, header)
    fields = dict(places.fields)
    for field in Field:
        if field not in fields and (field in REQUIRED or _has_groups(batch)):  # so that nothing typed here is lost
            fields[field] = len(header)
            header.append(field.heading)
    return header, replace(places, fields=fields)


def _places(batch: Batch, header: Sequence[str]) -> Places:
    """Which column holds which field: as a person chose, as remembered, or by the names; whichever the rows agree with.

    What people chose may be forgotten by now: then the columns are those that hold what was read from them.
    """
    known = select(Row).where(Row.batch_id == batch.id, Row.read_email != "").order_by(Row.line).limit(SAMPLE)
    sample = [row for row in db.session.scalars(known) if row.read_cells]
    if batch.columns:
        return Places.from_dict(batch.columns)
    file = db.session.get(BatchFile, batch.id)
    remembered = aliases.columns_of({1: batch.header})
    for places in (Places.from_dict(file.columns) if file else None, remembered[1] if remembered else None, _named(header)):
        if places is None or not places.fields or max(places.used) >= len(header):
            continue
        required = [(field, place) for field, place in places.fields.items() if field in REQUIRED]
        if all(_held(row, field, place) for row in sample for field, place in required):
            return places
    found: dict[Field, int] = {}
    for field in Field:
        filled = [row for row in sample if getattr(row, f"read_{field}")]
        fits = (place for place in range(len(header)) if filled and all(_held(row, field, place) for row in filled))
        if (place := next((place for place in fits if place not in found.values()), None)) is not None:
            found[field] = place
    return Places(found)


def _named(header: Sequence[str]) -> Places | None:
    try:
        return columns.match(header).places
    except columns.UnmatchedColumnsError:
        return None


def _held(row: Row, field: Field, place: int) -> bool:
    """Whether the line as read holds in this place what was read of the field."""
    return place < len(row.read_cells) and bool(row.read_cells[place] == getattr(row, f"read_{field}"))


def _has_groups(batch: Batch) -> bool:
    return db.session.scalar(select(Row.id).where(Row.batch_id == batch.id, Row.groups != "").limit(1)) is not None


def _line(batch: Batch, row: Row, places: Places, width: int) -> list[str]:
    line = [*row.read_cells[:width], *[""] * (width - len(row.read_cells))]
    for place in (*places.more, *places.members):  # what they said stands in the first column of groups
        line[place] = ""
    for field, place in places.fields.items():
        line[place] = row.cell(field.value)
    return [*line, *_said(batch, row)]


def _said(batch: Batch, row: Row) -> tuple[str, str, str]:
    if row.outcome:
        return row.outcome.value.capitalize(), row.why, ""
    is_skipped = row.plan is Plan.ATTENTION and batch.skip_errors
    reasons = [issue["text"] for issue in row.issues]
    if row.plan is Plan.DUPLICATE:
        reasons.append(f"Same email as row {row.step.get('twin')}.")
    reasons += [text for _, text in row.step.get("notes", ())]
    suggestions = [f"{Field(issue['field']).heading}: {issue['suggestion']}" for issue in row.issues if issue.get("suggestion")]
    if row.likely_domain:
        reasons.append("Misspelt domain?")
        suggestions.append(f"{Field.EMAIL.heading}: {with_domain(row.email, row.likely_domain)}")
    return "Skipped" if is_skipped else _PLANS[row.plan], " ".join(reasons), "; ".join(suggestions)

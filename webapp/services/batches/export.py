"""A batch's rows as a table to download. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from webapp.core.addresses import with_domain
from webapp.core.files.columns import Places
from webapp.core.files.fields import Field
from webapp.core.lists.row_filter import Find
from webapp.core.plan.planner import Plan
from webapp.core.text import row_phrases
from webapp.models import Batch, Row
from webapp.services.batches import planner, row_search

STATUS_COLUMNS = ("Status", "Reason", "Suggestion")
"""The columns that a download ends with."""


def first_columns(*, has_names: bool) -> list[str]:
    """The columns that a download begins with."""
    return [field.heading for field in Field if has_names or field is not Field.NAME]


def rows(
    batch: Batch,
    find: Find,
) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    """The header and lines of what the filter finds, on all pages.

    The cells of the review come first, then the file's other columns as read, then what Muster says of the row.
    """
    used = Places.from_dict(batch.columns).uses
    width = len(batch.header)
    if is_download(batch.header):
        width -= len(STATUS_COLUMNS)
    others = [place for place in range(width) if place not in used]
    header = first_columns(has_names=batch.has_names)
    header += [batch.header[place] for place in others]
    header += STATUS_COLUMNS
    return header, _lines(batch, find, others)


def _lines(
    batch: Batch,
    find: Find,
    others: Sequence[int],
) -> Iterator[Sequence[str]]:
    """The rows with the plans that the review shows."""
    first = first_columns(has_names=batch.has_names)
    plans = planner.show(batch)  # kept until the last row is read
    for row in row_search.iterate_rows(batch, find):
        read = dict(enumerate(row.read_cells))
        cells = [row.cell(heading.lower()) for heading in first]
        cells += [read.get(place, "") for place in others]
        cells += _status(batch, row)
        yield cells
    del plans


def is_download(header: Sequence[str]) -> bool:
    """Whether a file with this header was downloaded here."""
    return tuple(header[-3:]) == STATUS_COLUMNS and bool(find_first_columns(header))


def find_first_columns(header: Sequence[str]) -> list[str]:
    """Those columns with which this header begins as a download does."""
    for has_names in (True, False):
        first = first_columns(has_names=has_names)
        if list(header[: len(first)]) == first:
            return first
    return []


def _status(
    batch: Batch,
    row: Row,
) -> tuple[str, str, str]:
    if row.outcome:
        return row.outcome.value.capitalize(), row.why, ""
    status = row.plan.value.capitalize()
    if row.plan is Plan.ATTENTION and batch.skip_errors:
        status = "Skipped"
    said = list(row.issues)
    if row.plan is Plan.DUPLICATE:
        said.append({"code": "duplicate", "row": row.change_dict["twin"]})
    said += row.change_dict.get("notes", [])
    reasons = [row_phrases.describe(each) for each in said]
    suggestions = []
    for issue in row.issues:
        if issue.get("suggestion"):
            heading = Field(issue["field"]).heading
            suggestions.append(f"{heading}: {issue['suggestion']}")
    if row.likely_domain:
        reasons.append("Misspelt domain?")
        suggestions.append(f"Email: {with_domain(row.email, row.likely_domain)}")
    return status, " ".join(reasons), "; ".join(suggestions)

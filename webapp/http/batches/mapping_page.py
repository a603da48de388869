"""The page on which a person says what each column of a file holds."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from webapp.core.files.columns import MEMBER
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field
from webapp.core.files.table import MOST_COLUMNS
from webapp.http.web import current_user, page_or_fragment
from webapp.models import Batch, BatchState
from webapp.services.batches import import_rows, mapping
from webapp.services.batches.mapping import Choice
from webapp.services.directory import lookup


def mapping_page(
    batch: Batch,
    asked: MultiDict[str, str],
    refusal: UnreadableFileError | None = None,
    status: int = 200,
) -> tuple[str, int]:
    """The mapping page, or its parts for htmx. asked: what was chosen so far."""
    choice = choice_from(asked)
    context = {
        "batch": batch,
        "matching": mapping.show_mapping(batch, choice),
        "lost_edits": import_rows.count_edits(batch) if batch.state is BatchState.REVIEWING else 0,
        "remembers": "remember" in asked or choice.columns is None,
        "refusal": refusal,
        "Field": Field,
        "source": request.headers.get("HX-Source", "").rpartition("#")[2],
        "roles": lookup.grantable(current_user()),
    }
    return page_or_fragment(
        "batches/mapping/show.html", "batches/mapping/_answer.html", status, **context
    )


def choice_from(values: MultiDict[str, str]) -> Choice:
    """A person's choice, as the form or the address has it: sheet, header_row, and column-0, column-1, … = email, member …"""
    row = values.get("header_row", type=int)
    asked = {
        place: values[f"column-{place}"]
        for place in range(MOST_COLUMNS)
        if f"column-{place}" in values
    }
    held = {place: name for place, name in asked.items() if name in (*Field, MEMBER)}
    sheet, header_row = values.get("sheet") or None, row if row is not None and row >= 0 else None
    return Choice(sheet, header_row, held if asked else None, values.get("role", ""))

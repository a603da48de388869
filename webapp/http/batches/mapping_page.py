"""The page on which a person says what each column of a file holds."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from webapp.core.files.columns import MEMBER
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field
from webapp.core.files.table import MOST_COLUMNS
from webapp.http.web import current_user, page_or_fragment
from webapp.models import Batch
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
        "lost_edits": import_rows.count_edits(import_rows.find_edited_rows(batch)),
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
    asked = {}
    for place in range(MOST_COLUMNS):
        if use := values.get(f"column-{place}"):
            asked[place] = use
    used = {place: use for place, use in asked.items() if use in (*Field, MEMBER)}
    header_row = values.get("header_row", type=int)
    return Choice(
        sheet=values.get("sheet") or None,
        header_row=None if header_row is None or header_row < 0 else header_row,
        columns=used if asked else None,
        role=values.get("role", ""),
    )

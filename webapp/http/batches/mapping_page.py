"""The page on which a person says what each column of a file holds."""

from __future__ import annotations

from dataclasses import replace

from werkzeug.datastructures import MultiDict

from webapp.core.files.columns import MEMBER, Places
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field
from webapp.core.files.table import MOST_COLUMNS
from webapp.http.web import current_user, page_or_fragment
from webapp.models import Batch
from webapp.services.batches import import_rows, mapping, upload
from webapp.services.batches.import_rows import Source
from webapp.services.directory import lookup


def mapping_page(
    batch: Batch,
    asked: MultiDict[str, str],
    refusal: UnreadableFileError | None = None,
    status: int = 200,
) -> tuple[str, int]:
    """The mapping page, or its parts for htmx. asked: what was chosen so far. Raises ConflictError: the file is not kept."""
    context = {
        "batch": batch,
        "matching": mapping.show_mapping(choose_source(batch, asked)),
        "lost_edits": import_rows.count_edits(import_rows.find_edited_rows(batch)),
        "remembers": "remember" in asked or "column-0" not in asked,
        "refusal": refusal,
        "Field": Field,
        "roles": lookup.grantable(current_user()),
    }
    return page_or_fragment(
        "batches/mapping/show.html", "batches/mapping/_answer.html", status, **context
    )


def choose_source(batch: Batch, values: MultiDict[str, str]) -> Source:
    """The batch's file and what a person says of it, as the form or the address has it: sheet, header_row, role, and
    column-0, column-1, … = email, member …; what is not said stays as it was read. Raises ConflictError."""
    source = upload.load_source(batch)
    sheet = values.get("sheet") or None
    header_row = values.get("header_row", type=int)
    if header_row is not None and header_row < 0:
        header_row = None
    if sheet is not None or header_row is not None:
        source = replace(source, sheet=sheet, header_row=header_row, columns=None)
    elif batch.columns:
        source = replace(source, columns=Places.from_dict(batch.columns))
    if "column-0" in values:
        uses = {}
        for place in range(MOST_COLUMNS):
            use = values.get(f"column-{place}", "")
            if use in (*Field, MEMBER):
                uses[place] = use
        source = replace(source, columns=Places(uses))
    return replace(source, role=values.get("role", ""))

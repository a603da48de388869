"""Rows of a batch: listed, edited, left out, tidied up; and the columns of its file."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.core.files.columns import Places
from webapp.core.plan.fixes import Fix
from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.batches import answer_batch, batch_values, refresh, row_values
from webapp.http.api.documents import describe
from webapp.http.api.requests import read_body, read_query
from webapp.http.web import current_user, require
from webapp.models import Batch
from webapp.schemas.api.batches import (
    BatchOutput,
    ColumnsInput,
    ColumnsOutput,
    FixesOutput,
    RowOutput,
    RowPatch,
    RowsOutput,
    RowsQuery,
    TidiedOutput,
    TidyUpInput,
)
from webapp.services.batches import cell_edit, mapping, review, row_search, tidy_up, turns, upload
from webapp.services.batches.cell_edit import CellEdit
from webapp.services.batches.fixes import find_fixes
from webapp.services.batches.import_rows import Source
from webapp.services.batches.program_upload import WAIT
from webapp.services.directory import lookup

bp = Blueprint("api_rows", __name__, url_prefix="/api/v1/batches/<int:batch_id>")


@bp.get("/rows")
@require(Permission.BATCHES_SEE)
@describe("List rows", query=RowsQuery, gives=RowsOutput)
def index(batch_id: int) -> Response:
    """Rows in the file's order, with what is wrong with them, what confirming would do, and what was done."""
    query = read_query(RowsQuery)
    batch = review.get_batch(batch_id)
    plans = refresh(batch)
    limit = query["limit"]
    asked = query.get("plan"), query.get("outcome")
    found = row_search.list_after(batch, query.get("after", 0), limit, *asked)
    registry = lookup.registry()
    values = [row_values(row, registry) for row in found]
    following = found[-1].line if len(found) == limit else None
    del plans
    return answers.page(RowsOutput, "rows", values, following)


@bp.patch("/rows/<int:row_id>")
@require(Permission.INVITATIONS_MAKE)
@describe("Edit a row", body=RowPatch, gives=RowOutput)
def update(batch_id: int, row_id: int) -> Response:
    """Set cells of a row. It is judged again, and so are others with its e-mail."""
    wanted = read_body(RowPatch)
    if "groups" in wanted:
        wanted["groups"] = ", ".join(wanted["groups"])
    row = cell_edit.find_row(batch_id, row_id)
    cells = [CellEdit(row_id, name, text, row.cell(name)) for name, text in wanted.items()]
    if cells:
        cell_edit.paste(batch_id, current_user(), cells)
    row = cell_edit.find_row(batch_id, row_id)
    return answers.answer(RowOutput, row_values(row, lookup.registry()))


@bp.delete("/rows/<int:row_id>")
@require(Permission.INVITATIONS_MAKE)
@describe("Leave a row out", status=204)
def delete(batch_id: int, row_id: int) -> Response:
    """Take a row out of the batch."""
    cell_edit.remove(batch_id, row_id, current_user())
    return answers.nothing()


@bp.get("/fixes")
@require(Permission.INVITATIONS_MAKE)
@describe("What can be tidied up", gives=FixesOutput)
def fixes(batch_id: int) -> Response:
    """What can be repaired in the rows; `is_safe`: what a tidy-up does where it is not told what to do."""
    batch = get_reviewed(batch_id)
    values = [fix_values(fix) for fix in find_fixes(batch).all]
    return answers.answer(FixesOutput, {"fixes": values})


@bp.post("/tidy-up")
@require(Permission.INVITATIONS_MAKE)
@describe("Tidy up", body=TidyUpInput, gives=TidiedOutput)
def tidy(batch_id: int) -> Response:
    """Carry out these fixes, or all that are safe, as one step. A word of which nobody can tell what it means stays."""
    ids = read_body(TidyUpInput).get("ids")
    batch = get_reviewed(batch_id)
    choice = tidy_up.choose_safe(batch, current_user(), ids)
    step = tidy_up.tidy_up(batch_id, current_user(), choice)
    done = {"fixed": step.fixed, "rows": len(step.touched), "left_out": step.left_out}
    plans = refresh(step.batch)  # new groups make those of other rows stale
    response = answers.answer(TidiedOutput, done | {"batch": batch_values(step.batch)})
    del plans
    return response


def get_reviewed(batch_id: int) -> Batch:
    """An upload under review. Raises ConflictError."""
    return review.lock_under_review(batch_id)


def fix_values(fix: Fix) -> dict[str, object]:
    """A fix as `FixOutput` takes it."""
    return {
        "id": fix.id,
        "kind": fix.kind.value,
        "field": fix.field,
        "old": fix.old,
        "new": fix.new,
        "lines": sorted(fix.rows.values()),
        "is_safe": fix.is_safe,
    }


# The columns of the file


@bp.get("/columns")
@require(Permission.INVITATIONS_MAKE)
@describe("Look at columns", gives=ColumnsOutput)
def columns(batch_id: int) -> Response:
    """The columns of the file, and what each holds or seems to hold."""
    source = upload.load_source(review.get_batch(batch_id))
    shown = mapping.show_mapping(source)
    refusal = shown["refusal"]
    values = {
        "sheets": [sheet.name for sheet in shown.get("sheets", ())],
        "sheet": shown.get("sheet", ""),
        "header_row": shown["header_row"],
        "columns": shown.get("columns", ()),
        "refusal": str(refusal or ""),
    }
    return answers.answer(ColumnsOutput, values)


@bp.put("/columns")
@require(Permission.INVITATIONS_MAKE)
@describe("Match columns", body=ColumnsInput, gives=BatchOutput)
def match(batch_id: int) -> Response:
    """Say what the columns hold, from the first on. The file is read again so; edits of rows are lost."""
    wanted = read_body(ColumnsInput)
    uses = {place: use for place, use in enumerate(wanted["columns"]) if use}
    kept = upload.load_source(review.get_batch(batch_id))
    source = Source(
        kept.data,
        kept.name,
        wanted["sheet"],
        wanted["header_row"],
        Places(uses),
        wanted["role"],
    )
    with turns.upload(current_user(), WAIT):
        batch = mapping.choose(batch_id, source, current_user(), remember=wanted["remember"])
    return answer_batch(batch)

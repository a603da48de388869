"""Rows under review, one at a time: each cell edited in place, rows removed and put back."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.security.permissions import Permission
from webapp.http.batches.answers import draw_rows, undo_address
from webapp.http.batches.review_page import row_context
from webapp.http.web import current_user, is_fragment, redirect_to, require
from webapp.models import BatchKind
from webapp.services.batches import cell_edit
from webapp.services.batches.changes import Result

bp = Blueprint("rows", __name__, url_prefix="/batches/<int:batch_id>/rows/<int:row_id>")


@bp.patch("")
@require(Permission.INVITATIONS_MAKE)
def update(batch_id: int, row_id: int) -> BaseResponse | tuple[str, int]:
    """One cell: the field, its new value, and the value that it had."""
    form = request.form
    field = form.get("field", "")
    result = cell_edit.edit(
        batch_id, row_id, field, form.get("value", ""), form["seen"], current_user()
    )
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    status = 409 if result.newer else 422 if result.rows[0].issues_of(field) else 200
    return draw_rows(result, {(row_id, field)}, status=describe_cell(result)), status


def describe_cell(result: Result) -> str:
    """What a screen reader says after an edit."""
    row = result.rows[0]
    said = [
        f"{name} changed {field.capitalize()}. Showing the newer value."
        for (_, field), name in result.newer.items()
    ]
    problem = row.problem
    if row.likely_domain and not problem:
        problem = f"Misspelt domain? Perhaps it is {row.likely_domain}."
    said.append(problem or "No problem.")
    return f"Row {row.line}: {' '.join(said)}"


@bp.post("/removal")
@require(Permission.INVITATIONS_MAKE)
def remove(batch_id: int, row_id: int) -> str | BaseResponse:
    """Take the row out of the batch; it can be put back."""
    result = cell_edit.remove(batch_id, row_id, current_user())
    row = result.rows[0]
    if is_fragment():
        undo = undo_address(result.batch, result.version)
        return draw_removal(result, {"text": f"Row {row.line} removed", "undo": undo})
    is_upload = result.batch.kind is BatchKind.UPLOAD
    said = f"Row {row.line} removed." if is_upload else f"{row.email} is left out."
    return redirect_to("batches.show", batch_id=batch_id, say=said)


@bp.post("/restoration")
@require(Permission.INVITATIONS_MAKE)
def restore(batch_id: int, row_id: int) -> str | BaseResponse:
    """Put a removed row back."""
    result = cell_edit.restore(batch_id, row_id, current_user())
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return draw_removal(result)


def draw_removal(result: Result, *toasts: dict[str, object]) -> str:
    """The answer to a row removed or put back."""
    if result.batch.kind is BatchKind.UPLOAD:
        return draw_rows(result, toasts=toasts)
    return render_template(
        "batches/actions/_removed.html",
        row=result.rows[0],
        **row_context(result.batch),
    )

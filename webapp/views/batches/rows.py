"""Rows under review: every row at its own address, each cell edited in place."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.security.permissions import Permission
from webapp.http import errors
from webapp.http.web import current_user, is_fragment, page_or_fragment, redirect_to, require
from webapp.models import BatchKind, BatchState
from webapp.services.batches import cell_edit, review
from webapp.views.batches.batches import row_context

bp = Blueprint("rows", __name__, url_prefix="/batches/<int:batch_id>/rows/<int:row_id>")


@bp.get("")
@require(Permission.BATCHES_SEE)
def show(batch_id: int, row_id: int) -> BaseResponse | tuple[str, int]:
    """One row: as a part of the grid for htmx, as a page of its own otherwise."""
    batch, row = review.found(batch_id), cell_edit.found(batch_id, row_id)
    if batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id)
    return page_or_fragment("rows/show.html", "rows/_row.html", row=row, **row_context(batch))


@bp.patch("")
@require(Permission.INVITATIONS_MAKE)
def update(batch_id: int, row_id: int) -> BaseResponse | tuple[str, int]:
    """One cell: the field, its new value, and the value that it had."""
    form = request.form
    edit = cell_edit.edit(batch_id, row_id, form.get("field", ""), form.get("value", ""), form.get("seen"), current_user())
    if not is_fragment():
        return redirect_to("rows.show", batch_id=batch_id, row_id=row_id)
    by_button = "-fix" in request.headers.get("HX-Source", "")  # the button goes: its cell takes over the focus
    status = 409 if edit.newer else 422 if edit.row.issues_of(edit.field) else 200
    context = {"edit": edit, "moved": edit.moved(request.headers.get("Muster-Shown")), "take_focus": by_button}
    return render_template("rows/_cell_saved.html", **context, **row_context(edit.batch)), status


@bp.errorhandler(cell_edit.RowRemovedError)
def gone(error: cell_edit.RowRemovedError) -> BaseResponse | tuple[str, int, dict[str, str]]:
    """The row as it is, so that it is not edited once more; and why nothing was stored."""
    if not is_fragment():
        return errors.broken_promise(error)
    row = cell_edit.found(error.batch_id, error.row_id)
    context = row_context(review.found(error.batch_id))
    return render_template("rows/_gone.html", row=row, said=str(error), **context), 409, {"X-Muster": "1"}


@bp.post("/removal")
@require(Permission.INVITATIONS_MAKE)
def remove(batch_id: int, row_id: int) -> str | BaseResponse:
    """Take the row out of the batch; it can be put back."""
    edit = cell_edit.remove(batch_id, row_id, current_user())
    if not is_fragment():
        is_upload = edit.batch.kind is BatchKind.UPLOAD
        said = f"Row {edit.row.line} removed." if is_upload else f"{edit.row.email} is left out."
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    return moved(edit)


def moved(edit: cell_edit.Edit) -> str:
    """The answer to a row removed or put back."""
    template = "rows/_removed.html" if edit.batch.kind is BatchKind.UPLOAD else "actions/_removed.html"
    return render_template(template, edit=edit, **row_context(edit.batch))


@bp.post("/restoration")
@require(Permission.INVITATIONS_MAKE)
def restore(batch_id: int, row_id: int) -> str | BaseResponse:
    """Undo a removal."""
    edit = cell_edit.restore(batch_id, row_id, current_user())
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return moved(edit)

"""What a file means: which column holds what, which word means which role or group; and another file in its place."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.datastructures import FileStorage

from webapp.core.files.errors import UnreadableFileError
from webapp.core.security.permissions import Permission
from webapp.http.batches.mapping_page import choose_source, mapping_page
from webapp.http.web import (
    Answer,
    current_user,
    get_number,
    is_fragment,
    page_or_fragment,
    redirect_to,
    require,
)
from webapp.models import BatchState
from webapp.services.batches import mapping, review, turns, upload
from webapp.services.settings import in_force

bp = Blueprint("mapping", __name__, url_prefix="/batches/<int:batch_id>")


@bp.get("/mapping")
@require(Permission.INVITATIONS_MAKE)
def show(batch_id: int) -> Answer:
    """The columns of the file, and what each is used as; the address carries what was chosen so far."""
    batch = review.get_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        return redirect_to("batches.show", batch_id=batch_id)
    return mapping_page(batch, request.args)[0]


@bp.post("/mapping")
@require(Permission.INVITATIONS_MAKE)
def choose(batch_id: int) -> Answer:
    """Read the file so, and on to its review; or the page again with what is missing."""
    form = request.form
    remember, split = "remember" in form, "split" in form
    try:
        with turns.upload(current_user()):
            mapping.choose(
                batch_id,
                choose_source(review.get_batch(batch_id), form),
                current_user(),
                remember=remember,
                split=split,
                version=get_number(form, "version"),
            )
    except UnreadableFileError as refusal:
        return mapping_page(review.get_batch(batch_id), form, refusal, 422)
    return redirect_to("batches.show", batch_id=batch_id)


@bp.get("/file")
@require(Permission.INVITATIONS_MAKE)
def file(batch_id: int) -> Answer:
    """Choose another file in place of this one."""
    batch = review.get_batch(batch_id)
    if batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template(
        "batches/mapping/replace.html", batch=batch, limits=in_force.settings(), upload_error=None
    )


@bp.post("/file")
@require(Permission.INVITATIONS_MAKE)
def replace(batch_id: int) -> Answer:
    """Put another file in the place of this one; where edits would be lost, ask first."""
    sent = request.files.get("file") or FileStorage()
    try:
        with turns.upload(current_user()):
            upload.replace(
                batch_id,
                sent.read(),
                sent.filename or "",
                current_user(),
                lose="lose" in request.form,
            )
    except UnreadableFileError as refusal:
        return page_or_fragment(
            "batches/mapping/replace.html",
            "batches/mapping/_replace.html",
            422,
            batch=review.get_batch(batch_id),
            limits=in_force.settings(),
            upload_error=refusal,
            file_name=sent.filename,
        )
    answer = redirect_to("batches.show", batch_id=batch_id, say="The file was replaced.")
    if is_fragment():
        answer.status_code = 201
    return answer

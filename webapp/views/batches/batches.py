"""All batches, a new upload, and each batch at its one address, whatever its state."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import FileStorage

from webapp.core.files.csv_writer import template as csv_template
from webapp.core.files.errors import UnreadableFileError
from webapp.core.lists.paging import member
from webapp.core.security.permissions import Permission
from webapp.http.attachments import attach
from webapp.http.batches.mapping_page import mapping_page
from webapp.http.batches.review_page import review_context, template_folder
from webapp.http.batches.run_pages import progress_context, report_context
from webapp.http.invite_dialog import dialog_context
from webapp.http.web import (
    Answer,
    current_user,
    get_number,
    is_fragment,
    page_or_fragment,
    redirect_to,
    require,
)
from webapp.models import Batch, BatchKind, BatchState
from webapp.services.batches import joining, ldap_upload, report, turns, upload
from webapp.services.batches import review as batches
from webapp.services.directory import lookup

bp = Blueprint("batches", __name__, url_prefix="/batches")


@bp.get("")
@require(Permission.BATCHES_SEE)
def index() -> str:
    """All uploads, actions and reverts, or those of a kind, newest first."""
    before, asked = get_number(request.args, "before"), request.args.get("kind")
    kind = member(BatchKind, asked)
    found = batches.list_batches(before=before, kind=kind)
    ids = [batch.id for batch in found]
    return render_template(
        "batches/index.html",
        batches=found,
        before=before,
        kind=kind,
        more=len(found) == 50,
        joined=joining.count_joined(ids),
        unemailed=report.find_unemailed(ids),
        **dialog_context(),
    )


@bp.get("/template.csv")
@require(Permission.INVITATIONS_MAKE)
def template() -> Response:
    """The CSV template, from this portal's own roles and groups."""
    roles = [role.name for role in lookup.grantable(current_user())]
    groups = [group.name for group in lookup.registry().groups]
    return attach(csv_template(roles, groups), "muster-template.csv")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create() -> Answer:
    """Upload a file, a pasted table or the directory: on to the review or the columns, or the dialog again with what to do."""
    file = request.files.get("file") or FileStorage()
    try:
        with turns.upload(current_user()):
            batch = stage(file)
    except UnreadableFileError as refusal:
        context = dialog_context(tab="bulk", upload_error=refusal)
        context |= {"pasted": request.form.get("pasted"), "file_name": file.filename}
        return page_or_fragment("invitations/new.html", "invitations/_bulk.html", 422, **context)
    answer = redirect_to("batches.show", batch_id=batch.id)
    if is_fragment():
        answer.status_code = 201
    return answer


def stage(file: FileStorage) -> Batch:
    """Stage what was sent. Raises UnreadableFileError."""
    form, by = request.form, current_user()
    split = "split" in form
    if "directory" in form and ldap_upload.find_host():
        return ldap_upload.stage(form.get("role", ""), form.get("group", ""), by, split=split)
    if "pasted" in form:
        return upload.stage_pasted(form["pasted"], by, split=split)
    return upload.stage(file.read(), file.filename or "", by, split=split)


@bp.get("/<int:batch_id>")
@require(Permission.BATCHES_SEE)
def show(batch_id: int) -> Answer:
    """The batch in its present state: review (or only the found rows), progress, report, or discarded."""
    batch = batches.get_batch(batch_id)
    if batch.state is BatchState.REVIEWING:
        return review(batch)
    if batch.state is BatchState.MAPPING and not is_fragment():
        return mapping_page(batch, request.args)[0]
    if is_fragment():
        return Response(status=200, headers={"HX-Refresh": "true"})
    if batch.state in batches.AT_WORK:
        return render_template("batches/progress.html", **progress_context(batch))
    if batch.state is BatchState.DISCARDED:
        return render_template("batches/discarded.html", batch=batch)
    return render_template("batches/report.html", **report_context(batch))


def review(batch: Batch) -> str:
    """The review page, or the part of it that a search changes."""
    context = review_context(batch)
    return page_or_fragment(
        f"{template_folder(batch)}/review.html", f"{template_folder(batch)}/_review.html", **context
    )[0]

"""A batch under review as a whole: how it is applied, groups that it names, and its end without a confirm."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.batches.review_page import asked_for, review_context
from webapp.http.questions import ask
from webapp.http.web import Answer, current_user, is_fragment, redirect_to, require
from webapp.models import BatchKind, BatchState
from webapp.schemas.batches import OptionsSchema
from webapp.services.batches import changes, confirmation
from webapp.services.batches import review as batches
from webapp.services.directory import groups

bp = Blueprint("review", __name__, url_prefix="/batches/<int:batch_id>")


@bp.patch("")
@require(Permission.INVITATIONS_MAKE)
def update(batch_id: int) -> Answer:
    """Change how the batch is applied: mode, roles of existing users, skipping."""
    wanted = OptionsSchema().load(request.form)
    batch = changes.set_options(batch_id, current_user(), **wanted).batch
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("batches/_changed.html", **review_context(batch))


@bp.post("/groups")
@require(Permission.USERS_MANAGE)
def add_group(batch_id: int) -> Answer:
    """Create groups that the file names; every row that waits for them is judged again."""
    names = request.form.getlist("name")
    if not names:
        raise RuleViolationError("Choose at least one group to create.")
    made = groups.add_groups(names, current_user())
    said = f"{plural(len(made), 'group')} created."
    return redirect_to("batches.show", batch_id=batch_id, say=said, **asked_for().args())


@bp.get("/discard")
@bp.post("/discard")
@require(Permission.INVITATIONS_MAKE)
def discard(batch_id: int) -> Answer:
    """The question before what was not confirmed is given up; a POST gives it up."""
    if request.method == "POST":
        batch = confirmation.discard(batch_id, current_user())
        said = f"“{batch.name}” was discarded. {batches.nothing_done(batch)}"
        return redirect_to("batches.index", say=said)
    batch = batches.get_batch(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        return redirect_to("batches.show", batch_id=batch_id)
    kind = batch.kind.value
    nothing = batches.nothing_done(batch)
    return ask(
        asks=f"Discard this {kind}?",
        tells=f"{batch.name} and every edit made to it are deleted. {nothing}",
        does=f"Discard {kind}",
        keeps="Keep editing" if batch.kind is BatchKind.UPLOAD else "Keep it",
        home=url_for("batches.show", batch_id=batch_id),
        section="uploads",
        trail=(("Uploads", "batches.index"),),
    )

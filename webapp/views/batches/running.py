"""A batch at work: paused, resumed, cancelled, watched."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, render_template, request, url_for

from webapp.core.security.permissions import Permission
from webapp.http.batches.run_pages import progress_context
from webapp.http.questions import ask
from webapp.http.web import Answer, current_user, is_fragment, redirect_to, require
from webapp.models import User
from webapp.services.batches import execute
from webapp.services.batches import review as batches

bp = Blueprint("running", __name__, url_prefix="/batches/<int:batch_id>")


@bp.post("/pause")
@require(Permission.INVITATIONS_MAKE)
def pause(batch_id: int) -> Answer:
    """Stop the claiming of rows."""
    return switched(
        execute.pause, batch_id, "Paused. What is with the mail server now still goes out."
    )


@bp.post("/resumption")
@require(Permission.INVITATIONS_MAKE)
def resume(batch_id: int) -> Answer:
    """Go on where Pause stopped."""
    return switched(execute.resume, batch_id, "Resumed.")


@bp.get("/cancellation")
@bp.post("/cancellation")
@require(Permission.INVITATIONS_MAKE)
def cancel(batch_id: int) -> Answer:
    """The question before the rest is cancelled; a POST stops it for good: unclaimed rows are skipped."""
    if request.method == "POST":
        return switched(execute.cancel, batch_id, "Cancelled. What had not gone yet was skipped.")
    batch = batches.get_batch(batch_id)
    if batch.state not in batches.AT_WORK:
        return redirect_to("batches.show", batch_id=batch_id)
    return ask(
        asks=f"Cancel the rest of this {batch.kind.value}?",
        tells="Rows that are not done yet are skipped. What was sent or changed stays so.",
        does="Cancel the rest",
        keeps="Go on",
        home=url_for("batches.show", batch_id=batch_id),
        section="uploads",
        trail=(("Uploads", "batches.index"),),
    )


def switched(command: Callable[[int, User], object], batch_id: int, said: str) -> Answer:
    """Pause, resume or cancel, and back to the batch's page; so too where it was over already, which is no error."""
    try:
        command(batch_id, current_user())
    except execute.BatchNotRunningError as over:
        said = str(over)
    return redirect_to("batches.show", batch_id=batch_id, say=said)


@bp.get("/progress")
@require(Permission.BATCHES_SEE)
def progress(batch_id: int) -> Answer:
    """The live part of the progress page; when all is done, on to the report."""
    batch = batches.get_batch(batch_id)
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    if batch.state not in batches.AT_WORK:
        return Response(status=200, headers={"HX-Refresh": "true"})
    return render_template("batches/_progress.html", **progress_context(batch))

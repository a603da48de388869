"""The question before a batch under review is carried out, and its answer."""

from __future__ import annotations

from flask import Blueprint, flash, request

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_given_password, explain
from webapp.http.batches.review_page import row_context, template_folder
from webapp.http.web import (
    Answer,
    current_user,
    get_number,
    page_or_fragment,
    redirect_to,
    require,
)
from webapp.models import Batch, BatchState
from webapp.services.batches import confirmation, review

bp = Blueprint("confirmation", __name__, url_prefix="/batches/<int:batch_id>/confirmation")


@bp.get("")
@require(Permission.INVITATIONS_MAKE)
def show(batch_id: int) -> Answer:
    """What the dialog before sending asks, as a page. `version`: of the batch, as the review showed it."""
    batch = review.get_batch(batch_id)
    if batch.state is not BatchState.REVIEWING:
        note = say_confirmed(batch) if batch.confirmed_by_id else None
        return redirect_to("batches.show", batch_id=batch_id, say=note)
    version = get_number(request.args, "version") or batch.version
    return question(batch, version)


def question(batch: Batch, seen: int, problem: str = "", status: int = 200) -> Answer:
    """The dialog or the page. seen: the version of the batch that is confirmed by it."""
    dialog = f"{template_folder(batch)}/_confirm.html"
    return page_or_fragment(
        "batches/confirmation.html",
        dialog,
        status,
        seen=seen,
        problem=problem,
        **row_context(batch),
    )


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> Answer:
    """Queue what was seen; confirming twice lands on the progress page with a note."""
    version = get_number(request.form, "version") or -1  # none was looked at
    nothing_done = review.nothing_done(review.get_batch(batch_id))
    try:
        is_first = confirmation.confirm(
            batch_id,
            version,
            current_user(),
            proven=check_given_password(nothing_done),
            typed=request.form.get("typed", ""),
        )
    except confirmation.PlansChangedError as error:
        flash(str(error), "warn")
        return redirect_to("batches.show", batch_id=batch_id)
    except RuleViolationError as error:
        return question(review.get_batch(batch_id), version, explain(error), error.status)
    note = None if is_first else say_confirmed(review.get_batch(batch_id))
    return redirect_to("batches.show", batch_id=batch_id, say=note)


def say_confirmed(batch: Batch) -> str:
    """The note for a person who opens or confirms the question again."""
    return f"This {batch.kind.value} was confirmed already; it is done once."

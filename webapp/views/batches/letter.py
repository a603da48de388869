"""A batch's e-mail: how long its links work, what it says, how it looks, and a test of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, request
from marshmallow import ValidationError

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import LONGEST_MESSAGE
from webapp.http.batches.review_page import row_context
from webapp.http.web import (
    FRAME_CSP,
    Answer,
    current_user,
    is_fragment,
    page_or_fragment,
    redirect_to,
    require,
)
from webapp.models import Batch, BatchState
from webapp.schemas.batches import OptionsSchema
from webapp.services.batches import changes, review, trial_message
from webapp.services.mail import render

bp = Blueprint("letter", __name__, url_prefix="/batches/<int:batch_id>/letter")

ASKED = ("valid_days", "message")


@bp.get("")
@require(Permission.INVITATIONS_MAKE)
def show(batch_id: int) -> Answer:
    """What the invitations of a batch under review say, or would say with what is typed, to be changed and looked at."""
    batch = review.get_batch(batch_id)
    if batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id)
    return page_or_fragment("batches/letter.html", "batches/_letter.html", **context(batch))


@bp.get("/html")
@require(Permission.INVITATIONS_MAKE)
def html(batch_id: int) -> Response:
    """The e-mail's HTML for an example person, as a document of its own for the frame; with what is typed, or stored."""
    batch = review.get_batch(batch_id)
    row = render.example_row(batch_id)
    if row is None:
        raise NotFoundError("There is no row to show an example for.")
    return Response(
        render.render_example(current_user(), row, **get_typed(batch)).html,
        headers={"Content-Security-Policy": FRAME_CSP},
    )


def get_typed(batch: Batch) -> dict[str, Any]:
    """What the address carries of the form, as far as it could be stored; else what is stored."""
    stored = {"valid_days": batch.valid_days, "message": batch.message}
    try:
        good = OptionsSchema(only=ASKED).load(request.args)
    except ValidationError as error:
        good = error.valid_data
    assert isinstance(good, dict)
    return stored | good


@bp.route("", methods=["PATCH", "POST"], defaults={"is_test": False})
@bp.post("/tests", defaults={"is_test": True})
@require(Permission.INVITATIONS_MAKE)
def save(batch_id: int, is_test: bool) -> Answer:
    """Save the batch's e-mail, or send it as a test, too. Wrong values are explained, and nothing is stored."""
    said = "Invitation saved"
    problems = {}
    try:
        asked = OptionsSchema(only=ASKED).load(request.form)
        changes.set_options(batch_id, current_user(), **asked)
        if is_test:
            message = trial_message.send_test(current_user(), batch_id)
            said = f"Test on its way to {message.recipient}"
    except ValidationError as error:
        problems = error.messages_dict
    except RuleViolationError as refusal:
        if not is_test:
            raise
        problems = {"test": [str(refusal)]}
    shown = context(review.get_batch(batch_id))
    if problems:
        typed = {name: request.form[name] for name in ASKED if name in request.form}
        shown |= {"typed": shown["typed"] | typed, "problems": problems}
        return page_or_fragment("batches/letter.html", "batches/_letter.html", 422, **shown)
    if not is_fragment():
        return redirect_to("letter.show", batch_id=batch_id, say=f"{said}.")
    return render_template("batches/_letter_saved.html", said=said, **shown)


def context(batch: Batch) -> dict[str, Any]:
    """What the form and the preview show."""
    row = render.example_row(batch.id)
    shown = get_typed(batch)
    return {
        **row_context(batch),
        "typed": shown,
        "problems": {},
        "longest": LONGEST_MESSAGE,
        "example": row,
        "email": render.render_example(current_user(), row, **shown) if row else None,
    }

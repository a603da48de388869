"""Tidy up: everything that can be repaired in a batch under review, in one panel and one step."""

from __future__ import annotations

from flask import Blueprint

from webapp.core.security.permissions import Permission
from webapp.http.batches.answers import draw_review
from webapp.http.batches.tidy_up_page import describe_result, panel_context, read_choice
from webapp.http.web import Answer, current_user, page_or_fragment, redirect_to, require
from webapp.models import BatchKind, BatchState
from webapp.services.batches import review, tidy_up

bp = Blueprint("tidy_up", __name__, url_prefix="/batches/<int:batch_id>/tidy-up")


@bp.get("")
@require(Permission.INVITATIONS_MAKE)
def show(batch_id: int) -> Answer:
    """The panel, as a page too. `?field=` and `?word=`: the wrong word whose line takes the focus."""
    batch = review.get_batch(batch_id)
    if batch.state is not BatchState.REVIEWING or batch.kind is not BatchKind.UPLOAD:
        return redirect_to("batches.show", batch_id=batch_id)
    page, panel = "batches/tidy_up/show.html", "batches/tidy_up/_panel.html"
    return page_or_fragment(page, panel, **panel_context(batch))


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def apply(batch_id: int) -> Answer:
    """Carry out what is ticked, as one step."""
    step = tidy_up.tidy_up(batch_id, current_user(), read_choice())
    said = describe_result(step)
    return draw_review(step, said, nothing=said)

"""The question before a batch under review is carried out, and its answer: what is confirmed is what was seen."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, flash, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_given_password
from webapp.http.web import current_user, get_number, page_or_fragment, redirect_to, require, run_after_response
from webapp.models import UNMOVED, Batch, BatchState
from webapp.services.batches import review as batches
from webapp.views.batches.batches import folder, review_context, row_context

UNSEEN = "Nothing was done: this form does not say which review was looked at. Open the review, and confirm it there."

bp = Blueprint("confirmations", __name__, url_prefix="/batches/<int:batch_id>/confirmation")


@bp.get("")
@require(Permission.INVITATIONS_MAKE)
def show(batch_id: int) -> BaseResponse | tuple[str, int]:
    """What the dialog before sending asks, as a page."""
    batch = batches.found(batch_id)
    if batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id, say=confirmed_already(batch) if batch.confirmed_by_id else None)
    context, made = review_context(batch)
    if made:
        run_after_response(batches.refresh_if_stale, batch_id, current_user().id, made)
    seen = Seen.by_page(batch) or Seen(str(batch.version), batch.drift)
    return page_or_fragment("batches/confirmation.html", f"{folder(batch)}/_confirm.html", seen=seen, **context)


class Seen(NamedTuple):
    """What a page showed throughout (`Batch.shown`): what is confirmed is that, and not what came since."""

    version: str
    drift: str

    @classmethod
    def by_page(cls, batch: Batch) -> Seen | None:
        """What the page that asks says of itself: by static/answers.js, or without the script by its form. None where it does
        not, or where no page can have shown that."""
        version, _, drift = request.headers.get("Muster-Shown", "").partition("/")
        found = cls(version or request.args.get("version", ""), drift or request.args.get("drift", ""))
        is_possible = found.version.isdecimal() and len(found.version) < 10 and int(found.version) <= batch.version
        return found if is_possible and found.drift else None


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> BaseResponse | tuple[str, int]:
    """Queue what was seen; confirming twice lands on the progress page with a note."""
    seen = Seen(request.form.get("version", ""), request.form.get("drift", UNMOVED))
    version = get_number(request.form, "version")
    if version is None:
        review = url_for("batches.show", batch_id=batches.found(batch_id).id)
        raise RuleViolationError(UNSEEN, link=("Open the review", review))
    try:
        proven = check_given_password()
        first = batches.confirm(batch_id, version, current_user(), drift=seen.drift, proven=proven)
    except batches.PlansChangedError as change:
        flash(str(change), "warn")
        return redirect_to("batches.show", batch_id=batch_id)
    except RuleViolationError as refusal:
        batch = batches.found(batch_id)
        context = {**row_context(batch), "seen": seen, "problem": str(refusal)}
        return page_or_fragment("batches/confirmation.html", f"{folder(batch)}/_confirm.html", refusal.status, **context)
    return redirect_to("batches.show", batch_id=batch_id, say=None if first else confirmed_already(batches.found(batch_id)))


def confirmed_already(batch: Batch) -> str:
    """What is said in another tab, or after a second press."""
    return f"This {batch.kind.value} was confirmed already; it is done once."

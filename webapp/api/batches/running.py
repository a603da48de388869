"""A batch at work and after: paused, resumed, cancelled, reported, retried, reverted; and who is missing from it."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.batches import answer_batch, outcomes
from webapp.http.api.documents import describe
from webapp.http.api.requests import read_body, read_query
from webapp.http.web import current_user, require
from webapp.schemas.api.batches import (
    BatchOutput,
    MissingInput,
    MissingOutput,
    MissingQuery,
    ReportOutput,
    RetriesOutput,
)
from webapp.services.batches import execute, joining, missing, reverts, review
from webapp.services.mail import outbox

bp = Blueprint("api_running", __name__, url_prefix="/api/v1/batches/<int:batch_id>")


@bp.post("/pause")
@require(Permission.INVITATIONS_MAKE)
@describe("Pause a batch", gives=BatchOutput, status=202)
def pause(batch_id: int) -> Response:
    """Stop the claiming of rows and the sending of their messages."""
    execute.pause(batch_id, current_user())
    return answer_batch(review.get_batch(batch_id), 202)


@bp.post("/resumption")
@require(Permission.INVITATIONS_MAKE)
@describe("Resume a batch", gives=BatchOutput, status=202)
def resume(batch_id: int) -> Response:
    """Go on where it was paused."""
    execute.resume(batch_id, current_user())
    return answer_batch(review.get_batch(batch_id), 202)


@bp.post("/cancellation")
@require(Permission.INVITATIONS_MAKE)
@describe("Cancel a batch", gives=BatchOutput, status=202)
def cancel(batch_id: int) -> Response:
    """Stop for good: rows that are not done yet are skipped."""
    execute.cancel(batch_id, current_user())
    return answer_batch(review.get_batch(batch_id), 202)


@bp.get("/report")
@require(Permission.BATCHES_SEE)
@describe("Report of a batch", gives=ReportOutput)
def report(batch_id: int) -> Response:
    """How many rows came to which outcome, and how many of those invited have joined."""
    batch = review.get_batch(batch_id)
    joined = joining.count_joined([batch_id]).get(batch_id, joining.Joined())
    values = {
        "state": batch.state,
        "outcomes": outcomes(batch),
        "joined": joined.joined,
        "pending": joined.pending,
        "rows": url_for("api_rows.index", batch_id=batch_id),
    }
    return answers.answer(ReportOutput, values)


@bp.post("/retries")
@require(Permission.INVITATIONS_MAKE)
@describe("Send failed e-mails again", gives=RetriesOutput, status=202)
def retry(batch_id: int) -> Response:
    """Queue the failed e-mails of a batch again."""
    retried = outbox.retry_failed(review.get_batch(batch_id), current_user())
    return answers.answer(RetriesOutput, {"retried": retried}, 202)


@bp.post("/reversal")
@require(Permission.INVITATIONS_MAKE)
@describe("Revert a batch", gives=BatchOutput, status=201)
def revert(batch_id: int) -> Response:
    """Stage a batch that would take back what this one did; or answer the one that there is."""
    return answer_batch(reverts.stage(batch_id, current_user()), 201)


@bp.get("/missing")
@require(Permission.USERS_MANAGE)
@describe("Who is missing", query=MissingQuery, gives=MissingOutput)
def show_missing(batch_id: int) -> Response:
    """Who of the earlier list, a group or a role is not in this upload."""
    scope = read_query(MissingQuery)["scope"]
    batch = missing.get_file(batch_id)
    found = missing.find_missing(batch, scope)
    values = {
        "scope": scope,
        "size": found.size,
        "people": ["{}-{}".format(*ref) for ref in found.people],
        "scopes": missing.list_scopes(batch),
    }
    return answers.answer(MissingOutput, values)


@bp.post("/missing")
@require(Permission.USERS_MANAGE)
@describe("End the access of who is missing", body=MissingInput, gives=BatchOutput, status=201)
def end_access(batch_id: int) -> Response:
    """Stage an action that would end the access of those who are missing. Nothing is done before it is confirmed."""
    scope = read_body(MissingInput)["scope"]
    batch = missing.get_file(batch_id)
    return answer_batch(missing.stage(batch, scope, current_user()), 201)

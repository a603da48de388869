"""Batches: staged, listed, looked at, changed as a whole, confirmed, discarded."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest

from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.batches import (
    answer_batch,
    seen_version,
    summary_values,
)
from webapp.http.api.documents import describe
from webapp.http.api.requests import digest, load, read_body, read_key, read_query
from webapp.http.api.token import is_proven
from webapp.http.web import current_user, require
from webapp.models import Batch
from webapp.schemas.api.batches import (
    BatchesOutput,
    BatchesQuery,
    BatchFileInput,
    BatchInput,
    BatchOutput,
    BatchQuery,
    ConfirmationInput,
    OptionsInput,
)
from webapp.services.batches import changes, confirmation, program_upload, review
from webapp.services.batches.program_upload import Order

bp = Blueprint("api_batches", __name__, url_prefix="/api/v1/batches")

MATCH = {"If-Match": True}


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
@describe(
    "Stage people",
    body=BatchInput,
    form=BatchFileInput,
    query=BatchQuery,
    gives=BatchOutput,
    status=201,
    also={200: "The same request, with the same Idempotency-Key, has made this batch before."},
    headers={"Idempotency-Key": False},
)
def create() -> Response:
    """Stage rows, or a file, as a batch under review. Nothing is sent before it is confirmed.

    A file whose columns are not recognised waits in the state `mapping`. Of what is split, the first part is answered.
    """
    batch, is_new = stage_file() if request.files else stage_rows()
    response = answer_batch(batch, 201 if is_new else 200)
    if not is_new:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def stage_rows() -> tuple[Batch, bool]:
    """Stage the rows of a JSON body."""
    order = read_order(request.get_data(), "rows")
    body = read_body(BatchInput)
    rows = [row | {"groups": ", ".join(row["groups"])} for row in body["rows"]]
    order = Order(order.split, body["options"], order.key, order.digest)
    return program_upload.stage_rows(rows, body["name"], current_user(), order)


def stage_file() -> tuple[Batch, bool]:
    """Stage the file of a form."""
    file = request.files.get("file")
    unknown = {*request.files, *request.form} - {"file", "options"}
    if file is None or unknown:
        raise ValidationError({"file": ["Send one file as `file`, perhaps with `options`."]})
    data = file.read()
    text = request.form.get("options", "{}")
    order = read_order(data, file.filename or "", text)
    order = Order(order.split, read_options(text), order.key, order.digest)
    return program_upload.stage_file(data, file.filename or "", current_user(), order)


def read_options(text: str) -> dict[str, Any]:
    """The options in a form. Raises ValidationError, also where they are no JSON."""
    try:
        return load(OptionsInput, text)
    except BadRequest:
        raise ValidationError({"options": ["This is no JSON."]}) from None
    except ValidationError as error:
        raise ValidationError({"options": error.messages}) from error


def read_order(*parts: bytes | str) -> Order:
    """How something is staged, without its options. parts: what else makes it the same request again."""
    split = read_query(BatchQuery)["split"]
    return Order(split=split, key=read_key(), digest=digest(str(split), *parts))


@bp.get("")
@require(Permission.BATCHES_SEE)
@describe("List batches", query=BatchesQuery, gives=BatchesOutput)
def index() -> Response:
    """Batches of any kind and state, or of some, the newest first."""
    query = read_query(BatchesQuery)
    states = [query["state"]] if "state" in query else []
    limit = query["limit"]
    found = review.list_batches(limit, query.get("before"), query.get("kind"), states)
    following = found[-1].id if len(found) == limit else None
    values = [summary_values(batch) for batch in found]
    return answers.page(BatchesOutput, "batches", values, following, over="before")


@bp.get("/<int:batch_id>")
@require(Permission.BATCHES_SEE)
@describe(
    "Look at a batch",
    gives=BatchOutput,
    also={304: "It is as in If-None-Match."},
    headers={"If-None-Match": False},
)
def show(batch_id: int) -> Response:
    """A batch as it is now. Its ETag is what confirming takes."""
    return answer_batch(review.get_batch(batch_id))


@bp.patch("/<int:batch_id>")
@require(Permission.INVITATIONS_MAKE)
@describe("Change options", body=OptionsInput, gives=BatchOutput)
def update(batch_id: int) -> Response:
    """Change how a batch under review is applied."""
    wanted = read_body(OptionsInput)
    return answer_batch(changes.set_options(batch_id, current_user(), **wanted).batch)


@bp.post("/<int:batch_id>/confirmation")
@require(Permission.INVITATIONS_MAKE)
@describe("Confirm a batch", body=ConfirmationInput, gives=BatchOutput, status=202, headers=MATCH)
def confirm(batch_id: int) -> Response:
    """Queue what was seen: If-Match says what that was. Where it has changed, 412; where rows need attention, 409.

    Confirming twice is one confirm.
    """
    version = seen_version()
    number = read_body(ConfirmationInput).get("number", "")
    confirmation.confirm(
        batch_id,
        version,
        current_user(),
        proven=is_proven(),
        typed=str(number),
        is_exact=True,
    )
    return answer_batch(review.get_batch(batch_id), 202)


@bp.delete("/<int:batch_id>")
@require(Permission.INVITATIONS_MAKE)
@describe("Discard a batch", status=204)
def delete(batch_id: int) -> Response:
    """Discard a batch that was not confirmed."""
    confirmation.discard(batch_id, current_user())
    return answers.nothing()

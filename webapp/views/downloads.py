"""What is on the review, as a file: the columns as they were uploaded, and what Muster says of each row."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.attachments import attach
from webapp.core.finding import Find
from webapp.core.permissions import Permission
from webapp.core.template import written
from webapp.services import batches, downloads
from webapp.web import allow

bp = Blueprint("downloads", __name__, url_prefix="/batches/<int:batch_id>")


@bp.get("/rows.csv")
@allow(Permission.BATCHES_SEE)
def rows(batch_id: int) -> Response:
    """The rows of the review as it is filtered and sorted; all of them where it is not."""
    batch, find = batches.found(batch_id), Find.parse(request.args)
    header, lines = downloads.rows(batch, find)
    return attach(written(header, lines), f"{downloads.stem(batch)}-{'blocked-' if find.plan == 'attention' else ''}rows.csv")

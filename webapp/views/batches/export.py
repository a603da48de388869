"""What is on the review, as a file: the columns as they were uploaded, and what Muster says of each row."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.row_filter import Find
from webapp.core.security.permissions import Permission
from webapp.http.attachments import attach
from webapp.http.web import require
from webapp.services.batches import export, review

bp = Blueprint("export", __name__, url_prefix="/batches/<int:batch_id>")


@bp.get("/rows.csv")
@require(Permission.BATCHES_SEE)
def rows(batch_id: int) -> Response:
    """The rows of the review as it is filtered and sorted; all of them where it is not."""
    batch = review.get_batch(batch_id)
    find = Find.parse(request.args)
    header, lines = export.rows(batch, find)
    name = batch.file_name.rpartition(".")[0] or batch.file_name
    name += "-"
    if find.plan == "attention":
        name += "blocked-"
    name += "rows.csv"
    content = write_lines(header, lines)
    return attach(content, name)

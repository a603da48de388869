"""Blocks of cells: what is pasted into the review grid from a spreadsheet, one request a paste."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, render_template, request
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.web import current_user, is_fragment, redirect_to, require
from webapp.schemas.blocks import BlockSchema
from webapp.services.batches import paste
from webapp.views.batches.batches import row_context

bp = Blueprint("blocks", __name__, url_prefix="/batches/<int:batch_id>/blocks")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> str | BaseResponse:
    """Fill cells; lines that found no row are offered as new rows."""
    pasted = sent()
    block = paste.fill(batch_id, [paste.Cell(**cell) for cell in pasted["cells"]], current_user())
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("blocks/_filled.html", block=block, lines=pasted["lines"], **row_context(block.batch))


@bp.post("/rows")
@require(Permission.INVITATIONS_MAKE)
def append(batch_id: int) -> str | BaseResponse:
    """Add the lines that found no row as rows of their own."""
    block = paste.append(batch_id, sent()["lines"], current_user())
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id, say=f"{plural(len(block.rows), 'row')} added.")
    return render_template("blocks/_added.html", block=block, **row_context(block.batch))


def sent() -> dict[str, Any]:
    """The form's one field, "block": JSON, because a block is cells within rows. Raises RuleViolationError."""
    try:
        loaded = BlockSchema().load(json.loads(request.form.get("block", "{}")))
    except (ValueError, RecursionError, ValidationError) as error:
        raise RuleViolationError("This block could not be read. Copy the cells again, then paste once more.") from error
    assert isinstance(loaded, dict)
    return loaded

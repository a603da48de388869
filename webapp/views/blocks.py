"""Blocks of cells: what is pasted into the review grid from a spreadsheet, one request a paste."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, render_template, request
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import Refused
from webapp.core.permissions import Permission
from webapp.core.words import plural
from webapp.schemas.blocks import BlockSchema
from webapp.services import blocks
from webapp.views.batches import row_context
from webapp.web import allow, go, is_fragment, me

bp = Blueprint("blocks", __name__, url_prefix="/batches/<int:batch_id>/blocks")


@bp.post("")
@allow(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> str | BaseResponse:
    """Fill cells; lines that found no row are offered as new rows."""
    pasted = sent()
    block = blocks.fill(batch_id, [blocks.Cell(**cell) for cell in pasted["cells"]], me())
    if not is_fragment():
        return go("batches.show", batch_id=batch_id)
    return render_template("blocks/_filled.html", block=block, lines=pasted["lines"], **row_context(block.batch))


@bp.post("/rows")
@allow(Permission.INVITATIONS_MAKE)
def append(batch_id: int) -> str | BaseResponse:
    """Add the lines that found no row as rows of their own."""
    block = blocks.append(batch_id, sent()["lines"], me())
    if not is_fragment():
        return go("batches.show", batch_id=batch_id, say=f"{plural(len(block.rows), 'row')} added.")
    return render_template("blocks/_added.html", block=block, **row_context(block.batch))


def sent() -> dict[str, Any]:
    """The form's one field, "block": JSON, because a block is cells within rows. Raises Refused."""
    try:
        loaded = BlockSchema().load(json.loads(request.form.get("block", "{}")))
    except (ValueError, RecursionError, ValidationError) as error:
        raise Refused("This block could not be read. Copy the cells again, then paste once more.") from error
    assert isinstance(loaded, dict)
    return loaded

"""Cells pasted into the review grid from a spreadsheet, one request a paste."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, render_template, request
from marshmallow import ValidationError

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.batches.answers import draw_rows
from webapp.http.web import current_user, require
from webapp.schemas.batches import BlockSchema
from webapp.services.batches import cell_edit
from webapp.services.batches.cell_edit import CellEdit

bp = Blueprint("paste", __name__, url_prefix="/batches/<int:batch_id>/blocks")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> str:
    """Fill cells; lines that found no row are offered as new rows."""
    pasted = load_block()
    edits = [CellEdit(**cell) for cell in pasted["cells"]]
    result = cell_edit.paste(batch_id, current_user(), edits)
    said = f"{plural(len(result.changes), 'cell')} changed"
    status = f"{said}."
    problems = sum(bool(row.issues) for row in result.rows if not row.removed_at)
    if problems:
        have = "has" if problems == 1 else "have"
        status += f" {plural(problems, 'row')} of the block {have} a problem."
    warnings = []
    if result.newer:
        title = f"{plural(len(result.newer), 'cell')} left alone"
        warnings.append((title, "Someone else made newer changes there, and they are shown."))
    if removed := sum(bool(row.removed_at) for row in result.rows):
        title = f"{plural(removed, 'row')} removed meanwhile"
        warnings.append((title, "Nothing was pasted there: put back what was removed first."))
    answer = draw_rows(result, said=said, status=status, warnings=warnings)
    return answer + offer_rows(batch_id, pasted["lines"])


def offer_rows(
    batch_id: int,
    lines: list[dict[str, str]],
) -> str:
    """The question whether to add these lines as rows."""
    return render_template("batches/paste/_rest.html", batch_id=batch_id, lines=lines)


@bp.post("/rows")
@require(Permission.INVITATIONS_MAKE)
def append(batch_id: int) -> str:
    """Add the lines that found no row as rows of their own."""
    result = cell_edit.add_rows(batch_id, current_user(), load_block()["lines"])
    said = f"{plural(len(result.rows), 'row')} added below the last one"
    return draw_rows(result, said=said, status=f"{said}.") + offer_rows(batch_id, [])


def load_block() -> dict[str, Any]:
    """The form's one field, "block": JSON, because a block is cells within rows. Raises RuleViolationError."""
    try:
        loaded = BlockSchema().load(json.loads(request.form.get("block", "{}")))
    except (ValueError, RecursionError, ValidationError) as error:
        raise RuleViolationError(
            "This block could not be read. Copy the cells again, then paste once more."
        ) from error
    assert isinstance(loaded, dict)
    return loaded

"""Answers to changes of rows under review: the parts of the page that they change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from flask import render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.text.formatting import plural
from webapp.http.batches.review_page import review_context, row_context
from webapp.http.web import is_fragment, redirect_to
from webapp.models import Batch
from webapp.services.batches import corrections, review
from webapp.services.batches.changes import Place, Result

Toast = dict[str, Any]
"""Arguments of the macro `ui.toast`."""


def draw_rows(
    result: Result, fresh: Collection[Place] = (), toasts: Sequence[Toast] = (), status: str = ""
) -> str:
    """The changed rows, and every part of the review that depends on rows: always the same parts.

    Fixes and unknown words follow where a row has or had a problem: else they are as they were.

    fresh: further cells that are replaced; others are morphed, so that half typed text stays. status: for screen readers.
    """
    # a new step is one's own: nothing can be redone any more
    is_new_step = result.version and not result.name
    return render_template(
        "batches/rows/_changed.html",
        result=result,
        fresh={*result.places, *result.newer, *fresh},
        own={"undo": True, "redo": False} if is_new_step else None,
        corrections_change=result.had_problems and corrections.are_cheap(result.batch),
        toasts=toasts,
        status=status,
        **row_context(result.batch),
    )


def draw_review(batch_id: int, said: str, undo: int | None = None) -> str | BaseResponse:
    """The whole review, with the same filter and page, and a toast. undo: the version of the step that it offers to undo."""
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    context = review_context(review.get_batch(batch_id))
    return render_template("batches/edits/_redrawn.html", said=said, undo=undo, **context)


def draw_bulk_change(result: Result, said: str) -> str | BaseResponse:
    """The review after a bulk change. said: what it did, with "{rows}" for "3 rows"."""
    done = said.format(rows=plural(result.count, "row"))
    return draw_review(
        result.batch.id, done if result.count else "Nothing had to change.", result.version
    )


def undo_address(batch: Batch, version: int | None) -> str | None:
    """Where a toast sends to undo this step."""
    return url_for("edits.undo", batch_id=batch.id, version=version) if version else None

"""Answers to changes of rows under review: the parts of the page that they change."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flask import render_template

from webapp.core.text.formatting import plural
from webapp.http.batches.review_page import review_context, row_context
from webapp.http.web import Answer, is_fragment, redirect_to
from webapp.services.batches import fixes, review
from webapp.services.batches.changes import ChangeSet, Place


def draw_rows(
    step: ChangeSet,
    fresh: Collection[Place] = (),
    said: str = "",
    status: str = "",
    warnings: Sequence[tuple[str, str]] = (),
) -> str:
    """The changed rows, and every part of the review that depends on rows: always the same parts.

    The button of Tidy up follows where a row has or had a problem: else it is as it was.

    fresh: further cells that are replaced; others are morphed, so that half typed text stays. said: a toast, which offers to undo
    a new step. status: for screen readers. warnings: further toasts, each with its title.
    """
    return render_template(
        "batches/rows/_changed.html",
        result=step,
        fresh={*step.places, *step.newer, *fresh},
        # a new step is one's own: nothing can be redone any more
        own={"undo": True, "redo": False} if step.new_version else None,
        fixes_change=step.had_problems and fixes.are_cheap(step.batch),
        said=said,
        undo=step.new_version,
        status=status,
        warnings=warnings,
        **row_context(step.batch),
    )


def draw_review(step: ChangeSet, said: str, nothing: str = "Nothing had to change.") -> Answer:
    """The whole review after a change of many rows, with the same filter and page.

    said: a toast, which offers to undo a new step; "{rows}" in it becomes "3 rows". nothing: the toast where nothing changed.
    """
    batch_id = step.batch.id
    said = said.replace("{rows}", plural(step.count, "row"))
    if not (step.changes or step.is_written):
        said = nothing
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    context = review_context(review.get_batch(batch_id))
    return render_template(
        "batches/edits/_redrawn.html", said=said, undo=step.new_version, **context
    )

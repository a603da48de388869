"""Edits of a batch under review beyond one cell: undo and redo, the same fix in many rows, selected rows, twins."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

from flask import Blueprint, Response, flash, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.lists.row_filter import Find, Hint
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.web import current_user, is_elsewhere, is_fragment, number, page_or_fragment, redirect_to, require
from webapp.models import Batch, BatchState
from webapp.services.batches import bulk_edit, bulk_fix, cell_edit, duplicates, mapping, review, row_search
from webapp.services.batches import undo as history
from webapp.services.directory import lookup
from webapp.views.batches.batches import asked_for, review_context, row_context

bp = Blueprint("edits", __name__, url_prefix="/batches/<int:batch_id>")

MAKE = Permission.INVITATIONS_MAKE


@bp.app_context_processor
def _offered() -> dict[str, Any]:
    """What parts of the review ask for where they show it: each costs queries, so none is asked in vain."""
    return {
        "undoing": lambda batch, before=None: history.offered(batch, current_user(), before),
        "offers_of": bulk_fix.offers,
        "offers_are_cheap": bulk_fix.are_cheap,
        "words_of": mapping.unknown_words,
        "look_alikes_of": row_search.look_alikes,
    }


def under_review(batch_id: int) -> Batch:
    """The batch whose dialog is asked for. Raises NotUnderReviewError."""
    batch = review.found(batch_id)
    if batch.state is not BatchState.REVIEWING:
        raise review.NotUnderReviewError(batch)
    return batch


def redrawn(batch_id: int, said: str, undo: int | None = None) -> str | BaseResponse:
    """The review anew, with the same filter and page, and a toast; undo: the version of the step that it offers to undo."""
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    if is_elsewhere(url_for("batches.show", batch_id=batch_id)):  # on the page of one row: that page anew
        flash(said)
        return Response(status=200, headers={"HX-Refresh": "true"})
    context, _ = review_context(review.found(batch_id))
    return render_template("edits/_redrawn.html", said=said, undo=undo, **context)


def done(batch_id: int, change: bulk_edit.Done, said: str) -> str | BaseResponse:
    """The answer to a bulk change. said: what it did, "{rows}" being replaced by "3 rows"."""
    rows_said = said.replace("{rows}", plural(change.count, "row"))
    return redrawn(batch_id, rows_said if change.count else "Nothing had to change.", change.version)


# Undo and redo


@bp.post("/undos")
@require(MAKE)
def undo(batch_id: int) -> str | BaseResponse | tuple[str, int, dict[str, str]]:
    """Take back one's own last step; or the one whose version the form names.

    Where it was overtaken, the next Undo goes on with the step before it.
    """
    version, before = number(request.values, "version"), number(request.values, "before")
    try:
        return moved(history.undo(batch_id, current_user(), version, before), "Undone")
    except history.UndoConflictError as overtaken:
        if version or not is_fragment():
            raise
        context = {"batch": review.found(batch_id), "before": overtaken.version, "said": str(overtaken)}
        return render_template("edits/_overtaken.html", **context), 409, {"X-Muster": "1"}


@bp.post("/redos")
@require(MAKE)
def redo(batch_id: int) -> str | BaseResponse:
    """Do again what one undid last."""
    return moved(history.redo(batch_id, current_user()), "Redone")


def moved(change: history.Done, verb: str) -> str | BaseResponse:
    """The answer to an undo or redo: the row's cells where it was one cell, else the review anew."""
    said = f"{verb}: {change.name}"
    if change.row is None or not is_fragment():
        return redrawn(change.batch.id, said)
    return render_template("edits/_cell_moved.html", change=change, said=said, **row_context(change.batch))


@bp.get("/steps")
@require(MAKE)
def steps(batch_id: int) -> str | BaseResponse:
    """The last steps, whoever made them: the list beside Undo and Redo."""
    batch = review.found(batch_id)
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("edits/_steps.html", batch=batch, steps=history.recent(batch))


# The same fix in many rows


@bp.get("/fixes")
@require(MAKE)
def fixes(batch_id: int) -> str | BaseResponse:
    """What a fix would change, row by row."""
    batch, args = review.found(batch_id), request.args
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    field, old, new = args.get("field", ""), args.get("old", ""), args.get("new", "")
    preview = bulk_fix.fixed(batch, field, old, new)
    return render_template("edits/_fix.html", batch=batch, field=field, old=old, new=new, preview=preview)


@bp.post("/fixes")
@require(MAKE)
def fix(batch_id: int) -> str | BaseResponse:
    """Replace a wrong value in every row that has it."""
    form = request.form
    change = bulk_fix.fix(batch_id, form.get("field", ""), form.get("old", ""), form.get("new", ""), current_user())
    return done(batch_id, change, "Replaced in {rows}")


@bp.get("/replacements")
@require(MAKE)
def replaceable(batch_id: int) -> tuple[str, int] | BaseResponse:
    """What find and replace would do: in how many rows, and the first of them."""
    batch = review.found(batch_id)
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    try:
        preview, refusal = bulk_edit.replaceable(batch, replacement()), ""
    except RuleViolationError as refused:
        preview, refusal = None, str(refused)
    return render_template("edits/_replaceable.html", batch=batch, preview=preview, refusal=refusal), 200


@bp.get("/replacements/new")
@require(MAKE)
def replacing(batch_id: int) -> tuple[str, int]:
    """Find and replace: the inside of its dialog, or a page."""
    return page_or_fragment("edits/replace.html", "edits/_replace.html", batch=under_review(batch_id))


@bp.post("/replacements")
@require(MAKE)
def replace(batch_id: int) -> str | BaseResponse:
    """Find and replace in a column."""
    return done(batch_id, bulk_edit.replace(batch_id, replacement(), current_user()), "Replaced in {rows}")


def replacement() -> bulk_edit.Replacement:
    """What the dialog asks for."""
    asked = request.values
    return bulk_edit.Replacement(
        asked.get("field", ""), asked.get("find", ""), clean(asked.get("by", "")), "whole" in asked, "exactly" in asked
    )


@bp.post("/words")
@require(MAKE)
def translate(batch_id: int) -> str | BaseResponse:
    """Say once what a word of the file means, for all its rows; and for later files, where that is ticked."""
    form = request.form
    remember = "remember" in form and current_user().may(Permission.USERS_MANAGE)
    field, word, meant = (form.get(name, "") for name in ("field", "word", "meant"))
    change = mapping.translate(batch_id, field, word, meant, current_user(), remember=remember)
    said = f"“{word}” is now {meant} in {plural(change.count, 'row')}{', and remembered for later files' if remember else ''}."
    return redrawn(batch_id, said, change.version)


# Selected rows


@bp.get("/changes/new")
@require(MAKE)
def regrouping(batch_id: int) -> str | BaseResponse:
    """Groups of the selected rows: the inside of the dialog."""
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("edits/_regroup.html", batch=under_review(batch_id), registry=lookup.registry())


@bp.post("/changes")
@require(MAKE)
def change(batch_id: int) -> str | BaseResponse:
    """One change to all selected rows."""
    form, chosen, names = request.form, selection(), request.form.getlist("groups")
    match form.get("do"):
        case "role":
            return done(
                batch_id, bulk_edit.set_role(batch_id, chosen, form.get("role", ""), current_user()), "Role changed in {rows}"
            )
        case "remove":
            return done(batch_id, bulk_edit.remove(batch_id, chosen, current_user()), "{rows} removed")
        case "add_groups" if names:
            return done(batch_id, bulk_edit.add_groups(batch_id, chosen, names, current_user()), "Groups added in {rows}")
        case "remove_groups" if names:
            return done(batch_id, bulk_edit.remove_groups(batch_id, chosen, names, current_user()), "Groups removed in {rows}")
        case "set_groups":
            return done(batch_id, bulk_edit.set_groups(batch_id, chosen, names, current_user()), "Groups set in {rows}")
    raise RuleViolationError("Choose at least one group.")


@bp.post("/hints/<hint>/removal")
@require(MAKE)
def remove_hinted(batch_id: int, hint: str) -> str | BaseResponse:
    """Remove all rows that a notice above the counts is about, as one step."""
    if hint not in list(Hint):
        raise NotFoundError("There is no such notice.")
    rows = bulk_edit.Chosen(find=Find(hint=Hint(hint)))
    return done(batch_id, bulk_edit.remove(batch_id, rows, current_user()), "{rows} removed")


def selection() -> bulk_edit.Chosen:
    """The selected rows: by their ids, or all that the page's filter finds, but for some."""
    if request.form.get("all"):
        return bulk_edit.Chosen(numbers("spared"), asked_for())
    return bulk_edit.Chosen(numbers("rows"))


def numbers(name: str) -> frozenset[int]:
    """Ids, between commas."""
    ids = request.form.get(name, "").split(",")
    return frozenset(int(id) for id in ids if id.isascii() and id.isdigit() and len(id) < 16)


# Rows: one more, and those with the same e-mail


@bp.post("/rows")
@require(MAKE)
def add(batch_id: int) -> str | BaseResponse:
    """A new, empty row at the end: within the page where its end is shown, else on the page that shows it."""
    added = cell_edit.add(batch_id, current_user())
    context, _ = review_context(review.found(batch_id))
    page = context["page"]
    if is_fragment() and any(row.id == added.row.id for row in page.rows):
        return render_template("edits/_redrawn.html", said=None, undo=None, focus=added.row.id, **context)
    return redirect_to("batches.show", batch_id=batch_id, **bulk_edit.address(added.batch, added.row.line))


@bp.get("/lines/<int:line>")
@require(Permission.BATCHES_SEE)
def line(batch_id: int, line: int) -> BaseResponse:
    """To the row of this line, on whatever page it is."""
    batch: Batch = review.found(batch_id)
    return redirect_to("batches.show", batch_id=batch_id, **bulk_edit.address(batch, line))


@bp.get("/problem")
@require(Permission.BATCHES_SEE)
def problem(batch_id: int) -> BaseResponse:
    """To the next row that needs attention, on whatever page it is; without the filter where that leaves none in."""
    batch, find = review.found(batch_id), asked_for()
    start, back = number(request.args, "from"), "back" in request.args
    for wanted in (find, changed(find, plan=None, problem=None, mark=None, hint=None, text="")):
        if there := row_search.problem(batch, wanted, review.PAGE, start, back=back):
            page, row = there
            field = row.issues[0]["field"] if row.issues else "email"
            anchor = f"row-{row.id}-{field}{'-cell' if field == 'groups' else ''}"
            return redirect_to("batches.show", batch_id=batch_id, **wanted.args(page=page), _anchor=anchor)
    return redirect_to("batches.show", batch_id=batch_id, say="No row needs attention now.", **find.args())


@bp.post("/rows/<int:row_id>/merger")
@require(MAKE)
def merge(batch_id: int, row_id: int) -> str | BaseResponse:
    """Make one row of all that have this row's e-mail, with the groups of all."""
    merged = duplicates.merge(batch_id, row_id, current_user())
    return redrawn(batch_id, f"Groups merged: {plural(merged.count, 'row')} made one", merged.version)


@bp.post("/rows/<int:row_id>/retention")
@require(MAKE)
def keep(batch_id: int, row_id: int) -> str | BaseResponse:
    """Keep this row, and remove the others with its e-mail."""
    kept = duplicates.keep(batch_id, row_id, current_user())
    return redrawn(batch_id, f"{plural(kept.count, 'row')} removed", kept.version)

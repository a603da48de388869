"""Edits of a batch under review: cells and rows, undo and redo, fixes and changes of many rows, duplicates."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.lists.paging import member
from webapp.core.lists.row_filter import Find, Hint
from webapp.core.plan.actions import MODES
from webapp.core.plan.planner import Mode, Plan
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.batches.answers import draw_review, draw_rows
from webapp.http.batches.review_page import (
    asked_for,
    review_context,
    row_context,
)
from webapp.http.web import (
    Answer,
    current_user,
    get_number,
    is_fragment,
    redirect_to,
    require,
)
from webapp.models import BatchKind, BatchState
from webapp.schemas.rows import FIELDS
from webapp.services.batches import (
    bulk_edit,
    cell_edit,
    review,
    row_search,
)
from webapp.services.batches import undo as history
from webapp.services.batches.changes import ChangeSet
from webapp.services.directory import lookup

bp = Blueprint("edits", __name__, url_prefix="/batches/<int:batch_id>")

MAKE = Permission.INVITATIONS_MAKE


def draw_part(template: str, batch_id: int, **context: Any) -> Answer:
    """A part of the review for htmx. A browser that asks for it goes to the review, and so does who comes too late."""
    batch = review.get_batch(batch_id)
    if not is_fragment() or batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template(template, batch=batch, **context)


# One row


@bp.patch("/rows/<int:row_id>")
@require(MAKE)
def update(batch_id: int, row_id: int) -> Answer:
    """One cell: the field, its new value, and the value that it had."""
    form = request.form
    field = form.get("field", "")
    result = cell_edit.edit(
        batch_id,
        row_id,
        field,
        form.get("value", ""),
        form["seen"],
        current_user(),
    )
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    status = 409 if result.newer else 422 if result.rows[0].issues_of(field) else 200
    return draw_rows(result, {(row_id, field)}, status=describe_cell(result)), status


def describe_cell(result: ChangeSet) -> str:
    """What a screen reader says after an edit."""
    row = result.rows[0]
    said = [
        f"{name} changed {field.capitalize()}. Showing the newer value."
        for (_, field), name in result.newer.items()
    ]
    problem = row.problem
    if row.likely_domain and not problem:
        problem = f"Misspelt domain? Perhaps it is {row.likely_domain}."
    said.append(problem or "No problem.")
    return f"Row {row.line}: {' '.join(said)}"


@bp.post("/rows/<int:row_id>/removal", defaults={"restore": False})
@bp.post("/rows/<int:row_id>/restoration", defaults={"restore": True})
@require(MAKE)
def remove(batch_id: int, row_id: int, restore: bool) -> Answer:
    """Take the row out of the batch, or put it back."""
    result = cell_edit.remove(batch_id, row_id, current_user(), restore=restore)
    row = result.rows[0]
    said = "" if restore else f"Row {row.line} removed"
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    if result.batch.kind is BatchKind.UPLOAD:
        return draw_rows(result, said=said)
    return render_template("batches/actions/_removed.html", row=row, **row_context(result.batch))


# Undo and redo


@bp.post("/undos")
@require(MAKE)
def undo(batch_id: int) -> Answer:
    """Take back one's own last step; or the one whose version the form names."""
    version = get_number(request.values, "version")
    return draw_replay(history.undo(batch_id, current_user(), version), "Undone")


@bp.post("/redos")
@require(MAKE)
def redo(batch_id: int) -> Answer:
    """Do again what one undid last."""
    return draw_replay(history.redo(batch_id, current_user()), "Redone")


def draw_replay(result: ChangeSet, verb: str) -> Answer:
    """The answer to an undo or redo: the row's cells where it was one cell, else the whole review."""
    said = f"{verb}: {result.name}"
    is_one_cell = [change.field in FIELDS for change in result.changes] == [True]
    if is_one_cell and is_fragment():
        return draw_rows(result, said=said)
    return draw_review(result, said)


@bp.get("/steps")
@require(MAKE)
def steps(batch_id: int) -> Answer:
    """The list of the last steps of all people, shown with Undo and Redo."""
    steps = history.list_steps(review.get_batch(batch_id), history.IS_DONE)
    return draw_part("batches/edits/_steps.html", batch_id, steps=steps)


# The same fix in many rows


@bp.get("/fixes")
@bp.post("/fixes")
@require(MAKE)
def fix(batch_id: int) -> Answer:
    """What replacing a wrong word would change, row by row; a POST replaces it."""
    asked = {name: request.values.get(name, "") for name in ("field", "old", "new")}
    if request.method == "POST":
        result = bulk_edit.fix(batch_id, current_user(), **asked)
        return draw_review(result, "Replaced in {rows}")
    found = bulk_edit.propose_fix(review.get_batch(batch_id), current_user(), **asked)
    return draw_part("batches/edits/_fix.html", batch_id, changes=found.changes, **asked)


@bp.get("/replacements")
@bp.post("/replacements")
@require(MAKE)
def replace(batch_id: int) -> Answer:
    """What find and replace would do: in how many rows, and the first of them; a POST does it."""
    by = current_user()
    asked = load_replacement()
    if request.method == "POST":
        return draw_review(bulk_edit.replace(batch_id, by, asked), "Replaced in {rows}")
    shown: dict[str, Any] = {}
    try:
        found = bulk_edit.propose_replacement(review.get_batch(batch_id), by, asked)
        shown["changes"] = found.changes
    except RuleViolationError as error:
        shown["refusal"] = str(error)
    return draw_part("batches/edits/_replaceable.html", batch_id, **shown)


def load_replacement() -> bulk_edit.Replacement:
    """What the dialog asks for."""
    asked = request.values
    return bulk_edit.Replacement(
        field=asked.get("field", ""),
        find=asked.get("find", ""),
        by=clean(asked.get("by", "")),
        whole="whole" in asked,
        exactly="exactly" in asked,
    )


@bp.post("/words")
@require(MAKE)
def translate(batch_id: int) -> Answer:
    """Say once what a word of the file means, for all its rows; and for later files, where that is ticked."""
    form = request.form
    by = current_user()
    remember = "remember" in form and by.may(Permission.USERS_MANAGE)
    word, meant = form.get("word", ""), form.get("meant", "")
    result = bulk_edit.translate(
        batch_id, by, form.get("field", ""), word, meant, remember=remember
    )
    remembered = ", and remembered for later files" if remember else ""
    return draw_review(result, f"“{word}” is now {meant} in {{rows}}{remembered}.")


# Selected rows


@bp.get("/changes/new", defaults={"dialog": "regroup"})
@bp.get("/replacements/new", defaults={"dialog": "replace"})
@require(MAKE)
def dialog(batch_id: int, dialog: str) -> Answer:
    """The inside of a dialog: groups of the selected rows, or find and replace."""
    return draw_part(f"batches/edits/_{dialog}.html", batch_id, registry=lookup.registry())


@bp.post("/changes")
@require(MAKE)
def change(batch_id: int) -> Answer:
    """One change to all selected rows."""
    form = request.form
    by = current_user()
    rows = selection()
    do = form.get("do", "")
    if do == "role":
        result = bulk_edit.set_role(batch_id, by, rows, form.get("role", ""))
        return draw_review(result, "Role changed in {rows}")
    if do == "remove":
        return draw_review(bulk_edit.remove(batch_id, by, rows), "{rows} removed")
    names = form.getlist("groups")
    mode = MODES.get(do)
    if mode is None or (not names and mode is not Mode.REPLACE):
        raise RuleViolationError("Choose at least one group.")
    result = bulk_edit.change_groups(batch_id, by, rows, names, mode)
    return draw_review(result, "Groups changed in {rows}")


def selection() -> bulk_edit.Chosen:
    """The selected rows: by their ids; all that the page's filter finds except some; or those that a notice is about."""
    if hint := member(Hint, request.form.get("hint")):
        return bulk_edit.Chosen(find=Find(hint=hint))
    if request.form.get("all"):
        return bulk_edit.Chosen(numbers("spared"), asked_for())
    return bulk_edit.Chosen(numbers("rows"))


def numbers(name: str) -> frozenset[int]:
    """Ids, between commas."""
    ids = request.form.get(name, "").split(",")
    return frozenset(int(row_id) for row_id in ids if row_id.isdecimal() and len(row_id) < 16)


# Rows: one more, and those with the same e-mail


@bp.post("/rows")
@require(MAKE)
def add(batch_id: int) -> Answer:
    """A new, empty row at the end: within the page where its end is shown, else on the page that shows it."""
    result = cell_edit.add_rows(batch_id, current_user(), [{}])
    [added] = result.rows
    context = review_context(result.batch)
    if is_fragment() and added in context["page"].rows:
        return render_template(
            "batches/edits/_redrawn.html", said=None, undo=None, focus=added.id, **context
        )
    return line(batch_id, added.line)


@bp.get("/lines/<int:line>")
@require(Permission.BATCHES_SEE)
def line(batch_id: int, line: int) -> Answer:
    """To the row of this line, on whatever page it is."""
    batch = review.get_batch(batch_id)
    place = row_search.find_row(batch, Find(), lambda row: row.line == line)
    if place is None:
        raise NotFoundError(f"Row {line} is not there any more.")
    return redirect_to("batches.show", batch_id=batch_id, **place)


@bp.get("/problem")
@require(Permission.BATCHES_SEE)
def problem(batch_id: int) -> Answer:
    """To the next row that needs attention, on whatever page it is; without the filter where that leaves none in."""
    batch, find = review.get_batch(batch_id), asked_for()
    start, back = get_number(request.args, "from"), "back" in request.args
    place, said = None, None
    for wanted in (find, Find(sort=find.sort)):
        place = place or row_search.find_row(
            batch, wanted, lambda row: row.plan is Plan.ATTENTION, start, back=back
        )
    if place is None:
        place, said = find.args(), "No row needs attention now."
    return redirect_to("batches.show", batch_id=batch_id, say=said, **place)


@bp.post("/rows/<int:row_id>/merger")
@require(MAKE)
def merge(batch_id: int, row_id: int) -> Answer:
    """Make one row of all that have this row's e-mail, with the groups of all."""
    result = bulk_edit.merge_duplicates(batch_id, current_user(), row_id)
    return draw_review(result, f"Groups merged: {plural(len(result.rows), 'row')} made one")


@bp.post("/rows/<int:row_id>/retention")
@require(MAKE)
def keep(batch_id: int, row_id: int) -> Answer:
    """Keep this row, and remove the others with its e-mail."""
    return draw_review(bulk_edit.keep_one(batch_id, current_user(), row_id), "{rows} removed")

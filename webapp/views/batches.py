"""Uploads: staged, reviewed, confirmed, watched, reported. Every state of a batch is shown at the batch's one address."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from webapp import queue
from webapp.core.permissions import Permission
from webapp.core.planning import Mode, Plan
from webapp.core.tables import UnreadableFile
from webapp.core.template import template as csv_template
from webapp.core.template import write as write_csv
from webapp.core.words import plural
from webapp.models import Batch, BatchState, Outcome
from webapp.schemas.batches import OptionsSchema
from webapp.services import batches, directory, groups, outbox, processing, reports, rows, steps, workers
from webapp.views.invitations import dialog_context
from webapp.views.sessions import afterwards
from webapp.web import allow, go, is_fragment, me, page_or_fragment

bp = Blueprint("batches", __name__, url_prefix="/batches")

AT_WORK = batches.AT_WORK


@bp.get("")
@allow(Permission.BATCHES_SEE)
def index() -> str:
    """All uploads, newest first."""
    before = request.args.get("before", type=int)
    found = batches.uploads(before)
    return render_template("batches/index.html", batches=found, before=before, more=len(found) == 50, **dialog_context())


@bp.get("/template.csv")
@allow(Permission.INVITATIONS_MAKE)
def template() -> Response:
    """The CSV template, from this portal's own roles and groups."""
    registry = directory.registry()
    names = [role.name for role in registry.grantable(me().role.rank)]
    return download(csv_template(names, [group.name for group in registry.groups]), "muster-template.csv")


@bp.post("")
@allow(Permission.INVITATIONS_MAKE)
def create() -> BaseResponse | tuple[str, int]:
    """Upload a file: on to its review, or the dialog again with what to do."""
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise UnreadableFile("No file was chosen.", "Choose a CSV file and upload it.")
        batch = batches.stage(file.read(), file.filename, me())
    except UnreadableFile as refusal:
        name = file.filename if file else ""
        error = {"title": refusal.title, "advice": refusal.advice, "links": (), "file_name": name}
        context = dialog_context(tab="bulk", upload_error=error)
        return page_or_fragment("invitations/new.html", "invitations/_bulk.html", 422, **context)
    answer = go("batches.show", batch_id=batch.id)
    if is_fragment():
        answer.status_code = 201
    return answer


@bp.get("/<int:batch_id>")
@allow(Permission.BATCHES_SEE)
def show(batch_id: int) -> str:
    """The batch as it stands: its review, its progress, its report, or that it is gone."""
    batch = batches.found(batch_id)
    if batch.state is BatchState.REVIEWING:
        return review(batch)
    if batch.state in AT_WORK:
        return render_template("batches/progress.html", **progress_context(batch))
    if batch.state is BatchState.DISCARDED:
        return render_template("batches/discarded.html", batch=batch)
    return render_template("batches/report.html", **report_context(batch))


def review(batch: Batch) -> str:
    """The review page; plans made on the fly are stored once it has answered."""
    context, is_newer = review_context(batch)
    if is_newer:
        afterwards(batches.refresh_if_stale, batch.id)
    return render_template("batches/review.html", **context)


def review_context(batch: Batch) -> tuple[dict[str, Any], bool]:
    """What review.html and its parts show, and whether its plans are newer than the stored ones."""
    plan = _plan(request.args.get("plan"))
    page, is_newer = batches.review(batch, plan, max(request.args.get("page", 1, type=int), 1))
    return {
        **row_context(batch),
        "page": page,
        "plan": plan,
        "same_file": batches.same_file(batch),
        "Mode": Mode,
    }, is_newer


def row_context(batch: Batch) -> dict[str, Any]:
    """What every part of a batch under review needs."""
    registry = directory.registry()
    return {
        "batch": batch,
        "registry": registry,
        "roles": registry.grantable(batch.planned_for.role.rank),
        "step_of": steps.stored,
        "shown_groups": rows.shown_groups,
        "shown_role": rows.shown_role,
    }


def _plan(name: str | None) -> Plan | None:
    return Plan(name) if name in list(Plan) else None


@bp.patch("/<int:batch_id>")
@allow(Permission.INVITATIONS_MAKE)
def update(batch_id: int) -> str | BaseResponse:
    """Change how the batch is applied: mode, roles of existing users, skipping."""
    batch = batches.change(batch_id, batches.Options(**OptionsSchema().load(request.form)), me())
    if not is_fragment():
        return go("batches.show", batch_id=batch_id)
    context, _ = review_context(batch)
    return render_template("batches/_changed.html", **context)


@bp.post("/<int:batch_id>/groups")
@allow(Permission.USERS_MANAGE)
def add_group(batch_id: int) -> BaseResponse:
    """Create a group that the file names; every row that waits for it is judged anew."""
    groups.add([request.form.get("name", "")], me())
    return go("batches.show", batch_id=batch_id, say="Group created.", plan=request.args.get("plan"))


@bp.post("/<int:batch_id>/confirmation")
@allow(Permission.INVITATIONS_MAKE)
def confirm(batch_id: int) -> BaseResponse:
    """Queue what was seen; confirming twice lands on the progress page with a note."""
    try:
        first = batches.confirm(batch_id, request.form.get("version", 0, type=int), me())
    except batches.Changed as change:
        flash(str(change), "warn")
        return go("batches.show", batch_id=batch_id)
    note = None if first else "This upload was confirmed already; it is sent once."
    return go("batches.show", batch_id=batch_id, say=note)


@bp.post("/<int:batch_id>/pause")
@allow(Permission.INVITATIONS_MAKE)
def pause(batch_id: int) -> BaseResponse:
    """Stop the claiming of rows."""
    processing.pause(batch_id, me())
    return go("batches.show", batch_id=batch_id, say="Paused. E-mails already on their way still go out.")


@bp.post("/<int:batch_id>/resumption")
@allow(Permission.INVITATIONS_MAKE)
def resume(batch_id: int) -> BaseResponse:
    """Go on where Pause stopped."""
    processing.resume(batch_id, me())
    return go("batches.show", batch_id=batch_id, say="Resumed.")


@bp.post("/<int:batch_id>/cancellation")
@allow(Permission.INVITATIONS_MAKE)
def cancel(batch_id: int) -> BaseResponse:
    """Stop for good: unclaimed rows are skipped."""
    processing.cancel(batch_id, me())
    return go("batches.show", batch_id=batch_id, say="Cancelled. Rows that were not done yet were skipped.")


@bp.post("/<int:batch_id>/discard")
@allow(Permission.INVITATIONS_MAKE)
def discard(batch_id: int) -> BaseResponse:
    """Give up an upload that was not confirmed."""
    batch = batches.discard(batch_id, me())
    return go("batches.index", say=f"“{batch.name}” was discarded. Nothing was sent.")


@bp.post("/<int:batch_id>/retries")
@allow(Permission.INVITATIONS_MAKE)
def retry(batch_id: int) -> BaseResponse:
    """Queue the failed e-mails again; those sent are never touched."""
    retried = outbox.retry_failed(batches.found(batch_id), me())
    said = f"{plural(retried, 'e-mail')} queued again." if retried else "Nothing can be retried: those invitations were closed."
    return go("batches.show", batch_id=batch_id, say=said)


@bp.post("/<int:batch_id>/changed-rows")
@allow(Permission.INVITATIONS_MAKE)
def review_again(batch_id: int) -> BaseResponse:
    """A new upload under review from the rows that had changed since the last one."""
    batch = batches.stage_again(batch_id, me())
    return go("batches.show", batch_id=batch.id)


@bp.get("/<int:batch_id>/progress")
@allow(Permission.BATCHES_SEE)
def progress(batch_id: int) -> str | BaseResponse:
    """The live part of the progress page; when all is done, on to the report."""
    batch = batches.found(batch_id)
    if not is_fragment():
        return go("batches.show", batch_id=batch_id)
    if batch.state not in AT_WORK:
        return Response(status=200, headers={"HX-Refresh": "true"})
    return render_template("batches/_progress.html", **progress_context(batch))


def progress_context(batch: Batch) -> dict[str, Any]:
    """What the progress page and its live part show."""
    tally = reports.tally(batch)
    stuck = tally.unclaimed and batch.state is not BatchState.PAUSED and not (queue.ping() and workers.alive())
    return {
        "batch": batch,
        "tally": tally,
        "newest": reports.outcomes(batch, limit=20, newest=True),
        "is_waiting_for_queue": stuck,
        "alarm": outbox.alarm(),
    }


def report_context(batch: Batch) -> dict[str, Any]:
    """What the report shows."""
    shown = _outcome(request.args.get("show"))
    limits = {outcome: 5000 if outcome is shown else 10 for outcome in Outcome}
    return {
        "batch": batch,
        "tally": reports.tally(batch),
        "failed": reports.outcomes(batch, Outcome.FAILED, limits[Outcome.FAILED]),
        "skipped": reports.outcomes(batch, Outcome.SKIPPED, limits[Outcome.SKIPPED]),
        "invited": reports.outcomes(batch, Outcome.INVITED, limits[Outcome.INVITED]),
        "updated": reports.outcomes(batch, Outcome.UPDATED, limits[Outcome.UPDATED]),
        "waiting": reports.outcomes(batch, Outcome.WAITING, limits[Outcome.WAITING]),
        "changed": reports.changed_since(batch),
        "until": reports.valid_until(batch),
        "alarm": outbox.alarm(),
    }


def _outcome(name: str | None) -> Outcome | None:
    return Outcome(name) if name in list(Outcome) else None


@bp.get("/<int:batch_id>/report.csv")
@allow(Permission.BATCHES_SEE)
def report(batch_id: int) -> Response:
    """Every row's outcome and reason as a file; `?outcome=skipped` for some of them."""
    batch = batches.found(batch_id)
    found = reports.outcomes(batch, _outcome(request.args.get("outcome")), limit=1_000_000)
    lines = [(str(r.line), r.email, r.role, r.groups, (r.outcome or Outcome.WAITING).value.capitalize(), r.why) for r in found]
    stem = batch.name.rpartition(".")[0] or batch.name
    return download(write_csv(("Row", "Email", "Role", "Groups", "Outcome", "Reason"), lines), f"{stem}-results.csv")


def download(data: bytes, name: str) -> Response:
    """A CSV file to be saved under a name."""
    response = Response(data, mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response

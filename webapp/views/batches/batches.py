"""Uploads: staged, reviewed, confirmed, watched, reported. Every state of a batch is shown at the batch's one address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from webapp import queue
from webapp.core.addresses import with_domain
from webapp.core.files.csv_writer import template as csv_template
from webapp.core.files.csv_writer import write_lines
from webapp.core.files.errors import UnreadableFileError
from webapp.core.lists.paging import Page
from webapp.core.lists.row_filter import Find
from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Mode, Plan
from webapp.core.security.permissions import Permission
from webapp.core.text import action_phrases, batch_phrases
from webapp.core.text import notices as notice_words
from webapp.core.text.formatting import plural
from webapp.http.attachments import attach
from webapp.http.invite_dialog import dialog_context
from webapp.http.questions import Question, ask
from webapp.http.web import current_user, get_number, is_fragment, page_or_fragment, redirect_to, require, run_after_response
from webapp.models import Batch, BatchKind, BatchState, Outcome, Row, User
from webapp.schemas.batches import OptionsSchema
from webapp.services.batches import discard as discards
from webapp.services.batches import (
    execute,
    import_rows,
    notices,
    options,
    people_rows,
    replan,
    reverts,
    row_search,
    turns,
    unknown_words,
    upload,
)
from webapp.services.batches import report as reports
from webapp.services.batches import review as batches
from webapp.services.batches import review_again as rereview
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.invitations import invitations
from webapp.services.mail import delivery_status, outbox, throttle
from webapp.services.operations import heartbeats
from webapp.services.people import link_sheets
from webapp.services.settings import in_force
from webapp.views.batches import cells
from webapp.views.batches.mapping import mapping_page

bp = Blueprint("batches", __name__, url_prefix="/batches")

AT_WORK = batches.AT_WORK
FEW, MANY = 10, 5000
"""Rows of one outcome on a report: at first, and where all are asked for."""


@bp.get("")
@require(Permission.BATCHES_SEE)
def index() -> str:
    """All uploads, actions and reverts, or those of a kind, newest first."""
    before, asked = get_number(request.args, "before"), request.args.get("kind")
    kind = BatchKind(asked) if asked in list(BatchKind) else None
    found = batches.uploads(before, kind=kind)
    return render_template(
        "batches/index.html", batches=found, before=before, kind=kind, more=len(found) == 50, **dialog_context()
    )


@bp.get("/template.csv")
@require(Permission.INVITATIONS_MAKE)
def template() -> Response:
    """The CSV template, from this portal's own roles and groups."""
    registry = lookup.registry()
    names = [role.name for role in lookup.grantable(current_user())]
    return attach([csv_template(names, [group.name for group in registry.groups])], "muster-template.csv")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create() -> BaseResponse | tuple[str, int]:
    """Upload a file, or paste a table: on to its review or its columns, or the dialog again with what to do."""
    file, pasted = request.files.get("file"), request.form.get("pasted")
    split = "split" in request.form
    try:
        with turns.upload(current_user()):
            if pasted is not None:
                batch = upload.stage_pasted(pasted, current_user(), split=split)
            elif file is None or not file.filename:
                raise UnreadableFileError("No file was chosen.", "Choose a CSV, Excel or OpenDocument file and upload it.")
            else:
                batch = upload.stage(file.read(), file.filename, current_user(), split=split)
    except UnreadableFileError as refusal:
        parts = refusal.parts if isinstance(refusal, import_rows.TooManyRowsError) else 0
        error = {"title": refusal.title, "advice": refusal.advice, "parts": parts, "pasted": pasted}
        context = dialog_context(tab="bulk", upload_error=error | {"file_name": file.filename if file else ""})
        return page_or_fragment("invitations/new.html", "invitations/_bulk.html", 422, **context)
    answer = redirect_to("batches.show", batch_id=batch.id)
    if is_fragment():
        answer.status_code = 201
    return answer


@bp.get("/<int:batch_id>")
@require(Permission.BATCHES_SEE)
def show(batch_id: int) -> str | BaseResponse:
    """The batch as it stands: its review (of which a search wants only a part), its progress, its report, or that it is gone."""
    batch = batches.found(batch_id)
    if batch.state is BatchState.REVIEWING:
        return review(batch)
    if batch.state is BatchState.MAPPING and not is_fragment():
        return mapping_page(batch, request.args)[0]
    if is_fragment():
        return Response(status=200, headers={"HX-Refresh": "true"})
    if batch.state in AT_WORK:
        return render_template("batches/progress.html", **progress_context(batch))
    if batch.state is BatchState.DISCARDED:
        return render_template("batches/discarded.html", batch=batch)
    return render_template("batches/report.html", **report_context(batch))


def review(batch: Batch) -> str:
    """The review page, or the part of it that a search changes."""
    context = review_context(batch)
    return page_or_fragment(f"{folder(batch)}/review.html", f"{folder(batch)}/_found.html", **context)[0]


def review_context(batch: Batch) -> dict[str, Any]:
    """What review.html and its parts show. Stale plans are made again for it, and stored once it has answered."""
    if plans := replan.show(batch):
        run_after_response(replan.store_shown, batch.id, plans)
    page = row_search.page(batch, asked_for())
    context = {**row_context(batch), "page": page}
    if batch.kind is not BatchKind.UPLOAD:
        context["page"] = page = with_left_out(page, asked_for(), context["left_out"])
        return context | {"names": people_rows.names(page.rows), "original": reverts.original(batch)}
    return {
        **context,
        "same_file": batches.same_file(batch),
        "is_file_kept": upload.is_file_kept(batch),
        "Mode": Mode,
    }


def with_left_out(page: Page[Row], find: Find, left_out: Sequence[Row]) -> Page[Row]:
    """Whom somebody left out is listed with the others to whom nothing will be done, below those."""
    if find.plan is not Plan.ATTENTION or find.text or page.next:
        return page
    return replace(page, rows=[*page.rows, *left_out], total=page.total + len(left_out))


def folder(batch: Batch) -> str:
    """Where the templates of its review are: a file is edited, an action and a revert are only looked through."""
    return "batches" if batch.kind is BatchKind.UPLOAD else "actions"


def row_context(batch: Batch) -> dict[str, Any]:
    """What every part of a batch under review needs. at(plan=…): the review's address, with some of what is found changed."""
    registry, find = lookup.registry(), asked_for()
    roles = lookup.grantable(batch.planned_for)
    new_addresses = cache(lambda: replaced_addresses.among_rows(batch))
    return {
        **kind_context(batch),
        "batch": batch,
        "left_out": [] if batch.kind is BatchKind.UPLOAD else people_rows.removed_rows(batch),
        "registry": registry,
        "roles": roles,
        "rows_at": f"{url_for('batches.show', batch_id=batch.id)}/rows",
        "step_of": cache(lambda row: row.change),
        **cells.drawn_once(roles, registry),
        "shown_groups": cells.shown_groups,
        "with_domain": with_domain,
        "look_alike_of": partial(cells.look_alike_of, known_domains=lookup.registry(batch.uploaded_by).known_domains),
        "replaced_by": lambda row: new_addresses().get(row.email_key) if row.plan is Plan.INVITE else None,
        "notices": cache(lambda: notices.of(batch) if batch.kind is BatchKind.UPLOAD else []),
        "notice_words": notice_words,
        "find": find,
        "plan": find.plan,
        "parts": {part.part: part for part in upload.parts_of(batch)},
        "at": lambda **changed: url_for("batches.show", batch_id=batch.id, **find.args(**changed)),
    }


def kind_context(batch: Batch) -> dict[str, Any]:
    """What an action or a revert is called: `kind_words`, and in `does` what is done to how many; None for an upload."""
    if batch.kind is BatchKind.UPLOAD:
        return {"kind_words": None}
    action = batch.doing
    if batch.kind is BatchKind.REVERT or action is None:
        words, does = action_phrases.REVERT, action_phrases.name_revert(batch.counts)
    else:
        words, does = action_phrases.words_of(action), batch_phrases.describe_title({**batch.title, "n": batch.to_send})
    deactivates = action is not None and action.do is Do.DEACTIVATE and batch.state is BatchState.REVIEWING
    made = invitations.count_made_by_people_of(batch, current_user()) if deactivates else None
    return {"kind_words": words, "does": does, "rest": action_phrases.describe_rest(batch.counts, words), "made": made}


def asked_for() -> Find:
    """What the page shows of the rows, by its address; of a command from a page, by the address of that page."""
    here = request.headers.get("HX-Current-URL") if request.method != "GET" else None
    return Find.parse(MultiDict(parse_qsl(urlsplit(here).query)) if here else request.args)


@bp.patch("/<int:batch_id>")
@require(Permission.INVITATIONS_MAKE)
def update(batch_id: int) -> str | BaseResponse:
    """Change how the batch is applied: mode, roles of existing users, skipping."""
    batch = options.change(batch_id, options.Options(**OptionsSchema().load(request.form)), current_user())
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("batches/_changed.html", **review_context(batch))


@bp.post("/<int:batch_id>/groups")
@require(Permission.USERS_MANAGE)
def add_group(batch_id: int) -> BaseResponse:
    """Create groups that the file names; every row that waits for them is judged again."""
    made = unknown_words.create_groups(batch_id, request.form.getlist("name"), current_user())
    said = f"Group “{made[0].name}” created." if len(made) == 1 else f"{plural(len(made), 'group')} created."
    return redirect_to("batches.show", batch_id=batch_id, say=said, **asked_for().args())


@bp.get("/<int:batch_id>/groups/new")
@require(Permission.USERS_MANAGE)
def missing_groups(batch_id: int) -> str | BaseResponse:
    """The groups that the file names and that do not exist, to create some or all of them."""
    batch = batches.found(batch_id)
    if batch.state is not BatchState.REVIEWING:
        return redirect_to("batches.show", batch_id=batch_id)
    return render_template("mapping/groups.html", batch=batch, words=unknown_words.find_missing_groups(batch))


@bp.post("/<int:batch_id>/pause")
@require(Permission.INVITATIONS_MAKE)
def pause(batch_id: int) -> BaseResponse:
    """Stop the claiming of rows."""
    return switched(execute.pause, batch_id, "Paused. What is with the mail server now still goes out.")


@bp.post("/<int:batch_id>/resumption")
@require(Permission.INVITATIONS_MAKE)
def resume(batch_id: int) -> BaseResponse:
    """Go on where Pause stopped."""
    return switched(execute.resume, batch_id, "Resumed.")


@bp.get("/<int:batch_id>/cancellation")
@require(Permission.INVITATIONS_MAKE)
def cancellation(batch_id: int) -> BaseResponse | tuple[str, int]:
    """The question before the rest is cancelled."""
    batch = batches.found(batch_id)
    if batch.state not in batches.AT_WORK:
        return redirect_to("batches.show", batch_id=batch_id)
    is_upload = batch.kind is BatchKind.UPLOAD
    return ask(
        Question(
            asks=f"Cancel the rest of this {batch.kind.value}?",
            tells=f"Rows that are not done yet are skipped. What was {'sent stays sent' if is_upload else 'done stays done'}.",
            does="Cancel the rest",
            keeps="Go on sending" if is_upload else "Go on",
            home=url_for("batches.show", batch_id=batch_id),
            section="uploads",
            trail=[("Uploads", "batches.index")],
        )
    )


@bp.post("/<int:batch_id>/cancellation")
@require(Permission.INVITATIONS_MAKE)
def cancel(batch_id: int) -> BaseResponse:
    """Stop for good: unclaimed rows are skipped."""
    return switched(execute.cancel, batch_id, "Cancelled. What had not gone yet was skipped.")


def switched(command: Callable[[int, User], object], batch_id: int, said: str) -> BaseResponse:
    """Pause, resume or cancel, and back to the batch's page; so too where it was over already, which is no error."""
    try:
        command(batch_id, current_user())
    except execute.BatchNotRunningError as over:
        said = str(over)
    return redirect_to("batches.show", batch_id=batch_id, say=said)


@bp.get("/<int:batch_id>/discard")
@require(Permission.INVITATIONS_MAKE)
def discarding(batch_id: int) -> BaseResponse | tuple[str, int]:
    """The question before what was not confirmed is given up."""
    batch = batches.found(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        return redirect_to("batches.show", batch_id=batch_id)
    kind, is_edited = batch.kind.value, batch.state is BatchState.REVIEWING
    lost = f"{batch.name} and every edit made to it are deleted." if is_edited else f"{batch.name} is deleted."
    is_upload = batch.kind is BatchKind.UPLOAD
    return ask(
        Question(
            asks=f"Discard this {kind}?",
            tells=f"{lost} Nothing has been sent." if is_upload else "Nothing has been done.",
            does=f"Discard {kind}",
            keeps="Keep editing" if is_upload and is_edited else "Keep it",
            home=url_for("batches.show", batch_id=batch_id),
            section="uploads",
            trail=[("Uploads", "batches.index")],
        )
    )


@bp.post("/<int:batch_id>/discard")
@require(Permission.INVITATIONS_MAKE)
def discard(batch_id: int) -> BaseResponse:
    """Give up what was not confirmed."""
    batch = discards.discard(batch_id, current_user())
    return redirect_to("batches.index", say=f"“{batch.name}” was discarded. {batches.nothing_done(batch)}")


@bp.post("/<int:batch_id>/retries")
@require(Permission.INVITATIONS_MAKE)
def retry(batch_id: int) -> BaseResponse:
    """Queue the failed e-mails again; those sent are never touched."""
    retried = outbox.retry_failed(batches.found(batch_id), current_user())
    nothing = "Nothing can be retried: those invitations are closed, were sent again, or are to roles that you may not give."
    said = f"{plural(retried, 'email')} queued again." if retried else nothing
    return redirect_to("batches.show", batch_id=batch_id, say=said)


@bp.post("/<int:batch_id>/changed-rows")
@require(Permission.INVITATIONS_MAKE)
def review_again(batch_id: int) -> BaseResponse:
    """A batch under review from the rows that had changed since this one's review: a new one, or the one there is."""
    batch = rereview.stage(batch_id, current_user())
    return redirect_to("batches.show", batch_id=batch.id)


@bp.post("/<int:batch_id>/reversal")
@require(Permission.INVITATIONS_MAKE)
def revert(batch_id: int) -> BaseResponse:
    """On to the review of a revert: a new one, or the one that is under way."""
    batch, is_new = reverts.stage(batch_id, current_user())
    return redirect_to("batches.show", batch_id=batch.id, say=None if is_new else "This is being reverted already.")


@bp.get("/<int:batch_id>/progress")
@require(Permission.BATCHES_SEE)
def progress(batch_id: int) -> str | BaseResponse:
    """The live part of the progress page; when all is done, on to the report."""
    batch = batches.found(batch_id)
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    if batch.state not in AT_WORK:
        return Response(status=200, headers={"HX-Refresh": "true"})
    return render_template("batches/_progress.html", **progress_context(batch))


def progress_context(batch: Batch) -> dict[str, Any]:
    """What the progress page and its live part show."""
    tally = reports.tally(batch)
    alarm, slow = throttle.circuit_status()
    stuck = tally.unclaimed and batch.state is not BatchState.PAUSED and not (queue.ping() and heartbeats.alive())
    return {
        **kind_context(batch),
        "batch": batch,
        "tally": tally,
        "newest": reports.outcomes(batch, limit=20, newest=True),
        "is_waiting_for_queue": stuck,
        "alarm": alarm,
        "slow": slow,
    }


def report_context(batch: Batch) -> dict[str, Any]:
    """What the report shows."""
    shown = _outcome(request.args.get("show"))
    tally = reports.tally(batch)
    alarm, slow = throttle.circuit_status() if tally["waiting"] else (None, None)
    is_offered = current_user().may(Permission.INVITATIONS_MAKE) and reverts.is_offered(batch)
    rows_by = {each: reports.outcomes(batch, each, MANY if each is shown else FEW) for each in Outcome if tally[each]}
    return {
        **kind_context(batch),
        "is_revertible": is_offered,
        "revert": reverts.open_revert(batch) if is_offered else reverts.finished_revert(batch),
        "original": reverts.original(batch),
        "batch": batch,
        "tally": tally,
        "rows_by": rows_by,
        "linkable": link_sheets.outlook(batch.id, current_user()).ready if current_user().may(Permission.MESSAGES_SEE) else 0,
        "deliveries": delivery_status.find_deliveries(
            {row.invitation_id for found in rows_by.values() for row in found if row.invitation_id}
        ),
        "changed": reports.changed_since(batch),
        "changed_access": partial(cells.changed_access, registry=lookup.registry()),
        "unsent": len(reports.unsent(batch)),
        "until": reports.valid_until(batch),
        "retention_days": in_force.settings().retention_days,
        "alarm": alarm,
        "slow": slow,
    }


def _outcome(name: str | None) -> Outcome | None:
    return Outcome(name) if name in list(Outcome) else None


@bp.get("/<int:batch_id>/report.csv")
@require(Permission.BATCHES_SEE)
def report(batch_id: int) -> Response:
    """Every row's outcome and reason as a file; `?outcome=skipped` for some of them, under a name of their own."""
    batch, outcome = batches.found(batch_id), _outcome(request.args.get("outcome"))
    unsent = reports.unsent(batch)

    def line(row: Row) -> tuple[str, ...]:
        reason = row.why or ("Not emailed: no mail server was set" if row.invitation_id in unsent else "")
        return str(row.line), row.email, row.role, row.groups, (row.outcome or Outcome.WAITING).value.capitalize(), reason

    name = f"{batch.name.rpartition('.')[0] or batch.name}-{outcome or 'results'}.csv"
    return attach(
        write_lines(("Row", "Email", "Role", "Groups", "Outcome", "Reason"), map(line, reports.each(batch, outcome))), name
    )

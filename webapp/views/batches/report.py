"""The report of a batch: what follows from it, and the report as a file."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for

from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.paging import member
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.attachments import attach
from webapp.http.batches.run_pages import joined_context, report_context
from webapp.http.questions import ask
from webapp.http.web import Answer, current_user, is_fragment, redirect_to, require
from webapp.models import Outcome, Row
from webapp.services.batches import joining, reminders, reverts, staging
from webapp.services.batches import report as reports
from webapp.services.batches import review as batches
from webapp.services.mail import outbox

bp = Blueprint("report", __name__, url_prefix="/batches/<int:batch_id>")

JOINED_WORDS = {True: "Yes", False: "No", None: ""}
"""Whether somebody who was invited has joined; blank for the others."""


@bp.post("/retries")
@require(Permission.INVITATIONS_MAKE)
def retry(batch_id: int) -> Answer:
    """Queue the failed e-mails again; those sent are never touched."""
    retried = outbox.retry_failed(batches.get_batch(batch_id), current_user())
    nothing = "Nothing can be retried: those invitations are closed, were sent again, or are to roles that you may not give."
    said = f"{plural(retried, 'email')} queued again." if retried else nothing
    return redirect_to("batches.show", batch_id=batch_id, say=said)


@bp.post("/changed-rows")
@require(Permission.INVITATIONS_MAKE)
def stage_again(batch_id: int) -> Answer:
    """A batch under review from the rows that had changed since this one's review: a new one, or the one there is."""
    batch = staging.stage_again(batch_id, current_user())
    return redirect_to("batches.show", batch_id=batch.id)


@bp.post("/reversal")
@require(Permission.INVITATIONS_MAKE)
def revert(batch_id: int) -> Answer:
    """On to the review of a revert: a new one, or the one that is under way."""
    batch = reverts.stage(batch_id, current_user())
    return redirect_to("batches.show", batch_id=batch.id)


@bp.get("/joined")
@require(Permission.BATCHES_SEE)
def joined(batch_id: int) -> Answer:
    """How many have joined by now; and who, where that is not what the page knows."""
    if not is_fragment():
        return redirect_to("batches.show", batch_id=batch_id)
    batch = batches.get_batch(batch_id)
    context = joined_context(batch)
    if request.args.get("known") != context["joined"].mark:
        context = report_context(batch)
    return render_template("batches/_joined_partial.html", **context)


@bp.get("/reminders")
@bp.post("/reminders")
@require(Permission.INVITATIONS_MAKE)
def remind(batch_id: int) -> Answer:
    """The question before all who have not joined get a reminder; a POST asks workers for it."""
    batch, by = batches.get_batch(batch_id), current_user()
    is_asked = request.method == "GET"
    n = reminders.count_due(batch, by) if is_asked else reminders.ask(batch_id, by)
    if not n:
        nobody = "Nobody is to be reminded now."
        return redirect_to("batches.show", batch_id=batch_id, say=nobody)
    if not is_asked:
        said = f"Reminders are on their way to {plural(n, 'person')}."
        return redirect_to("batches.show", batch_id=batch_id, say=said)
    return ask(
        asks=f"Send a reminder to {plural(n, 'person')}?",
        tells=f"The link stays the same and works {plural(batch.valid_days, 'day')} more.",
        does=f"Remind {n:,}",
        keeps="Cancel",
        home=url_for("batches.show", batch_id=batch_id),
        is_harmless=True,
        section="uploads",
        trail=(("Uploads", "batches.index"),),
    )


@bp.get("/report.csv")
@require(Permission.BATCHES_SEE)
def report(batch_id: int) -> Response:
    """Every row's outcome and reason, and who joined, as a file; `?outcome=skipped` for some rows, under a name of their own."""
    batch, outcome = batches.get_batch(batch_id), member(Outcome, request.args.get("outcome"))
    unsent = reports.unsent(batch)
    joined = joining.map_joined(batch)

    def line(row: Row) -> tuple[str, ...]:
        reason = row.why or (
            "Not emailed: no mail server was set" if row.invitation_id in unsent else ""
        )
        return (
            str(row.line),
            row.email,
            row.name,
            row.role,
            row.groups,
            (row.outcome or Outcome.WAITING).value.capitalize(),
            reason,
            JOINED_WORDS[joined.get(row.invitation_id)],
        )

    name = f"{batch.name.rpartition('.')[0] or batch.name}-{outcome or 'results'}.csv"
    return attach(
        write_lines(
            ("Row", "Email", "Name", "Role", "Groups", "Outcome", "Reason", "Joined"),
            map(line, reports.list_rows(batch, outcome)),
        ),
        name,
    )

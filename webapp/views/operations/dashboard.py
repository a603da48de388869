"""Home: what to do first, what needs attention, what is unfinished, and how invitations went."""

from __future__ import annotations

from flask import Blueprint, render_template, session

from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.http.forms import GroupsForm
from webapp.http.invite_dialog import dialog_context
from webapp.http.web import (
    SIGNED_IN,
    Answer,
    current_user,
    page_or_fragment,
    redirect_to,
    require,
)
from webapp.models import BatchKind, BatchState
from webapp.services.batches import joining, report, review
from webapp.services.directory import groups, lookup, people_list
from webapp.services.operations import change_settings, dashboard
from webapp.services.settings import in_force

bp = Blueprint("dashboard", __name__)

FEW = 10
"""Unfinished uploads that Home lists; a link leads to all."""
LAST = 3
"""Finished ones."""


@bp.get("/")
@require(SIGNED_IN)
def index() -> str:
    """Home, by what one may do; once one has joined, it welcomes."""
    by = current_user()
    has_joined = session.pop("joined", False)
    if not by.may(Permission.INVITATIONS_MAKE):
        return render_template(
            "operations/home/welcome.html", has_joined=has_joined, **dashboard.contact(by)
        )
    last = review.list_batches(LAST, kind=BatchKind.UPLOAD, states=[BatchState.FINISHED])
    last_ids = [batch.id for batch in last]
    everyone, counts = people_list.count_people(Filter())
    return render_template(
        "operations/home/index.html",
        has_joined=has_joined,
        form=GroupsForm(formdata=None),
        examples=groups.EXAMPLES,
        groups=lookup.registry().groups,
        everyone=everyone,
        counts=counts,
        without_email=in_force.organisation().without_email,
        unfinished=review.list_batches(FEW, states=review.OPEN_STATES),
        last=last,
        joined=joining.count_joined(last_ids),
        emailed=report.find_emailed(last_ids),
        attention=dashboard.attention(),
        weeks=dashboard.weeks(),
        **dialog_context(),
    )


@bp.post("/first-steps/email")
@require(Permission.ORGANISATION_MANAGE)
def go_without_email() -> Answer:
    """Mark the step as skipped."""
    change_settings.go_without_email(current_user())
    return redirect_to("dashboard.index", say="Muster goes on without email.")


@bp.get("/shortcuts")
@require(SIGNED_IN)
def shortcuts() -> Answer:
    """The keys there are: what the dialog shows, or a page."""
    return page_or_fragment("shortcuts/show.html", "shortcuts/_list.html")

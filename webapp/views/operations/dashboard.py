"""Home: what to do first, what needs attention, what is unfinished, and how invitations went."""

from __future__ import annotations

from flask import Blueprint, render_template

from webapp.core.security.permissions import Permission
from webapp.http.forms import GroupsForm
from webapp.http.web import SIGNED_IN, Answer, current_user, page_or_fragment, require
from webapp.services.batches import review
from webapp.services.directory import groups, lookup, people_list
from webapp.services.operations import dashboard

bp = Blueprint("dashboard", __name__)

FEW = 10
"""Unfinished uploads that Home lists; a link leads to all."""


@bp.get("/")
@require(SIGNED_IN)
def index() -> str:
    """Home, by what one may do."""
    invites, sees = (
        current_user().may(Permission.INVITATIONS_MAKE),
        current_user().may(Permission.BATCHES_SEE),
    )
    unfinished = review.list_batches(FEW, states=review.OPEN_STATES) if sees else []
    weeks = dashboard.weeks() if current_user().may(Permission.USERS_SEE) else []
    return render_template(
        "operations/home/index.html",
        form=GroupsForm(formdata=None),
        examples=groups.EXAMPLES,
        has_groups=bool(lookup.registry().groups) if invites else True,
        alone=invites and people_list.is_only_one(),
        unfinished=unfinished,
        attention=dashboard.attention(current_user()),
        weeks=weeks,
    )


@bp.get("/shortcuts")
@require(SIGNED_IN)
def shortcuts() -> Answer:
    """The keys there are: what the dialog shows, or a page."""
    return page_or_fragment("shortcuts/show.html", "shortcuts/_list.html")

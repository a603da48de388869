"""Role Management: users and invitations in one table, and the same as a file."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request, url_for

from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.people_filter import Concern, Filter, Sort, Status
from webapp.core.plan.registry import Registry
from webapp.core.security.permissions import Permission
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.invite_dialog import dialog_context
from webapp.http.person_menu import menu_context
from webapp.http.web import current_user, get_number, page_or_fragment, require
from webapp.services.directory import lookup, people_list
from webapp.services.directory.people_list import Listing
from webapp.services.mail import delivery_status
from webapp.services.settings import in_force

bp = Blueprint("people_list", __name__, url_prefix="/users")

NAMES = {
    Status.ACTIVE: "Active",
    Status.INVITED: "Invited",
    Status.EXPIRED: "Expired",
    Status.UNJOINED: "Not joined yet",
    Status.DEACTIVATED: "Deactivated",
}
CONCERNED = {
    Concern.FAILED: "whose email failed",
    Concern.UNSENT: "never emailed",
    Concern.EXPIRING: "whose invitation expires this week",
}


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> tuple[str, int]:
    """The list; `?invite=bulk` or `?invite=single` opens the dialog."""
    wanted, me, registry = Filter.parse(request.args), current_user(), lookup.registry()
    listing = people_list.list_people(wanted, get_number(request.args, "page") or 1)
    return page_or_fragment(
        "people/list/index.html",
        "people/list/_found.html",
        wanted=wanted,
        counts=people_list.count_allowed_actions(listing, wanted, me, registry),
        picking=me.may(Permission.INVITATIONS_MAKE),
        **list_context(listing, wanted, registry),
        **menu_context(registry),
        **dialog_context(),
    )


def list_context(listing: Listing, wanted: Filter, registry: Registry) -> dict[str, Any]:
    """The list with its filters, as the templates take them."""
    invited = (person.id for person in listing.page.rows if not person.is_user)
    return {
        "listing": listing,
        "deliveries": delivery_status.find_deliveries(invited),
        "filter": urlencode(wanted.args(sort=Sort.NAME)),
        "statuses": [(NAMES[status], listing.counts[status], status) for status in Status],
        "concerned": CONCERNED,
        "at": partial(address, wanted),
        "nobody": empty_message(wanted, registry),
        "export": url_for("people_list.export", **wanted.args()),
        "left_out": export_hint(listing, wanted),
        "alone": not wanted.is_on and listing.everybody < 2,
    }


@bp.get("/export.csv")
@require(Permission.USERS_SEE)
def export() -> Response:
    """What the filter finds, as a file that can be edited and uploaded."""
    today = utcnow().astimezone(in_force.settings().time_zone).date()
    return attach(
        write_lines(people_list.HEADER, people_list.export_lines(Filter.parse(request.args))),
        f"people-{today}.csv",
    )


def address(wanted: Filter, page: int = 1, **changed: Any) -> str:
    """The address of the list with this filter and what is changed of it."""
    values = wanted.args(**changed) | ({"page": str(page)} if page > 1 else {})
    return url_for("people_list.index", **values)


def empty_message(wanted: Filter, registry: Any) -> str:
    """Why the list is empty: "No one with status Expired in Exam Laptops matches “wood”."."""
    role, group = registry.role_by_id.get(wanted.role_id), registry.group_by_id.get(wanted.group_id)
    parts = [f"with status {NAMES[wanted.status]}"] if wanted.status else []
    parts += [f"with the role {role.name}"] if role else []
    parts += ["without groups"] if wanted.ungrouped else [f"in {group.name}"] if group else []
    parts += [f"among those {CONCERNED[wanted.concern]}"] if wanted.concern else []
    parts += ["invited by this upload"] if wanted.batch_id else []
    parts += [f"matches “{wanted.search}”" if wanted.search else "is here"]
    return f"No one {' '.join(parts)}."


def export_hint(listing: Listing, wanted: Filter) -> str:
    """Whom the file leaves out: "Export CSV leaves out 3 deactivated and 1 expired. Choose a status to export them, too."."""
    parts = [
        f"{listing.counts[status]:,} {status.value}"
        for status in people_list.not_exported(wanted)
        if listing.counts[status]
    ]
    if not parts:
        return ""
    return f"Export CSV leaves out {' and '.join(parts)}. Choose a status to export them, too."

"""Role Management: users and invitations in one table, and the same as a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request, url_for

from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.people_filter import Filter, Sort
from webapp.core.security.permissions import Permission
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.invite_dialog import dialog_context
from webapp.http.person_menu import menu_context
from webapp.http.web import Answer, get_number, page_or_fragment, require
from webapp.services.directory import lookup, people_list
from webapp.services.mail import outbox

bp = Blueprint("people_list", __name__, url_prefix="/users")


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> Answer:
    """The list; `?invite=bulk` or `?invite=single` opens the dialog."""
    wanted = Filter.parse(request.args)
    listing = people_list.list_people(wanted, get_number(request.args, "page") or 1)
    invited = [person.id for person in listing.page.rows if not person.is_user]
    left_out = []
    for status in people_list.not_exported(wanted):
        if n := listing.counts[status]:
            left_out.append(f"{n:,} {status}")

    def address(page: int = 1, **changed: Any) -> str:
        """Of the list with this filter and what is changed of it."""
        values = wanted.args(**changed)
        if page > 1:
            values["page"] = str(page)
        return url_for("people_list.index", **values)

    return page_or_fragment(
        "people/list/index.html",
        "people/list/_found.html",
        wanted=wanted,
        listing=listing,
        deliveries=outbox.find_deliveries(invited),
        filter=urlencode(wanted.args(sort=Sort.NAME)),
        at=address,
        left_out=left_out,
        **menu_context(lookup.registry()),
        **dialog_context(),
    )


@bp.get("/export.csv")
@require(Permission.USERS_SEE)
def export() -> Response:
    """What the filter finds, as a file that can be edited and uploaded."""
    lines = people_list.export_lines(Filter.parse(request.args))
    return attach(write_lines(people_list.HEADER, lines), f"people-{utcnow():%Y-%m-%d}.csv")

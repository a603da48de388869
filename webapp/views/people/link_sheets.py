"""Link sheets: the links of many invitations as a file for mail merge, or as slips to print."""

from __future__ import annotations

import segno
from flask import Blueprint, Response, render_template, request, url_for

from webapp.core.errors import RuleViolationError
from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import full
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.auth import check_given_password
from webapp.http.web import current_user, get_number, require
from webapp.schemas.actions import ChosenSchema
from webapp.services.batches import review
from webapp.services.people import link_sheets
from webapp.services.people.link_sheets import Chosen, Slip
from webapp.services.settings import in_force

bp = Blueprint("link_sheets", __name__, url_prefix="/link-sheets")

HEADER = ("Email", "Role", "Groups", "Link", "Works until")


@bp.get("/new")
@require(Permission.MESSAGES_SEE)
def new() -> str:
    """Who would be on the sheet: `batch`, or the list's filter. Nothing is handed over yet."""
    return outlook()


@bp.post("/new")
@require(Permission.MESSAGES_SEE)
def new_for_selected() -> str:
    """The same for people who were picked in the list."""
    return outlook()


@bp.post("")
@require(Permission.MESSAGES_SEE)
def create() -> Response | str | tuple[str, int]:
    """Hand over the links as CSV or slips; costs the password if a link makes someone manage users."""
    form = request.form.get("form")
    if form not in ("csv", "slips"):
        raise RuleViolationError("Choose a CSV file or slips to print.")
    try:
        slips = link_sheets.make(
            _chosen(), current_user(), proven=check_given_password("No sheet was made.")
        )
    except RuleViolationError as refusal:
        return outlook(problem=str(refusal)), refusal.status
    if form == "csv":
        today = utcnow().astimezone(in_force.settings().time_zone).date()
        return attach(
            write_lines(HEADER, [_line(slip) for slip in slips]), f"link-sheet-{today}.csv"
        )
    return render_template(
        "people/link_sheets/show.html", slips=[(slip, code(slip.link)) for slip in slips]
    )


def _chosen() -> Chosen:
    if batch_id := get_number(request.args, "batch"):
        return review.get_batch(batch_id).id
    chosen: Chosen = (
        ChosenSchema().load(request.form)["people"]
        if _people_field()
        else Filter.parse(request.args)
    )
    return chosen


def _people_field() -> str:
    """The people who were picked one by one, as the form has them."""
    return "" if request.form.get("all") else request.form.get("people", "")


def outlook(problem: str = "") -> str:
    """The page before the hand-over."""
    chosen = _chosen()
    batch = review.get_batch(chosen) if isinstance(chosen, int) else None
    query = {"batch": batch.id} if batch else Filter.parse(request.args).args()
    context = {
        "batch": batch,
        "people": _people_field(),
        "address": url_for("link_sheets.create", **query),
        "problem": problem,
    }
    return render_template(
        "people/link_sheets/new.html",
        found=link_sheets.outlook(chosen, current_user()),
        most=link_sheets.MOST,
        **context,
    )


def code(link: str) -> str:
    """The link as a QR code, in an address that an image can have."""
    return str(
        segno.make(link, error="m", micro=False).svg_data_uri(scale=4, border=2, light="#fff")
    )


def _line(slip: Slip) -> tuple[str, ...]:
    until = full(slip.expires_at, in_force.settings().time_zone)
    return slip.email, slip.role, ", ".join(slip.groups), slip.link, until

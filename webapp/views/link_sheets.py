"""Link sheets: the links of many invitations as a file for mail merge, or as slips to print."""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, Response, render_template, request, url_for

from webapp.attachments import attach
from webapp.core.errors import Refused
from webapp.core.permissions import Permission
from webapp.core.template import written
from webapp.core.words import full
from webapp.db import utcnow
from webapp.schemas.actions import ChosenSchema
from webapp.services import batches, directory, link_sheets
from webapp.services.link_sheets import Chosen, Slip
from webapp.views.users import asked_for
from webapp.web import allow, me, number

bp = Blueprint("link_sheets", __name__, url_prefix="/link-sheets")

HEADER = ("Email", "Role", "Groups", "Link", "Works until")


@bp.get("/new")
@allow(Permission.MESSAGES_SEE)
def new() -> str:
    """Who would be on the sheet: `batch`, or the list's filter. Nothing is handed over yet."""
    batch_id = number(request.args, "batch")
    if batch_id:
        batch = batches.found(batch_id)
        return outlook(batch.id, {"batch": batch.id}, batch=batch)
    return outlook(asked_for(), asked_for().args())


@bp.post("/new")
@allow(Permission.MESSAGES_SEE)
def new_for_selected() -> str:
    """The same for people who were picked in the list."""
    return outlook(_chosen(), asked_for().args(), people="" if request.form.get("all") else request.form["people"])


@bp.post("")
@allow(Permission.MESSAGES_SEE)
def create() -> Response | str:
    """Hand the links over, as `form` says: "csv" or "slips"."""
    form = request.form.get("form")
    if form not in ("csv", "slips"):
        raise Refused("Choose a CSV file or slips to print.")
    slips = link_sheets.make(_chosen(), me())
    if form == "csv":
        today = utcnow().astimezone(directory.settings().time_zone).date()
        return attach(written(HEADER, [_line(slip) for slip in slips]), f"link-sheet-{today}.csv")
    return render_template("link_sheets/show.html", slips=[(slip, code(slip.link)) for slip in slips])


def _chosen() -> Chosen:
    if batch_id := number(request.args, "batch"):
        return batches.found(batch_id).id
    chosen: Chosen = ChosenSchema().load(request.form)["people"] if request.form.get("people") else asked_for()
    return chosen


def outlook(chosen: Chosen, query: dict[str, Any], **context: Any) -> str:
    """The page before the hand-over. query: what says again who is meant."""
    found = link_sheets.outlook(chosen, me())
    address = url_for("link_sheets.create", **query)
    return render_template("link_sheets/new.html", found=found, most=link_sheets.MOST, address=address, **context)


def code(link: str) -> str:
    """The link as a QR code, in an address that an image can have."""
    return str(segno.make(link, error="m", micro=False).svg_data_uri(scale=4, border=2, light="#fff"))


def _line(slip: Slip) -> tuple[str, ...]:
    until = full(slip.expires_at, directory.settings().time_zone)
    return slip.email, slip.role, ", ".join(slip.groups), slip.link, until

"""Link sheets: the links of many invitations as a file for mail merge, or as slips to print."""

from __future__ import annotations

import segno
from flask import Blueprint, render_template, request

from webapp.core.errors import RuleViolationError
from webapp.core.files.csv_writer import write_lines
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import full
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.auth import check_given_password, explain
from webapp.http.person_menu import read_people
from webapp.http.web import Answer, current_user, require
from webapp.services.people import link_sheets
from webapp.services.settings import in_force

bp = Blueprint("link_sheets", __name__, url_prefix="/link-sheets")

HEADER = ("Email", "Name", "Role", "Groups", "Link", "Works until")


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.MESSAGES_SEE)
def new(problem: str = "") -> str:
    """Who would be on the sheet; nothing is handed over yet."""
    return render_template(
        "people/link_sheets/new.html",
        found=link_sheets.find_links(read_people(), current_user()),
        most=link_sheets.MOST,
        problem=problem,
    )


@bp.post("")
@require(Permission.MESSAGES_SEE)
def create() -> Answer:
    """Hand over the links as CSV or slips; costs the password if a link makes someone manage users."""
    try:
        proven = check_given_password()
        made = link_sheets.make(read_people(), current_user(), proven=proven)
    except RuleViolationError as refusal:
        return new(explain(refusal)), refusal.status
    if request.form.get("form") == "csv":
        zone = in_force.settings().time_zone
        lines = []
        for each, link in made:
            assert each.expires_at
            line = (
                each.email,
                each.name,
                each.role.name,
                each.group_names,
                link,
                full(each.expires_at, zone),
            )
            lines.append(line)
        return attach(write_lines(HEADER, lines), f"link-sheet-{utcnow():%Y-%m-%d}.csv")
    slips = []
    for each, link in made:
        code = segno.make(link, error="m", micro=False)
        slips.append((each, link, code.svg_data_uri(scale=4, border=2, light="#fff")))
    return render_template("people/link_sheets/show.html", slips=slips)

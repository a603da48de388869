"""Handing over ownership."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.lists.paging import searched
from webapp.core.lists.people_filter import Filter, Status
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_password, renew_session
from webapp.http.web import Answer, current_user, get_number, redirect_to, require
from webapp.services.directory import people_list
from webapp.services.people import ownership

bp = Blueprint("ownership", __name__, url_prefix="/ownership")


@bp.route("", methods=["GET", "POST"])
@require(Permission.ORGANISATION_MANAGE)
def show() -> Answer:
    """Who could become Owner; `?heir=7` shows what happens then, and asks for the password. POST hands it over."""
    heir_id = get_number(request.values, "heir")
    if heir_id is None:
        wanted = Filter(Status.ACTIVE, searched(request.args.get("q", "")))
        listing = people_list.list_people(wanted)
        return render_template(
            "people/ownership/index.html",
            listing=listing,
            search=wanted.search,
        )
    me = current_user()
    heir = ownership.get_heir(heir_id, me)
    problem: ConflictError | RuleViolationError | None = None
    if request.method == "POST":
        try:
            check_password(request.form.get("password", ""))
            ownership.hand_over(heir_id, me, get_number(request.form, "role"))
            renew_session()
            said = f"{heir.name} is the Owner now. You are {me.role.name}."
            return redirect_to("dashboard.index", say=said)
        except (ConflictError, RuleViolationError) as refusal:
            problem = refusal
    page = render_template(
        "people/ownership/show.html",
        heir=heir,
        problem=problem,
    )
    status = problem.status if problem else 200
    return page, status

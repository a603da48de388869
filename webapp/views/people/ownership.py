"""Handing over ownership."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.lists.paging import searched
from webapp.core.lists.people_filter import Filter, Status
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_password, renew_session
from webapp.http.web import current_user, get_number, redirect_to, require
from webapp.services.directory import people_list
from webapp.services.people import ownership

bp = Blueprint("ownership", __name__, url_prefix="/ownership")


@bp.get("")
@require(Permission.ORGANISATION_MANAGE)
def show() -> str:
    """Who could become Owner; `?heir=7` shows what happens then, and asks for the password."""
    return page(get_number(request.args, "heir"))


@bp.post("")
@require(Permission.ORGANISATION_MANAGE)
def hand_over() -> BaseResponse | tuple[str, int]:
    """Hand it over, as the page said."""
    heir_id = get_number(request.form, "heir")
    if heir_id is None:
        raise RuleViolationError("Choose who becomes Owner.")
    ownership.heir(heir_id, current_user())
    try:
        check_password(request.form.get("password", ""), "Nothing was changed.")
        heir = ownership.hand_over(heir_id, current_user(), get_number(request.form, "role") or 0)
    except ConflictError as conflict:
        flash(str(conflict), "warn")
        return page(heir_id), 409
    except RuleViolationError as refusal:
        return page(heir_id, str(refusal)), refusal.status
    renew_session()
    return redirect_to(
        "dashboard.index", say=f"{heir.name} is the Owner now. You are {current_user().role.name}."
    )


def page(heir_id: int | None, problem: str = "") -> str:
    """The search for an heir, or the question before it is handed over."""
    search, listing = searched(request.args.get("q", "")), None
    if heir_id is None:
        wanted = Filter(Status.ACTIVE, search=search)
        listing = people_list.list_people(wanted, get_number(request.args, "page") or 1)
    heir = ownership.heir(heir_id, current_user()) if heir_id else None
    return render_template(
        "people/ownership/show.html", heir=heir, listing=listing, search=search, problem=problem
    )

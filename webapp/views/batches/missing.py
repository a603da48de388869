"""Who of a list, a group or a role is not in an upload: whose access may end."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.core.errors import ForbiddenError
from webapp.core.security.permissions import Permission
from webapp.http.person_menu import person_address
from webapp.http.web import Answer, current_user, redirect_to, require
from webapp.services.batches import missing
from webapp.services.directory import people_list

bp = Blueprint("missing", __name__, url_prefix="/batches/<int:batch_id>/missing")


@bp.get("")
@require(Permission.USERS_MANAGE)
def show(batch_id: int) -> Answer:
    """Those of `scope` (`earlier`, `group-3`, `role-2`) who are missing; without one, those of the earlier list.

    Raises ForbiddenError for who manages users but may not see uploads.
    """
    if not current_user().may(Permission.BATCHES_SEE):
        raise ForbiddenError
    batch = missing.get_file(batch_id)
    scopes = missing.list_scopes(batch)
    scope = request.args.get("scope") or (missing.EARLIER if missing.EARLIER in scopes else "")
    found = missing.find_missing(batch, scope) if scope else None
    return render_template(
        "batches/missing/show.html",
        batch=batch,
        scopes=scopes,
        scope=scope,
        found=found,
        people=people_list.load(found.people[: missing.SHOWN]) if found else [],
        unreadable=missing.count_unreadable(batch),
        address=person_address,
    )


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create(batch_id: int) -> Answer:
    """Stage an action on those of `scope` who are missing, on to its review."""
    batch = missing.get_file(batch_id)
    action = missing.stage(batch, request.form.get("scope", ""), current_user())
    return redirect_to("batches.show", batch_id=action.id)

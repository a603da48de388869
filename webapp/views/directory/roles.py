"""Roles: the permission matrix, and for the Owner new, changed and deleted ones."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import MEANINGS, Permission
from webapp.http.forms import RoleForm, show_errors
from webapp.http.web import Answer, current_user, get_number, redirect_to, require
from webapp.services.directory import roles

bp = Blueprint("roles", __name__, url_prefix="/roles")


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> str:
    """Who may what."""
    return page("index")


@bp.get("/new")
@bp.get("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def show(role_id: int | None = None) -> str:
    """The form of a role, or for a new one; `?like=3` begins with the rank and permissions of another."""
    like = role_id or get_number(request.args, "like")
    form = RoleForm(formdata=None, obj=roles.get_role(like) if like else None)
    if not role_id:
        form.name.data = form.description.data = ""
    return page("form", role_id, form=form)


@bp.post("")
@bp.post("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def save(role_id: int | None = None) -> Answer:
    """Make or change a role; it is in the template, the pickers and the checks at once."""
    form = RoleForm()
    if not form.validate():
        return page("form", role_id, form=form), 422
    try:
        role = roles.save(
            role_id,
            form.name.data,
            form.description.data,
            int(form.rank.data),
            form.permissions.data,
            current_user(),
        )
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return page("form", role_id, form=form), 422
    said = f"“{role.name}” {'saved' if role_id else 'added'}."
    return redirect_to("roles.index", say=said)


@bp.get("/<int:role_id>/deletion")
@bp.post("/<int:role_id>/deletion")
@require(Permission.ORGANISATION_MANAGE)
def deletion(role_id: int) -> Answer:
    """Who holds it, and what they get instead, with `?replacement=4`; a POST deletes it."""
    wanted = get_number(request.values, "replacement")
    if request.method == "POST":
        name = roles.remove(role_id, wanted, current_user())
        return redirect_to("roles.index", say=f"“{name}” deleted.")
    others = roles.list_replacements(roles.get_role(role_id))
    replacement = next((role for role in others if role.id == wanted), None)
    return page("deletion", role_id, others=others, replacement=replacement)


def page(name: str, role_id: int | None = None, **context: Any) -> str:
    """A page about all roles, or about one of them."""
    return render_template(
        f"directory/roles/{name}.html",
        role=roles.get_role(role_id) if role_id else None,
        roles=roles.list_roles(),
        meanings=MEANINGS,
        **roles.count_holders(),
        **context,
    )

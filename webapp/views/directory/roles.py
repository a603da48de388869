"""Roles: the permission matrix, and for the Owner new, changed and deleted ones."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import MEANINGS, Permission
from webapp.http.forms import RoleForm, show_errors
from webapp.http.web import current_user, get_number, redirect_to, require
from webapp.models import AliasKind
from webapp.services.directory import aliases, roles
from webapp.services.directory.roles import Counted

bp = Blueprint("roles", __name__, url_prefix="/roles")


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> str:
    """Who may what."""
    return render_template(
        "directory/roles/index.html", roles=roles.list_roles(), meanings=MEANINGS
    )


@bp.get("/new")
@bp.get("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def show(role_id: int | None = None) -> str:
    """The form of a role, or for a new one; `?like=3` begins with the rank and permissions of another."""
    held = roles.get_role(role_id) if role_id else None
    like = get_number(request.args, "like")
    model = held or (roles.get_role(like) if like else None)
    form = RoleForm(formdata=None, obj=model.role if model else None)
    if held is None:
        form.name.data = ""
    return form_page(form, held)


@bp.post("")
@bp.post("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def save(role_id: int | None = None) -> BaseResponse | tuple[str, int]:
    """Make or change a role; it is in the template, the pickers and the checks at once."""
    form = RoleForm()
    try:
        role = roles.save(role_id, form.data, current_user())
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return form_page(form, roles.get_role(role_id) if role_id else None), 422
    said = f"“{role.name}” {'saved' if role_id else 'added'}."
    return redirect_to("roles.index", say=said)


def form_page(form: RoleForm, held: Counted | None = None) -> str:
    """The form. held: the role that is changed, or None for a new one."""
    return render_template(
        "directory/roles/form.html",
        form=form,
        held=held,
        meanings=MEANINGS,
        roles=roles.list_roles(),
    )


@bp.get("/<int:role_id>/deletion")
@require(Permission.ORGANISATION_MANAGE)
def deletion(role_id: int) -> str:
    """Who holds it, and what they get instead, before it is deleted."""
    return deletion_page(role_id)


@bp.post("/<int:role_id>/deletion")
@require(Permission.ORGANISATION_MANAGE)
def delete(role_id: int) -> BaseResponse | tuple[str, int]:
    """Delete it; its people get the replacement."""
    replacement = get_number(request.form, "replacement")
    try:
        name = roles.remove(role_id, replacement, current_user())
    except RuleViolationError as refusal:
        return deletion_page(role_id, str(refusal)), 422
    return redirect_to("roles.index", say=f"“{name}” deleted.")


def deletion_page(role_id: int, problem: str = "") -> str:
    """Ask before deleting a role; `?replacement=4` previews the replacement."""
    held = roles.get_role(role_id)
    others = [
        each.role
        for each in roles.list_roles()
        if each.role.id != role_id and not each.role.is_owner
    ]
    wanted = get_number(request.values, "replacement")
    return render_template(
        "directory/roles/deletion.html",
        held=held,
        others=others,
        replacement=next((role for role in others if role.id == wanted), None),
        rows=aliases.count_rows_naming(AliasKind.ROLE, [role_id]),
        problem=problem,
    )

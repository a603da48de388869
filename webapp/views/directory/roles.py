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
@require(Permission.ORGANISATION_MANAGE)
def new() -> str:
    """The form for a new role; `?like=3` begins with the rank and permissions of another."""
    like = get_number(request.args, "like")
    model = roles.get_role(like).role if like else None
    form = RoleForm(
        formdata=None, data={"rank": model.rank, "permissions": model.permissions} if model else {}
    )
    return form_page(form)


@bp.post("")
@require(Permission.ORGANISATION_MANAGE)
def create() -> BaseResponse | tuple[str, int]:
    """Make a role; it is in the template, the pickers and the checks at once."""
    form = RoleForm()
    try:
        role = roles.add(form.data, current_user())
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return form_page(form), 422
    return redirect_to("roles.index", say=f"“{role.name}” added.")


@bp.get("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def show(role_id: int) -> str:
    """The form of a role."""
    held = roles.get_role(role_id)
    values = {"name": held.role.name, "rank": held.role.rank, "permissions": held.role.permissions}
    return form_page(RoleForm(formdata=None, data=values), held)


@bp.post("/<int:role_id>")
@require(Permission.ORGANISATION_MANAGE)
def update(role_id: int) -> BaseResponse | tuple[str, int]:
    """Change a role; it holds from everybody's next click on."""
    form = RoleForm()
    try:
        role = roles.change(role_id, form.data, current_user())
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return form_page(form, roles.get_role(role_id)), 422
    return redirect_to("roles.index", say=f"“{role.name}” saved.")


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

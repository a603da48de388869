"""What files may say: other names of roles and groups, and columns that are remembered."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.core.security.permissions import Permission
from webapp.http.web import Answer, current_user, redirect_to, require
from webapp.services.directory import aliases, groups, roles

bp = Blueprint("aliases", __name__, url_prefix="/aliases")


@bp.get("")
@require(Permission.USERS_MANAGE)
def index() -> str:
    """All that is remembered, to be forgotten."""
    return render_template(
        "directory/aliases/index.html",
        words=[("Groups", groups.list_groups()), ("Roles", roles.list_roles())],
        columns=aliases.list_header_mappings(),
    )


@bp.post("/<int:alias_id>/removal")
@require(Permission.USERS_MANAGE)
def removal(alias_id: int) -> Answer:
    """Forget a word, and back to the page that showed it."""
    word = aliases.forget(alias_id, current_user())
    said = f"“{word}” means nothing to files any more."
    return redirect_to("aliases.index", say=said, back=request.form.get("next"))


@bp.post("/columns/<int:mapping_id>/removal")
@require(Permission.USERS_MANAGE)
def removal_of_columns(mapping_id: int) -> Answer:
    """Read files with this header by their column names again."""
    aliases.forget_header_mapping(mapping_id, current_user())
    said = "Forgotten. The columns of such files are asked for again."
    return redirect_to("aliases.index", say=said)

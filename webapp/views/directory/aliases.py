"""What files may say: other names of roles and groups, and columns that are remembered."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.security.permissions import Permission
from webapp.http.questions import SETTINGS, Question, ask
from webapp.http.web import Page, current_user, redirect_to, require
from webapp.services.directory import aliases, groups, roles

bp = Blueprint("aliases", __name__, url_prefix="/aliases")

REMEMBERED = (*SETTINGS, ("Remembered words", "aliases.index"))


@bp.get("")
@require(Permission.USERS_MANAGE)
def index() -> str:
    """All that is remembered, to be forgotten."""
    return render_template(
        "directory/aliases/index.html",
        words=[("Groups", groups.list_groups()), ("Roles", roles.list_roles())],
        columns=aliases.list_header_mappings(),
    )


@bp.get("/<int:alias_id>/removal")
@bp.post("/<int:alias_id>/removal")
@require(Permission.USERS_MANAGE)
def removal(alias_id: int) -> BaseResponse | Page:
    """The question before a word is forgotten; a POST forgets it."""
    alias, meant = aliases.get_alias(alias_id)
    if request.method != "POST":
        return ask_to_forget(f"“{alias.word}”", f"Files that say it no longer mean {meant.name}.")
    said, group_id = f"“{alias.word}” means nothing to files any more.", alias.group_id
    aliases.forget(alias_id, current_user())
    back = request.form.get("next")
    if group_id:
        return redirect_to("groups.show", group_id=group_id, say=said, back=back)
    return redirect_to("roles.index", say=said, back=back)


@bp.get("/columns/<int:mapping_id>/removal")
@bp.post("/columns/<int:mapping_id>/removal")
@require(Permission.USERS_MANAGE)
def removal_of_columns(mapping_id: int) -> BaseResponse | Page:
    """The question before columns are forgotten; a POST has files with this header read by their column names again."""
    if request.method != "POST":
        names = aliases.get_header_mapping(mapping_id).names.values()
        what = " and ".join(f"“{name}”" for name in names) or "these columns"
        return ask_to_forget(what, "The columns of the next such file are asked for again.")
    aliases.forget_header_mapping(mapping_id, current_user())
    said = "Forgotten. The columns of such files are asked for again."
    return redirect_to("aliases.index", say=said)


def ask_to_forget(what: str, tells: str) -> tuple[str, int]:
    """The question before something is forgotten."""
    home = url_for("aliases.index")
    return ask(Question(f"Forget {what}?", tells, "Forget", home, trail=REMEMBERED))

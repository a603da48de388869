"""What files may say: other names of roles and groups, and columns that are remembered."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.security.permissions import Permission
from webapp.http.questions import SETTINGS, Question, ask
from webapp.http.web import current_user, redirect_to, require
from webapp.models import AliasKind
from webapp.services.directory import aliases, lookup

bp = Blueprint("aliases", __name__, url_prefix="/aliases")

REMEMBERED = (*SETTINGS, ("Remembered words", "aliases.index"))


@bp.get("")
@require(Permission.USERS_MANAGE)
def index() -> str:
    """All that is remembered, to be forgotten."""
    registry = lookup.registry()
    return render_template(
        "directory/aliases/index.html",
        words=[
            ("Groups", registry.groups, aliases.list_aliases(AliasKind.GROUP)),
            ("Roles", registry.roles, aliases.list_aliases(AliasKind.ROLE)),
        ],
        columns=aliases.list_header_mappings(),
    )


@bp.get("/<int:alias_id>/removal")
@require(Permission.USERS_MANAGE)
def removal(alias_id: int) -> tuple[str, int]:
    """The question before a word is forgotten."""
    alias, meant = aliases.get_alias(alias_id)
    return ask(
        Question(
            asks=f"Forget “{alias.word}”?",
            tells=f"Files that say it no longer mean {meant.name}.",
            does="Forget",
            home=url_for("aliases.index"),
            trail=REMEMBERED,
        )
    )


@bp.post("/<int:alias_id>/removal")
@require(Permission.USERS_MANAGE)
def remove(alias_id: int) -> BaseResponse:
    """From now on the word means nothing."""
    group_id, word = aliases.forget(alias_id, current_user())
    said, back = f"“{word}” means nothing to files any more.", request.form.get("next")
    return (
        redirect_to("groups.show", group_id=group_id, say=said, back=back)
        if group_id
        else redirect_to("roles.index", say=said, back=back)
    )


@bp.get("/columns/<int:mapping_id>/removal")
@require(Permission.USERS_MANAGE)
def removal_of_columns(mapping_id: int) -> tuple[str, int]:
    """The question before columns are forgotten."""
    names = aliases.get_header_mapping(mapping_id).names
    return ask(
        Question(
            asks=f"Forget {' and '.join(f'“{name}”' for name in names.values()) or 'these columns'}?",
            tells="The columns of the next such file are asked for again.",
            does="Forget",
            home=url_for("aliases.index"),
            trail=REMEMBERED,
        )
    )


@bp.post("/columns/<int:mapping_id>/removal")
@require(Permission.USERS_MANAGE)
def remove_columns(mapping_id: int) -> BaseResponse:
    """From now on files with this header are read by their column names again."""
    aliases.forget_columns_of(mapping_id, current_user())
    return redirect_to(
        "aliases.index", say="Forgotten. The columns of such files are asked for again."
    )

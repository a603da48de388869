"""Other names of roles and groups, as files may say them."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.permissions import Permission
from webapp.services import aliases
from webapp.web import allow, go, me

bp = Blueprint("aliases", __name__, url_prefix="/aliases")


@bp.post("/<int:alias_id>/removal")
@allow(Permission.USERS_MANAGE)
def remove(alias_id: int) -> BaseResponse:
    """From now on the word means nothing."""
    group_id, word = aliases.forget(alias_id, me())
    said = f"“{word}” means nothing to files any more."
    return go("groups.show", group_id=group_id, say=said) if group_id else go("roles.index", say=said)

"""Roles: listed."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.core.security.permissions import Permission, describe_role
from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.web import current_user, require
from webapp.schemas.api.people import RolesOutput
from webapp.services.directory import roles

bp = Blueprint("api_roles", __name__, url_prefix="/api/v1/roles")


@bp.get("")
@require(Permission.USERS_SEE)
@describe("List roles", gives=RolesOutput)
def index() -> Response:
    """All roles, the highest first, and whether one may give them."""
    me = current_user()
    found = []
    for role in roles.list_roles():
        values = {name: getattr(role, name) for name in ("id", "name", "rank", "permissions")}
        values |= {"description": describe_role(role), "may_give": me.may_grant(role)}
        found.append(values)
    return answers.answer(RolesOutput, {"roles": found})

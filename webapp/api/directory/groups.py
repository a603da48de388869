"""Device groups: listed and added."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.api.requests import read_body
from webapp.http.web import current_user, require
from webapp.models import Group
from webapp.schemas.api.people import GroupInput, GroupOutput, GroupsOutput
from webapp.services.directory import groups

bp = Blueprint("api_groups", __name__, url_prefix="/api/v1/groups")


@bp.get("")
@require(Permission.USERS_SEE)
@describe("List groups", gives=GroupsOutput)
def index() -> Response:
    """All device groups by name, with their other names."""
    found = [group_values(group) for group in groups.list_groups()]
    return answers.answer(GroupsOutput, {"groups": found})


@bp.post("")
@require(Permission.USERS_MANAGE)
@describe("Add a group", body=GroupInput, gives=GroupOutput, status=201)
def create() -> Response:
    """Add a group. Rows under review that wait for it are judged again."""
    body = read_body(GroupInput)
    try:
        [made] = groups.add_groups([body["name"]], current_user(), body["description"])
    except RuleViolationError as refusal:
        refusal.field = "name"
        raise
    return answers.answer(GroupOutput, group_values(made), 201)


def group_values(group: Group) -> dict[str, Any]:
    """A group as `GroupOutput` takes it."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "other_names": [alias.word for alias in group.aliases],
    }

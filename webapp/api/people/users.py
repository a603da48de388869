"""Users: listed, looked at, changed."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.core.errors import VersionOutdatedError
from webapp.core.plan.actions import Theirs
from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.api.people import access_tag, person_values, read_action
from webapp.http.api.requests import read_body, read_query, seen_tag
from webapp.http.api.token import is_proven
from webapp.http.web import current_user, require
from webapp.models import User, UserState
from webapp.schemas.api.people import UserOutput, UserPatch, UsersOutput, UsersQuery
from webapp.services.directory import people_pages
from webapp.services.people import person as people

bp = Blueprint("api_users", __name__, url_prefix="/api/v1/users")


@bp.get("")
@require(Permission.USERS_SEE)
@describe("List users", query=UsersQuery, gives=UsersOutput)
def index() -> Response:
    """People who can sign in, or could, by id. Who is only invited is among the invitations."""
    query = read_query(UsersQuery)
    state = UserState(query["state"]) if "state" in query else None
    limit = query["limit"]
    found = people_pages.list_users(query.get("after", 0), limit, state)
    following = found[-1].id if len(found) == limit else None
    values = [person_values(user) for user in found]
    return answers.page(UsersOutput, "users", values, following)


@bp.get("/<int:user_id>")
@require(Permission.USERS_SEE)
@describe("Look at a user", gives=UserOutput)
def show(user_id: int) -> Response:
    """A user. The ETag stands for role, groups and state: changing these takes it."""
    return answer_user(people.get_user(user_id))


@bp.patch("/<int:user_id>")
@require(Permission.USERS_MANAGE)
@describe("Change a user", body=UserPatch, gives=UserOutput, headers={"If-Match": True})
def update(user_id: int) -> Response:
    """Change the role, the groups or the state of a user: one of them at a time, as If-Match has seen it.

    Who is deactivated is signed out, their tokens are revoked, and so are their invitations to roles that manage people.
    """
    seen = seen_tag()
    action = read_action(read_body(UserPatch))
    user = people.get_user(user_id)
    if seen != access_tag(user):
        raise VersionOutdatedError("This person’s access has changed. Look again, then choose.")
    people.change(
        user,
        action,
        current_user(),
        as_seen=people.access_key(user),
        proven=is_proven(),
        theirs=Theirs.REVOKE_MANAGING,
    )
    return answer_user(people.get_user(user_id))


def answer_user(user: User) -> Response:
    """A user with their tag."""
    return answers.answer(UserOutput, person_values(user), exact_tag=access_tag(user))

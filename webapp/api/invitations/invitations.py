"""Invitations: made one at a time, listed, sent again, revoked."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from webapp.core.plan.actions import Action, Do, Theirs
from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.api.people import person_values
from webapp.http.api.requests import read_body, read_query
from webapp.http.api.token import is_proven
from webapp.http.web import current_user, require
from webapp.schemas.api.batches import RowInput
from webapp.schemas.api.people import InvitationOutput, InvitationsOutput, InvitationsQuery
from webapp.services.batches import single_invite
from webapp.services.directory import people_pages
from webapp.services.people import person as people

bp = Blueprint("api_invitations", __name__, url_prefix="/api/v1/invitations")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
@describe("Invite one person", body=RowInput, gives=InvitationOutput, status=201)
def create() -> Response:
    """Invite one person at once, without a review. Who is here already, or invited, is a 409 with `person`."""
    body = read_body(RowInput)
    cells = body | {"groups": ", ".join(body["groups"])}
    made = single_invite.invite(cells, current_user(), proven=is_proven())
    location = url_for("api_invitations.show", invitation_id=made.id)
    return answers.answer(InvitationOutput, person_values(made), 201, location=location)


@bp.get("")
@require(Permission.USERS_SEE)
@describe("List invitations", query=InvitationsQuery, gives=InvitationsOutput)
def index() -> Response:
    """Invitations, open and closed, by id."""
    query = read_query(InvitationsQuery)
    limit = query["limit"]
    found = people_pages.list_invitations(query.get("after", 0), limit, query.get("state"))
    following = found[-1].id if len(found) == limit else None
    values = [person_values(invitation) for invitation in found]
    return answers.page(InvitationsOutput, "invitations", values, following)


@bp.get("/<int:invitation_id>")
@require(Permission.USERS_SEE)
@describe("Look at an invitation", gives=InvitationOutput)
def show(invitation_id: int) -> Response:
    """An invitation as it is now."""
    found = people.get_person(invitation_id=invitation_id)
    return answers.answer(InvitationOutput, person_values(found))


@bp.post("/<int:invitation_id>/messages")
@require(Permission.INVITATIONS_MAKE)
@describe("Send an invitation again", gives=InvitationOutput, status=202)
def resend(invitation_id: int) -> Response:
    """Send it again: the link stays good, and its time begins again. At most three times an hour."""
    change(invitation_id, Do.RESEND)
    found = people.get_person(invitation_id=invitation_id)
    return answers.answer(InvitationOutput, person_values(found), 202)


@bp.delete("/<int:invitation_id>")
@require(Permission.INVITATIONS_MAKE)
@describe("Revoke an invitation", status=204)
def delete(invitation_id: int) -> Response:
    """Make its link worthless."""
    change(invitation_id, Do.REVOKE)
    return answers.nothing()


def change(invitation_id: int, do: Do) -> None:
    """Do something to an invitation. Raises what `people.change` raises."""
    person = people.get_person(invitation_id=invitation_id)
    people.change(
        person,
        Action(do),
        current_user(),
        as_seen=None,
        proven=is_proven(),
        theirs=Theirs.KEEP,
    )

"""Links of many invitations handed over at once, as a file or on paper: for places without e-mail."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select

from webapp.core.errors import ConflictError, PasswordRequiredError, RuleViolationError
from webapp.core.plan.planner import Ref
from webapp.db import begin_write, commit_and_keep, db, in_json, utcnow
from webapp.models import Invitation, InvitationState, User
from webapp.services.audit import events
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.links import invitation_links

MOST = 1000
"""People on one sheet."""


def find_links(people: Collection[Ref], by: User) -> dict[str, list[int]]:
    """The ids of pending invitations of these people: "ready" for a sheet, "expired", "above" (to roles that one may not give).

    "administrators": of those ready, to roles that manage people. Their links cost one's own password.
    """
    ids = [person_id for kind, person_id in people if kind == "invitation"]
    columns = select(Invitation.id, Invitation.role_id, Invitation.expires_at)
    wanted = columns.where(
        Invitation.state == InvitationState.PENDING,
        in_json(Invitation.id, ids),
    )
    grantable = {role.id: role for role in lookup.grantable(by)}
    now = utcnow()
    found: dict[str, list[int]] = {"ready": [], "expired": [], "above": [], "administrators": []}
    for invitation_id, role_id, until in db.session.execute(wanted):
        if role_id not in grantable:
            found["above"].append(invitation_id)
        elif until and until <= now:
            found["expired"].append(invitation_id)
        else:
            found["ready"].append(invitation_id)
            if grantable[role_id].manages_people:
                found["administrators"].append(invitation_id)
    return found


def make(
    people: Collection[Ref], by: User, *, proven: bool = False
) -> Sequence[tuple[Invitation, str]]:
    """The invitations that are ready, by e-mail, with their links; each hand-over is audited.

    It starts the time of those that were never handed over. Raises ConflictError where there is none, RuleViolationError for
    more than MOST, PasswordRequiredError. proven: `by` has just given their password, as it takes where a role manages people.
    """
    begin_write()
    found = find_links(people, by)
    if not found["ready"]:
        raise ConflictError(
            "No invitation is open here any more. Load the page again to see how things stand."
        )
    if len(found["ready"]) > MOST:
        raise RuleViolationError(
            f"A sheet holds at most {MOST:,} people. Narrow the filter, then make several sheets."
        )
    if found["administrators"] and not proven:
        raise PasswordRequiredError(
            "some of these links make people manage users. No sheet was made."
        )
    query = select(Invitation).where(in_json(Invitation.id, found["ready"]))
    made = db.session.scalars(query.order_by(Invitation.email_key)).all()
    expiries = {each.id: invitations.hand_over(each) for each in made}
    subjects = [(each.id, each.email) for each in made]
    events.record_many(by, "invitation.link_on_sheet", subjects, expiries)
    commit_and_keep()
    return [(each, invitation_links.link_url(each)) for each in made]

"""Links of many invitations handed over at once, as a file or on paper: for places without e-mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select

from webapp.core.errors import ConflictError, PasswordRequiredError, RuleViolationError
from webapp.core.lists.people_filter import Filter
from webapp.core.plan.planner import Ref
from webapp.db import begin_write, commit_and_keep, db, in_json, utcnow
from webapp.models import Invitation, InvitationState, User
from webapp.services.audit import events
from webapp.services.directory import lookup, people_list
from webapp.services.invitations import invitations
from webapp.services.links import invitation_links

MOST = 1000
"""People on one sheet."""

Chosen = int | frozenset[Ref] | Filter
"""Whose invitations: those of a batch (its id), of these people, or of all that the list's filter finds."""


def count_links(chosen: Chosen, by: User) -> Counter[str]:
    """How many pending invitations would be on a sheet ("ready"), and how many not: "expired", "above" (roles one may not give).

    "administrators": of those ready, to roles that manage people. Their links cost one's own password.
    """
    wanted = select(Invitation.role_id, Invitation.expires_at).where(*_are_chosen(chosen))
    grantable = {role.id: role for role in lookup.grantable(by)}
    now = utcnow()
    found: Counter[str] = Counter()
    for role_id, until in db.session.execute(wanted):
        if role_id not in grantable:
            found["above"] += 1
        elif until and until <= now:
            found["expired"] += 1
        else:
            found["ready"] += 1
            found["administrators"] += grantable[role_id].manages_people
    return found


def make(chosen: Chosen, by: User, *, proven: bool = False) -> Sequence[tuple[Invitation, str]]:
    """The open invitations to roles that one may grant, by e-mail, with their links; each hand-over is audited.

    It starts the time of those that were never handed over. Raises ConflictError where there is none, RuleViolationError for
    more than MOST, PasswordRequiredError. proven: `by` has just given their password, as it takes where a role manages people.
    """
    begin_write()
    query = (
        select(Invitation)
        .where(
            *_are_chosen(chosen),
            or_(Invitation.expires_at.is_(None), Invitation.expires_at > utcnow()),
            lookup.is_to_grantable(by),
        )
        .order_by(Invitation.email_key)
        .limit(MOST + 1)
    )
    found = db.session.scalars(query).all()
    if not found:
        raise ConflictError(
            "No invitation is open here any more. Load the page again to see how things stand."
        )
    if len(found) > MOST:
        raise RuleViolationError(
            f"A sheet holds at most {MOST:,} people. Narrow the filter, then make several sheets."
        )
    administrators = lookup.administrators()
    if not proven and any(each.role_id in administrators for each in found):
        raise PasswordRequiredError(
            "Type your password: some of these links make people manage users. No sheet was made."
        )
    expiries = {each.id: invitations.hand_over(each) for each in found}
    subjects = [(each.id, each.email) for each in found]
    batch = {"batch": chosen} if isinstance(chosen, int) else {}
    events.record_many(by, "invitation.link_on_sheet", subjects, expiries, **batch)
    commit_and_keep()
    return [(each, invitation_links.link_url(each)) for each in found]


def _are_chosen(chosen: Chosen) -> tuple[ColumnElement[bool], ...]:
    """Conditions on Invitation: pending, and chosen."""
    is_pending = Invitation.state == InvitationState.PENDING
    if isinstance(chosen, int):
        return is_pending, people_list.is_of_batch(chosen)
    people = people_list.find_refs(chosen) if isinstance(chosen, Filter) else chosen
    ids = [person_id for kind, person_id in people if kind == "invitation"]
    return is_pending, in_json(Invitation.id, ids)

"""Links of many invitations handed over at once, as a file or on paper: for places without e-mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import lazyload

from webapp.core.errors import ConflictError, PasswordRequiredError, RuleViolationError
from webapp.core.lists.people_filter import Filter
from webapp.core.plan.planner import Ref
from webapp.core.plan.registry import ALL_GROUPS
from webapp.db import begin_write, binary_order, db, in_json, utcnow
from webapp.models import Group, Invitation, InvitationState, User
from webapp.models.groups import invitation_groups
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup, people_list
from webapp.services.invitations import invitations

MOST = 1000
"""People on one sheet."""

Chosen = int | frozenset[Ref] | Filter
"""Whose invitations: those of a batch (its id), of these people, or of all that the list's filter finds."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One person's link, and what it leads to."""

    email: str
    role: str
    groups: Sequence[str]
    link: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many pending invitations would be on a sheet. above: those to roles that one may not give."""

    ready: int
    expired: int
    above: int
    administrators: int
    """Of those ready, to roles that manage people: their links cost one's own password."""


def outlook(chosen: Chosen, by: User) -> Outlook:
    """What `make` would come to. A question; at most two queries."""
    is_open, is_grantable = (
        _is_open().label("is_open"),
        lookup.is_to_grantable(by).label("is_grantable"),
    )
    counted = select(is_open, is_grantable, Invitation.role_id, func.count())
    # Grouped by the label: PostgreSQL takes two expressions with parameters for different ones.
    counted = counted.where(_are(chosen), Invitation.state == InvitationState.PENDING).group_by(
        "is_open", "is_grantable", Invitation.role_id
    )
    administrators = lookup.administrators()
    ready = expired = above = managing = 0
    for open_now, grantable, role_id, n in db.session.execute(counted):
        if not grantable:
            above += n
        elif open_now:
            ready += n
            managing += n if role_id in administrators else 0
        else:
            expired += n
    return Outlook(ready, expired, above, managing)


def make(chosen: Chosen, by: User, *, proven: bool = False) -> list[Slip]:
    """The links of those invitations that are open and to roles that one may grant, by e-mail; each hand-over is audited.

    It starts the time of those that were never handed over. One transaction, a fixed number of statements. Raises
    Conflict where there is none, Refused for more than MOST, PasswordRequiredError.

    proven: `by` has just given their password, as it takes where a role manages people.
    """
    begin_write()
    wanted = (
        _are(chosen),
        Invitation.state == InvitationState.PENDING,
        _is_open(),
        lookup.is_to_grantable(by),
    )
    query = select(Invitation).where(*wanted).order_by(Invitation.id)
    query = query.limit(MOST + 1).options(lazyload(Invitation.groups))
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
    groups, handed, slips = _groups([each.id for each in found]), {}, []
    for each in found:
        link, handed[each.id] = invitations.hand_over(each)
        assert each.expires_at is not None
        names = [ALL_GROUPS] if each.all_groups else groups[each.id]
        slips.append(Slip(each.email, each.role.name, names, link, each.expires_at))
    subjects = [(each.id, each.email) for each in found]
    batch = {"batch": chosen} if isinstance(chosen, int) else {}
    events.record_many(
        by, AuditAction.INVITATION_LINK_ON_SHEET, Invitation, subjects, handed, **batch
    )
    db.session.commit()
    return sorted(slips, key=lambda slip: slip.email.casefold())


def _are(chosen: Chosen) -> ColumnElement[bool]:
    if isinstance(chosen, int):
        return people_list.is_of_batch(chosen)
    people = people_list.find_refs(chosen) if isinstance(chosen, Filter) else chosen
    return in_json(
        Invitation.id,
        sorted(invitation_id for kind, invitation_id in people if kind == "invitation"),
    )


def _is_open() -> ColumnElement[bool]:
    return or_(Invitation.expires_at.is_(None), Invitation.expires_at > utcnow())


def _groups(ids: Sequence[int]) -> defaultdict[int, list[str]]:
    names: defaultdict[int, list[str]] = defaultdict(list)
    members = select(invitation_groups.c.invitation_id, Group.name).join(
        Group, Group.id == invitation_groups.c.group_id
    )
    theirs = members.where(in_json(invitation_groups.c.invitation_id, ids)).order_by(
        binary_order(Group.key)
    )
    for invitation_id, name in db.session.execute(theirs):
        names[invitation_id].append(name)
    return names

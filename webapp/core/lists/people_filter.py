"""The list of Role Management as its address carries it: a filter and an order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webapp.core.lists.paging import ListFilter, Order, member, read_number, searched
from webapp.core.plan import actions
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Person, Plan, Policy
from webapp.core.security.permissions import may_grant

NO_GROUPS = "none"
EVERY_GROUP = "all"
"""What the address says in place of a group's id."""


class Status(StrEnum):
    """Statuses of people in the list. UNJOINED is a filter only: invited or expired."""

    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"
    UNJOINED = "unjoined"
    DEACTIVATED = "deactivated"

    @property
    def parts(self) -> tuple[Status, ...]:
        """The statuses of people that it stands for."""
        return (Status.INVITED, Status.EXPIRED) if self is Status.UNJOINED else (self,)


class Concern(StrEnum):
    """Why an invitation needs attention: its e-mail failed, was never sent, or the invitation expires soon."""

    FAILED = "failed"
    UNSENT = "unsent"
    """Never e-mailed: its message became a file."""
    EXPIRING = "expiring"


OWN = tuple(status for status in Status if status is not Status.UNJOINED)
"""The statuses that people have, in the order in which they are sorted."""


class Sort(Order):
    """By role begins with the most powerful."""

    NAME = "name"
    NAME_DOWN = "-name"
    ROLE = "role"
    ROLE_DOWN = "-role"
    STATUS = "status"
    STATUS_DOWN = "-status"
    ACTIVITY = "activity"
    ACTIVITY_DOWN = "-activity"


@dataclass(frozen=True, slots=True)
class Filter(ListFilter):
    """What the list shows. status, role_id, group_id: None for any. search: words of a name or an e-mail, on one line."""

    status: Status | None = None
    search: str = ""
    role_id: int | None = None
    group_id: int | str | None = None
    """NO_GROUPS: only those without any group. EVERY_GROUP: only those with All groups."""
    concern: Concern | None = None
    """Only invitations that need somebody for this."""
    batch_id: int | None = None
    """Only people of this upload, whatever came of their rows."""
    sort: Sort = Sort.NAME

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Filter:
        """From the address's query; what it does not know is left out."""
        group = args.get("group")
        return cls(
            member(Status, args.get("status")),
            searched(args.get("q", "")),
            read_number(args.get("role")),
            group if group in (NO_GROUPS, EVERY_GROUP) else read_number(group),
            member(Concern, args.get("concern")),
            read_number(args.get("upload")),
            member(Sort, args.get("sort")) or Sort.NAME,
        )


def applicable(person: Person, policy: Policy) -> frozenset[Do]:
    """What one may do to a person, whatever role or groups would be chosen. SET_GROUPS stands for adding and removing, too, and
    DEACTIVATE and REVOKE for END_ACCESS."""
    other_role = None
    for role in policy.registry.roles:
        is_other = role.id != person.access.role
        if is_other and may_grant(policy.rank, policy.permissions, role):
            other_role = role.id
    found = set()
    for do in set(Do) - {Do.ADD_GROUPS, Do.REMOVE_GROUPS, Do.END_ACCESS}:
        probe = Action(do, other_role, everything=not person.access.everything)
        planned = actions.plan(person, probe, policy)
        if planned.plan in (Plan.UPDATE, Plan.INVITE) and do.permission in policy.permissions:
            found.add(do)
    return frozenset(found)

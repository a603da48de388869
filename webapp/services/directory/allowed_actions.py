"""What a person may do to the people of the list. Reads only, without queries."""

from __future__ import annotations

from webapp.core.lists.people_filter import Filter, Status, applicable
from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Access, Person
from webapp.core.plan.registry import Registry
from webapp.models import User
from webapp.services.directory import lookup
from webapp.services.directory.people_list import Entry, Kind, Listing, State


def allowed_actions(entry: Entry, by: User, registry: Registry) -> frozenset[Do]:
    """What a person may do to an entry. No query."""
    if entry.status is None:
        return frozenset()
    person = entry.person
    access = Access(
        person.role_id, frozenset(group.id for group in person.groups), person.all_groups
    )
    return _allowed_actions(
        Person("user" if entry.is_user else "invitation", person.id, access, _STATES[entry.status]),
        by,
        registry,
    )


def count_allowed_actions(
    found: Listing, wanted: Filter, by: User, registry: Registry
) -> dict[Do, int]:
    """For each action, to how many people of all pages it may be done. No query."""
    counts = dict.fromkeys(Do, 0)
    for (status, role_id, is_own), n in found.tally.items():
        if not wanted.status or status in wanted.status.parts:
            kind: Kind = "user" if status in (Status.ACTIVE, Status.DEACTIVATED) else "invitation"
            for do in _allowed_actions(
                Person(kind, by.id if is_own else 0, Access(role_id), _STATES[status]), by, registry
            ):
                counts[do] += n
    return counts


def count_linkable(found: Listing, wanted: Filter, by: User) -> int:
    """How many people of all pages are invited to a role that one may grant, so that their link can be handed over. No query."""
    if wanted.status and Status.INVITED not in wanted.status.parts:
        return 0
    mine = {role.id for role in lookup.grantable(by)}
    return sum(
        n
        for (status, role_id, _), n in found.tally.items()
        if status is Status.INVITED and role_id in mine
    )


_STATES: dict[Status, State] = {
    Status.ACTIVE: "active",
    Status.INVITED: "pending",
    Status.EXPIRED: "expired",
    Status.DEACTIVATED: "deactivated",
}


def _allowed_actions(person: Person, by: User, registry: Registry) -> frozenset[Do]:
    policy = lookup.policy(by, registry)
    return frozenset(do for do in applicable(person, policy) if by.may(do.permission))

"""Users, invitations and roles as programs get them."""

from __future__ import annotations

import hashlib
from typing import Any

from webapp.core.errors import RuleViolationError
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.registry import ALL_GROUPS, fold
from webapp.models import Invitation, User, UserState
from webapp.services.directory import lookup
from webapp.services.people import person as people


def person_values(person: User | Invitation) -> dict[str, Any]:
    """A user or an invitation as its schema takes it."""
    groups = [ALL_GROUPS] if person.all_groups else [group.name for group in person.groups]
    values = {"role": person.role.name, "groups": groups, "state": person.state}
    names = ("id", "email", "name", "created_at", *_OWN[type(person)])
    return {name: getattr(person, name) for name in names} | values


_OWN: dict[type[Any], tuple[str, ...]] = {
    User: ("seen_at",),
    Invitation: ("is_expired", "expires_at", "batch_id", "user_id"),
}


def access_tag(user: User) -> str:
    """What stands for a user's access and state, as an ETag."""
    key = f"{people.access_key(user)}:{user.state.value}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def read_action(wanted: dict[str, Any]) -> Action:
    """What a change of a user does. Raises RuleViolationError for a role or a group that is not there."""
    registry = lookup.registry()
    if "state" in wanted:
        is_active = wanted["state"] == UserState.ACTIVE
        return Action(Do.REACTIVATE if is_active else Do.DEACTIVATE)
    if "role" in wanted:
        role = registry.role_by_key.get(fold(wanted["role"]))
        if role is None:
            raise RuleViolationError("There is no such role.", field="role")
        return Action(Do.SET_ROLE, role=role.id)
    names = wanted["groups"]
    if [fold(name) for name in names] == [fold(ALL_GROUPS)]:
        return Action(Do.SET_GROUPS, everything=True)
    ids = set()
    for place, name in enumerate(names):
        group = registry.group_by_key.get(fold(name))
        if group is None:
            raise RuleViolationError("There is no such group.", field=f"groups/{place}")
        ids.add(group.id)
    return Action(Do.SET_GROUPS, groups=frozenset(ids))

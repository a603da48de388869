"""What an action would do to one person: a person + an action + a policy -> a step. Pure.

The rules are those of docs/rules.md, "Actions on people".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from webapp.core.plan.planner import (
    Access,
    Effect,
    Issue,
    Mode,
    Person,
    Plan,
    PlannedChange,
    Policy,
    change_groups,
    marks_of,
    why_forbidden,
    why_not_grantable,
)
from webapp.core.security.permissions import Permission

RESENDS_AN_HOUR = 3
"""How often one invitation is sent again within an hour."""


class Do(StrEnum):
    """What can be done to a person."""

    SET_ROLE = "set_role"
    SET_GROUPS = "set_groups"
    ADD_GROUPS = "add_groups"
    REMOVE_GROUPS = "remove_groups"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    RESEND = "resend"
    REVOKE = "revoke"

    @property
    def permission(self) -> Permission:
        """Who may do it."""
        return Permission.INVITATIONS_MAKE if self in (Do.RESEND, Do.REVOKE) else Permission.USERS_MANAGE


class Theirs(StrEnum):
    """What becomes of the pending invitations of somebody who is deactivated."""

    REVOKE_MANAGING = "managing"
    """Those to roles that manage people are revoked, so that nobody leaves themselves a way back in."""
    REVOKE_ALL = "all"
    KEEP = "none"


_MODES = {Do.SET_GROUPS: Mode.REPLACE, Do.ADD_GROUPS: Mode.ADD, Do.REMOVE_GROUPS: Mode.REMOVE}


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do to people. role: for `set_role`. groups (ids) or everything: for what is done to groups."""

    do: Do
    role: int | None = None
    groups: frozenset[int] = frozenset()
    everything: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"do": self.do.value, "role": self.role, "groups": sorted(self.groups), "everything": self.everything}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Action:
        return cls(Do(value["do"]), value["role"], frozenset(value["groups"]), value["everything"])


def plan(person: Person | None, action: Action, policy: Policy) -> PlannedChange:
    """What the action does to this person: `update` (`invite` where an e-mail goes out), `unchanged`, or `attention`."""
    if person is None:
        return PlannedChange(Plan.ATTENTION, issues=(Issue("email", "This person is not here any more.", "closed"),))
    planned = _refuse_closed(person) or _plan_open(person, action, policy)
    return replace(planned, subject=(person.kind, person.id), before=person.access, was=person.standing)


def refuse(code: str, text: str) -> PlannedChange:
    """A step that is not taken, and why. code: "closed" where the person's state is in its way."""
    return PlannedChange(Plan.ATTENTION, issues=(Issue("email", text, code),))


def _refuse_closed(person: Person) -> PlannedChange | None:
    if person.state in ("revoked", "accepted"):
        return refuse("closed", f"This invitation was {person.state}.")
    return None


def _plan_open(person: Person, action: Action, policy: Policy) -> PlannedChange:
    match action.do:
        case Do.RESEND:
            return _resend(person, policy)
        case Do.REVOKE:
            return _refuse_non_invitation(person, policy) or PlannedChange(Plan.UPDATE, after=person.access, act=Effect.REVOKE)
        case Do.DEACTIVATE:
            return _switch(person, Effect.DEACTIVATE, policy)
        case Do.REACTIVATE:
            return _switch(person, Effect.REACTIVATE, policy)
    if person.state == "deactivated":
        return refuse("closed", "This account is deactivated. Reactivate it first.")
    if person.state == "expired":
        return refuse("closed", "This invitation has expired. Resend it first.")
    after = _requested_access(person.access, action, policy)
    return to_access(person, after, policy) if isinstance(after, Access) else after


def _requested_access(before: Access, action: Action, policy: Policy) -> Access | PlannedChange:
    if action.do is Do.SET_ROLE:
        if action.role not in policy.registry.role_by_id:
            return refuse("gone", "This role is not there any more.")
        return replace(before, role=action.role)
    if not action.groups <= policy.registry.group_by_id.keys():
        return refuse("gone", "A group of this action is not there any more.")
    groups = change_groups(before, action.groups, action.everything, _MODES[action.do])
    return refuse("all_groups", groups) if isinstance(groups, str) else Access(before.role, *groups)


def to_access(person: Person, after: Access, policy: Policy) -> PlannedChange:
    """The step that gives somebody this access, or says why that may not be."""
    before = person.access
    if after == before:
        return PlannedChange(Plan.UNCHANGED, after=after)
    other_role = after.role != before.role
    if step := refuse_forbidden(person, policy, other_role=other_role):
        return step
    if other_role and (text := why_not_grantable(after.role, policy)):
        return refuse("grant", text)
    return PlannedChange(Plan.UPDATE, after=after, marks=marks_of(before, after, policy))


_WORDS = {"owner": "Nobody changes the Owner.", "own_role": "Nobody changes their own role."}


def refuse_forbidden(person: Person, policy: Policy, *, other_role: bool = False) -> PlannedChange | None:
    """The refusal where nobody, or not this person, may do anything to somebody."""
    if refusal := why_forbidden(person, policy, other_role=other_role, other_groups=True):
        _, code, text = refusal
        return refuse(code, _WORDS.get(code, text))
    return None


def _switch(person: Person, act: Effect, policy: Policy) -> PlannedChange:
    """Deactivate or reactivate."""
    if person.kind != "user":
        return refuse(
            "kind", "Not a user yet: an invitation is revoked instead." if act is Effect.DEACTIVATE else "Not a user yet."
        )
    return to_state(person, act, policy)


def to_state(person: Person, act: Effect, policy: Policy) -> PlannedChange:
    """The step that deactivates or reactivates a user, or says why that may not be."""
    if person.state == ("deactivated" if act is Effect.DEACTIVATE else "active"):
        return PlannedChange(Plan.UNCHANGED, after=person.access)
    if person.id in policy.protected and act is Effect.DEACTIVATE:
        return refuse("own", "Nobody deactivates themselves.")
    if step := refuse_forbidden(person, policy):
        return step
    if act is Effect.REACTIVATE and (text := why_not_grantable(person.access.role, policy)):
        return refuse("grant", text)
    marks = [mark for mark in marks_of(None, person.access, policy) if mark == "admin" and act is Effect.REACTIVATE]
    return PlannedChange(Plan.UPDATE, after=person.access, act=act, marks=tuple(marks))


def _refuse_non_invitation(person: Person, policy: Policy) -> PlannedChange | None:
    if person.kind != "invitation":
        return refuse("kind", "Not an invitation.")
    return refuse_forbidden(person, policy)


def _resend(person: Person, policy: Policy) -> PlannedChange:
    if step := _refuse_non_invitation(person, policy):
        return step
    if text := why_not_grantable(person.access.role, policy):
        return refuse("grant", text)
    if person.again >= RESENDS_AN_HOUR:
        text = f"This invitation was sent {RESENDS_AN_HOUR} times again within an hour. Wait a while, or copy its link."
        return refuse("limit", text)
    return PlannedChange(Plan.INVITE, after=person.access, act=Effect.RESEND, sent=person.sent)

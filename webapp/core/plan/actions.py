"""What an action would do to one person. Pure.

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

STATE_CODES = frozenset(
    ("deactivated_person", "expired", "invitation_accepted", "invitation_revoked", "person_gone"),
)
"""Issues about the person's state: they may have changed in the meantime."""


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
        return (
            Permission.INVITATIONS_MAKE
            if self in (Do.RESEND, Do.REVOKE)
            else Permission.USERS_MANAGE
        )


class Theirs(StrEnum):
    """What happens to the pending invitations of a deactivated user."""

    REVOKE_MANAGING = "managing"
    """Those to roles that manage people are revoked, so that nobody leaves themselves a way back in."""
    REVOKE_ALL = "all"
    KEEP = "none"


_MODES = {
    Do.SET_GROUPS: Mode.REPLACE,
    Do.ADD_GROUPS: Mode.ADD,
    Do.REMOVE_GROUPS: Mode.REMOVE,
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do to people. role: for `set_role`. groups (ids) or everything: for what is done to groups."""

    do: Do
    role: int | None = None
    groups: frozenset[int] = frozenset()
    everything: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "do": self.do.value,
            "role": self.role,
            "groups": sorted(self.groups),
            "everything": self.everything,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Action:
        return cls(Do(value["do"]), value["role"], frozenset(value["groups"]), value["everything"])


def plan(person: Person | None, action: Action, policy: Policy) -> PlannedChange:
    """Plan the action for one person: `update` (`invite` where an e-mail goes out), `unchanged`, or `attention`."""
    if person is None:
        return refuse("person_gone")
    if person.state in ("revoked", "accepted"):
        planned = refuse(f"invitation_{person.state}")
    else:
        planned = _plan_open(person, action, policy)
    return about(planned, person)


def about(planned: PlannedChange, person: Person) -> PlannedChange:
    """Note whom the change is about, and how they were when it was planned."""
    return replace(
        planned, subject=(person.kind, person.id), before=person.access, was=person.lasting_state
    )


def refuse(code: str, **params: Any) -> PlannedChange:
    """A change that is not made, and why."""
    return refuse_for(Issue("email", code, params))


def refuse_for(issue: Issue) -> PlannedChange:
    """A change that is not made because of an issue. It is shown at the e-mail: the row has no cells to correct."""
    return PlannedChange(Plan.ATTENTION, issues=(replace(issue, field="email"),))


def _plan_open(person: Person, action: Action, policy: Policy) -> PlannedChange:
    match action.do:
        case Do.RESEND:
            return _plan_resend(person, policy)
        case Do.REVOKE:
            return _plan_revoke(person, policy)
        case Do.DEACTIVATE:
            if person.kind != "user":
                return refuse("not_a_user_revoke")
            return plan_state(person, Effect.DEACTIVATE, policy)
        case Do.REACTIVATE:
            if person.kind != "user":
                return refuse("not_a_user")
            return plan_state(person, Effect.REACTIVATE, policy)
    if person.state == "deactivated":
        return refuse("deactivated_person")
    if person.state == "expired":
        return refuse("expired")
    after = _requested_access(person.access, action, policy)
    if isinstance(after, Issue):
        return refuse_for(after)
    return plan_access(person, after, policy)


def _requested_access(before: Access, action: Action, policy: Policy) -> Access | Issue:
    if action.do is Do.SET_ROLE:
        if action.role not in policy.registry.role_by_id:
            return Issue("role", "role_gone")
        return replace(before, role=action.role)
    if not action.groups <= policy.registry.group_by_id.keys():
        return Issue("groups", "group_gone")
    return change_groups(before, action.groups, action.everything, _MODES[action.do])


def plan_access(person: Person, after: Access, policy: Policy) -> PlannedChange:
    """Plan this access for a person, or explain why it is not allowed."""
    before = person.access
    if after == before:
        return PlannedChange(Plan.UNCHANGED, after=after)
    other_role = after.role != before.role
    issue = why_forbidden(person, policy, other_role=other_role, other_groups=True)
    if issue is None and other_role:
        issue = why_not_grantable(after.role, policy)
    if issue:
        return refuse_for(issue)
    return PlannedChange(Plan.UPDATE, after=after, marks=marks_of(before, after, policy))


def plan_state(person: Person, effect: Effect, policy: Policy) -> PlannedChange:
    """Deactivate or reactivate a user, or say why that may not be."""
    deactivates = effect is Effect.DEACTIVATE
    if person.state == ("deactivated" if deactivates else "active"):
        return PlannedChange(Plan.UNCHANGED, after=person.access)
    if deactivates and person.id in policy.protected:
        return refuse("own_account")
    issue = why_forbidden_at_all(person, policy)
    if issue is None and not deactivates:
        issue = why_not_grantable(person.access.role, policy)
    if issue:
        return refuse_for(issue)
    marks: tuple[str, ...] = ()
    if not deactivates and "admin" in marks_of(None, person.access, policy):
        marks = ("admin",)
    return PlannedChange(Plan.UPDATE, after=person.access, effect=effect, marks=marks)


def why_forbidden_at_all(person: Person, policy: Policy) -> Issue | None:
    """Why this person may not be changed by the current user; None if they may."""
    return why_forbidden(person, policy, other_role=False, other_groups=True)


def _plan_revoke(person: Person, policy: Policy) -> PlannedChange:
    if person.kind != "invitation":
        return refuse("not_an_invitation")
    if issue := why_forbidden_at_all(person, policy):
        return refuse_for(issue)
    return PlannedChange(Plan.UPDATE, after=person.access, effect=Effect.REVOKE)


def _plan_resend(person: Person, policy: Policy) -> PlannedChange:
    if person.kind != "invitation":
        return refuse("not_an_invitation")
    issue = why_forbidden_at_all(person, policy) or why_not_grantable(person.access.role, policy)
    if issue:
        return refuse_for(issue)
    if person.sent_this_hour >= RESENDS_AN_HOUR:
        return refuse("resend_limit", most=RESENDS_AN_HOUR)
    return PlannedChange(Plan.INVITE, after=person.access, effect=Effect.RESEND, sent=person.sent)

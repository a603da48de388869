"""What an action would do to one person. Pure.

The rules are those of docs/rules.md, "Actions on people".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from webapp.core.plan.planner import (
    Mode,
    Person,
    Plan,
    PlannedChange,
    Policy,
    change_groups,
    plan_access,
    refuse,
    refuse_person,
    refuse_role,
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
_USERS_ONLY = {Do.DEACTIVATE: "not_a_user_revoke", Do.REACTIVATE: "not_a_user"}
_INVITATIONS_ONLY = {Do.RESEND: "not_an_invitation", Do.REVOKE: "not_an_invitation"}
"""What is done to users, or invitations, alone; and what is wrong with the others."""
_CLOSED = {
    "revoked": "invitation_revoked",
    "accepted": "invitation_accepted",
}
"""States in which nothing can be done to a person, and what is wrong with them."""
_SET_ASIDE = {"deactivated": "deactivated_person", "expired": "expired"}
"""States in which access cannot be changed."""
STATE_CODES = frozenset(("person_gone", *_CLOSED.values(), *_SET_ASIDE.values()))
"""Issues about the person's state: they may have changed in the meantime."""
STATE_AFTER: Mapping[str, str] = {
    Do.DEACTIVATE: "deactivated",
    Do.REACTIVATE: "active",
    Do.REVOKE: "revoked",
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
    return about(_plan_present(person, action, policy), person)


def about(planned: PlannedChange, person: Person) -> PlannedChange:
    """Note whom the change is about, and how they were when it was planned.

    Issues are shown at the e-mail: such a row has no cells to correct.
    """
    return replace(
        planned,
        subject=(person.kind, person.id),
        before=person.access,
        was=person.lasting_state,
        issues=tuple(replace(issue, field="email") for issue in planned.issues),
    )


def _plan_present(person: Person, action: Action, policy: Policy) -> PlannedChange:
    others = _INVITATIONS_ONLY if person.kind == "user" else _USERS_ONLY
    problem = _CLOSED.get(person.state) or others.get(action.do)
    if problem:
        return refuse(problem)
    if action.do in _INVITATIONS_ONLY or action.do in _USERS_ONLY:
        return plan_effect(person, action.do, policy)
    if problem := _SET_ASIDE.get(person.state):
        return refuse(problem)
    if action.do is Do.SET_ROLE:
        if action.role not in policy.registry.role_by_id:
            return refuse("role_gone")
        return plan_access(person, replace(person.access, role=action.role), policy)
    if not action.groups <= policy.registry.group_by_id.keys():
        return refuse("group_gone")
    mode = _MODES[action.do]
    after = change_groups(person.access, action.groups, action.everything, mode)
    return after if isinstance(after, PlannedChange) else plan_access(person, after, policy)


def plan_effect(person: Person, effect: Do, policy: Policy) -> PlannedChange:
    """Deactivate, reactivate, resend or revoke, or say why that may not be."""
    access = person.access
    if person.state == STATE_AFTER.get(effect):
        return PlannedChange(Plan.UNCHANGED, after=access)
    if effect is Do.DEACTIVATE and person.id in policy.protected:
        return refuse("own_account")
    refusal = refuse_person(person, policy, "groups")
    if refusal is None and effect in (Do.REACTIVATE, Do.RESEND):
        refusal = refuse_role(access.role, policy)
    if refusal:
        return refusal
    if effect is Do.RESEND:
        if person.sent_this_hour >= RESENDS_AN_HOUR:
            return refuse("resend_limit", most=RESENDS_AN_HOUR)
        return PlannedChange(Plan.INVITE, after=access, effect=effect, sent=person.sent)
    manages = policy.registry.role_by_id[access.role].manages_people
    marks = ("admin",) if manages and effect is Do.REACTIVATE else ()
    return PlannedChange(Plan.UPDATE, after=access, effect=effect, marks=marks)

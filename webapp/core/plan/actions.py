"""What an action would do to one person, and what reverting a finished batch would. Pure.

The rules are those of docs/rules.md, "Actions on people" and "Reverting".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from webapp.core.plan.planner import (
    Access,
    Mode,
    Person,
    Plan,
    PlannedChange,
    Policy,
    RefusedError,
    change_groups,
    check_grant,
    check_person,
    plan_access,
)
from webapp.core.plan.registry import Registry
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
    END_ACCESS = "end_access"
    """Deactivates users and revokes invitations."""

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


MODES: Mapping[str, Mode] = {
    Do.SET_GROUPS: Mode.REPLACE,
    Do.ADD_GROUPS: Mode.ADD,
    Do.REMOVE_GROUPS: Mode.REMOVE,
}
"""What an action does to groups."""
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

    def is_known(self, registry: Registry) -> bool:
        """Whether the role or the groups that it gives are still there."""
        if self.do is Do.SET_ROLE and self.role not in registry.role_by_id:
            return False
        return self.groups <= registry.group_by_id.keys()


def plan(person: Person | None, action: Action, policy: Policy) -> PlannedChange:
    """Plan the action for one person: `update` (`invite` where an e-mail goes out), `unchanged`, or `attention`."""
    return plan_person(person, lambda present: _plan_action(present, action, policy))


def plan_person(
    person: Person | None, plan_one: Callable[[Person], PlannedChange]
) -> PlannedChange:
    """Plan something for one person, or say why it cannot be done; note how they were when it was planned.

    Issues are shown at the e-mail: such a row has no cells to correct.
    """
    if person is None:
        gone = RefusedError("person_gone")
        return PlannedChange(Plan.ATTENTION, issues=(gone.issue,))
    try:
        planned = plan_one(person)
    except RefusedError as refusal:
        issue = {**refusal.issue, "field": "email"}
        planned = PlannedChange(Plan.ATTENTION, issues=(issue,))
    return replace(
        planned,
        subject=(person.kind, person.id),
        before=person.access,
        was=person.lasting_state,
    )


def _plan_action(person: Person, action: Action, policy: Policy) -> PlannedChange:
    others = _INVITATIONS_ONLY if person.kind == "user" else _USERS_ONLY
    problem = _CLOSED.get(person.state) or others.get(action.do)
    if problem:
        raise RefusedError(problem)
    if action.do is Do.END_ACCESS:
        effect = Do.DEACTIVATE if person.kind == "user" else Do.REVOKE
        return plan_effect(person, effect, policy)
    if action.do in _INVITATIONS_ONLY or action.do in _USERS_ONLY:
        return plan_effect(person, action.do, policy)
    if problem := _SET_ASIDE.get(person.state):
        raise RefusedError(problem)
    if not action.is_known(policy.registry):
        raise RefusedError("role_gone")
    if action.do is Do.SET_ROLE:
        assert action.role
        after = replace(person.access, role=action.role)
    else:
        mode = MODES[action.do]
        wanted = Access(groups=action.groups, everything=action.everything)
        after = change_groups(person.access, wanted, mode)
    return plan_access(person, after, policy)


def plan_effect(person: Person, effect: Do, policy: Policy) -> PlannedChange:
    """Plan to deactivate, reactivate, resend or revoke. Raises RefusedError."""
    access = person.access
    if person.state == STATE_AFTER.get(effect):
        return PlannedChange(Plan.UNCHANGED, after=access)
    if effect is Do.DEACTIVATE and person.id in policy.protected:
        raise RefusedError("own_account")
    check_person(person, policy, "groups")
    if effect in (Do.REACTIVATE, Do.RESEND):
        check_grant(access.role, policy)
    if effect is Do.RESEND:
        if person.sent_this_hour >= RESENDS_AN_HOUR:
            raise RefusedError("resend_limit", most=RESENDS_AN_HOUR)
        return PlannedChange(Plan.INVITE, after=access, effect=effect, sent=person.sent)
    manages = policy.registry.role_by_id[access.role].manages_people
    marks = ("admin", "wide") if manages and effect is Do.REACTIVATE else ()
    return PlannedChange(Plan.UPDATE, after=access, effect=effect, marks=marks)


# Reverting

WITHDRAWS = "withdraws"
"""Mark of a change that revokes an invitation which the batch made."""

_OPPOSITE: Mapping[str | None, Do] = {
    Do.DEACTIVATE: Do.REACTIVATE,
    Do.REACTIVATE: Do.DEACTIVATE,
}


def can_be_undone(done: PlannedChange) -> bool:
    """Whether there is something to take back: an invitation made, another access, another state; not an e-mail."""
    if done.before is None or done.effect in _OPPOSITE:
        return True
    return done.effect is None and done.before != done.after


def plan_revert(done: PlannedChange | None, person: Person | None, policy: Policy) -> PlannedChange:
    """Revoke the invitation, or restore former access and state, unless the person was changed since.

    done: None where it is not known any more.
    """
    return plan_person(person, lambda present: _plan_revert(done, present, policy))


def _plan_revert(done: PlannedChange | None, person: Person, policy: Policy) -> PlannedChange:
    if done is None or done.after is None:
        raise RefusedError("original_unknown")
    registry = policy.registry
    after = _without_deleted_groups(done.after, registry)
    former = after
    effect: Do | None = Do.REVOKE
    state_before, state_after = "revoked", "pending"
    if done.before is not None:
        former = _without_deleted_groups(done.before, registry)
        effect = _OPPOSITE.get(done.effect)
        state_before = done.was or ("active" if person.kind == "user" else "pending")
        state_after = STATE_AFTER.get(done.effect or "", state_before)
    if (person.access, person.lasting_state) == (former, state_before):
        return PlannedChange(Plan.UNCHANGED, after=former)
    if person.state == "accepted":
        raise RefusedError("accepted_since")
    if (person.access, person.lasting_state) != (after, state_after):
        raise RefusedError("changed_since")
    if effect is Do.REVOKE and person.sent > 1:
        raise RefusedError("resent_since")
    if effect:
        planned = plan_effect(person, effect, policy)
        return replace(planned, marks=(WITHDRAWS,)) if effect is Do.REVOKE else planned
    if former.role not in registry.role_by_id:
        raise RefusedError("former_role_gone")
    return plan_access(person, former, policy)


def _without_deleted_groups(access: Access, registry: Registry) -> Access:
    """The access without groups that were deleted: with them, it went from everybody."""
    return replace(access, groups=access.groups & registry.group_by_id.keys())

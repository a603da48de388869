"""What reverting a finished batch would do to one of its people. Pure.

The rules are those of docs/rules.md, "Reverting".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from webapp.core.plan.actions import STATE_AFTER, Do, plan_effect, plan_person
from webapp.core.plan.planner import (
    Access,
    Person,
    Plan,
    PlannedChange,
    Policy,
    RefusedError,
    plan_access,
)
from webapp.core.plan.registry import Registry

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


def plan(done: PlannedChange | None, person: Person | None, policy: Policy) -> PlannedChange:
    """Revoke the invitation, or restore former access and state, unless the person was changed since.

    done: None where it is not known any more.
    """

    def plan_one(person: Person) -> PlannedChange:
        if done is None:
            raise RefusedError("original_unknown")
        if done.before is None:
            return _plan_revoke(done, person, policy)
        return _plan_restore(done, person, policy)

    return plan_person(person, plan_one)


def _plan_revoke(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.after is not None
    if person.state != "revoked":
        if person.state == "accepted":
            raise RefusedError("accepted_since")
        if person.access != _without_deleted_groups(done.after, policy.registry):
            raise RefusedError("changed_since")
        if person.sent > 1:
            raise RefusedError("resent_since")
    planned = plan_effect(person, Do.REVOKE, policy)
    return replace(planned, marks=(WITHDRAWS,)) if planned.plan is Plan.UPDATE else planned


def _plan_restore(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.before is not None
    assert done.after is not None
    former_state = done.was or ("active" if person.kind == "user" else "pending")
    former = _without_deleted_groups(done.before, policy.registry)
    if (person.access, person.lasting_state) == (former, former_state):
        return PlannedChange(Plan.UNCHANGED, after=former)
    access_after = _without_deleted_groups(done.after, policy.registry)
    state_after = STATE_AFTER.get(done.effect or "", former_state)
    if (person.access, person.lasting_state) != (access_after, state_after):
        raise RefusedError("changed_since")
    if done.effect in _OPPOSITE:
        return plan_effect(person, _OPPOSITE[done.effect], policy)
    if former.role not in policy.registry.role_by_id:
        raise RefusedError("former_role_gone")
    return plan_access(person, former, policy)


def _without_deleted_groups(access: Access, registry: Registry) -> Access:
    """The access without groups that were deleted: with them, it went from everybody."""
    return replace(access, groups=access.groups & registry.group_by_id.keys())

"""What reverting a finished batch would do to one of its people. Pure.

The rules are those of docs/rules.md, "Reverting".
"""

from __future__ import annotations

from dataclasses import replace

from webapp.core.plan.actions import (
    about,
    plan_access,
    plan_state,
    refuse,
    refuse_for,
    why_forbidden_at_all,
)
from webapp.core.plan.planner import Access, Effect, Person, Plan, PlannedChange, Policy
from webapp.core.plan.registry import Registry

TOUCHED = frozenset(
    ("accepted_since", "changed_since", "original_unknown", "person_gone", "resent_since")
)
"""Codes of issues of somebody who is no longer as the batch left them."""
WITHDRAWS = "withdraws"
"""Mark of a change that revokes an invitation which the batch made."""

_OPPOSITE: dict[Effect | None, Effect] = {
    Effect.DEACTIVATE: Effect.REACTIVATE,
    Effect.REACTIVATE: Effect.DEACTIVATE,
}
_STATE_AFTER: dict[Effect | None, str] = {
    Effect.DEACTIVATE: "deactivated",
    Effect.REACTIVATE: "active",
}


def can_be_undone(done: PlannedChange) -> bool:
    """Whether there is something to take back: an invitation made, another access, another state; not an e-mail."""
    if done.before is None or done.effect in _OPPOSITE:
        return True
    return done.effect is None and done.before != done.after


def plan(done: PlannedChange, person: Person | None, policy: Policy) -> PlannedChange:
    """Revoke the invitation, or restore former access and state, unless the person was changed since."""
    if person is None:
        return refuse("person_gone")
    planned = (
        _plan_revoke(done, person, policy)
        if done.before is None
        else _plan_restore(done, person, policy)
    )
    return about(planned, person)


def _plan_revoke(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.after is not None
    if person.state == "revoked":
        return PlannedChange(Plan.UNCHANGED, after=person.access)
    if person.state == "accepted":
        return refuse("accepted_since")
    if person.access != _without_deleted_groups(done.after, policy.registry):
        return refuse("changed_since")
    if person.sent > 1:
        return refuse("resent_since")
    if issue := why_forbidden_at_all(person, policy):
        return refuse_for(issue)
    return PlannedChange(Plan.UPDATE, after=person.access, effect=Effect.REVOKE, marks=(WITHDRAWS,))


def _plan_restore(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.before is not None
    assert done.after is not None
    usual_state = done.was or ("active" if person.kind == "user" else "pending")
    former = _without_deleted_groups(done.before, policy.registry)
    if person.access == former and person.lasting_state == usual_state:
        return PlannedChange(Plan.UNCHANGED, after=former)
    is_as_left = person.access == _without_deleted_groups(done.after, policy.registry)
    if not is_as_left or person.lasting_state != _STATE_AFTER.get(done.effect, usual_state):
        return refuse("changed_since")
    if done.effect in _OPPOSITE:
        return plan_state(person, _OPPOSITE[done.effect], policy)
    if former.role not in policy.registry.role_by_id:
        return refuse("former_role_gone")
    return plan_access(person, former, policy)


def _without_deleted_groups(access: Access, registry: Registry) -> Access:
    """The access without groups that were deleted: with them, it went from everybody."""
    return replace(access, groups=access.groups & registry.group_by_id.keys())

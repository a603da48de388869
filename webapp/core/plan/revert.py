"""What reverting a finished batch would do to one of its people: what it did + the person now -> a step. Pure.

The rules are those of docs/rules.md, "Reverting".
"""

from __future__ import annotations

from dataclasses import replace

from webapp.core.plan.actions import refuse, refuse_forbidden, to_access, to_state
from webapp.core.plan.planner import Access, Effect, Person, Plan, PlannedChange, Policy
from webapp.core.plan.registry import Registry

TOUCHED = "touched"
"""Code of the issue of somebody who is no longer as the batch left them."""
WITHDRAWS = "withdraws"
"""Mark of a step that revokes an invitation which the batch made."""

_BACK: dict[Effect | None, Effect] = {Effect.DEACTIVATE: Effect.REACTIVATE, Effect.REACTIVATE: Effect.DEACTIVATE}
_LEFT: dict[Effect | None, str] = {Effect.DEACTIVATE: "deactivated", Effect.REACTIVATE: "active"}


def can_be_undone(done: PlannedChange) -> bool:
    """Whether there is something to take back: an invitation made, another access, another state. An e-mail is no such thing."""
    return done.before is None or done.act in _BACK or (done.act is None and done.before != done.after)


def plan(done: PlannedChange, person: Person | None, policy: Policy) -> PlannedChange:
    """Revoke the invitation that was made, or restore the former access and state, unless somebody touched them since."""
    if person is None:
        return refuse(TOUCHED, "This person is not here any more.")
    planned = _revoke(done, person, policy) if done.before is None else _restore(done, person, policy)
    return replace(planned, subject=(person.kind, person.id), before=person.access, was=person.standing)


def _revoke(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.after is not None
    if person.state == "revoked":
        return PlannedChange(Plan.UNCHANGED, after=person.access)
    if person.state == "accepted":
        return refuse(TOUCHED, "Accepted since.")
    if person.access != _without_deleted_groups(done.after, policy.registry):
        return _touched()
    if person.sent > 1:
        return refuse(TOUCHED, "Sent again since.")
    return refuse_forbidden(person, policy) or PlannedChange(
        Plan.UPDATE, after=person.access, act=Effect.REVOKE, marks=(WITHDRAWS,)
    )


def _restore(done: PlannedChange, person: Person, policy: Policy) -> PlannedChange:
    assert done.before is not None
    assert done.after is not None
    back = _BACK.get(done.act)
    usual = done.was or ("active" if person.kind == "user" else "pending")
    left = _LEFT.get(done.act, usual)
    former = _without_deleted_groups(done.before, policy.registry)
    if person.access == former and person.standing == usual:
        return PlannedChange(Plan.UNCHANGED, after=former)
    if person.access != _without_deleted_groups(done.after, policy.registry) or person.standing != left:
        return _touched()
    if back:
        return to_state(person, back, policy)
    if former.role not in policy.registry.role_by_id:
        return refuse("gone", "The former role is not there any more.")
    return to_access(person, former, policy)


def _without_deleted_groups(access: Access, registry: Registry) -> Access:
    """The access without groups that were deleted: with them, it went from everybody."""
    return replace(access, groups=access.groups & registry.group_by_id.keys())


def _touched() -> PlannedChange:
    return refuse(TOUCHED, "Changed since.")

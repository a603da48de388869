"""What reverting a finished batch would do to one of its people: what it did + the person now -> a step. Pure.

The rules are those of docs/rules.md, "Reverting".
"""

from __future__ import annotations

from dataclasses import replace

from webapp.core.plan.actions import forbidden_step, refused, to_access, to_state
from webapp.core.plan.planner import Access, Act, Person, Plan, Policy, Step
from webapp.core.plan.registry import Registry

TOUCHED = "touched"
"""Code of the issue of somebody who is no longer as the batch left them."""
WITHDRAWS = "withdraws"
"""Mark of a step that revokes an invitation which the batch made."""

_BACK: dict[Act | None, Act] = {Act.DEACTIVATE: Act.REACTIVATE, Act.REACTIVATE: Act.DEACTIVATE}
_LEFT: dict[Act | None, str] = {Act.DEACTIVATE: "deactivated", Act.REACTIVATE: "active"}


def can_be_undone(done: Step) -> bool:
    """Whether there is something to take back: an invitation made, another access, another state. An e-mail is no such thing."""
    return done.before is None or done.act in _BACK or (done.act is None and done.before != done.after)


def plan(done: Step, person: Person | None, policy: Policy) -> Step:
    """Revoke the invitation that was made, or restore the former access and state, unless somebody touched them since."""
    if person is None:
        return refused(TOUCHED, "This person is not here any more.")
    planned = _withdrawn(done, person, policy) if done.before is None else _restored(done, person, policy)
    return replace(planned, subject=(person.kind, person.id), before=person.access, was=person.standing)


def _withdrawn(done: Step, person: Person, policy: Policy) -> Step:
    assert done.after is not None
    if person.state == "revoked":
        return Step(Plan.UNCHANGED, after=person.access)
    if person.state == "accepted":
        return refused(TOUCHED, "Accepted since.")
    if person.access != _still(done.after, policy.registry):
        return _touched()
    if person.sent > 1:
        return refused(TOUCHED, "Sent again since.")
    return forbidden_step(person, policy) or Step(Plan.UPDATE, after=person.access, act=Act.REVOKE, marks=(WITHDRAWS,))


def _restored(done: Step, person: Person, policy: Policy) -> Step:
    assert done.before is not None
    assert done.after is not None
    back = _BACK.get(done.act)
    usual = done.was or ("active" if person.kind == "user" else "pending")
    left = _LEFT.get(done.act, usual)
    former = _still(done.before, policy.registry)
    if person.access == former and person.standing == usual:
        return Step(Plan.UNCHANGED, after=former)
    if person.access != _still(done.after, policy.registry) or person.standing != left:
        return _touched()
    if back:
        return to_state(person, back, policy)
    if former.role not in policy.registry.role_by_id:
        return refused("gone", "The former role is not there any more.")
    return to_access(person, former, policy)


def _still(access: Access, registry: Registry) -> Access:
    """The access without groups that were deleted: with them, it went from everybody."""
    return replace(access, groups=access.groups & registry.group_by_id.keys())


def _touched() -> Step:
    return refused(TOUCHED, "Changed since.")

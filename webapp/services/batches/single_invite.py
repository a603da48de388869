"""Inviting one person: no batch, but the very steps of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp import queue
from webapp.core.addresses import Address, key_of, parse
from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.planner import Person, Plan, PlannedChange
from webapp.core.plan.registry import ALL_GROUPS, Registry
from webapp.db import begin_write, db, raise_if_taken
from webapp.models import Invitation, Row, User
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.batches import apply, planner
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.invitations import invitations
from webapp.services.mail import outbox
from webapp.services.settings import in_force


class InviteRefusedError(RuleViolationError):
    """A single invite that was refused: sentences by field, and the person or invitation in its way."""

    def __init__(self, issues: list[dict[str, Any]], person: Person | None = None) -> None:
        super().__init__(" ".join(issue["text"] for issue in issues))
        self.issues = issues
        self.person = person


def invite(cells: Mapping[str, str], by: User, *, proven: bool = False) -> Invitation:
    """Invite one person: the very steps of a row, in one transaction, then the bell. Raises NotInvited.

    proven: `by` has just given their password, as it takes where the role manages people.
    """
    days = in_force.settings().invite_days
    begin_write()
    return _finish(*_plan(cells, by, proven), by, days)


def replace_invitation(invitation_id: int, email: str, by: User, *, proven: bool = False) -> Invitation:
    """Revoke a pending invitation and invite another address in its place, with the same role and groups, in one transaction.

    The row of an upload that waits for its e-mail, or whose e-mail failed, goes on with the new one.
    Raises NotInvited, and what `invitations.get_pending` raises.
    """
    begin_write()
    outbox.lock_unfinished_row(invitation_id)  # for its batch, which is held before the invitation
    old = invitations.get_pending(invitation_id, by, held=True)
    if key_of(email) == old.email_key:
        raise InviteRefusedError([_issue("This invitation has that address already. Type another, or resend it.")])
    groups = ALL_GROUPS if old.all_groups else ", ".join(group.name for group in old.groups)
    step, address, registry = _plan({"email": email, "role": old.role.name, "groups": groups}, by, proven)
    row = outbox.lock_unfinished_row(old.id)
    invitations.revoke(old, by)
    events.record(by, AuditAction.INVITATION_READDRESSED, old, before={"email": old.email}, after={"email": address.display})
    replaced_addresses.record(old.email_key, address.display, address.key)
    if row:
        outbox.reassign_row(row, old.id, address)
    return _finish(step, address, registry, by, old.valid_days, old.batch_id, row.id if row else None)


def _plan(cells: Mapping[str, str], by: User, proven: bool) -> tuple[PlannedChange, Address, Registry]:
    """Part of a command: what inviting this person would do. Raises NotInvited."""
    registry = lookup.registry(by)
    policy = lookup.policy(by, registry)
    judgement = planner.judged([(1, cells["email"], cells["role"], cells["groups"])], policy)[1]
    key = str(judgement.email_key)
    if (person := lookup.people([key]).get(key)) and not person.is_gone:
        has = "already has an account" if person.kind == "user" else "is already invited"
        raise InviteRefusedError([_issue(f"This person {has}.", "exists")], person)
    if issues := judgement.values["issues"]:
        raise InviteRefusedError(issues)
    assert judgement.step.plan is Plan.INVITE
    assert judgement.step.after is not None
    role = registry.role_by_id[judgement.step.after.role]
    if role.manages_people and not proven:
        raise InviteRefusedError([_issue(f"Type your password: this person becomes {role.name}.", "proof", "password")])
    return judgement.step, parse(cells["email"].strip(), registry.allowed_domains), registry


def _finish(
    step: PlannedChange,
    address: Address,
    registry: Registry,
    by: User,
    days: int,
    batch_id: int | None = None,
    row_id: int | None = None,
) -> Invitation:
    """The end of a command: the invitation and its message, the commit, the bell."""
    with raise_if_taken(ConflictError("Somebody invited this person a moment ago.")):
        _, invitation = apply.apply(step, address, by, registry, valid_days=days, batch_id=batch_id, row_id=row_id)
        assert invitation is not None
        if row_id:
            db.session.get_one(Row, row_id).invitation_id = invitation.id
        lookup.bump_version()
        db.session.commit()
    queue.enqueue_send()
    return invitation


def _issue(sentence: str, code: str = "email", field: str = "email") -> dict[str, str]:
    return {"field": field, "text": sentence, "code": code}

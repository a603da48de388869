"""Invites one person, with the same code path as a row of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.core.addresses import Address, keep_name, key_of, parse
from webapp.core.errors import RuleViolationError
from webapp.core.files.extract import Cells
from webapp.core.plan.planner import Access, PlannedChange, Ref
from webapp.core.text import row_phrases
from webapp.db import begin_write, db
from webapp.models import Invitation, Row, User
from webapp.services.audit import events
from webapp.services.batches import apply, planner
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.invitations import invitations
from webapp.services.mail import outbox
from webapp.services.settings import in_force


class InviteRefusedError(RuleViolationError):
    """A single invite that was refused: issues by field, and the user or invitation that has the address."""

    def __init__(self, *issues: dict[str, Any], person: Ref | None = None) -> None:
        self.issues = list(issues)
        super().__init__(" ".join(map(row_phrases.describe, self.issues)))
        self.person = person


def invite(cells: Mapping[str, str], by: User, *, proven: bool = False) -> Invitation:
    """Invite one person. Raises InviteRefusedError.

    proven: `by` has just given their password, as it takes where the role manages people.
    """
    begin_write()
    address, access = _plan(cells, by, proven)
    name = keep_name(cells["name"], cells["email"])
    return _finish(address, name, access, by, in_force.settings().invite_days)


def replace_invitation(
    invitation_id: int, email: str, by: User, *, proven: bool = False
) -> Invitation:
    """Revoke a pending invitation and invite another address in its place, with the same role and groups, in one transaction.

    The row of an upload that waits for its e-mail, or whose e-mail failed, goes on with the new one.
    Raises InviteRefusedError, and what `invitations.get_pending` raises.
    """
    begin_write()
    old = invitations.get_pending(invitation_id, by)
    if key_of(email) == old.email_key:
        raise InviteRefusedError({"field": "email", "code": "same_address"})
    cells = {
        "email": email,
        "name": old.name,
        "role": old.role.name,
        "groups": old.group_names,
    }
    address, access = _plan(cells, by, proven)
    row = outbox.unfinished_row(old.id)
    invitations.revoke(old, by)
    events.record(
        by,
        "invitation.readdressed",
        old,
        before={"email": old.email},
        after={"email": address.display},
    )
    replaced_addresses.record(old.email_key, address.display, address.key)
    if row:
        outbox.reassign_row(row, old.id, address)
    return _finish(address, old.name, access, by, old.valid_days, old.batch_id, row)


def _plan(cells: Mapping[str, str], by: User, proven: bool) -> tuple[Address, Access]:
    """One person's address, and what they would get. Raises InviteRefusedError. Does not commit."""
    registry = lookup.registry()
    row = Cells(1, cells["email"], cells["role"], cells["groups"], cells["name"])
    planned = planner.plan_rows([row], lookup.policy(by, registry))[1]
    change = PlannedChange.from_dict(planned["plan"], planned["change_dict"])
    if change.before and change.subject:
        code = "has_account" if change.subject[0] == "user" else "is_invited"
        raise InviteRefusedError({"field": "email", "code": code}, person=change.subject)
    if planned["issues"]:
        raise InviteRefusedError(*planned["issues"])
    assert change.after
    role = registry.role_by_id[change.after.role]
    if role.manages_people and not proven:
        raise InviteRefusedError({"field": "password", "code": "proof", "role": role.name})
    return parse(cells["email"].strip(), registry.allowed_domains), change.after


def _finish(
    address: Address,
    name: str,
    access: Access,
    by: User,
    days: int,
    batch_id: int | None = None,
    row: Row | None = None,
) -> Invitation:
    """Add the invitation and its message, commit, and wake a worker."""
    row_id = row.id if row else None
    [invitation_id] = apply.invite(
        [(address, name, access, row_id)],
        by,
        lookup.registry(),
        valid_days=days,
        batch_id=batch_id,
    )
    if row:
        row.invitation_id = invitation_id
    lookup.bump_version()
    outbox.commit()
    return db.session.get_one(Invitation, invitation_id)

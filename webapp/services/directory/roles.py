"""Roles: who may do what, and how many people hold each; made and changed by the Owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import selectinload

from webapp.core.errors import RuleViolationError
from webapp.core.plan.registry import fold
from webapp.core.security.permissions import Permission, with_needs
from webapp.db import begin_write, count_by, db
from webapp.models import Invitation, InvitationState, Role, User, UserKind, UserState
from webapp.services.audit import events
from webapp.services.directory import aliases, lookup


def list_roles() -> Sequence[Role]:
    """All roles, the highest first, with their other names."""
    query = select(Role).options(selectinload(Role.aliases))
    return db.session.scalars(query.order_by(Role.rank.desc(), Role.id)).all()


def count_holders() -> dict[str, Counter[int]]:
    """How many `users` and how many pending invitations (`invited`) have each role, by its id; no service accounts."""
    people = User.state != UserState.ERASED, User.kind == UserKind.PERSON
    users = count_by(User.role_id, *people)
    invited = count_by(Invitation.role_id, Invitation.state == InvitationState.PENDING)
    return {"users": users, "invited": invited}


def get_role(role_id: int) -> Role:
    """A role that can be changed. Raises NotFoundError, or RuleViolationError for the Owner's."""
    role = aliases.get_named(Role, role_id)
    if role.is_owner:
        raise RuleViolationError(
            "The Owner’s role stays as it is, so that nobody can lock the Owner out."
        )
    return role


def save(
    role_id: int | None,
    name: str,
    description: str,
    rank: int,
    permissions: Iterable[str],
    by: User,
) -> Role:
    """Make a role (role_id: None), or change one. Rank and permissions hold from everybody's next request on.

    Permissions bring what they are no use without. The old name becomes another name of the role. Raises RuleViolationError
    (field "name") or NotFoundError.
    """
    begin_write()
    needed = [each.value for each in with_needs(map(Permission, permissions))]
    if role_id is None:
        name = aliases.check_name(Role, name)
        aliases.refuse_taken(Role, name)
        role = Role(
            name=name,
            key=fold(name),
            rank=rank,
            permissions=needed,
            description=description,
        )
        db.session.add(role)
        db.session.flush()
        events.record(by, "role.created", role, after=_audit_details(role))
    else:
        role = get_role(role_id)
        before = _audit_details(role)
        aliases.rename(role, name)
        role.rank = rank
        role.permissions = needed
        role.description = description
        after = _audit_details(role)
        if before == after:
            return role
        events.record(by, "role.changed", role, before=before, after=after)
    lookup.commit()
    return role


def list_replacements(role: Role) -> list[Role]:
    """The roles that can take the place of one that is deleted, the highest first."""
    return [other for other in list_roles() if other is not role and not other.is_owner]


def remove(role_id: int, replacement_id: int | None, by: User) -> str:
    """Delete a role. Its users and invitations get the replacement, if there are any. -> its name. Commits.

    Invitations that were closed long ago name the replacement, too, or the lowest role.
    Raises NotFoundError, or RuleViolationError (field "replacement").
    """
    begin_write()
    role = get_role(role_id)
    held = {kind: counted[role_id] for kind, counted in count_holders().items()}
    services = count_by(User.role_id, User.kind == UserKind.SERVICE)[role_id]
    is_held = any(held.values()) or services > 0
    others = {other.id: other for other in list_replacements(role)}
    if others and not is_held and replacement_id is None:
        replacement_id = list(others)[-1]
    replacement = others.get(replacement_id or 0)
    if replacement is None:
        raise RuleViolationError("Choose the role that they get instead.", field="replacement")
    details: dict[str, Any] = {"before": _audit_details(role)}
    if is_held:
        details |= {
            "users": held["users"],
            "invitations": held["invited"],
            "replacement": replacement.name,
        }
    for holder in (User, Invitation):
        moved = update(holder).where(holder.role_id == role_id)
        db.session.execute(moved.values(role_id=replacement.id))
    events.record(by, "role.deleted", role, **details)
    name = role.name
    db.session.delete(role)
    lookup.commit()
    return name


def _audit_details(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "description": role.description,
        "rank": role.rank,
        "permissions": list(role.permissions),
    }

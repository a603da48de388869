"""Roles: who may do what, and how many people hold each; made and changed by the Owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.db import begin_write, db
from webapp.models import (
    OWNER_ROLE_ID,
    Alias,
    AliasKind,
    Invitation,
    InvitationState,
    Role,
    User,
    UserState,
)
from webapp.schemas.directory import RoleSchema
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import aliases, lookup


@dataclass(frozen=True, slots=True)
class Counted:
    """A role with its numbers of users and pending invitations, and its other names."""

    role: Role
    users: int
    invited: int
    other_names: list[Alias]

    @property
    def is_held(self) -> bool:
        return bool(self.users or self.invited)


def list_roles() -> list[Counted]:
    """All roles, the highest first."""
    users = select(User.role_id, func.count()).where(User.state != UserState.ERASED)
    pending = Invitation.state == InvitationState.PENDING
    invitations = select(Invitation.role_id, func.count()).where(pending)
    held = dict(db.session.execute(users.group_by(User.role_id)).all())
    promised = dict(db.session.execute(invitations.group_by(Invitation.role_id)).all())
    other_names = aliases.list_aliases(AliasKind.ROLE)
    return [
        Counted(role, held.get(role.id, 0), promised.get(role.id, 0), other_names[role.id])
        for role in db.session.scalars(select(Role).order_by(Role.rank.desc(), Role.id))
    ]


def get_role(role_id: int) -> Counted:
    """The role, counted, which is not the Owner's. Raises NotFoundError, or RuleViolationError for the Owner's."""
    for each in list_roles():
        if each.role.id == role_id:
            if each.role.is_owner:
                raise RuleViolationError(
                    "The Owner’s role stays as it is, so that nobody can lock the Owner out."
                )
            return each
    raise NotFoundError("There is no such role. It may have been deleted.")


def save(role_id: int | None, values: Mapping[str, Any], by: User) -> Role:
    """Make a role (role_id: None), or change its name, rank and permissions, which hold from everybody's next request on.

    The old name becomes another name of the role. Raises ValidationError, RuleViolationError (field "name") or NotFoundError.
    """
    good = RoleSchema().load(values)
    begin_write()
    if role_id is None:
        aliases.refuse_taken(AliasKind.ROLE, [good["name"]])
        role = Role(key=fold(good["name"]), **good)
        db.session.add(role)
        db.session.flush()
        events.record(by, AuditAction.ROLE_CREATED, role, after=good)
    else:
        role = get_role(role_id).role
        if (before := _audit_details(role)) == good:
            return role
        aliases.rename(AliasKind.ROLE, role, good["name"])
        role.rank, role.permissions = good["rank"], good["permissions"]
        events.record(by, AuditAction.ROLE_CHANGED, role, before=before, after=good)
    lookup.bump_version()
    db.session.commit()
    return role


def remove(role_id: int, replacement_id: int | None, by: User) -> str:
    """Delete a role. Its users and invitations get the replacement, if there are any. -> its name. Commits.

    Invitations that were closed long ago name the replacement, too, or the lowest role.
    Raises NotFoundError, or RuleViolationError (field "replacement").
    """
    begin_write()
    held = get_role(role_id)
    others = [each.role for each in list_roles() if each.role.id not in (role_id, OWNER_ROLE_ID)]
    if replacement_id is None and not held.is_held:
        chosen = others[-1:]
    else:
        chosen = [role for role in others if role.id == replacement_id]
    if not chosen:
        raise RuleViolationError("Choose the role that they get instead.", field="replacement")
    details: dict[str, Any] = {"before": _audit_details(held.role)}
    if held.is_held:
        details |= {
            "users": held.users,
            "invitations": held.invited,
            "replacement": chosen[0].name,
        }
    for holder in (User, Invitation):
        db.session.execute(
            update(holder).where(holder.role_id == role_id).values(role_id=chosen[0].id)
        )
    events.record(by, AuditAction.ROLE_DELETED, held.role, **details)
    db.session.flush()
    name = held.role.name
    db.session.execute(delete(Role).where(Role.id == role_id))
    lookup.bump_version()
    db.session.commit()
    return name


def _audit_details(role: Role) -> dict[str, Any]:
    return {"name": role.name, "rank": role.rank, "permissions": list(role.permissions)}

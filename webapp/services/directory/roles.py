"""Roles: who may do what, and how many people hold each; made and changed by the Owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.db import begin_write, db, raise_if_taken
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
from webapp.schemas.roles import RoleSchema
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import aliases, lookup
from webapp.services.directory.aliases import TAKEN


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

    @property
    def seen(self) -> str:
        """What a page carries, so that nothing is done but what it said."""
        return f"{self.users}-{self.invited}"


# Questions


def list_roles() -> list[Counted]:
    """All roles, the highest first, in two queries."""
    here = User.state != UserState.ERASED
    users = (
        select(User.role_id, func.count().label("n")).where(here).group_by(User.role_id).subquery()
    )
    invited = (
        select(Invitation.role_id, func.count().label("n"))
        .where(Invitation.state == InvitationState.PENDING)
        .group_by(Invitation.role_id)
        .subquery()
    )
    query = (
        select(Role, func.coalesce(users.c.n, 0), func.coalesce(invited.c.n, 0))
        .outerjoin(users, users.c.role_id == Role.id)
        .outerjoin(invited, invited.c.role_id == Role.id)
        .order_by(Role.rank.desc(), Role.id)
    )
    other_names = aliases.list_aliases(AliasKind.ROLE)
    return [Counted(role, n, m, other_names[role.id]) for role, n, m in db.session.execute(query)]


def get_role(role_id: int) -> Counted:
    """The role, counted, which is not the Owner's. Raises NotFoundError, or RuleViolationError for the Owner's."""
    for each in list_roles():
        if each.role.id == role_id:
            _refuse_owner(each.role)
            return each
    raise NotFoundError("There is no such role. It may have been deleted.")


def rows_naming(role_id: int) -> int:
    """How many rows under review name the role."""
    return aliases.count_rows_naming(AliasKind.ROLE, [role_id])


# Commands


def add(values: Mapping[str, Any], by: User) -> Role:
    """A role of the organisation's own. Raises ValidationError, or RuleViolationError (field "name")."""
    good = RoleSchema().load(values)
    begin_write()
    aliases.refuse_taken(AliasKind.ROLE, [good["name"]])
    role = Role(key=fold(good["name"]), **good)
    with raise_if_taken(ConflictError(TAKEN)):
        db.session.add(role)
        db.session.flush()
        events.record(by, AuditAction.ROLE_CREATED, role, after=_audit_details(role))
        lookup.bump_version()
        db.session.commit()
    return role


def change(role_id: int, values: Mapping[str, Any], by: User) -> Role:
    """Rename a role, set its rank and permissions; it holds from everybody's next request on.

    The old name becomes another name of the role. Raises ValidationError, RuleViolationError (field "name") or NotFoundError.
    """
    good = RoleSchema().load(values)
    begin_write()
    role = _changeable(role_id)
    before = _audit_details(role)
    with raise_if_taken(ConflictError(TAKEN)):
        aliases.rename(AliasKind.ROLE, role, good["name"])
        role.rank, role.permissions = good["rank"], good["permissions"]
        if (after := _audit_details(role)) == before:
            db.session.rollback()
            return role
        events.record(by, AuditAction.ROLE_CHANGED, role, before=before, after=after)
        lookup.bump_version()
        db.session.commit()
    return role


def remove(role_id: int, replacement_id: int | None, by: User, seen: str) -> str:
    """Delete a role. Its users and invitations get the replacement, if there are any. -> its name. Commits.

    seen: `Counted.seen` of the page. Invitations that were closed long ago name the replacement, too, or the lowest role.
    Raises NotFoundError, RuleViolationError (field "replacement"), or Conflict where others hold it than the page said.
    """
    begin_write()
    role = _changeable(role_id)
    held = get_role(role_id)
    if held.seen != seen:
        db.session.rollback()
        raise ConflictError(
            "Nothing was changed: other people hold this role than this page said. Look again, then decide."
        )
    replacement = _replacement(role_id, replacement_id)
    if replacement is None or (held.is_held and replacement_id is None):
        db.session.rollback()
        raise RuleViolationError("Choose the role that they get instead.", field="replacement")
    for holder in (User, Invitation):
        db.session.execute(
            update(holder).where(holder.role_id == role_id).values(role_id=replacement.id)
        )
    instead = (
        {"users": held.users, "invitations": held.invited, "replacement": replacement.name}
        if held.is_held
        else {}
    )
    events.record(by, AuditAction.ROLE_DELETED, role, before=_audit_details(role), **instead)
    db.session.flush()
    name = role.name
    db.session.execute(delete(Role).where(Role.id == role_id))
    lookup.bump_version()
    db.session.commit()
    return name


def _replacement(role_id: int, wanted: int | None) -> Role | None:
    """The chosen role, or the lowest if none is chosen; never the deleted one, and never Owner."""
    others = (
        select(Role)
        .where(Role.id.not_in((role_id, OWNER_ROLE_ID)))
        .order_by(Role.rank, Role.id)
        .limit(1)
    )
    return db.session.scalar(others if wanted is None else others.where(Role.id == wanted))


def _changeable(role_id: int) -> Role:
    role: Role = aliases.get_named(AliasKind.ROLE, role_id)
    if role.is_owner:
        db.session.rollback()
    _refuse_owner(role)
    return role


def _refuse_owner(role: Role) -> None:
    if role.id == OWNER_ROLE_ID:
        raise RuleViolationError(
            "The Owner’s role stays as it is, so that nobody can lock the Owner out."
        )


def _audit_details(role: Role) -> dict[str, Any]:
    return {"name": role.name, "rank": role.rank, "permissions": list(role.permissions)}

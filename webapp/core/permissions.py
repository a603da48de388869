"""What may be done at all, and the roles that Muster ships (docs/rules.md, "Roles and permissions")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What a role may hold; every route names one."""

    USERS_SEE = "users:see"
    """See users, groups and invitations."""
    USERS_MANAGE = "users:manage"
    """Change users and groups."""
    BATCHES_SEE = "batches:see"
    """See uploads and their reports."""
    INVITATIONS_MAKE = "invitations:make"
    """Invite, upload, confirm, resend, revoke, revert."""
    MESSAGES_SEE = "messages:see"
    """Outgoing mail and "Copy link", for invitations to roles that one may grant."""
    AUDIT_READ = "audit:read"
    ORGANISATION_MANAGE = "organisation:manage"
    """Organisation settings, role definitions, handing over ownership."""


@dataclass(frozen=True, slots=True)
class ShippedRole:
    """A role that a new installation begins with."""

    name: str
    rank: int
    permissions: tuple[Permission, ...]


_SEES = (Permission.USERS_SEE, Permission.BATCHES_SEE)
_ADMIN = (*_SEES, Permission.AUDIT_READ, Permission.INVITATIONS_MAKE, Permission.MESSAGES_SEE, Permission.USERS_MANAGE)

SHIPPED_ROLES = (
    ShippedRole("Owner", 100, (*_ADMIN, Permission.ORGANISATION_MANAGE)),
    ShippedRole("Admin", 80, _ADMIN),
    ShippedRole("Investigator", 60, (*_SEES, Permission.AUDIT_READ)),
    ShippedRole("Analyst", 50, _SEES),
    ShippedRole("Broadcaster", 30, ()),
    ShippedRole("Remote", 10, ()),
)
"""The Owner comes first, so that it gets `OWNER_ROLE_ID`. Everybody who can sign in sees their own role and groups."""

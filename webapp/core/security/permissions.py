"""What may be done at all, and the roles that Muster ships (docs/rules.md, "Roles and permissions")."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol


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


class Meaning(NamedTuple):
    """A permission in words: the heading of its column, what it lets people do, what one who has it does, and what it is no
    use without."""

    title: str
    text: str
    does: str
    needs: tuple[Permission, ...] = ()


MEANINGS = {
    Permission.USERS_SEE: Meaning(
        "See people", "See users, roles, groups and invitations", "sees people"
    ),
    Permission.BATCHES_SEE: Meaning("See uploads", "See uploads and their reports", "sees uploads"),
    Permission.AUDIT_READ: Meaning("Audit log", "Read who changed what", "reads the audit log"),
    Permission.INVITATIONS_MAKE: Meaning(
        "Invite",
        "Invite, upload, confirm and resend",
        "invites people",
        (Permission.USERS_SEE, Permission.BATCHES_SEE),
    ),
    Permission.MESSAGES_SEE: Meaning(
        "Outgoing mail",
        "Read outgoing mail and copy links, for roles that one may grant",
        "reads outgoing mail",
        (Permission.USERS_SEE,),
    ),
    Permission.USERS_MANAGE: Meaning(
        "Manage people",
        "Change users and groups",
        "manages users and groups",
        (Permission.USERS_SEE,),
    ),
    Permission.ORGANISATION_MANAGE: Meaning(
        "Organisation", "Settings, roles, and handing over ownership", "runs the organisation"
    ),
}
"""In the order in which they are shown, the most powerful last."""

GIVABLE = tuple(
    permission for permission in MEANINGS if permission is not Permission.ORGANISATION_MANAGE
)
"""What a role may be given; the organisation is the Owner's alone, so that no role can raise itself."""


def with_needs(permissions: Iterable[Permission]) -> list[Permission]:
    """The permissions and what they are no use without, in the order in which they are shown."""
    wanted = set(permissions)
    for permission in tuple(wanted):
        wanted.update(MEANINGS[permission].needs)
    return [permission for permission in MEANINGS if permission in wanted]


def what_it_does(permissions: Iterable[str]) -> str:
    """Describe the permissions of a role: "Manages users and groups, invites people, reads the audit log".

    What goes without saying is left out: what a permission named is no use without.
    """
    held = [MEANINGS[Permission(permission)] for permission in permissions]
    implied = {need for meaning in held for need in meaning.needs}
    phrases = []
    for permission, meaning in reversed(MEANINGS.items()):
        if meaning in held and permission not in implied:
            phrases.append(meaning.does)
    text = ", ".join(phrases) or "sees their own role and groups"
    return text[0].upper() + text[1:]


class Powers(Protocol):
    """A role, as far as it says who may give it, and what it is for."""

    @property
    def rank(self) -> int: ...

    @property
    def description(self) -> str: ...

    @property
    def permissions(self) -> Collection[str]: ...

    @property
    def is_owner(self) -> bool: ...


def describe_role(role: Powers) -> str:
    """What a role is for: in the Owner's words, or what its permissions are."""
    return role.description or what_it_does(role.permissions)


def may_grant(rank: int, permissions: Collection[str], role: Powers) -> bool:
    """Whether a person of this rank and with these permissions may grant the role: never Owner, nothing above their own."""
    return not role.is_owner and role.rank <= rank and set(role.permissions) <= set(permissions)


class ShippedRole(NamedTuple):
    """A role that a new installation begins with."""

    name: str
    rank: int
    permissions: tuple[Permission, ...]
    description: str


OWNER_RANK = 100
"""Every other role ranks below."""

_SEES = (Permission.USERS_SEE, Permission.BATCHES_SEE)
_ADMIN = (
    *_SEES,
    Permission.AUDIT_READ,
    Permission.INVITATIONS_MAKE,
    Permission.MESSAGES_SEE,
    Permission.USERS_MANAGE,
)

SHIPPED_ROLES = (
    ShippedRole(
        "Owner",
        OWNER_RANK,
        (*_ADMIN, Permission.ORGANISATION_MANAGE),
        "Can do everything, also change settings and roles. There is one Owner.",
    ),
    ShippedRole(
        "Admin",
        80,
        _ADMIN,
        "Can invite people, change their roles and groups, and read the audit log.",
    ),
    ShippedRole(
        "Investigator",
        60,
        (*_SEES, Permission.AUDIT_READ),
        "Can see people, groups, invitations, reports and the audit log. Cannot change them.",
    ),
    ShippedRole(
        "Analyst",
        50,
        _SEES,
        "Can see people, groups, invitations and the reports of uploads. Cannot change them.",
    ),
    ShippedRole(
        "Broadcaster",
        30,
        (),
        "Can send messages to devices.",
    ),
    ShippedRole(
        "Remote",
        10,
        (),
        "Can sign in to devices from home.",
    ),
)
"""The Owner comes first, so that it gets `OWNER_ROLE_ID`. Everybody who can sign in sees their own role and groups."""

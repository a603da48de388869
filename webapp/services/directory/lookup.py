"""Looks up roles, groups and people by e-mail, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    case,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import aliased

from webapp.core.plan.planner import Access, Person, Policy, Ref
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry
from webapp.core.security.permissions import Permission, what_it_does
from webapp.db import binary_order, db, in_json, utcnow
from webapp.models import (
    OWNER_ROLE_ID,
    Alias,
    Group,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Organisation,
    Role,
    User,
    UserState,
)
from webapp.models.directory import invitation_groups, user_groups
from webapp.services.settings import in_force


def registry(by: User | None = None) -> Registry:
    """All roles (highest first), groups (by name) and their aliases; read once a transaction. by: whose domain is known, too."""
    installation = in_force.installation()
    allowed = installation.settings.allowed_domains
    keys = (by.email_key if by else "", installation.owner_key)
    own = [key.rpartition("@")[2] for key in keys if key]
    cache = in_force.transaction_cache()
    if "registry" not in cache:
        cache["registry"] = _read_registry()
    return replace(
        cast(Registry, cache["registry"]),
        allowed_domains=frozenset(allowed),
        known_domains=tuple(dict.fromkeys((*allowed, *own))),
    )


def _read_registry() -> Registry:
    """Roles, groups and aliases, without the domains."""
    roles = select(Role.id, Role.name, Role.rank, Role.permissions)
    groups = select(Group.id, Group.name).order_by(binary_order(Group.key))
    aliases = db.session.execute(select(Alias.key, Alias.role_id, Alias.group_id)).all()
    return Registry(
        roles=tuple(
            RoleEntry(
                role_id,
                name,
                rank,
                role_id == OWNER_ROLE_ID,
                Permission.USERS_MANAGE in permissions,
                what_it_does(permissions),
                frozenset(permissions),
            )
            for role_id, name, rank, permissions in db.session.execute(
                roles.order_by(Role.rank.desc(), Role.id)
            )
        ),
        groups=tuple(GroupEntry(group_id, name) for group_id, name in db.session.execute(groups)),
        role_aliases={key: role_id for key, role_id, _ in aliases if role_id},
        group_aliases={key: group_id for key, _, group_id in aliases if group_id},
    )


def grantable(by: User) -> list[RoleEntry]:
    """The roles that this person may give to others, the highest first."""
    return registry().grantable(by.role.rank, by.role.permissions)


def administrators() -> frozenset[int]:
    """The ids of the roles that manage people: to give one, or a link to one, takes one's own password."""
    return frozenset(role.id for role in registry().roles if role.manages_people)


def is_to_grantable(by: User) -> ColumnElement[bool]:
    """A condition on Invitation: its role is one that this person may give."""
    return in_json(Invitation.role_id, [role.id for role in grantable(by)])


def policy(by: User, registry: Registry, **more: Any) -> Policy:
    """The rules by which a person may change others. more: other fields of `Policy`."""
    values = {"protected": frozenset({by.id}), **more}
    return Policy(registry, by.role.rank, frozenset(by.role.permissions), **values)


def directory_version() -> int:
    """The directory's version: plans of an older one are refreshed before they are used."""
    return db.session.scalars(select(Organisation.directory_version)).one()


def bump_version() -> None:
    """Count a change of users, invitations, groups, roles or settings. Call it last: it locks one shared row. Does not commit."""
    in_force.forget()
    db.session.flush()
    db.session.execute(
        update(Organisation).values(directory_version=Organisation.directory_version + 1)
    )


def people(keys: Iterable[str]) -> dict[str, Person]:
    """The people with these e-mail keys, users before invitations; at most five queries."""
    wanted = list(keys)
    pending = in_json(Invitation.email_key, wanted) & (Invitation.state == InvitationState.PENDING)
    return dict(_find_invitations(pending)) | dict(_find_users(in_json(User.email_key, wanted)))


def people_by_id(refs: Iterable[Ref]) -> dict[Ref, Person]:
    """These users and invitations, including closed ones, without erased people; six queries, however many."""
    wanted = sorted(refs)
    users = in_json(User.id, [person_id for kind, person_id in wanted if kind == "user"])
    invitations = in_json(
        Invitation.id, [person_id for kind, person_id in wanted if kind == "invitation"]
    )
    found = [*_find_users(users), *_find_invitations(invitations, _count_sendings(invitations))]
    return {(person.kind, person.id): person for _, person in found}


def _find_users(is_wanted: ColumnElement[bool]) -> list[tuple[str, Person]]:
    """With the e-mail's key."""
    wanted = is_wanted & (User.state != UserState.ERASED)
    columns = select(User.email_key, User.id, User.role_id, User.all_groups, User.state)
    users = db.session.execute(columns.where(wanted)).all()
    if not users:  # as mostly where one cell is edited
        return []
    groups = _find_memberships(user_groups.c.user_id, User, wanted)
    found = []
    for key, user_id, role_id, everything, state in users:
        access = Access(role_id, groups[user_id], everything)
        found.append((key, Person("user", user_id, access, cast(Any, state.value))))
    return found


def _find_invitations(
    is_wanted: ColumnElement[bool], sendings: Mapping[int, tuple[int, int]] = MappingProxyType({})
) -> list[tuple[str, Person]]:
    """With the e-mail's key."""
    columns = select(
        Invitation.email_key,
        Invitation.id,
        Invitation.role_id,
        Invitation.all_groups,
        Invitation.state,
        Invitation.expires_at,
    )
    invitations = db.session.execute(columns.where(is_wanted)).all()
    if not invitations:
        return []
    groups = _find_memberships(invitation_groups.c.invitation_id, Invitation, is_wanted)
    failed = set(db.session.scalars(select_failed_invitations(is_wanted)))
    now, found = utcnow(), []
    for key, each, role_id, everything, state, until in invitations:
        is_expired = state is InvitationState.PENDING and until and until <= now
        access = Access(role_id, groups[each], everything)
        status = cast(Any, "expired" if is_expired else state.value)
        sent = sendings.get(each, (0, 0))
        found.append((key, Person("invitation", each, access, status, each in failed, *sent)))
    return found


def _count_sendings(is_wanted: ColumnElement[bool]) -> dict[int, tuple[int, int]]:
    """How often these invitations were sent: `Person.sent` and `sent_this_hour`, by id."""
    hour_ago = utcnow() - timedelta(hours=1)
    lately = func.sum(case((Message.created_at > hour_ago, 1), else_=0))
    counted = (
        select(Message.invitation_id, func.count(), lately, func.min(Message.created_at))
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(is_wanted, Message.kind == MessageKind.INVITATION)
        .group_by(Message.invitation_id)
    )
    rows = db.session.execute(counted)
    return {
        person_id: (sent, recent - (1 if first > hour_ago else 0))
        for person_id, sent, recent, first in rows
    }


def select_failed_invitations(*which: ColumnElement[bool]) -> Select[int | None]:
    """The ids of invitations whose last e-mail failed for good. which: conditions on Invitation."""
    newest = (
        select(func.max(Message.id))
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(*which, Message.kind == MessageKind.INVITATION)
        .group_by(Message.invitation_id)
    )
    return select(Message.invitation_id).where(
        Message.id.in_(newest), Message.state == MessageState.FAILED
    )


def select_never_emailed(*which: ColumnElement[bool]) -> Select[int | None]:
    """The ids of pending invitations whose e-mail became a file and never went to a mail server. which: conditions on Invitation.

    One that waits in the outbox does not count: it is about to go.
    """
    went = [MessageState.SENT, MessageState.UNCERTAIN, MessageState.QUEUED, MessageState.SENDING]
    gone = aliased(Message)
    return (
        select(Message.invitation_id)
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(
            *which,
            Invitation.state == InvitationState.PENDING,
            Message.state == MessageState.WRITTEN,
            ~exists().where(gone.invitation_id == Message.invitation_id, gone.state.in_(went)),
        )
    )


def _find_memberships(
    owner_id: Column[int], model: type[User] | type[Invitation], is_wanted: ColumnElement[bool]
) -> defaultdict[int, frozenset[int]]:
    """The ids of the groups of people, by the id of the person."""
    query = select(owner_id, owner_id.table.c.group_id).join(model, model.id == owner_id)
    members: defaultdict[int, frozenset[int]] = defaultdict(frozenset)
    for person_id, group_id in db.session.execute(query.where(is_wanted)):
        members[person_id] |= {group_id}
    return members

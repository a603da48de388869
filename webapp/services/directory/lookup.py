"""Looks up roles, groups and people by e-mail, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Integer,
    Select,
    case,
    cast,
    event,
    exists,
    func,
    literal,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session, SessionTransaction, aliased

from webapp.core.plan.planner import Access, Person, Policy, Ref
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry
from webapp.core.security.permissions import Permission, what_it_does
from webapp.db import KEEPING, db, in_json, utcnow
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
from webapp.models.groups import invitation_groups, user_groups
from webapp.services.settings import in_force

_NO_NUMBER, _NO_LIST = cast(null(), Integer), cast(null(), JSON)
_REGISTRY = union_all(  # kind, id, name, key, rank, permissions, what an alias stands for
    select(
        literal("role"),
        Role.id,
        Role.name,
        Role.key,
        Role.rank,
        Role.permissions,
        _NO_NUMBER,
        _NO_NUMBER,
    ),
    select(
        literal("group"),
        Group.id,
        Group.name,
        Group.key,
        _NO_NUMBER,
        _NO_LIST,
        _NO_NUMBER,
        _NO_NUMBER,
    ),
    select(
        literal("alias"),
        _NO_NUMBER,
        Alias.key,
        Alias.key,
        _NO_NUMBER,
        _NO_LIST,
        Alias.role_id,
        Alias.group_id,
    ),
)


def registry(by: User | None = None) -> Registry:
    """All roles (highest first), groups (by name) and their aliases; read once a transaction, in one query."""
    installation = in_force.installation()
    allowed = installation.settings.allowed_domains
    own = [
        key.rpartition("@")[2]
        for key in (by.email_key if by else "", installation.owner_key)
        if key
    ]
    known_domains = tuple(dict.fromkeys((*allowed, *own)))
    registries: dict[tuple[str, ...], Registry] = db.session.info.setdefault(_REGISTRIES, {})
    if known_domains not in registries:
        any_other = next(iter(registries.values()), None) or _read_registry()
        registries[known_domains] = replace(
            any_other, allowed_domains=frozenset(allowed), known_domains=known_domains
        )
    return registries[known_domains]


_REGISTRIES = "registries"


def _read_registry() -> Registry:
    """Roles, groups and aliases, without the domains."""
    found: dict[str, list[Sequence[Any]]] = {"role": [], "group": [], "alias": []}
    for kind, *values in db.session.execute(_REGISTRY):
        found[kind].append(values)
    roles = sorted(found["role"], key=lambda role: (-role[3], role[0]))
    groups = sorted(found["group"], key=lambda group: str(group[2]))
    return Registry(
        roles=tuple(
            _role_entry(role_id, name, rank, tuple(may))
            for role_id, name, _, rank, may, *_ in roles
        ),
        groups=tuple(GroupEntry(group_id, name) for group_id, name, *_ in groups),
        role_aliases={key: role_id for _, key, *_, role_id, _ in found["alias"] if role_id},
        group_aliases={key: group_id for _, key, *_, group_id in found["alias"] if group_id},
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


def _role_entry(role_id: int, name: str, rank: int, may: tuple[str, ...]) -> RoleEntry:
    manages_people = Permission.USERS_MANAGE in may
    return RoleEntry(
        role_id,
        name,
        rank,
        role_id == OWNER_ROLE_ID,
        manages_people,
        what_it_does(may),
        frozenset(may),
    )


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """The next transaction may find other roles and groups."""
    if transaction.parent is None and KEEPING not in session.info:
        session.info.pop(_REGISTRIES, None)


def directory_version() -> int:
    """The directory's version: plans of an older one are refreshed before they are used."""
    return db.session.scalars(select(Organisation.directory_version)).one()


def bump_version() -> None:
    """Count a change of users, invitations, groups, roles or settings. Call it last: it locks one shared row. Does not commit."""
    db.session.info.pop(_REGISTRIES, None)
    in_force.forget()
    db.session.flush()
    db.session.execute(
        update(Organisation).values(directory_version=Organisation.directory_version + 1)
    )


def people(keys: Iterable[str]) -> dict[str, Person]:
    """The people with these e-mail keys, users before invitations; at most five queries."""
    wanted = list(keys)
    pending = in_json(Invitation.email_key, wanted) & (Invitation.state == InvitationState.PENDING)
    return dict(_invitations(pending)) | dict(_users(in_json(User.email_key, wanted)))


def people_by_id(refs: Iterable[Ref]) -> dict[Ref, Person]:
    """These users and invitations, including closed ones, without erased people; six queries, however many."""
    wanted = list(refs)
    ids: dict[str, list[int]] = {
        "user": sorted(person_id for kind, person_id in wanted if kind == "user")
    }
    ids["invitation"] = sorted(person_id for kind, person_id in wanted if kind == "invitation")
    is_wanted = in_json(Invitation.id, ids["invitation"])
    found = (*_users(in_json(User.id, ids["user"])), *_invitations(is_wanted, _sendings(is_wanted)))
    return {(person.kind, person.id): person for _, person in found}


def _users(is_wanted: ColumnElement[bool]) -> Iterator[tuple[str, Person]]:
    """With the e-mail's key."""
    here = is_wanted & (User.state != UserState.ERASED)
    query = select(User.email_key, User.id, User.role_id, User.all_groups, User.state).where(here)
    if not (found := db.session.execute(query).all()):
        return
    groups = _memberships(user_groups.c.user_id, [person_id for _, person_id, *_ in found])
    for key, person_id, role_id, everything, state in found:
        access = Access(role_id, frozenset(groups[person_id]), everything)
        yield (
            key,
            Person(
                "user", person_id, access, "active" if state is UserState.ACTIVE else "deactivated"
            ),
        )


def _invitations(
    is_wanted: ColumnElement[bool], sendings: Mapping[int, tuple[int, int]] = MappingProxyType({})
) -> Iterator[tuple[str, Person]]:
    """With the e-mail's key."""
    columns = (
        Invitation.email_key,
        Invitation.id,
        Invitation.role_id,
        Invitation.all_groups,
        Invitation.state,
        Invitation.expires_at,
    )
    if not (found := db.session.execute(select(*columns).where(is_wanted)).all()):
        return
    ids = [person_id for _, person_id, *_ in found]
    groups = _memberships(invitation_groups.c.invitation_id, ids)
    failed = set(db.session.scalars(select_failed_invitations(in_json(Invitation.id, ids))))
    now = utcnow()
    for key, person_id, role_id, everything, state, expires_at in found:
        is_over = state is InvitationState.PENDING and expires_at and expires_at <= now
        access = Access(role_id, frozenset(groups.get(person_id, ())), everything)
        yield (
            key,
            Person(
                "invitation",
                person_id,
                access,
                "expired" if is_over else state.value,
                person_id in failed,
                *sendings.get(person_id, (0, 0)),
            ),
        )


def _sendings(is_wanted: ColumnElement[bool]) -> dict[int, tuple[int, int]]:
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


def _memberships(owner: Column[int], ids: Iterable[int]) -> defaultdict[int, list[int]]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for person_id, group_id in db.session.execute(
        select(owner, owner.table.c.group_id).where(in_json(owner, ids))
    ):
        members[person_id].append(group_id)
    return members

"""Looks up roles, groups and people by e-mail, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, null, select, update

from webapp.core.plan.planner import Access, Person, Policy, Ref
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry
from webapp.db import binary_order, db, in_json, utcnow
from webapp.models import (
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
    UserKind,
    UserState,
)
from webapp.models.directory import invitation_groups, user_groups
from webapp.services.settings import in_force


def registry() -> Registry:
    """All roles (highest first), groups (by name), their aliases, and the organisation's domains; read once a transaction."""
    cache = in_force.transaction_cache()
    if "registry" not in cache:
        cache["registry"] = _read_registry()
    return cast(Registry, cache["registry"])


def _read_registry() -> Registry:
    roles = []
    columns = select(Role.id, Role.name, Role.rank, Role.permissions, Role.description)
    by_rank = columns.order_by(Role.rank.desc(), Role.id)
    for role_id, name, rank, permissions, description in db.session.execute(by_rank):
        roles.append(RoleEntry(role_id, name, rank, frozenset(permissions), description))
    groups = []
    by_name = select(Group.id, Group.name).order_by(binary_order(Group.key))
    for group_id, name in db.session.execute(by_name):
        groups.append(GroupEntry(group_id, name))
    role_aliases = {}
    group_aliases = {}
    aliases = select(Alias.key, Alias.role_id, Alias.group_id)
    for key, of_role, of_group in db.session.execute(aliases):
        if of_role:
            role_aliases[key] = of_role
        if of_group:
            group_aliases[key] = of_group
    installation = in_force.installation()
    allowed = installation.settings.allowed_domains
    domain_of_owner = installation.owner_key.rpartition("@")[2]
    known = dict.fromkeys([*allowed, domain_of_owner])
    return Registry(
        roles=roles,
        groups=groups,
        allowed_domains=frozenset(allowed),
        role_aliases=role_aliases,
        group_aliases=group_aliases,
        known_domains=tuple(filter(None, known)),
    )


def grantable(by: User) -> list[RoleEntry]:
    """The roles that this person may give to others, the highest first."""
    return [role for role in registry().roles if by.may_grant(role)]


def administrators() -> frozenset[int]:
    """The ids of the roles that manage people: to give one, or a link to one, takes one's own password."""
    return frozenset(role.id for role in registry().roles if role.manages_people)


def is_to_grantable(by: User) -> ColumnElement[bool]:
    """A condition on Invitation: its role is one that this person may give."""
    return in_json(Invitation.role_id, [role.id for role in grantable(by)])


def policy(by: User, registry: Registry, **more: Any) -> Policy:
    """The rules by which a person may change others. more: other fields of `Policy`."""
    more.setdefault("protected", frozenset({by.id}))
    return Policy(
        registry=registry,
        rank=by.role.rank,
        permissions=frozenset(by.role.permissions),
        **more,
    )


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


def commit() -> None:
    """Commit a command that changed the directory."""
    bump_version()
    db.session.commit()


def people(keys: Iterable[str]) -> dict[str, Person]:
    """The people with these e-mail keys, users before invitations; at most five queries."""
    wanted = list(keys)
    is_pending = Invitation.state == InvitationState.PENDING
    invitations = _find(Invitation, in_json(Invitation.email_key, wanted) & is_pending)
    users = _find(User, in_json(User.email_key, wanted) & _IS_THERE)
    return dict(invitations + users)


def people_by_id(refs: Iterable[Ref]) -> dict[Ref, Person]:
    """These users and invitations, closed ones too; no erased people, no service accounts. Five queries, however many."""
    ids: dict[str, list[int]] = {"user": [], "invitation": []}
    for kind, person_id in refs:
        ids[kind].append(person_id)
    users = _find(User, in_json(User.id, ids["user"]) & _IS_THERE)
    invitations = _find(Invitation, in_json(Invitation.id, ids["invitation"]))
    found: dict[Ref, Person] = {}
    for _, person in users + invitations:
        found[person.kind, person.id] = person
    return found


_IS_THERE = (User.state != UserState.ERASED) & (User.kind == UserKind.PERSON)


def _find(model: Any, is_wanted: ColumnElement[bool]) -> list[tuple[str, Person]]:
    """The users or invitations that meet a condition, each with the e-mail's key."""
    is_user = model is User
    people = db.session.execute(
        select(
            model.email_key,
            model.id,
            model.role_id,
            model.all_groups,
            model.state,
            null() if is_user else Invitation.expires_at <= utcnow(),
        ).where(is_wanted)
    ).all()
    if not people:  # as mostly where one cell is edited
        return []
    person_id, group_id = user_groups.c if is_user else invitation_groups.c
    members = select(person_id, group_id).where(person_id == model.id, is_wanted)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for owner_id, each in db.session.execute(members):
        groups[owner_id].append(each)
    sendings = {} if is_user else _count_sendings(is_wanted)
    kind: Any = "user" if is_user else "invitation"
    found = []
    for key, owner_id, role_id, everything, state, is_over in people:
        access = Access(role_id, frozenset(groups[owner_id]), everything)
        status: Any = state.value
        if is_over and state is InvitationState.PENDING:
            status = "expired"
        sent = sendings.get(owner_id, (False, 0, 0))
        found.append((key, Person(kind, owner_id, access, status, *sent)))
    return found


def _count_sendings(is_wanted: ColumnElement[bool]) -> dict[int | None, tuple[bool, int, int]]:
    """What became of the e-mails of these invitations: `Person.failed`, `sent` and `sent_this_hour`, by id."""
    sendings = select(Message.invitation_id, Message.created_at, Message.state).where(
        Message.invitation_id == Invitation.id,
        Message.kind == MessageKind.INVITATION,
        is_wanted,
    )
    hour_ago = utcnow() - timedelta(hours=1)
    found: dict[int | None, tuple[bool, int, int]] = {}
    for invitation_id, at, state in db.session.execute(sendings.order_by(Message.id)):
        _, sent, lately = found.get(invitation_id, (False, 0, 0))
        is_resent_now = sent > 0 and at > hour_ago
        found[invitation_id] = (state is MessageState.FAILED, sent + 1, lately + is_resent_now)
    return found

"""The directory as plain values: the registry of roles and groups, and who has which e-mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Select, Table, case, event, func, select, update
from sqlalchemy.orm import Session, SessionTransaction

from webapp.config import Settings
from webapp.core.directory import GroupEntry, Registry, RoleEntry
from webapp.core.permissions import Permission
from webapp.core.planning import Access, Person, Ref
from webapp.db import among, db, hold, utcnow
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


def environment() -> Settings:
    """The settings as the environment gave them: for what no page sets. No query."""
    found = current_app.extensions["muster_settings"]
    assert isinstance(found, Settings)
    return found


def settings() -> Settings:
    """The settings in force: the environment's and, where it says nothing, those set on a page; read once a transaction."""
    given = environment()
    kept = db.session.info.get(_SETTINGS)
    if kept is None or kept[0] is not given:
        place = db.session.get(Organisation, 1)  # none before the first start
        found = given.overlaid_as_far_as_they_go(place.settings) if place else given
        kept = db.session.info[_SETTINGS] = (given, found, place)  # the row is held, so that `organisation` asks no more
    in_force: Settings = kept[1]
    return in_force


def letterhead() -> dict[str, str]:
    """What every invitation says of its sender: arguments of `emails.invitation`."""
    now = settings()
    return {"organisation": organisation().name, "own_subject": now.invite_subject, "words": now.invite_message}


def registry(by: User | None = None) -> Registry:
    """All roles (highest first), groups (by name) and their aliases; read once a transaction, in four queries."""
    roles, groups, aliases, owner_key = db.session.info.get(_KEPT) or db.session.info.setdefault(_KEPT, _read_registry())
    allowed = settings().allowed_domains
    own = [key.rpartition("@")[2] for key in (by.email_key if by else None, owner_key) if key]
    return Registry(
        roles=roles,
        groups=groups,
        role_aliases={alias.key: alias.role_id for alias in aliases if alias.role_id},
        group_aliases={alias.key: alias.group_id for alias in aliases if alias.group_id},
        allowed_domains=frozenset(allowed),
        known_domains=tuple(dict.fromkeys((*allowed, *own))),
    )


_KEPT = "registry"
_SETTINGS = "settings"


def _read_registry() -> tuple[tuple[RoleEntry, ...], tuple[GroupEntry, ...], Sequence[Any], str | None]:
    roles = db.session.scalars(select(Role).order_by(Role.rank.desc(), Role.id)).all()
    groups = db.session.execute(select(Group.id, Group.name).order_by(Group.key)).all()
    aliases = db.session.execute(select(Alias.key, Alias.role_id, Alias.group_id)).all()
    owner_key = db.session.scalar(select(User.email_key).where(User.role_id == OWNER_ROLE_ID))
    return (
        tuple(RoleEntry(r.id, r.name, r.rank, r.is_owner, Permission.USERS_MANAGE in r.permissions) for r in roles),
        tuple(GroupEntry(id, name) for id, name in groups),
        aliases,
        owner_key,
    )


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """The next transaction may find other roles, groups and settings."""
    if transaction.parent is None:
        session.info.pop(_KEPT, None)
        session.info.pop(_SETTINGS, None)


def organisation() -> Organisation:
    """The one row; made by `flask muster prepare`."""
    return db.session.get_one(Organisation, 1)


def version() -> int:
    """The directory's version: plans made at an older one are made again before they are trusted."""
    return db.session.scalars(select(Organisation.directory_version)).one()


def moved() -> None:
    """Part of a command that changed users, invitations, groups or roles. Call it last: it locks one shared row."""
    db.session.info.pop(_KEPT, None)
    db.session.flush()
    db.session.execute(update(Organisation).values(directory_version=Organisation.directory_version + 1))


def people(keys: Iterable[str]) -> dict[str, Person]:
    """Who has these e-mail keys, users before invitations; five queries, however many keys."""
    wanted = list(keys)
    pending = among(Invitation.email_key, wanted) & (Invitation.state == InvitationState.PENDING)
    return dict(_invitations(pending)) | dict(_users(among(User.email_key, wanted)))


def people_held(keys: Iterable[str]) -> dict[str, Person]:
    """Part of a command: the same, each held until the commit, so that they stay as they are judged."""
    wanted = sorted(keys)
    for table in (User, Invitation):  # in one order everywhere, so that two commands never wait for each other
        held = select(table.id).where(among(table.email_key, wanted)).order_by(table.id).with_for_update(**hold())
        db.session.execute(held).all()
    return people(wanted)


def held(user_id: int) -> User:
    """Part of a command, before it touches what is this user's: them as they are now, held until the commit."""
    return db.session.get_one(User, user_id, with_for_update=hold(User), populate_existing=True)


def people_by_id(refs: Iterable[Ref], *, held: bool = False) -> dict[Ref, Person]:
    """These users and invitations, closed ones too, but nobody erased; six queries, however many.

    held: part of a command; each is held until the commit, in the order of `people_held`.
    """
    wanted = list(refs)
    ids: dict[str, list[int]] = {"user": sorted(id for kind, id in wanted if kind == "user")}
    ids["invitation"] = sorted(id for kind, id in wanted if kind == "invitation")
    if held:
        for table, kind in ((User, "user"), (Invitation, "invitation")):
            of_kind = select(table.id).where(among(table.id, ids[kind])).order_by(table.id)
            db.session.execute(of_kind.with_for_update(**hold())).all()
    is_wanted = among(Invitation.id, ids["invitation"])
    found = (*_users(among(User.id, ids["user"])), *_invitations(is_wanted, _sendings(is_wanted)))
    return {(person.kind, person.id): person for _, person in found}


def _users(is_wanted: ColumnElement[bool]) -> Iterator[tuple[str, Person]]:
    """With the e-mail's key."""
    groups = _memberships(user_groups, User, is_wanted)
    here = is_wanted & (User.state != UserState.ERASED)
    found = select(User.email_key, User.id, User.role_id, User.all_groups, User.state).where(here)
    for key, id, role_id, everything, state in db.session.execute(found):
        access = Access(role_id, frozenset(groups[id]), everything)
        yield key, Person("user", id, access, "active" if state is UserState.ACTIVE else "deactivated")


def _invitations(
    is_wanted: ColumnElement[bool], sendings: Mapping[int, tuple[int, int]] = MappingProxyType({})
) -> Iterator[tuple[str, Person]]:
    """With the e-mail's key."""
    groups = _memberships(invitation_groups, Invitation, is_wanted)
    failed = set(db.session.scalars(failed_invitations(is_wanted)))
    columns = (
        Invitation.email_key,
        Invitation.id,
        Invitation.role_id,
        Invitation.all_groups,
        Invitation.state,
        Invitation.expires_at,
    )
    now = utcnow()
    for key, id, role_id, everything, state, expires_at in db.session.execute(select(*columns).where(is_wanted)):
        is_over = state is InvitationState.PENDING and expires_at and expires_at <= now
        access = Access(role_id, frozenset(groups[id]), everything)
        yield (
            key,
            Person("invitation", id, access, "expired" if is_over else state.value, id in failed, *sendings.get(id, (0, 0))),
        )


def _sendings(is_wanted: ColumnElement[bool]) -> dict[int, tuple[int, int]]:
    """How often these invitations were sent: `Person.sent` and `again`, by id."""
    hour_ago = utcnow() - timedelta(hours=1)
    lately = func.sum(case((Message.created_at > hour_ago, 1), else_=0))
    counted = (
        select(Message.invitation_id, func.count(), lately, func.min(Message.created_at))
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(is_wanted, Message.kind == MessageKind.INVITATION)
        .group_by(Message.invitation_id)
    )
    rows = db.session.execute(counted)
    return {id: (sent, recent - (1 if first > hour_ago else 0)) for id, sent, recent, first in rows}


def failed_invitations(*which: ColumnElement[bool]) -> Select[int | None]:
    """The ids of invitations whose last e-mail failed for good. which: conditions on Invitation."""
    newest = (
        select(func.max(Message.id))
        .join(Invitation, Invitation.id == Message.invitation_id)
        .where(*which, Message.kind == MessageKind.INVITATION)
        .group_by(Message.invitation_id)
    )
    return select(Message.invitation_id).where(Message.id.in_(newest), Message.state == MessageState.FAILED)


def _memberships(table: Table, owner: type[User] | type[Invitation], is_wanted: Any) -> defaultdict[int, list[int]]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    owner_id = table.c[f"{owner.__name__.lower()}_id"]
    for id, group_id in db.session.execute(select(owner_id, table.c.group_id).join(owner, owner.id == owner_id).where(is_wanted)):
        members[id].append(group_id)
    return members

"""The directory as plain values: the registry of roles and groups, and who has which e-mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from email.utils import parseaddr
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Integer,
    Select,
    bindparam,
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
from webapp.db import KEEPING, among, db, hold, utcnow
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
from webapp.settings.settings import Settings


def environment() -> Settings:
    """The settings as the environment gave them: for what no page sets. No query."""
    found = current_app.extensions["muster_settings"]
    assert isinstance(found, Settings)
    return found


def settings() -> Settings:
    """The settings in force: the environment's and, where it says nothing, those set on a page; read once a transaction."""
    return _installation().in_force


def organisation_name() -> str:
    """What the organisation is called; "" before the first start, and where it has no name."""
    return _installation().name


class _Installation(NamedTuple):
    given: Settings
    """The environment's settings."""
    in_force: Settings
    name: str
    owner_key: str | None


def _installation() -> _Installation:
    """What every request asks; one query a transaction."""
    given = environment()
    kept: _Installation | None = db.session.info.get(_SETTINGS)
    if kept is None or kept.given is not given:
        name, texts, owner_key = db.session.execute(_INSTALLATION).one_or_none() or ("", {}, None)  # before the first start
        db.session.info.pop(_KEPT, None)
        kept = _Installation(given, given.overlaid_as_far_as_they_go(texts), name, owner_key)
        db.session.info[_SETTINGS] = kept
    return kept


# Made once, because every request asks them: to put a statement together takes as long as to have it answered.
_INSTALLATION = (
    select(Organisation.name, Organisation.settings, User.email_key)
    .outerjoin(User, User.role_id == OWNER_ROLE_ID)
    .where(Organisation.id == 1)
)
_NO_NUMBER, _NO_LIST = cast(null(), Integer), cast(null(), JSON)
_REGISTRY = union_all(  # kind, id, name, key, rank, permissions, what an alias stands for
    select(literal("role"), Role.id, Role.name, Role.key, Role.rank, Role.permissions, _NO_NUMBER, _NO_NUMBER),
    select(literal("group"), Group.id, Group.name, Group.key, _NO_NUMBER, _NO_LIST, _NO_NUMBER, _NO_NUMBER),
    select(literal("alias"), _NO_NUMBER, Alias.key, Alias.key, _NO_NUMBER, _NO_LIST, Alias.role_id, Alias.group_id),
)


def reply_to(inviter: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Name and address of who gets the replies; blank: the sender. inviter: who confirmed an invitation and is still here.

    An address with letters outside ASCII before the @ is passed over: not every mail server takes it.
    """
    now = settings()
    local = inviter[1].rpartition("@")[0]
    if now.mail_reply_to_inviter == "yes" and local and local.isascii():
        return inviter
    return parseaddr(now.mail_reply_to)


def letterhead() -> dict[str, str]:
    """What every invitation says of its sender: arguments of `emails.invitation`."""
    now = settings()
    return {"organisation": organisation_name(), "own_subject": now.invite_subject, "words": now.invite_message}


def registry(by: User | None = None) -> Registry:
    """All roles (highest first), groups (by name) and their aliases; read once a transaction, in one query."""
    installation = _installation()
    in_force, owner_key = installation.in_force, installation.owner_key
    read, made = db.session.info.get(_KEPT) or db.session.info.setdefault(_KEPT, (_read_registry(), {}))
    own = tuple(key.rpartition("@")[2] for key in (by.email_key if by else None, owner_key) if key)
    known_domains = tuple(dict.fromkeys((*in_force.allowed_domains, *own)))
    if known_domains not in made:
        made[known_domains] = Registry(
            **read,
            allowed_domains=frozenset(in_force.allowed_domains),
            known_domains=known_domains,
        )
    found: Registry = made[known_domains]
    return found


_KEPT = "registry"
_SETTINGS = "settings"


def _read_registry() -> dict[str, Any]:
    """What `Registry` is made of, but for the domains."""
    found: dict[str, list[Sequence[Any]]] = {"role": [], "group": [], "alias": []}
    for kind, *values in db.session.execute(_REGISTRY):
        found[kind].append(values)
    roles = sorted(found["role"], key=lambda role: (-role[3], role[0]))
    groups = sorted(found["group"], key=lambda group: str(group[2]))
    return {
        "roles": tuple(_role_entry(id, name, rank, tuple(may)) for id, name, _, rank, may, *_ in roles),
        "groups": tuple(GroupEntry(id, name) for id, name, *_ in groups),
        "role_aliases": {key: role_id for _, key, *_, role_id, _ in found["alias"] if role_id},
        "group_aliases": {key: group_id for _, key, *_, group_id in found["alias"] if group_id},
    }


def grantable(by: User) -> list[RoleEntry]:
    """The roles that this person may give to others, the highest first."""
    return registry().grantable(by.role.rank, by.role.permissions)


def administrators() -> frozenset[int]:
    """The ids of the roles that manage people: to give one, or a link to one, takes one's own password."""
    return frozenset(role.id for role in registry().roles if role.manages_people)


def is_to_grantable(by: User) -> ColumnElement[bool]:
    """Part of a query for invitations: to roles that this person may give."""
    return among(Invitation.role_id, [role.id for role in grantable(by)])


def policy(by: User, registry: Registry, **more: Any) -> Policy:
    """The rules by which this person changes others. more: what else a `Policy` has."""
    values = {"protected": frozenset({by.id}), **more}
    return Policy(registry, by.role.rank, frozenset(by.role.permissions), **values)


@lru_cache(256)
def _role_entry(id: int, name: str, rank: int, may: tuple[str, ...]) -> RoleEntry:
    return RoleEntry(id, name, rank, id == OWNER_ROLE_ID, Permission.USERS_MANAGE in may, what_it_does(may), frozenset(may))


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """The next transaction may find other roles, groups and settings."""
    if transaction.parent is None and KEEPING not in session.info:
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
    db.session.info.pop(_SETTINGS, None)
    db.session.flush()
    db.session.execute(update(Organisation).values(directory_version=Organisation.directory_version + 1))


def people(keys: Iterable[str]) -> dict[str, Person]:
    """Who has these e-mail keys, users before invitations; five queries at most, however many keys."""
    wanted = list(keys)
    if len(wanted) == 1 and not db.session.scalar(_IS_KNOWN, {"key": wanted[0]}):
        return {}  # so it is with most rows that are edited
    pending = among(Invitation.email_key, wanted) & (Invitation.state == InvitationState.PENDING)
    return dict(_invitations(pending)) | dict(_users(among(User.email_key, wanted)))


_IS_KNOWN = select(exists().where(User.email_key == bindparam("key")) | exists().where(Invitation.email_key == bindparam("key")))


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
    here = is_wanted & (User.state != UserState.ERASED)
    query = select(User.email_key, User.id, User.role_id, User.all_groups, User.state).where(here)
    if not (found := db.session.execute(query).all()):
        return
    groups = _memberships(user_groups.c.user_id, [id for _, id, *_ in found])
    for key, id, role_id, everything, state in found:
        access = Access(role_id, frozenset(groups[id]), everything)
        yield key, Person("user", id, access, "active" if state is UserState.ACTIVE else "deactivated")


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
    ids = [id for _, id, *_ in found]
    groups = _memberships(invitation_groups.c.invitation_id, ids)
    failed = set(db.session.scalars(failed_invitations(among(Invitation.id, ids))))
    now = utcnow()
    for key, id, role_id, everything, state, expires_at in found:
        is_over = state is InvitationState.PENDING and expires_at and expires_at <= now
        access = Access(role_id, frozenset(groups.get(id, ())), everything)
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


def never_emailed(*which: ColumnElement[bool]) -> Select[int | None]:
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
    for id, group_id in db.session.execute(select(owner, owner.table.c.group_id).where(among(owner, ids))):
        members[id].append(group_id)
    return members

"""The people list: users and pending invitations together, as a page and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import QueryableAttribute, selectinload

from webapp.core.addresses import key_of
from webapp.core.files.fields import Field
from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.people_filter import NO_GROUPS, OWN, Concern, Filter, Status, applicable
from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Access, Person, Ref
from webapp.core.plan.registry import Registry
from webapp.core.weeks import monday
from webapp.db import binary_order, db, in_json, utcnow
from webapp.models import Invitation, InvitationState, Role, Row, User, UserState
from webapp.models.directory import invitation_groups, user_groups
from webapp.services.directory import lookup
from webapp.services.settings import in_force

PAGE = 25


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list. tally: how many there are by status and role, of any status."""

    page: Page[User | Invitation]
    tally: dict[tuple[Status, int], int]

    @property
    def counts(self) -> dict[Status, int]:
        """By status, for the filter without its status."""
        return {
            status: sum(n for (own, _), n in self.tally.items() if own in status.parts)
            for status in Status
        }

    @property
    def everybody(self) -> int:
        return sum(self.tally.values())


def list_people(wanted: Filter, page: int = 1) -> Listing:
    """Users and pending invitations in the order asked for, a page at a time."""
    people = _people(replace(wanted, status=None))
    by_status = select(people.c.status, people.c.role_id, func.count())
    counted = db.session.execute(by_status.group_by(people.c.status, people.c.role_id))
    tally = {(Status(status), role_id): n for status, role_id, n in counted}
    total = sum(n for (status, _), n in tally.items() if _is_wanted(status, wanted))
    number = page_of(page, total, PAGE)
    in_order = _in_order(wanted).limit(PAGE).offset((number - 1) * PAGE)
    return Listing(Page(_load(db.session.execute(in_order).all()), number, total, PAGE), tally)


def find_refs(wanted: Filter) -> frozenset[Ref]:
    """All people that the filter finds, on all pages; one query."""
    return frozenset((kind, person_id) for kind, person_id in db.session.execute(_in_order(wanted)))


def is_only_one() -> bool:
    """Whether there are no other users or invitations."""
    users = select(func.count(User.id)).where(User.state != UserState.ERASED)
    pending = select(func.count(Invitation.id)).where(Invitation.state == InvitationState.PENDING)
    return (db.session.scalar(users) or 0) + (db.session.scalar(pending) or 0) < 2


HEADER = [field.heading for field in Field]


def export_lines(wanted: Filter) -> list[Sequence[str]]:
    """What the filter finds as lines of an upload's file, in the list's order.

    People of the statuses in `not_exported` are left out.
    """
    people = _load(db.session.execute(_in_order(wanted)).all())
    left_out = not_exported(wanted)
    return [
        (each.email, each.role.name, each.group_names)
        for each in people
        if each.status not in left_out
    ]


def not_exported(wanted: Filter) -> Sequence[Status]:
    """Whom the file leaves out: uploaded again it would refuse the first, and invite the others again."""
    if wanted.status or wanted.concern or wanted.batch_id:
        return ()
    return (Status.DEACTIVATED, Status.EXPIRED)


def allowed_actions(person: User | Invitation, by: User, registry: Registry) -> frozenset[Do]:
    """What one may do to a person. No query."""
    groups = frozenset(group.id for group in person.groups)
    access = Access(person.role_id, groups, person.all_groups)
    return _allowed_actions(person.status, person.id, access, by, registry)


def count_allowed_actions(
    listing: Listing, wanted: Filter, by: User, registry: Registry
) -> dict[str, int]:
    """For each action, to how many people of all pages it may be done; "link": whose link may be handed over. No query.

    Oneself counts like a colleague.
    """
    counts = dict.fromkeys([*Do, "link"], 0)
    grantable = {role.id for role in lookup.grantable(by)}
    for (status, role_id), n in listing.tally.items():
        if _is_wanted(status, wanted):
            for do in _allowed_actions(status, 0, Access(role_id), by, registry):
                counts[do] += n
            if status is Status.INVITED and role_id in grantable:
                counts["link"] += n
    return counts


_STATES: dict[str, Any] = {
    Status.ACTIVE: ("user", "active"),
    Status.DEACTIVATED: ("user", "deactivated"),
    Status.INVITED: ("invitation", "pending"),
    Status.EXPIRED: ("invitation", "expired"),
}


def _allowed_actions(
    status: str, person_id: int, access: Access, by: User, registry: Registry
) -> frozenset[Do]:
    if status not in _STATES:
        return frozenset()
    kind, state = _STATES[status]
    found = applicable(Person(kind, person_id, access, state), lookup.policy(by, registry))
    return frozenset(do for do in found if by.may(do.permission))


def _is_wanted(status: Status, wanted: Filter) -> bool:
    return not wanted.status or status in wanted.status.parts


def _load(rows: Sequence[Any]) -> list[User | Invitation]:
    """The people of rows of kind and id, in their order."""
    found: dict[Any, User | Invitation] = {}
    for user in _load_of(User, [person_id for kind, person_id in rows if kind == "user"]):
        found["user", user.id] = user
    for invitation in _load_of(Invitation, [each for kind, each in rows if kind == "invitation"]):
        found["invitation", invitation.id] = invitation
    return [found[kind, person_id] for kind, person_id in rows if (kind, person_id) in found]


def _load_of(model: type[Any], ids: Sequence[int]) -> Sequence[Any]:
    wanted = select(model).where(in_json(model.id, ids)).options(selectinload(model.groups))
    return db.session.scalars(wanted).all()


def _people(wanted: Filter) -> Subquery:
    """Users and pending invitations that the filter finds, whatever the order."""
    users = (
        select(
            literal("user", String).label("kind"),
            User.id,
            type_coerce(User.state, String).label("status"),
            func.lower(User.name).label("name"),
            User.role_id,
            Role.rank,
            User.seen_at.label("activity"),
        )
        .join_from(User, Role)
        .where(User.state != UserState.ERASED)
    )
    is_expired = and_(Invitation.expires_at.is_not(None), Invitation.expires_at <= utcnow())
    invitations = (
        select(
            literal("invitation", String),
            Invitation.id,
            case((is_expired, Status.EXPIRED.value), else_=Status.INVITED.value),
            func.lower(Invitation.email),
            Invitation.role_id,
            Role.rank,
            case((is_expired, Invitation.expires_at), else_=Invitation.created_at),
        )
        .join_from(Invitation, Role)
        .where(Invitation.state == InvitationState.PENDING)
    )
    if wanted.concern:
        users, invitations = users.where(false()), invitations.where(is_concern(wanted.concern))
    if wanted.batch_id is not None:
        users, invitations = users.where(false()), invitations.where(is_of_batch(wanted.batch_id))
    people = union_all(
        _narrow(users, User, user_groups, wanted, User.name, User.email, User.email_key),
        _narrow(
            invitations,
            Invitation,
            invitation_groups,
            wanted,
            Invitation.email,
            Invitation.email_key,
        ),
    ).subquery()
    if not wanted.status:
        return people
    return select(people).where(people.c.status.in_(wanted.status.parts)).subquery()


def _in_order(wanted: Filter) -> Select[Any]:
    """Kind and id of people in the chosen order, then by name. People who were never active come last either way."""
    people, sort = _people(wanted), wanted.sort
    statuses = {status.value: place for place, status in enumerate(OWN)}
    name = binary_order(people.c.name)
    keys: dict[str, ColumnElement[Any]] = {
        "name": name,
        "role": -people.c.rank,
        "status": case(statuses, value=people.c.status),
        "activity": people.c.activity,
    }
    key = keys[sort.column]
    first = (key.desc() if sort.is_down else key.asc()).nulls_last()
    return select(people.c.kind, people.c.id).order_by(first, name, people.c.kind, people.c.id)


def is_of_batch(batch_id: int) -> ColumnElement[bool]:
    """A condition on Invitation: this upload made, resent or changed it."""
    of_rows = select(Row.invitation_id).where(
        Row.batch_id == batch_id, Row.invitation_id.is_not(None)
    )
    return or_(Invitation.batch_id == batch_id, Invitation.id.in_(of_rows))


def is_concern(concern: Concern) -> ColumnElement[bool]:
    """A condition on Invitation: it needs attention for this reason."""
    if concern is Concern.FAILED:
        return Invitation.id.in_(lookup.select_failed_invitations())
    if concern is Concern.UNSENT:
        return Invitation.id.in_(lookup.select_never_emailed())
    now = utcnow()
    next_week = monday(now, in_force.settings().time_zone, ahead=1)
    return and_(Invitation.expires_at > now, Invitation.expires_at < next_week)


def _narrow(
    query: Select[Any],
    model: type[User] | type[Invitation],
    members: Table,
    wanted: Filter,
    *texts: QueryableAttribute[str],
) -> Select[Any]:
    for word in wanted.search.split():
        # SQLite knows upper and lower case only of ASCII: hence the spellings that names and keys are likely to have.
        spellings = sorted({word, word.casefold(), word.title(), key_of(word) or word})
        likes = (text.icontains(each, autoescape=True) for text in texts for each in spellings)
        query = query.where(or_(*likes))
    if wanted.role_id is not None:
        query = query.where(model.role_id == wanted.role_id)
    owner_id = members.c[f"{model.__name__.lower()}_id"]
    if wanted.group_id == NO_GROUPS:
        query = query.where(~model.all_groups, model.id.not_in(select(owner_id)))
    elif wanted.group_id is not None:
        in_group = select(owner_id).where(members.c.group_id == wanted.group_id)
        query = query.where(or_(model.all_groups, model.id.in_(in_group)))
    return query

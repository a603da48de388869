"""The people list: users and pending invitations together, as a page and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Subquery,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
    union,
    union_all,
)
from sqlalchemy.orm import aliased, selectinload

from webapp.core.addresses import key_of
from webapp.core.files.fields import Field
from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.people_filter import (
    EVERY_GROUP,
    NO_GROUPS,
    OWN,
    Concern,
    Filter,
    Status,
    applicable,
)
from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Access, Person, Policy, Ref
from webapp.db import binary_order, db, in_json, utcnow
from webapp.models import (
    Group,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    ReplacedAddress,
    Role,
    Row,
    User,
    UserKind,
    UserState,
)
from webapp.services.directory import roles
from webapp.services.settings import in_force

PAGE = 25
KINDS: dict[str, type[Any]] = {"user": User, "invitation": Invitation}
OTHER = aliased(Message)
SOON = timedelta(days=7)
"""How long before its end an invitation needs attention; of short ones once half of the time is over."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list. everyone, counts: how many there are of any status, and by status, for the filter without it."""

    page: Page[User | Invitation]
    everyone: int
    counts: dict[Status, int]


def count_people(wanted: Filter) -> tuple[int, dict[Status, int]]:
    """How many people the filter finds without its status, and how many of each; one query."""
    status = _people(wanted).c.status
    everyone = 0
    counts = dict.fromkeys(Status, 0)
    for own, n in db.session.execute(select(status, func.count()).group_by(status)):
        everyone += n
        for each in Status:
            if own in each.parts:
                counts[each] += n
    return everyone, counts


def list_people(wanted: Filter, page: int = 1) -> Listing:
    """Users and pending invitations in the order asked for, a page at a time."""
    everyone, counts = count_people(wanted)
    total = counts[wanted.status] if wanted.status else everyone
    number = page_of(page, total, PAGE)
    in_order = _in_order(wanted).limit(PAGE).offset((number - 1) * PAGE)
    return Listing(
        Page(load(db.session.execute(in_order).all()), number, total, PAGE),
        everyone,
        counts,
    )


def find_refs(wanted: Filter) -> frozenset[Ref]:
    """All people that the filter finds, on all pages; one query."""
    return frozenset((kind, person_id) for kind, person_id in db.session.execute(_in_order(wanted)))


def is_only_one() -> bool:
    """Whether there are no other users or invitations."""
    return sum(counted.total() for counted in roles.count_holders().values()) < 2


HEADER = [field.heading for field in Field]


def export_lines(wanted: Filter) -> list[Sequence[str]]:
    """What the filter finds as lines of an upload's file, in the list's order.

    People of the statuses in `not_exported` are left out.
    """
    left_out = not_exported(wanted)
    lines: list[Sequence[str]] = []
    for person in load(db.session.execute(_in_order(wanted)).all()):
        if person.status not in left_out:
            lines.append((person.email, person.name, person.role.name, person.group_names))
    return lines


def not_exported(wanted: Filter) -> Sequence[Status]:
    """Whom the file leaves out: uploaded again it would refuse the first, and invite the others again."""
    if wanted.status or wanted.concern or wanted.batch_id:
        return ()
    return (Status.DEACTIVATED, Status.EXPIRED)


def allowed_actions(policy: Policy, person: User | Invitation) -> frozenset[Do]:
    """What those with these rules may do to a person. No query."""
    kind: Any = "user" if person.is_user else "invitation"
    state: Any = "pending" if person.status == Status.INVITED else person.status
    access = Access(person.role_id, everything=person.all_groups)
    return applicable(Person(kind, person.id, access, state), policy)


def load(keys: Sequence[Any]) -> list[User | Invitation]:
    """The people of these kinds and ids, in this order."""
    found: dict[str, User | Invitation] = {}
    for kind, model in KINDS.items():
        ids = [person_id for own, person_id in keys if own == kind]
        people = select(model).where(in_json(model.id, ids))
        for person in db.session.scalars(people.options(selectinload(model.groups))):
            found[person.key] = person
    in_order = [found.get(f"{kind}-{person_id}") for kind, person_id in keys]
    return [person for person in in_order if person]


def _people(wanted: Filter) -> Subquery:
    """Users and pending invitations that the filter finds, of any status and in no order."""
    users = _find("user", type_coerce(User.state, String), User.seen_at, wanted)
    users = users.where(User.state != UserState.ERASED, User.kind == UserKind.PERSON)
    is_expired = Invitation.expires_at <= utcnow()
    invitations = _find(
        "invitation",
        case((is_expired, Status.EXPIRED.value), else_=Status.INVITED.value),
        case((is_expired, Invitation.expires_at), else_=Invitation.created_at),
        wanted,
    )
    invitations = invitations.where(Invitation.state == InvitationState.PENDING)
    if wanted.concern:
        invitations = invitations.where(is_concern(wanted.concern))
        users = users.where(false())
    if wanted.batch_id:
        invitations = invitations.where(is_of_batch(Invitation, wanted.batch_id))
        users = users.where(is_of_batch(User, wanted.batch_id))
    return union_all(users, invitations).subquery()


def _find(kind: str, status: Any, activity: Any, wanted: Filter) -> Select[Any]:
    """The people of a kind with the filter's words, role and group."""
    person = KINDS[kind]
    query = select(
        literal(kind, String).label("kind"),
        person.id,
        status.label("status"),
        func.lower(person.title).label("name"),
        person.role_id,
        Role.rank,
        activity.label("activity"),
    ).join_from(person, Role)
    for word in wanted.search.split():
        # SQLite knows upper and lower case only of ASCII: hence the spellings that names and keys are likely to have.
        likes = []
        for each in {word, word.casefold(), word.title(), key_of(word) or word}:
            for text in (person.title, person.email, person.email_key):
                likes.append(text.icontains(each, autoescape=True))
        query = query.where(or_(*likes))
    if wanted.role_id:
        query = query.where(person.role_id == wanted.role_id)
    if wanted.group_id == NO_GROUPS:
        query = query.where(~person.all_groups, ~person.groups.any())
    elif wanted.group_id == EVERY_GROUP:
        query = query.where(person.all_groups)
    elif wanted.group_id is not None:
        in_group = person.groups.any(Group.id == wanted.group_id)
        query = query.where(or_(person.all_groups, in_group))
    return query


def _in_order(wanted: Filter) -> Select[Any]:
    """Kind and id of people in the chosen order, then by name. People who were never active come last either way."""
    people = _people(wanted)
    places = {status.value: place for place, status in enumerate(OWN)}
    name = binary_order(people.c.name)
    keys: dict[str, ColumnElement[Any]] = {
        "name": name,
        "role": -people.c.rank,
        "status": case(places, value=people.c.status),
        "activity": people.c.activity,
    }
    key = keys[wanted.sort.column]
    first = (key.desc() if wanted.sort.is_down else key.asc()).nulls_last()
    query = select(people.c.kind, people.c.id)
    if wanted.status:
        query = query.where(people.c.status.in_(wanted.status.parts))
    return query.order_by(first, name, people.c.kind, people.c.id)


def is_of_batch(
    person: type[Any],
    batch_id: int,
) -> ColumnElement[bool]:
    """A condition on users or invitations: they are in the batch's rows, also by an address replaced since."""
    keys = select(Row.email_key).where(
        Row.batch_id == batch_id,
        Row.outcome.is_not(None),
        Row.email_key.is_not(None),
    )
    replaced = select(ReplacedAddress.email_key).where(ReplacedAddress.old_key.in_(keys))
    found: ColumnElement[bool] = person.email_key.in_(union(keys, replaced))
    return found


def is_concern(concern: Concern) -> ColumnElement[bool]:
    """A condition on Invitation: it needs attention for this reason."""
    if concern is Concern.FAILED:
        return is_latest_email(
            MessageState.FAILED,
            kinds=(MessageKind.INVITATION, MessageKind.REMINDER),
        )
    if concern is Concern.UNSENT:
        return is_latest_email(MessageState.WRITTEN)
    soon = min(SOON, timedelta(days=in_force.settings().invite_days) / 2)
    return and_(
        Invitation.expires_at > utcnow(),
        Invitation.expires_at < utcnow() + soon,
    )


def is_latest_email(
    *states: MessageState,
    kinds: Sequence[MessageKind] = (MessageKind.INVITATION,),
) -> ColumnElement[bool]:
    """A condition on Invitation: the latest of its e-mails is of these kinds, and in one of these states."""
    later = exists().where(
        OTHER.invitation_id == Message.invitation_id,
        OTHER.id > Message.id,
    )
    found = select(Message.invitation_id).where(
        Message.kind.in_(kinds),
        Message.state.in_(states),
        ~later,
    )
    return Invitation.id.in_(found)

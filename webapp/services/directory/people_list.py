"""The people list: users and pending invitations together, and as a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    Subquery,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import QueryableAttribute, selectinload

from webapp.core.addresses import key_of
from webapp.core.files.fields import Field
from webapp.core.lists.paging import Page, page_of
from webapp.core.lists.people_filter import OWN, Concern, Filter, Sort, Status
from webapp.core.plan.planner import Ref
from webapp.core.plan.registry import ALL_GROUPS
from webapp.core.weeks import monday
from webapp.db import binary_order, db, utcnow
from webapp.models import Group, Invitation, InvitationState, Role, Row, User, UserState
from webapp.models.groups import invitation_groups, user_groups
from webapp.services.directory import lookup
from webapp.services.settings import in_force

Kind = Literal["user", "invitation"]
State = Literal["active", "deactivated", "pending", "expired"]

PAGE = 25


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a user, or an invitation. status: None for an invitation that is closed; the list holds none."""

    status: Status | None
    person: User | Invitation

    @property
    def is_user(self) -> bool:
        return isinstance(self.person, User)

    @property
    def key(self) -> str:
        """ "user-12", "invitation-5": its id in the page, and its name in what is asked for."""
        return f"{'user' if self.is_user else 'invitation'}-{self.person.id}"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list. tally: how many there are by status, role and whether it is oneself, of any status."""

    page: Page[Entry]
    tally: dict[tuple[Status, int, bool], int]

    @property
    def entries(self) -> Sequence[Entry]:
        return self.page.rows

    @property
    def counts(self) -> dict[Status, int]:
        """By status, for the filter without its status."""
        return {
            status: sum(n for (own, *_), n in self.tally.items() if own in status.parts)
            for status in Status
        }

    @property
    def everybody(self) -> int:
        return sum(self.tally.values())


def list_people(wanted: Filter, page: int = 1, by: User | None = None) -> Listing:
    """Users and pending invitations in the order asked for, a page at a time; six queries, however many there are."""
    everybody = _people(replace(wanted, status=None)).subquery()
    is_own = case(
        (and_(everybody.c.kind == "user", everybody.c.id == (by.id if by else 0)), 1), else_=0
    ).label("own")
    # Grouped by the label: PostgreSQL takes two expressions with parameters for different ones.
    counted = select(everybody.c.status, everybody.c.role_id, is_own, func.count()).group_by(
        "status", "role_id", "own"
    )
    tally = {
        (Status(status), role_id, bool(own)): n
        for status, role_id, own, n in db.session.execute(counted)
    }
    total = sum(
        n for (status, *_), n in tally.items() if not wanted.status or status in wanted.status.parts
    )
    number = page_of(page, total, PAGE)
    lines = _of_status(
        select(everybody.c.status, everybody.c.kind, everybody.c.id), everybody, wanted.status
    )
    rows = db.session.execute(
        lines.order_by(*_order(everybody, wanted.sort)).limit(PAGE).offset((number - 1) * PAGE)
    ).all()
    people: dict[tuple[str, int], User | Invitation] = {}
    present = select(User).where(
        User.id.in_([person_id for _, kind, person_id in rows if kind == "user"])
    )
    for user in db.session.scalars(present.options(selectinload(User.groups))):
        people["user", user.id] = user
    expected = [person_id for _, kind, person_id in rows if kind == "invitation"]
    for invitation in db.session.scalars(select(Invitation).where(Invitation.id.in_(expected))):
        people["invitation", invitation.id] = invitation
    entries = [
        Entry(Status(status), people[kind, person_id])
        for status, kind, person_id in rows
        if (kind, person_id) in people
    ]
    return Listing(Page(entries, number, total, PAGE), tally)


def find_refs(wanted: Filter) -> frozenset[Ref]:
    """All people that the filter finds, on all pages; one query."""
    people = _people(wanted).subquery()
    found = _of_status(select(people.c.kind, people.c.id), people, wanted.status)
    return frozenset((kind, person_id) for kind, person_id in db.session.execute(found))


def is_only_one() -> bool:
    """Whether there are no other users or invitations."""
    expected = select(Invitation.id).where(Invitation.state == InvitationState.PENDING)
    here = select(User.id).where(User.state != UserState.ERASED)
    return (
        len(db.session.scalars(here.limit(2)).all()) < 2
        and db.session.scalar(expected.limit(1)) is None
    )


def count_by_status() -> dict[Status, int]:
    """How many there are of each status."""
    return list_people(Filter()).counts


def entry_of(person: User | Invitation) -> Entry:
    """A person as an entry of the list."""
    if isinstance(person, User):
        return Entry(
            Status.ACTIVE if person.state is UserState.ACTIVE else Status.DEACTIVATED, person
        )
    if person.state is not InvitationState.PENDING:
        return Entry(None, person)
    return Entry(Status.EXPIRED if person.is_expired(utcnow()) else Status.INVITED, person)


HEADER = [field.heading for field in Field]


def export_lines(wanted: Filter) -> list[Sequence[str]]:
    """What the filter finds as lines of an upload's file, in the list's order; three queries, however many people.

    Uploaded again they change nothing. Hence, unless a status or a concern is asked for, those are left out whom an
    upload could not leave as they are (see `left_out`).
    """
    everybody = _people(
        wanted, leave_out=not (wanted.status or wanted.concern or wanted.batch_id)
    ).subquery()
    groups: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for kind, table, owner_id in _MEMBERS:
        found = select(everybody.c.id).where(everybody.c.kind == kind)
        members = (
            select(owner_id, Group.name)
            .join(Group, Group.id == table.c.group_id)
            .where(owner_id.in_(found))
        )
        for person_id, name in db.session.execute(members.order_by(binary_order(Group.key))):
            groups[kind, person_id].append(name)
    columns = (
        everybody.c.kind,
        everybody.c.id,
        everybody.c.email,
        everybody.c.role,
        everybody.c.all_groups,
    )
    lines = _of_status(select(*columns), everybody, wanted.status).order_by(
        *_order(everybody, wanted.sort)
    )
    return [
        (email, role, ALL_GROUPS if everything else ", ".join(groups[kind, person_id]))
        for kind, person_id, email, role, everything in db.session.execute(lines)
    ]


def count_not_exported(wanted: Filter, found: Listing) -> dict[str, int]:
    """How many people the file leaves out: "deactivated", "expired", "undelivered" (the e-mail failed).

    An upload would refuse the first and e-mail the others again.
    """
    if wanted.status or wanted.concern or wanted.batch_id:
        return {}
    failed = _people(wanted, only_failed=True).subquery()
    undelivered = db.session.scalar(
        select(func.count()).select_from(failed).where(failed.c.status == Status.INVITED.value)
    )
    counts = {
        "deactivated": found.counts[Status.DEACTIVATED],
        "expired": found.counts[Status.EXPIRED],
        "undelivered": undelivered or 0,
    }
    return {which: n for which, n in counts.items() if n}


_MEMBERS = (
    ("user", user_groups, user_groups.c.user_id),
    ("invitation", invitation_groups, invitation_groups.c.invitation_id),
)


def _people(
    wanted: Filter, *, leave_out: bool = False, only_failed: bool = False
) -> CompoundSelect[Any]:
    """leave_out: without those that an export leaves out. only_failed: invitations whose last e-mail failed for good."""
    users = (
        select(
            literal("user", String).label("kind"),
            User.id.label("id"),
            case((User.state == UserState.ACTIVE, Status.ACTIVE.value), else_=Status.DEACTIVATED.value).label("status"),
            func.lower(case((User.name != "", User.name), else_=User.email)).label("name"),
            User.email.label("email"),
            User.role_id.label("role_id"),
            Role.name.label("role"),
            Role.rank.label("rank"),
            User.all_groups.label("all_groups"),
            User.seen_at.label("activity"),
        )
        .join_from(User, Role)
        .where(User.state != UserState.ERASED)
    )  # fmt: skip
    is_over = and_(Invitation.expires_at.is_not(None), Invitation.expires_at <= utcnow())
    invitations = (
        select(
            literal("invitation", String),
            Invitation.id,
            case((is_over, Status.EXPIRED.value), else_=Status.INVITED.value),
            func.lower(Invitation.email),
            Invitation.email,
            Invitation.role_id,
            Role.name,
            Role.rank,
            Invitation.all_groups,
            case((is_over, Invitation.expires_at), else_=Invitation.created_at),
        )
        .join_from(Invitation, Role)
        .where(Invitation.state == InvitationState.PENDING)
    )
    failed = is_concern(Concern.FAILED)
    if wanted.concern:
        users, invitations = users.where(false()), invitations.where(is_concern(wanted.concern))
    if wanted.batch_id is not None:
        users, invitations = users.where(false()), invitations.where(is_of_batch(wanted.batch_id))
    if leave_out:
        users = users.where(User.state == UserState.ACTIVE)
        invitations = invitations.where(~is_over, ~failed)
    if only_failed:
        users, invitations = users.where(false()), invitations.where(failed)
    return union_all(
        _narrow(users, User, wanted, User.name, User.email, User.email_key),
        _narrow(invitations, Invitation, wanted, Invitation.email, Invitation.email_key),
    )


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
    return and_(
        Invitation.expires_at > now,
        Invitation.expires_at < monday(now, in_force.settings().time_zone, ahead=1),
    )


def _narrow(
    query: Select[Any],
    model: type[User] | type[Invitation],
    wanted: Filter,
    *texts: QueryableAttribute[str],
) -> Select[Any]:
    for word in wanted.search.split():
        # SQLite knows upper and lower case only of ASCII: hence the spellings that names and keys are likely to have.
        spellings = {word, word.casefold(), word.title(), key_of(word) or word}
        query = query.where(
            or_(
                *(
                    text.icontains(each, autoescape=True)
                    for text in texts
                    for each in sorted(spellings)
                )
            )
        )
    if wanted.role_id is not None:
        query = query.where(model.role_id == wanted.role_id)
    _, table, owner_id = _MEMBERS[0 if model is User else 1]
    if wanted.group_id is not None:
        members = select(owner_id).where(table.c.group_id == wanted.group_id)
        query = query.where(or_(model.all_groups.is_(true()), model.id.in_(members)))
    if wanted.ungrouped:
        query = query.where(
            model.all_groups.is_(false()), ~select(owner_id).where(owner_id == model.id).exists()
        )
    return query


def _of_status(query: Select[Any], everybody: Subquery, status: Status | None) -> Select[Any]:
    return query.where(everybody.c.status.in_(status.parts)) if status else query


def _order(everybody: Subquery, sort: Sort) -> list[ColumnElement[Any]]:
    """The chosen order, then by name. People who were never active come last either way."""
    statuses = case(
        {status.value: place for place, status in enumerate(OWN)}, value=everybody.c.status
    )
    name = binary_order(everybody.c.name)
    keys = {
        "name": name,
        "role": -everybody.c.rank,
        "status": statuses,
        "activity": everybody.c.activity,
    }
    key = keys[sort.column]
    first = [everybody.c.activity.is_(None)] if sort.column == Sort.ACTIVITY else []
    return [*first, key.desc() if sort.is_down else key, name, everybody.c.kind, everybody.c.id]

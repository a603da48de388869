"""Who is here and who is expected: users and invitations as one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import CompoundSelect, Select, String, and_, case, func, literal, or_, select, true, union_all
from sqlalchemy.orm import QueryableAttribute

from webapp.core.addresses import key_of
from webapp.core.paging import Page, page_of
from webapp.db import db, utcnow
from webapp.models import Invitation, InvitationState, User, UserState
from webapp.models.groups import invitation_groups, user_groups

PAGE = 25


class Status(StrEnum):
    """What the list calls people; an invitation is invited, or expired."""

    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows. status, role_id, group_id: None for any. search: part of a name or an e-mail."""

    status: Status | None = None
    search: str = ""
    role_id: int | None = None
    group_id: int | None = None

    @property
    def is_on(self) -> bool:
        return self != Filter()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a user, or an invitation that is still pending."""

    status: Status
    person: User | Invitation

    @property
    def is_user(self) -> bool:
        return isinstance(self.person, User)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list. counts: by status, for the filter without its status."""

    page: Page[Entry]
    counts: dict[Status, int]

    @property
    def entries(self) -> Sequence[Entry]:
        return self.page.rows

    @property
    def everybody(self) -> int:
        return sum(self.counts.values())


def listing(wanted: Filter, page: int = 1) -> Listing:
    """Users and pending invitations by name or e-mail, a page at a time; six queries, however many there are."""
    everybody = _people(replace(wanted, status=None)).subquery()
    counted = select(everybody.c.status, func.count()).group_by(everybody.c.status)
    found = {Status(status): n for status, n in db.session.execute(counted)}
    counts = {status: found.get(status, 0) for status in Status}
    total = counts[wanted.status] if wanted.status else sum(counts.values())
    number = page_of(page, total, PAGE)
    lines = select(everybody.c.status, everybody.c.kind, everybody.c.id).order_by(everybody.c.sorted_by, everybody.c.id)
    if wanted.status:
        lines = lines.where(everybody.c.status == wanted.status.value)
    rows = db.session.execute(lines.limit(PAGE).offset((number - 1) * PAGE)).all()
    people: dict[tuple[str, int], User | Invitation] = {}
    for user in db.session.scalars(select(User).where(User.id.in_([id for _, kind, id in rows if kind == "user"]))):
        people["user", user.id] = user
    expected = [id for _, kind, id in rows if kind == "invitation"]
    for invitation in db.session.scalars(select(Invitation).where(Invitation.id.in_(expected))):
        people["invitation", invitation.id] = invitation
    entries = [Entry(Status(status), people[kind, id]) for status, kind, id in rows if (kind, id) in people]
    return Listing(Page(entries, number, total, PAGE), counts)


def is_only_one() -> bool:
    """Whether nobody else is here or expected."""
    expected = select(Invitation.id).where(Invitation.state == InvitationState.PENDING)
    return len(db.session.scalars(select(User.id).limit(2)).all()) < 2 and db.session.scalar(expected.limit(1)) is None


def counts() -> dict[Status, int]:
    """How many there are of each status."""
    return listing(Filter()).counts


def _people(wanted: Filter) -> CompoundSelect[Any]:
    user_status = case((User.state == UserState.ACTIVE, Status.ACTIVE.value), else_=Status.DEACTIVATED.value)
    users = select(
        literal("user", String).label("kind"),
        User.id.label("id"),
        user_status.label("status"),
        func.lower(case((User.name != "", User.name), else_=User.email)).label("sorted_by"),
    )
    is_over = and_(Invitation.expires_at.is_not(None), Invitation.expires_at <= utcnow())
    invitations = select(
        literal("invitation", String),
        Invitation.id,
        case((is_over, Status.EXPIRED.value), else_=Status.INVITED.value),
        func.lower(Invitation.email),
    ).where(Invitation.state == InvitationState.PENDING)
    return union_all(
        _narrowed(users, User, wanted, User.name, User.email, User.email_key),
        _narrowed(invitations, Invitation, wanted, Invitation.email, Invitation.email_key),
    )


def _narrowed(
    query: Select[Any], model: type[User] | type[Invitation], wanted: Filter, *texts: QueryableAttribute[str]
) -> Select[Any]:
    if search := " ".join(wanted.search.split()):
        # SQLite knows upper and lower case only of ASCII: hence the spellings that names and keys are likely to have.
        spellings = {search, search.casefold(), search.title(), key_of(search) or search}
        query = query.where(or_(*(text.icontains(each, autoescape=True) for text in texts for each in sorted(spellings))))
    if wanted.role_id is not None:
        query = query.where(model.role_id == wanted.role_id)
    if wanted.group_id is not None:
        table, column = (
            (user_groups, user_groups.c.user_id) if model is User else (invitation_groups, invitation_groups.c.invitation_id)
        )
        members = select(column).where(table.c.group_id == wanted.group_id)
        query = query.where(or_(model.all_groups.is_(true()), model.id.in_(members)))
    return query

"""Figures for Home: what needs attention, and invitations of the last weeks. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from sqlalchemy import case, func, select
from sqlalchemy.orm import QueryableAttribute

from webapp.core.lists.people_filter import Concern
from webapp.core.security.permissions import Permission
from webapp.core.weeks import monday
from webapp.db import db, utcnow
from webapp.models import Invitation, InvitationState, User
from webapp.services.directory import people_list
from webapp.services.operations import status
from webapp.services.operations.status import Health
from webapp.services.settings import in_force

WEEKS = 12


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs attention. unsent: invitations never e-mailed; failed: those that could not be delivered; expiring:
    those that end before this week does.

    health: for those who can do something about it.
    """

    unsent: int
    failed: int
    expiring: int
    health: Health | None

    def __bool__(self) -> bool:
        is_unwell = self.health and (self.health.slow or not self.health.is_well)
        return bool(self.unsent or self.failed or self.expiring or is_unwell)


@dataclass(frozen=True, slots=True)
class Week:
    """One week of the chart, from its Monday."""

    begins: date
    invited: int
    accepted: int


def attention(by: User) -> Attention:
    """What this person may know of, and do something about; four queries, however many people."""
    unsent = failed = expiring = 0
    if by.may(Permission.USERS_SEE):
        pending = select(func.count(Invitation.id)).where(
            Invitation.state == InvitationState.PENDING
        )
        concerns = Concern.UNSENT, Concern.FAILED, Concern.EXPIRING
        counts = [
            pending.where(people_list.is_concern(concern)).scalar_subquery() for concern in concerns
        ]
        unsent, failed, expiring = db.session.execute(select(*counts)).one()
    cares = by.may(Permission.INVITATIONS_MAKE) or by.may(Permission.ORGANISATION_MANAGE)
    return Attention(unsent, failed, expiring, status.health() if cares else None)


def weeks() -> list[Week]:
    """Invitations of the last weeks in the organisation's time zone; [] while no one was invited. Two queries."""
    edges = _mondays()
    invited = _count_between(Invitation.created_at, edges)
    accepted = _count_between(Invitation.closed_at, edges, InvitationState.ACCEPTED)
    if not any((*invited, *accepted)):
        return []
    return [
        Week(begins.date(), *each) for begins, *each in zip(edges, invited, accepted, strict=False)
    ]


def _mondays() -> list[datetime]:
    """When each of the last weeks began, this one too, and when this one ends; in the organisation's time zone."""
    now, zone = utcnow(), in_force.settings().time_zone
    return [monday(now, zone, n) for n in range(1 - WEEKS, 2)]


def _count_between(
    at: QueryableAttribute[datetime] | QueryableAttribute[datetime | None],
    edges: Sequence[datetime],
    state: InvitationState | None = None,
) -> list[int]:
    """How many invitations fall between each edge and the next."""
    sums = [
        func.sum(case(((at >= begin) & (at < end), 1), else_=0)) for begin, end in pairwise(edges)
    ]
    counted = select(*sums).where(at >= edges[0])
    if state:
        counted = counted.where(Invitation.state == state)
    return [n or 0 for n in db.session.execute(counted).one()]

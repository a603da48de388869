"""Figures for Home: what needs attention, and invitations of the last weeks. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.core.lists.people_filter import Concern
from webapp.core.text.formatting import monday
from webapp.db import db, utcnow
from webapp.models import OWNER_ROLE_ID, Invitation, InvitationState, User, UserKind, UserState
from webapp.services.directory import people_list
from webapp.services.mail import outbox
from webapp.services.operations import status
from webapp.services.settings import in_force
from webapp.services.webhooks import endpoints

WEEKS = 12
FEW = 3
"""People that Home names."""


def attention() -> dict[str, Any]:
    """What needs somebody; fifteen queries, however many people.

    health: `status.health`. Of each concern the number `n` of invitations, the last one's `end`, and the deliveries of
    those that end `first`.
    webhooks: endpoints that Muster has turned off.
    """
    found: dict[str, Any] = {
        "health": status.health(),
        "webhooks": endpoints.list_off(),
    }
    for concern in Concern:
        found[concern.value] = _describe_concern(concern)
    return found


def _describe_concern(concern: Concern) -> dict[str, Any]:
    is_meant = and_(
        Invitation.state == InvitationState.PENDING,
        people_list.is_concern(concern),
    )
    counted = select(
        func.count(Invitation.id),
        func.max(Invitation.expires_at),
    )
    first = (
        select(Invitation.id)
        .where(is_meant)
        .order_by(Invitation.expires_at, Invitation.id)
        .limit(FEW)
    )
    n, end = db.session.execute(counted.where(is_meant)).one()
    deliveries = outbox.find_deliveries(db.session.scalars(first))
    return {
        "n": n,
        "end": end,
        "first": list(deliveries.values()),
    }


def contact(of: User) -> dict[str, Any]:
    """Whom a person asks: `contact`, who invited them (`is_inviter`) or, where nobody is left who did, the Owner. Two queries."""
    invited = (
        select(User)
        .join(Invitation, Invitation.invited_by_id == User.id)
        .where(
            Invitation.user_id == of.id,
            User.state == UserState.ACTIVE,
            User.kind == UserKind.PERSON,
        )
        .order_by(Invitation.id.desc())
        .limit(1)
    )
    inviter = db.session.scalar(invited)
    owner = select(User).where(User.role_id == OWNER_ROLE_ID)
    return {
        "contact": inviter or db.session.scalar(owner),
        "is_inviter": bool(inviter),
    }


def weeks() -> list[dict[str, Any]]:
    """Invitations of the last weeks in the organisation's time zone; [] while no one was invited. Two queries.

    Of each week the day it begins, and how many were invited and have accepted.
    """
    now = utcnow()
    zone = in_force.settings().time_zone
    edges = [monday(now, zone, ahead) for ahead in range(1 - WEEKS, 2)]
    invited = _count_between(Invitation.created_at, edges)
    accepted = _count_between(
        Invitation.closed_at,
        edges,
        Invitation.state == InvitationState.ACCEPTED,
    )
    if not any((*invited, *accepted)):
        return []
    found = []
    for edge, n, m in zip(edges[:-1], invited, accepted, strict=True):
        week = {
            "begins": edge.date(),
            "invited": n,
            "accepted": m,
        }
        found.append(week)
    return found


def _count_between(
    at: InstrumentedAttribute[Any],
    edges: Sequence[datetime],
    *conditions: ColumnElement[bool],
) -> list[int]:
    """How many invitations fall between each edge and the next."""
    counts = []
    for begin, end in pairwise(edges):
        is_between = (at >= begin) & (at < end)
        counts.append(func.count(case((is_between, 1))))
    query = select(*counts).where(at >= edges[0], *conditions)
    return list(db.session.execute(query).one())

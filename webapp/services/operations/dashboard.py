"""Figures for Home: what needs attention, and invitations of the last weeks. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.core.lists.people_filter import Concern
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import monday
from webapp.db import db, utcnow
from webapp.models import Invitation, InvitationState, User
from webapp.services.directory import people_list
from webapp.services.operations import status
from webapp.services.settings import in_force

WEEKS = 12


def attention(by: User) -> dict[str, Any]:
    """What this person may know of, and do something about; six queries, however many people.

    unsent: invitations never e-mailed; failed: those that could not be delivered; expiring: those that end before this week
    does. health: for those who can do something about it.
    """
    found: dict[str, Any] = {}
    if by.may(Permission.USERS_SEE):
        for concern in (Concern.UNSENT, Concern.FAILED, Concern.EXPIRING):
            query = select(func.count(Invitation.id)).where(
                Invitation.state == InvitationState.PENDING,
                people_list.is_concern(concern),
            )
            found[concern.value] = db.session.scalar(query)
    if by.may(Permission.INVITATIONS_MAKE) or by.may(Permission.ORGANISATION_MANAGE):
        found["health"] = status.health()
    return found


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
        found.append({"begins": edge.date(), "invited": n, "accepted": m})
    return found


def _count_between(
    at: InstrumentedAttribute[Any],
    edges: Sequence[datetime],
    *conditions: ColumnElement[bool],
) -> list[int]:
    """How many invitations fall between each edge and the next."""
    counts = [func.count(case(((at >= begin) & (at < end), 1))) for begin, end in pairwise(edges)]
    query = select(*counts).where(at >= edges[0], *conditions)
    return list(db.session.execute(query).one())

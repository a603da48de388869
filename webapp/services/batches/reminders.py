"""Reminders to those who have not joined: a person asks for them on the report, and workers queue them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_

from webapp import queue
from webapp.core.lists.people_filter import Concern
from webapp.core.security.permissions import Permission
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, Invitation, Row, User
from webapp.services.batches import review
from webapp.services.batches.joining import select_invited
from webapp.services.directory import lookup, people_list
from webapp.services.invitations import invitations
from webapp.services.invitations.invitations import IS_PENDING
from webapp.services.mail import outbox
from webapp.services.settings import in_force

AN_HOUR = timedelta(hours=1)
"""Nobody is reminded twice within it."""


def count_due(batch: Batch, by: User) -> int:
    """How many `by` may have reminded now: none while reminders are under way, or no mail server is set."""
    if batch.reminded_by_id or not in_force.environment().mail_url:
        return 0
    return db.session.scalar(_select_due(batch, by, utcnow(), func.count())) or 0


def ask(batch_id: int, by: User) -> int:
    """Have everybody reminded who has not joined; their links work for their whole time again. -> how many that is."""
    begin_write()
    batch = review.get_batch(batch_id)
    n = count_due(batch, by)
    if not n:
        db.session.rollback()
        return 0
    batch.reminded_by_id = by.id
    batch.reminded_at = utcnow()
    db.session.commit()
    queue.enqueue_batch(batch_id)
    return n


def _select_due(batch: Batch, by: User, at: datetime, *columns: Any) -> Select[Any]:
    """Select from those to be reminded at a time.

    Left out are people reminded within the hour, those never e-mailed, and invitations to roles that `by` may not give.
    """
    last = Invitation.reminded_at
    return select_invited(*columns).where(
        Row.batch_id == batch.id,
        IS_PENDING,
        or_(last.is_(None), last <= at - AN_HOUR),
        ~people_list.is_concern(Concern.UNSENT),
        lookup.is_to_grantable(by),
    )


def queue_chunk(batch_id: int) -> bool:
    """Queue some of the reminders asked for, and commit. -> whether more may be left.

    They are due as of when they were asked for: so nobody gets two, however long and often workers take it up.
    """
    begin_write()
    batch = review.get_batch(batch_id)
    by, at = batch.reminded_by, batch.reminded_at
    if by is None or at is None:
        db.session.rollback()
        return False
    n = 0
    if by.may(Permission.INVITATIONS_MAKE):
        due = _select_due(batch, by, at, Invitation)
        n = invitations.add_reminders(due, by, batch=batch_id)
    is_full = n == invitations.CHUNK
    if not is_full:
        batch.reminded_by = None
    outbox.commit()
    return is_full

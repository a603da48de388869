"""Trying out a batch's e-mail on oneself."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from webapp import queue
from webapp.core.errors import Refused, TooOften
from webapp.db import begin_write, db, utcnow
from webapp.models import Message, MessageKind, Priority, User
from webapp.services import audit, batches, examples, outbox
from webapp.services.audit import AuditAction

TESTS_AN_HOUR = 5


def send_test(batch_id: int, by: User) -> Message:
    """Queue the batch's e-mail, written for an example person, to who asks. Raises Refused past five an hour.

    Nobody is invited by it: a sentence stands in place of the link.
    """
    begin_write()
    batch = batches.under_review(batch_id)
    since = utcnow() - timedelta(hours=1)
    own = Message.kind == MessageKind.TEST, Message.recipient == by.email, Message.created_at > since
    if (db.session.scalar(select(func.count(Message.id)).where(*own)) or 0) >= TESTS_AN_HOUR:
        raise TooOften(f"You had {TESTS_AN_HOUR} tests within the hour. Wait a while; the preview shows the same.")
    row = examples.row_of(batch)
    if row is None:
        raise Refused("There is no row left to write an example for. Put one back, then send the test.")
    message = outbox.queued(MessageKind.TEST, by.email, row_id=row.id, priority=Priority.TEST)
    db.session.flush()
    audit.record(by, AuditAction.TEST_QUEUED, message, batch=batch.id)
    db.session.commit()
    queue.ring("webapp.jobs.outbox.send", name="outbox")
    return message

"""Trying out an e-mail on oneself: a batch's, or what every invitation says."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from webapp import queue
from webapp.core.errors import RateLimitError, RuleViolationError
from webapp.db import begin_write, db, utcnow
from webapp.models import Message, MessageKind, Priority, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import review
from webapp.services.mail import outbox, preview

TESTS_AN_HOUR = 5


def send_test(batch_id: int, by: User) -> Message:
    """Queue a test of the batch's e-mail to the user. Raises RateLimitError after five in an hour. Commits.

    No one is invited by it: a sentence takes the place of the link.
    """
    begin_write()
    batch = review.lock_under_review(batch_id)
    _refuse_too_many(by)
    row = preview.example_row(batch)
    if row is None:
        raise RuleViolationError(
            "There is no row left to write an example for. Put one back, then send the test."
        )
    message = outbox.add_message(MessageKind.TEST, by.email, row_id=row.id, priority=Priority.TEST)
    return _commit(message, by, batch=batch.id)


def send_general_test(by: User) -> Message:
    """Queue a test of the general invitation text to the user. Commits."""
    begin_write()
    _refuse_too_many(by)
    return _commit(
        outbox.add_message(MessageKind.TEST, by.email, user_id=by.id, priority=Priority.TEST), by
    )


def last_general_test(by: User) -> Message | None:
    """The last such test that one sent to oneself."""
    own = Message.kind == MessageKind.TEST, Message.user_id == by.id
    return db.session.scalar(select(Message).where(*own).order_by(Message.id.desc()).limit(1))


def _refuse_too_many(by: User) -> None:
    """Part of a command; all tests of an hour are counted together."""
    since = utcnow() - timedelta(hours=1)
    own = (
        Message.kind == MessageKind.TEST,
        Message.recipient == by.email,
        Message.created_at > since,
    )
    if (db.session.scalar(select(func.count(Message.id)).where(*own)) or 0) >= TESTS_AN_HOUR:
        raise RateLimitError(
            f"You had {TESTS_AN_HOUR} tests within the hour. Wait a while; the preview shows the same."
        )


def _commit(message: Message, by: User, **details: int) -> Message:
    db.session.flush()
    events.record(by, AuditAction.TEST_QUEUED, message, **details)
    db.session.commit()
    queue.enqueue_send()
    return message

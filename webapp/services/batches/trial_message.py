"""Trying out an e-mail on oneself: a batch's, or what every invitation says."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from webapp.core.errors import RateLimitError, RuleViolationError
from webapp.db import begin_write, count_by, db, utcnow
from webapp.models import Message, MessageKind, Priority, User
from webapp.services.audit import events
from webapp.services.batches import review
from webapp.services.mail import outbox, render

AN_HOUR = 5
"""Tests that one person may have: they go before the e-mails of batches."""


def send_test(by: User, batch_id: int | None = None) -> Message:
    """Queue a test of the batch's e-mail, or else of the general one, to the user. Commits.

    No one is invited by it: a sentence takes the place of the link. Raises RateLimitError beyond AN_HOUR, RuleViolationError.
    """
    begin_write()
    _refuse_flood(by)
    about: dict[str, int] = {"user_id": by.id}
    details: dict[str, int] = {}
    if batch_id is not None:
        review.lock_under_review(batch_id)
        row = render.example_row(batch_id)
        if row is None:
            raise RuleViolationError(
                "There is no row left to write an example for. Put one back, then send the test."
            )
        about = {"row_id": row.id}
        details = {"batch": batch_id}
    message = outbox.add_message(MessageKind.TEST, by.email, priority=Priority.TEST, **about)
    db.session.flush()
    events.record(by, "message.test_queued", message, **details)
    outbox.commit()
    return message


def _refuse_flood(by: User) -> None:
    lately = Message.created_at > utcnow() - timedelta(hours=1)
    sent = count_by(Message.kind, Message.recipient == by.email, lately)
    if sent[MessageKind.TEST] >= AN_HOUR:
        raise RateLimitError(
            f"You had {AN_HOUR} tests within the hour. Wait a while; the preview shows the same."
        )


def last_general_test(by: User) -> Message | None:
    """The last such test that one sent to oneself."""
    own = Message.kind == MessageKind.TEST, Message.user_id == by.id
    return db.session.scalar(select(Message).where(*own).order_by(Message.id.desc()).limit(1))

"""Which address replaced which, so that a row with the old one is not taken for a second person."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from webapp.core.plan.planner import Plan
from webapp.db import db, in_json
from webapp.models import Batch, ReplacedAddress, Row


def record(old_key: str, email: str, email_key: str) -> None:
    """Record that an address replaces the old one, and those that the old one replaced. Does not commit."""
    now = {"email": email, "email_key": email_key}
    followed = update(ReplacedAddress).where(ReplacedAddress.email_key == old_key)
    db.session.execute(followed.values(now))
    known = ReplacedAddress.old_key.in_([old_key, email_key])
    db.session.execute(delete(ReplacedAddress).where(known))
    db.session.add(ReplacedAddress(old_key=old_key, **now))


def forget(keys: Collection[str]) -> None:
    """Delete what is known about these addresses. Does not commit."""
    wanted = list(keys)
    gone = or_(ReplacedAddress.old_key.in_(wanted), ReplacedAddress.email_key.in_(wanted))
    db.session.execute(delete(ReplacedAddress).where(gone))


def is_replaced() -> ColumnElement[bool]:
    """Whether a row would invite an address that was replaced."""
    return exists().where(ReplacedAddress.old_key == Row.email_key) & (Row.plan == Plan.INVITE)


def among_rows(batch: Batch) -> dict[str, ReplacedAddress]:
    """The replaced addresses among a batch's rows, by key; one query."""
    # not a join: SQLite would go through all rows, which makes an edit among 50,000 twice as slow
    here = exists().where(Row.batch_id == batch.id, Row.email_key == ReplacedAddress.old_key)
    found = db.session.scalars(select(ReplacedAddress).where(here))
    return {address.old_key: address for address in found}


def count(batch: Batch, keys: Iterable[str]) -> int:
    """How many rows of a batch would invite one of these."""
    rows = select(func.count(Row.id)).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    rows = rows.where(Row.plan == Plan.INVITE, in_json(Row.email_key, keys))
    return db.session.scalar(rows) or 0

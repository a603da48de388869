"""Which address replaced which, so that a row with the old one is not taken for a second person."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, exists, select

from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch, ReplacedAddress, Row


def record(old_key: str, email: str, email_key: str) -> None:
    """Record that an address replaces the old one, and those that the old one replaced. Does not commit."""
    replaced = select(ReplacedAddress).where(ReplacedAddress.email_key == old_key)
    old_keys = {old_key, *(each.old_key for each in db.session.scalars(replaced))}
    for key in old_keys - {email_key}:
        replacement = ReplacedAddress(
            old_key=key,
            email=email,
            email_key=email_key,
        )
        db.session.merge(replacement)
    in_use_again = ReplacedAddress.old_key == email_key
    db.session.execute(delete(ReplacedAddress).where(in_use_again))


def forget(keys: Collection[str]) -> None:
    """Delete what is known about these addresses. Does not commit."""
    for key in (ReplacedAddress.old_key, ReplacedAddress.email_key):
        db.session.execute(delete(ReplacedAddress).where(key.in_(keys)))


def is_replaced() -> ColumnElement[bool]:
    """Whether a row would invite an address that was replaced."""
    is_known = exists().where(ReplacedAddress.old_key == Row.email_key)
    return is_known & (Row.plan == Plan.INVITE)


def among_rows(batch: Batch) -> dict[str, ReplacedAddress]:
    """The replaced addresses among a batch's rows, by key; one query."""
    # not a join: SQLite would go through all rows, which makes an edit among 50,000 twice as slow
    here = exists().where(
        Row.batch_id == batch.id,
        Row.email_key == ReplacedAddress.old_key,
    )
    found = db.session.scalars(select(ReplacedAddress).where(here))
    return {address.old_key: address for address in found}

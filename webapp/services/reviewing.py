"""For whom a batch's plans are made, and how they are made anew: who looks is who is judged.

The stored plans are those of whoever looked last. Somebody else who looks gets theirs on the fly, and they are stored once
the page has answered. `Batch.drift` tells what anybody was shown: it comes back to what it was when the plans do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from webapp.db import db, utcnow
from webapp.models import Batch, Row, User
from webapp.services import directory, plans
from webapp.services.plans import Judgement

# Questions


def are_current(batch: Batch, by: User | None = None) -> bool:
    """Whether the stored plans are what this person, or whoever looks, is shown."""
    return not plans.are_stale(batch) and (by is None or are_for(batch, by))


def are_for(batch: Batch, by: User) -> bool:
    """Whether the stored plans are what this person's confirming would do: made for them, or for somebody who may do
    the same, where neither is among the rows."""
    other = batch.planned_for
    if other.id == by.id:
        return True
    registry = directory.registry(by)
    if registry.known_domains != directory.registry(other).known_domains:
        return False
    lower, upper = sorted((other.role.rank, by.role.rank))
    if any(lower < role.rank <= upper and not role.is_owner for role in registry.roles):
        return False  # only one of them may grant or change it; what is the Owner's, neither may
    own = Row.batch_id == batch.id, Row.email_key.in_([other.email_key, by.email_key])
    return db.session.scalar(select(Row.id).where(*own).limit(1)) is None


def planned_anew(batch: Batch, by: User) -> list[Row]:
    """The standing rows and the batch itself as they would be, were the plans made now; nothing of it is stored."""
    rows = plans.standing_rows(batch, as_read=True)
    judgements = plans.judged_again(batch, rows, by)
    moved = plans.stale(rows, judgements)
    drift = _drifted(batch, moved, judgements)
    db.session.expunge(batch)  # what is changed from here on is for the eye, and must not be flushed
    plans.count(batch, map(plans.counted, moved), -1)
    for row in rows:
        db.session.expunge(row)
    for row in moved:
        for name, value in judgements[row.line].values.items():
            setattr(row, name, value)
    plans.count(batch, map(plans.counted, moved), +1)
    batch.drift, batch.planned_for = drift, by
    return rows


# Parts of commands


def refresh(batch: Batch) -> list[Row]:
    """Part of a command that changes or stages the batch: make every plan and store it. -> the rows whose plan changed."""
    return _stored(batch, *_judged(batch))


def follow(batch: Batch, by: User) -> list[Row]:
    """Part of a command: make every plan again, because the directory or who looks is another, and store it. -> as above."""
    batch.planned_for = by
    changed, judgements = _judged(batch)
    batch.drift = _drifted(batch, changed, judgements)
    return _stored(batch, changed, judgements)


def planned_as_seen(batch: Batch, by: User) -> None:
    """Part of a command that goes by what the page showed this person: its plans are stored where they were made on the fly."""
    if not are_current(batch, by):
        follow(batch, by)


def _judged(batch: Batch) -> tuple[list[Row], Mapping[int, Judgement]]:
    batch.directory_version, batch.planned_at = directory.version(), utcnow()  # first: what comes later is newer
    rows = plans.standing_rows(batch)
    judgements = plans.judged_again(batch, rows)
    return plans.stale(rows, judgements), judgements


def _stored(batch: Batch, changed: list[Row], judgements: Mapping[int, Judgement]) -> list[Row]:
    plans.store(batch, changed, judgements)
    return changed


# Drift


def _drifted(batch: Batch, changed: Sequence[Row], judgements: Mapping[int, Judgement]) -> str:
    """The batch's drift once these rows have their new plans.

    It is a sum over what each row says, so that an edit does not have to know all rows. Edits are not in it: those
    `Batch.version` counts.
    """
    moved = int(batch.drift, 16)
    for row in changed:
        new = judgements[row.line].values
        moved += _digest(row, new) - _digest(row, {name: getattr(row, name) for name in new})
    return f"{moved % 2**64:x}"


def _digest(row: Row, values: Mapping[str, Any]) -> int:
    text = json.dumps([row.id, values], sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())

"""Rows under review that have one e-mail: made one, or all but one removed; in all parts of a split file.

Each part keeps its own steps: what changed in another part is undone there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import fold
from webapp.db import begin_write, db
from webapp.models import Batch, BatchState, Row, User
from webapp.schemas.rows import split_groups
from webapp.services.batches import bulk_edit, review, upload
from webapp.services.batches import changes as edits
from webapp.services.batches.changes import Change
from webapp.services.directory import lookup


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. count: rows that were removed, or made one. elsewhere: how many of them changed in which other part.

    version: the step in the batch itself, to be undone; None where nothing changed there.
    """

    batch: Batch
    count: int
    version: int | None
    elsewhere: Mapping[int, int]


def merge(batch_id: int, row_id: int, by: User) -> Done:
    """Make one of all rows that have this row's e-mail: the first gets the groups of all, the others are removed.

    Raises RuleViolationError where their roles differ.
    """
    batch, twins, _ = _held(batch_id, row_id)
    registry = lookup.registry()
    roles = {registry.role_by_key.get(fold(row.role)) for row in twins}
    if len(roles) > 1 or None in roles:
        raise RuleViolationError("Their roles differ, so nothing was merged. Make the roles the same, or choose “Keep this one”.")
    leader, *later = twins
    union = bulk_edit.united((name for row in twins for name in split_groups(row.groups)), registry)
    changes = [edits.change_cell(leader, "groups", union), *(Change(row, "removed", "", "removed") for row in later)]
    return _done(batch, by, changes, len(twins))


def keep(batch_id: int, row_id: int, by: User) -> Done:
    """Of all rows that have this row's e-mail keep this one; the others are removed."""
    batch, twins, kept = _held(batch_id, row_id)
    changes = [Change(row, "removed", "", "removed") for row in twins if row.id != kept.id]
    return _done(batch, by, changes, len(changes))


def _held(batch_id: int, row_id: int) -> tuple[Batch, list[Row], Row]:
    """The batch, the standing rows with this row's e-mail in the order of parts and lines, and the row itself; all
    of the file is held.

    Raises ConflictError where there is only one, or where another part is being sent with one of them.
    """
    begin_write()
    batch = review.under_review(batch_id)
    parts = [part.id for part in upload.parts_of(batch)]
    row = db.session.get(Row, row_id)
    if row is None or row.batch_id != batch.id or row.removed_at is not None or row.email_key is None:
        raise ConflictError("That row was removed or changed in the meantime. Nothing was changed.")
    query = (
        select(Row, Batch)
        .join(Batch, Batch.id == Row.batch_id)
        .where(Row.batch_id.in_({batch_id, *parts}), Row.email_key == row.email_key, Row.removed_at.is_(None))
        .order_by(Batch.part, Row.line)
    )
    found = [(twin, held) for twin, held in db.session.execute(query)]
    for twin, held in found:
        if held.state in review.AT_WORK and twin.plan in (Plan.INVITE, Plan.UPDATE, Plan.UNCHANGED):
            raise ConflictError(f"Row {twin.line} of part {held.part} is confirmed already. Remove this row, or change it.")
    twins = [twin for twin, held in found if held.state is BatchState.REVIEWING]
    if len(twins) < 2:
        raise ConflictError("No other row has this email any more. Nothing was changed.")
    return batch, twins, row


def _done(batch: Batch, by: User, changes: Iterable[Change], count: int) -> Done:
    """One step in each part, and the commit. The batch itself comes last: it is judged with what the others have become."""
    of_batch: defaultdict[int, list[Change]] = defaultdict(list)
    for change in changes:
        if change.row and change.before != change.after:
            of_batch[change.row.batch_id].append(change)
    own: Sequence[Change] = of_batch.pop(batch.id, [])
    elsewhere = {}
    for id, theirs in sorted(of_batch.items()):
        part = db.session.get_one(Batch, id)
        edits.make(part, by, theirs)
        elsewhere[part.part] = len(theirs)
    if own:
        edits.make(batch, by, own)
    version = batch.version if own else None
    db.session.commit()
    return Done(batch, count, version, elsewhere)

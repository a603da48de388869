"""Plans a whole batch again: after the directory changed, or for another person who confirms.

Stored plans are made for one person, `Batch.planned_for`: who uploaded the batch, or who was last asked to look again.
docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm.attributes import set_committed_value

from webapp.db import begin_write, db
from webapp.models import Batch, BatchState, Row, User
from webapp.services.batches import planner, review
from webapp.services.directory import lookup


@dataclass(frozen=True, slots=True)
class FreshPlans:
    """New plans of a batch, which can be stored in a later transaction.

    changed: the rows whose plan differs from the stored one. values: the same by line, for `planner.write_rows`.
    version, directory_version: of the batch and the directory when they were made.
    """

    for_id: int
    version: int
    directory_version: int
    changed: Sequence[Row]
    values: dict[int, dict[str, Any]]
    counts: dict[str, int]


def is_stale(batch: Batch) -> bool:
    """Whether the directory has moved since the stored plans were made."""
    return batch.directory_version != lookup.directory_version()


def show(batch: Batch) -> FreshPlans | None:
    """Put fresh plans into a batch and its rows as loaded, where the stored ones are stale. Nothing is stored.

    Keep what is returned until the rows are drawn, and store it once the page has answered. None: the stored plans are fresh.
    """
    if batch.state is not BatchState.REVIEWING or not is_stale(batch):
        return None
    plans = _plan(batch, batch.planned_for)
    set_committed_value(batch, "counts", plans.counts)
    if plans.changed:
        set_committed_value(batch, "version", batch.version + 1)
    return plans


def store_shown(batch_id: int, plans: FreshPlans) -> None:
    """Store the plans that a page has shown.

    Where somebody changed the batch meanwhile, only its version is raised: that page has not shown the change.
    """
    begin_write()
    batch = review.get_batch(batch_id)
    if batch.state is BatchState.REVIEWING and batch.directory_version != plans.directory_version:
        if batch.version == plans.version:
            store(batch, plans)
        if plans.changed:
            batch.version += 1
    db.session.commit()


def lock_with_plans(batch_id: int, for_id: int) -> tuple[Batch, FreshPlans]:
    """Lock a batch and plan it for this person. Does not commit.

    Planning 50,000 rows takes seconds: it is done before the lock is taken, and again only where the batch or the directory
    changed meanwhile.
    """
    plans = _plan(review.get_batch(batch_id), db.session.get_one(User, for_id))
    begin_write()
    batch = review.get_batch(batch_id)
    if (batch.version, lookup.directory_version()) != (plans.version, plans.directory_version):
        plans = _plan(batch, db.session.get_one(User, for_id))
    return batch, plans


def plan_batch(batch: Batch) -> None:
    """Make every plan of a new or changed batch. Does not commit."""
    store(batch, _plan(batch, batch.planned_for))


def store(batch: Batch, plans: FreshPlans) -> None:
    """Store the plans of a locked batch. Does not commit."""
    batch.planned_for_id = plans.for_id
    batch.directory_version = plans.directory_version
    batch.counts = plans.counts
    planner.write_rows(list(plans.values.values()))


def _plan(batch: Batch, by: User) -> FreshPlans:
    """Plan all rows for `by`, as loaded."""
    # first: what changes from here on makes these plans stale
    directory_version = lookup.directory_version()
    rows = planner.load(planner.select_rows(batch))
    plans = planner.plan_stored_rows(batch, rows, by)
    changed = planner.find_changed(rows, plans)
    for row in changed:
        planner.set_plan(row, plans[row.line])
    return FreshPlans(
        for_id=by.id,
        version=batch.version,
        directory_version=directory_version,
        changed=changed,
        values={row.line: planner.row_values(row) for row in changed},
        counts=dict(planner.count_rows(plans.values())),
    )

"""Reverting what a finished batch did: staged as a batch of its own, whose review is the dry run."""

from __future__ import annotations

from sqlalchemy import Select, select

from webapp.core.errors import ConflictError, ForbiddenError
from webapp.core.plan import actions
from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Ref
from webapp.db import begin_write, db
from webapp.models import Batch, BatchKind, BatchState, Outcome, Row, User
from webapp.services.batches import people_rows, planner, review, staging
from webapp.services.batches.staging import NewRow

_REVERTIBLE = (BatchState.FINISHED, BatchState.CANCELLED)
_FINAL = (Do.RESEND, Do.REVOKE)
"""Neither an e-mail nor a link that was ended can be taken back."""


_ACTED = (
    Outcome.INVITED,
    Outcome.WAITING,
    Outcome.FAILED,
    Outcome.UPDATED,
)
"""Outcomes of rows for which something was done."""


def stage(batch_id: int, by: User) -> Batch:
    """Make a batch under review that would take back what this one did; where there is one, return that.

    Raises ConflictError where there is nothing to take back, ForbiddenError where `by` could not have done it.
    """
    begin_write()
    original = review.get_batch(batch_id)
    if _may_have_any(original) and (open_one := find_revert(original)):
        db.session.rollback()
        return open_one
    if not by.may(people_rows.permission(original)):
        raise ForbiddenError
    rows = _find_rows(original) if _may_have_any(original) else []
    if not rows:
        raise ConflictError(f"This {original.kind.value} left nothing that could be reverted.")
    title = original.title or {"code": "text", "text": original.name}
    return staging.stage_rows(
        rows,
        by,
        {"reverts": original.id},
        kind=BatchKind.REVERT,
        title={"code": "revert", "of": title},
        action=original.action,
        reverts_id=original.id,
    )


def _find_rows(original: Batch) -> list[NewRow]:
    """A row for each that did something which can be taken back, with the same number."""
    refs: dict[int, Ref] = {}
    for row in db.session.scalars(_select_acted(original)):
        done = row.change
        if not actions.can_be_undone(done):
            continue
        if done.before is not None and done.subject:
            refs[row.line] = done.subject
        elif row.invitation_id:
            refs[row.line] = ("invitation", row.invitation_id)
    people = staging.find_people(refs.values())
    rows = []
    for line, ref in refs.items():
        if ref in people:
            rows.append(people[ref] | {"line": line})
    return rows


def _select_acted(original: Batch) -> Select[Row]:
    """Select the rows for which something was done."""
    return planner.select_rows(original).where(Row.outcome.in_(_ACTED)).order_by(Row.line)


def _may_have_any(original: Batch) -> bool:
    if original.kind is BatchKind.REVERT or original.state not in _REVERTIBLE:
        return False
    return original.doing is None or original.doing.do not in _FINAL


# Questions


def is_offered(batch: Batch) -> bool:
    """Whether there may be something to revert; at most one query."""
    if not _may_have_any(batch):
        return False
    return db.session.scalar(_select_acted(batch).limit(1)) is not None


def original(revert: Batch) -> Batch | None:
    """What a revert takes back, where it still is there."""
    return db.session.get(Batch, revert.reverts_id) if revert.reverts_id else None


def find_revert(batch: Batch) -> Batch | None:
    """The revert that took this batch back, or that is under review or at work."""
    is_reverted = batch.state is BatchState.REVERTED
    states = [BatchState.FINISHED] if is_reverted else [BatchState.REVIEWING, *review.AT_WORK]
    query = select(Batch).where(Batch.reverts_id == batch.id, Batch.state.in_(states))
    return db.session.scalar(query.order_by(Batch.id.desc()).limit(1))

"""Confirms a batch under review: what is queued is what the person saw, or nothing is."""

from __future__ import annotations

from sqlalchemy import func, select

from webapp import queue
from webapp.core.errors import ConflictError, ForbiddenError, MusterError, PasswordRequiredError
from webapp.core.plan.planner import Plan
from webapp.core.text.formatting import become_administrators, plural
from webapp.db import db, truncate_wal, utcnow
from webapp.models import MARKERS, Batch, BatchKind, BatchState, Row, RowEdit, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import discard, people_rows, replan, review, undo
from webapp.services.batches.replan import FreshPlans

NAMED = 3
"""Edits by others that are named; the newest first."""


class PlansChangedError(ConflictError):
    """What would be done is no longer what was seen; nothing was queued."""


def confirm(batch_id: int, version: int, by: User, *, proven: bool = False) -> bool:
    """Queue what was seen. Returns False where the batch is confirmed already: confirming twice is one confirm.

    version: the batch's, as the page showed it. proven: `by` has just given their password. Raises PlansChangedError where
    somebody else edited since, or where planning again for `by` makes another plan; PasswordRequiredError; ForbiddenError;
    NotUnderReviewError where the batch was discarded.
    """
    if review.get_batch(batch_id).confirmed_by_id is not None:
        return False
    batch, plans = replan.lock_with_plans(batch_id, by.id)
    if batch.confirmed_by_id is not None:
        db.session.rollback()
        return False
    if error := _permission_error(batch, by) or _unseen_error(batch, version, by):
        db.session.rollback()
        raise error
    if plans.changed:
        error = PlansChangedError(
            f"{review.nothing_done(batch)} {_describe_changed_plans(batch, plans)}"
        )
        replan.store(batch, plans)
        batch.version += 1
        db.session.commit()
        raise error
    if error := _blocking_error(batch, proven=proven):
        db.session.rollback()
        raise error
    batch.state = BatchState.QUEUED
    batch.confirmed_by = by
    batch.confirmed_at = utcnow()
    discard.delete_file(batch)
    events.record(by, AuditAction.BATCH_CONFIRMED, batch, counts=batch.counts, **batch.settings())
    db.session.commit()
    truncate_wal()
    queue.enqueue_batch(batch_id)
    return True


def _permission_error(batch: Batch, by: User) -> MusterError | None:
    """Why this person cannot confirm this batch at all."""
    if batch.state is not BatchState.REVIEWING:
        return review.NotUnderReviewError(batch)
    needed = people_rows.permission(batch)
    if by.may(needed):
        return None
    return ForbiddenError(
        f"{review.nothing_done(batch)} Your role does not include this ({needed}). Ask an administrator."
    )


def _unseen_error(batch: Batch, version: int, by: User) -> MusterError | None:
    """What changed since the page was loaded, other than by this person's own edits."""
    nothing = review.nothing_done(batch)
    if edits := _edits_by_others(batch, version, by):
        return PlansChangedError(f"{nothing} {edits} Look at the rows again, then {_verb(batch)}.")
    own = select(func.count(RowEdit.version.distinct())).where(
        RowEdit.batch_id == batch.id,
        RowEdit.version > version,
        RowEdit.user_id == by.id,
    )
    # what else raises it exchanges rows, or changes plans
    if batch.version - version == db.session.scalar(own):
        return None
    return PlansChangedError(
        f"{nothing} What would happen has changed since this page was loaded. Look again, then {_verb(batch)}."
    )


def _blocking_error(batch: Batch, *, proven: bool) -> MusterError | None:
    """What the person has to do before this batch can be queued."""
    if batch.kind is not BatchKind.UPLOAD and not batch.to_send:
        return PlansChangedError(
            f"Nothing was done. No one is left for it: discard this {batch.kind.value}."
        )
    needing = batch.counts.get(Plan.ATTENTION, 0)
    if needing and not batch.skip_errors:
        needs, them = ("needs", "it") if needing == 1 else ("need", "them")
        return PlansChangedError(
            f"Nothing was sent. {plural(needing, 'row')} {needs} attention: fix {them}, or tick “Skip them”."
        )
    admins = batch.counts.get("admin", 0)
    if admins and not proven:
        return PasswordRequiredError(
            f"Type your password: {become_administrators(plural(admins, 'person'), admins)}."
        )
    return None


def _verb(batch: Batch) -> str:
    return "send" if batch.kind is BatchKind.UPLOAD else "confirm"


def _describe_changed_plans(batch: Batch, plans: FreshPlans) -> str:
    lines = list(plans.values)
    named = ", ".join(map(str, lines[:5])) + (" …" if len(lines) > 5 else "")
    where = f"{plural(len(lines), 'row')} ({named})"
    is_for_another = batch.planned_for_id != plans.for_id
    if is_for_another and batch.directory_version == plans.directory_version:
        return f"Plans changed for your role: look again, then {_verb(batch)}. It is about {where}."
    return f"What would happen has changed in {where}, because people, groups or roles changed. Look again, then {_verb(batch)}."


def _edits_by_others(batch: Batch, version: int, by: User) -> str:
    """A sentence on what others changed after `version`, or ""."""
    query = (
        select(User.name, RowEdit.field, Row.line, RowEdit.after)
        .join(User, User.id == RowEdit.user_id)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(RowEdit.batch_id == batch.id, RowEdit.version > version, RowEdit.user_id != by.id)
        .order_by(RowEdit.id.desc())
        .limit(NAMED + 1)
    )
    edits = db.session.execute(query).all()
    sentences = [
        f"{name} {_describe_edit(field, line, after)}."
        for name, field, line, after in edits[:NAMED]
    ]
    if len(edits) > NAMED:
        sentences.append("And more.")
    return " ".join(sentences)


def _describe_edit(field: str, line: int | None, after: str) -> str:
    """What a person did, as words after their name."""
    if field in MARKERS:
        return f"has {field}: {after}"
    return undo.describe_step(field, after, 1 if line else 0, line)

"""Rows of actions and reverts: each is about one person who exists.

Such a row keeps whom it is about in its `change_dict`. Its cells are the person's e-mail, and role and groups as they
will be, or as they are where nothing changes them. A revert's row has the line of the row that it takes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from webapp.core.plan import actions
from webapp.core.plan.planner import Plan, PlannedChange, Policy, Ref
from webapp.core.plan.registry import Registry
from webapp.core.security.permissions import Permission
from webapp.db import db, in_json
from webapp.models import (
    Batch,
    BatchKind,
    Outcome,
    Row,
    User,
)
from webapp.services.batches.apply import CHANGED, Obstacle
from webapp.services.directory import lookup


def plan_people(batch: Batch, rows: Sequence[Row], policy: Policy) -> dict[int, PlannedChange]:
    """What each row would do now, by line; a fixed number of queries."""
    people = lookup.people_by_id(map(_subject, rows))
    done: dict[int, PlannedChange] = {}
    if batch.kind is BatchKind.REVERT:
        original = select(Row).where(
            Row.batch_id == batch.reverts_id,
            in_json(Row.line, [row.line for row in rows]),
        )
        done = {row.line: row.change for row in db.session.scalars(original)}
    planned = {}
    for row in rows:
        subject = _subject(row)
        person = people.get(subject)
        if batch.kind is BatchKind.REVERT:
            change = actions.plan_revert(done.get(row.line), person, policy)
        else:
            assert batch.doing is not None
            change = actions.plan(person, batch.doing, policy)
        planned[row.line] = replace(change, subject=subject)
    return planned


def _subject(row: Row) -> Ref:
    """Whom the row of an action or a revert is about."""
    kind, subject_id = row.change_dict["subject"]
    return kind, subject_id


# Shown


def cells(change: PlannedChange, registry: Registry) -> dict[str, str]:
    """Role and groups of a row: as they will be, or as they are."""
    access = change.after or change.before
    if access is None:
        return {}
    role = registry.role_by_id.get(access.role)
    return {
        "role": role.name if role else "",
        "groups": ", ".join(access.group_names(registry)),
    }


def removed_rows(batch: Batch) -> Sequence[Row]:
    """The people who were taken out of the batch one by one; nothing is done to them. One query."""
    query = select(Row).where(
        Row.batch_id == batch.id,
        Row.removed_at.is_not(None),
    )
    return db.session.scalars(query.order_by(Row.line)).all()


# Applied


def permission(batch: Batch) -> Permission:
    """What people need to confirm such a batch."""
    return batch.doing.do.permission if batch.doing else Permission.INVITATIONS_MAKE


def why_not(
    frozen: PlannedChange, now: PlannedChange, by: User, needed: Permission
) -> Obstacle | None:
    """Why the planned change of such a row is not applied; None where planning it again comes to the same."""
    if now.plan is Plan.UNCHANGED:
        return Outcome.UNCHANGED, {"code": "already_so"}
    if not by.may(needed):
        return Outcome.SKIPPED, {"code": "may_not_do", "name": by.name}
    if (now.before, now.was) != (frozen.before, frozen.was):
        return CHANGED
    if frozen.sent is not None and now.sent != frozen.sent:
        return Outcome.SKIPPED, {"code": "resent"}
    if now.plan is Plan.ATTENTION:
        return Outcome.SKIPPED, now.issues[0]
    if (now.after, now.effect) != (frozen.after, frozen.effect):
        return CHANGED
    return None

"""Rows of actions and reverts: each is about one person who exists.

Such a row keeps whom it is about in its `change_dict`. Its cells are the person's e-mail, and role and groups as they
will be, or as they are where nothing changes them. A revert's row has the line of the row that it takes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import or_, select

from webapp.core.plan import actions, revert
from webapp.core.plan.planner import Issue, Person, Plan, PlannedChange, Policy, Ref, refuse
from webapp.core.plan.registry import Registry
from webapp.core.security.permissions import Permission
from webapp.db import db, in_json
from webapp.models import (
    AuditEvent,
    Batch,
    BatchKind,
    Outcome,
    Row,
    User,
)
from webapp.services.audit.actions import AuditAction
from webapp.services.batches.apply import CHANGED, Obstacle
from webapp.services.directory import lookup
from webapp.services.settings import in_force

TOUCHING = (
    AuditAction.USER_CHANGED,
    AuditAction.USER_DEACTIVATED,
    AuditAction.USER_REACTIVATED,
    AuditAction.INVITATION_CHANGED,
    AuditAction.INVITATION_SENT_AGAIN,
    AuditAction.INVITATION_REVOKED,
    AuditAction.INVITATION_ACCEPTED,
)
"""Events that explain why a person is no longer as a batch left them."""


def plan_people(batch: Batch, rows: Sequence[Row], policy: Policy) -> dict[int, PlannedChange]:
    """What each row would do now, by line; a fixed number of queries."""
    refs = {row.line: _subject(row) for row in rows}
    people = lookup.people_by_id(refs.values())
    if batch.kind is BatchKind.ACTION:
        action = batch.doing
        assert action is not None
        planned = {
            line: actions.plan(people.get(ref), action, policy) for line, ref in refs.items()
        }
    else:
        planned = _plan_reverts(batch, refs, people, policy)
    return {line: replace(change, subject=refs[line]) for line, change in planned.items()}


def _subject(row: Row) -> Ref:
    """Whom the row of an action or a revert is about."""
    kind, subject_id = row.change_dict["subject"]
    return kind, subject_id


# Reverts


def _plan_reverts(
    batch: Batch, refs: Mapping[int, Ref], people: Mapping[Ref, Person], policy: Policy
) -> dict[int, PlannedChange]:
    original = select(Row).where(Row.batch_id == batch.reverts_id, in_json(Row.line, sorted(refs)))
    done = {row.line: row.change for row in db.session.scalars(original)}
    planned = {}
    touched: dict[Ref, int] = {}
    for line, ref in refs.items():
        change = refuse("original_unknown")
        if line in done:
            change = revert.plan(done[line], people.get(ref), policy)
        planned[line] = change
        if any(issue.code in revert.TOUCHED for issue in change.issues):
            touched[ref] = line
    for ref, issue in _find_touches(batch, touched).items():
        line = touched[ref]
        planned[line] = replace(planned[line], issues=(issue,))
    return planned


def _find_touches(batch: Batch, refs: Collection[Ref]) -> dict[Ref, Issue]:
    """Who touched these people last and when, as far as the audit log knows it; one query."""
    if not refs:
        return {}
    are_theirs = [
        (AuditEvent.subject_type == table) & in_json(AuditEvent.subject_id, _ids(refs, kind))
        for table, kind in _KINDS.items()
    ]
    query = (
        select(AuditEvent, User.name)
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .where(AuditEvent.action.in_(TOUCHING), or_(*are_theirs))
        .order_by(AuditEvent.id)
    )
    found: dict[Ref, Issue] = {}
    zone = in_force.settings().time_zone
    for event, name in db.session.execute(query):
        ref = (_KINDS[event.subject_type], int(event.subject_id or 0))
        params = {"at": event.at.astimezone(zone).isoformat()}
        if name and event.action != AuditAction.INVITATION_ACCEPTED:
            params["who"] = name
        if (
            event.details.get("batch") == batch.reverts_id
        ):  # nobody is known to have touched them since
            found.pop(ref, None)
        else:
            found[ref] = Issue("email", event.action, params)
    return found


_KINDS = {"users": "user", "invitations": "invitation"}


def _ids(refs: Iterable[Ref], kind: str) -> list[int]:
    return [ref_id for of_kind, ref_id in refs if of_kind == kind]


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
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_not(None))
    return db.session.scalars(query.order_by(Row.line)).all()


def names(rows: Iterable[Row]) -> dict[int, str]:
    """The names of the users that these rows are about, by row id; one query."""
    subjects = {row.id: _subject(row) for row in rows}
    query = select(User.id, User.name).where(in_json(User.id, _ids(subjects.values(), "user")))
    found = {("user", user_id): name for user_id, name in db.session.execute(query)}
    return {row_id: found[ref] for row_id, ref in subjects.items() if ref in found}


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
        return Outcome.SKIPPED, now.issues[0].as_dict()
    if (now.after, now.effect) != (frozen.after, frozen.effect):
        return CHANGED
    return None

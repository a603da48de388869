"""Rows of actions and reverts: each is about one person who exists.

Such a row keeps whom it is about in its `change_dict`. Its cells are the person's e-mail, and role and groups as they
will be, or as they are where nothing changes them. A revert's row has the line of the row that it takes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, insert, select

from webapp.core.plan import actions, revert
from webapp.core.plan.planner import Access, Person, Plan, PlannedChange, Policy, Ref, refuse
from webapp.core.plan.registry import Registry
from webapp.core.security.permissions import Permission
from webapp.db import db, in_json
from webapp.models import (
    AuditEvent,
    Batch,
    BatchKind,
    BatchState,
    Invitation,
    Outcome,
    Row,
    User,
    UserState,
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


def new_batch(by: User, **columns: Any) -> Batch:
    """A batch under review whose rows are people: what is in the way of one row holds up no other. Does not commit."""
    batch = Batch(
        state=BatchState.REVIEWING,
        skip_errors=True,
        valid_days=in_force.settings().invite_days,
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        counts={},
        **columns,
    )
    db.session.add(batch)
    db.session.flush()
    return batch


def add(batch: Batch, refs: Iterable[tuple[int | None, Ref]]) -> int:
    """Add a row for each of these people who exists, to be planned later. Returns how many. Does not commit.

    refs: with the row's line; without one, rows are numbered by e-mail, from 1.
    """
    wanted = list(refs)
    emails = _emails([ref for _, ref in wanted])
    in_order = sorted((line or 0, emails[ref], ref) for line, ref in wanted if ref in emails)
    rows = []
    for number, (line, (key, email), ref) in enumerate(in_order, start=1):
        cells = {"email": email, "role": "", "groups": ""}
        cells_as_read = {f"read_{field}": cell for field, cell in cells.items()}
        rows.append(
            {
                "batch_id": batch.id,
                "line": line or number,
                **cells,
                **cells_as_read,
                "email_key": key,
                "plan": Plan.ATTENTION,
                "change_dict": {"subject": list(ref)},
                "issues": [],
            }
        )
    if rows:
        db.session.execute(insert(Row), rows)
    batch.counts = {Plan.ATTENTION.value: len(rows)} if rows else {}
    return len(rows)


def _emails(refs: Collection[Ref]) -> dict[Ref, tuple[str, str]]:
    """The e-mail's key and the e-mail of each of these people who exists."""
    users = select(User.id, User.email_key, User.email).where(
        User.state != UserState.ERASED, in_json(User.id, _ids(refs, "user"))
    )
    invited = select(Invitation.id, Invitation.email_key, Invitation.email)
    invited = invited.where(in_json(Invitation.id, _ids(refs, "invitation")))
    found: dict[Ref, tuple[str, str]] = {}
    for kind, query in (("user", users), ("invitation", invited)):
        for subject_id, key, email in db.session.execute(query):
            found[kind, subject_id] = (key, email)
    return found


def _ids(refs: Iterable[Ref], kind: str) -> list[int]:
    return [ref_id for of_kind, ref_id in refs if of_kind == kind]


def plan_people(batch: Batch, rows: Sequence[Row], policy: Policy) -> dict[int, PlannedChange]:
    """What each row would do now, by line; a fixed number of queries."""
    refs = {row.line: subject_of(row) for row in rows}
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


def subject_of(row: Row) -> Ref:
    """Whom the row of an action or a revert is about."""
    kind, subject_id = row.change_dict["subject"]
    return kind, subject_id


# Reverts


def _plan_reverts(
    batch: Batch, refs: Mapping[int, Ref], people: Mapping[Ref, Person], policy: Policy
) -> dict[int, PlannedChange]:
    original = select(Row).where(Row.batch_id == batch.reverts_id, in_json(Row.line, sorted(refs)))
    done = {row.line: row.change for row in db.session.scalars(original)}
    accepted = _accepted_access(people.values())
    planned = {}
    for line, ref in refs.items():
        change = refuse("original_unknown")
        if line in done:
            change = revert.plan(done[line], people.get(ref), policy)
        planned[line] = replace(change, before=accepted.get(ref, change.before))
    return _explain_touched(batch, planned, refs)


def _accepted_access(people: Iterable[Person]) -> dict[Ref, Access]:
    """By accepted invitation, the access of the user who accepted it: what they keep. A fixed number of queries."""
    accepted = [
        person.id for person in people if person.kind == "invitation" and person.state == "accepted"
    ]
    if not accepted:
        return {}
    by_invitation = select(Invitation.id, Invitation.user_id).where(
        in_json(Invitation.id, accepted)
    )
    refs: dict[Ref, Ref] = {}
    for invitation_id, user_id in db.session.execute(by_invitation):
        if user_id:
            refs["invitation", invitation_id] = ("user", user_id)
    users = lookup.people_by_id(refs.values())
    return {invitation: users[user].access for invitation, user in refs.items() if user in users}


def _explain_touched(
    batch: Batch, planned: Mapping[int, PlannedChange], refs: Mapping[int, Ref]
) -> dict[int, PlannedChange]:
    """Say who touched whom since and when, as far as the audit log knows it; two queries."""
    explained = dict(planned)
    lines = {refs[line]: line for line, change in planned.items() if _is_touched(change)}
    if not lines:
        return explained
    zone = in_force.settings().time_zone
    seen: set[Ref] = set()
    for kind, table in (("user", "users"), ("invitation", "invitations")):
        for subject_id, action, at, details, who in db.session.execute(
            _touching_events(table, _ids(lines, kind))
        ):
            ref = (kind, subject_id)
            if ref in seen:  # only the newest event counts
                continue
            seen.add(ref)
            # nobody is known to have touched them since
            if details.get("batch") == batch.reverts_id:
                continue
            params = {"at": at.astimezone(zone).isoformat()}
            if who and action != AuditAction.INVITATION_ACCEPTED:
                params["who"] = who
            line = lines[ref]
            explained[line] = replace(planned[line], issues=refuse(action, **params).issues)
    return explained


def _is_touched(change: PlannedChange) -> bool:
    return any(issue.code in revert.TOUCHED for issue in change.issues)


def _touching_events(table: str, ids: list[int]) -> Select[*tuple[Any, ...]]:
    """Events that touched these people, the newest first."""
    return (
        select(
            AuditEvent.subject_id, AuditEvent.action, AuditEvent.at, AuditEvent.details, User.name
        )
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .where(
            AuditEvent.subject_type == table,
            AuditEvent.action.in_([action.value for action in TOUCHING]),
        )
        .where(in_json(AuditEvent.subject_id, ids))
        .order_by(AuditEvent.id.desc())
    )


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
    subjects = {row.id: subject_of(row) for row in rows}
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

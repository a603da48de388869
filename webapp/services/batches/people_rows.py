"""Rows that aim at people who are there: those of actions and reverts. What each would do, and what is in its way.

Such a row keeps whom it aims at in its step's `subject`; its cells are the person's e-mail, and role and groups as they
will be, or as they are where nothing changes them. A revert's row has the line of the row that it takes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import insert, select, true

from webapp.core.plan import actions, revert
from webapp.core.plan.planner import Access, Issue, Person, Plan, PlannedChange, Policy, Ref
from webapp.core.plan.registry import ALL_GROUPS, Registry
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import full
from webapp.db import among, db
from webapp.models import AuditEvent, Batch, BatchKind, Invitation, Outcome, Row, User, UserState
from webapp.services.audit.events import AuditAction
from webapp.services.batches import apply
from webapp.services.directory import lookup
from webapp.services.settings import in_force

Obstacle = tuple[Outcome, str]


def add(batch: Batch, refs: Iterable[tuple[int | None, Ref]]) -> int:
    """Part of a command: a row for each of these people who is there, its plan still to be made. -> how many.

    refs: with the row's line; without one, rows are numbered by e-mail, from 1.
    """
    wanted = list(refs)
    emails: dict[Ref, tuple[str, str]] = {}
    for kind, model in (("user", User), ("invitation", Invitation)):
        ids = [id for _, (of_kind, id) in wanted if of_kind == kind]
        there = among(model.id, ids) & (model.state != UserState.ERASED if model is User else true())
        found = db.session.execute(select(model.id, model.email_key, model.email).where(there))
        emails |= {(kind, id): (key, email) for id, key, email in found}
    aimed_at = sorted((line or 0, emails[ref], ref) for line, ref in wanted if ref in emails)
    rows = []
    for number, (line, (key, email), ref) in enumerate(aimed_at, start=1):
        cells = {"email": email, "role": "", "groups": ""}
        read = {f"read_{field}": cell for field, cell in cells.items()}
        same = {"batch_id": batch.id, "email_key": key, "plan": Plan.ATTENTION, "step": {"subject": list(ref)}, "issues": []}
        rows.append({"line": line or number, **cells, **read, **same})
    if rows:
        db.session.execute(insert(Row), rows)
    batch.counts = {Plan.ATTENTION.value: len(rows)} if rows else {}
    return len(rows)


def plan_people(batch: Batch, rows: Sequence[Row], policy: Policy, *, held: bool = False) -> dict[int, PlannedChange]:
    """What each row would do now, by line; a fixed number of queries. held: part of a command that carries them out."""
    refs = {row.line: subject_of(row) for row in rows}
    people = lookup.people_by_id(refs.values(), held=held)
    if batch.kind is BatchKind.ACTION:
        action = batch.doing
        assert action is not None
        planned = {line: actions.plan(people.get(ref), action, policy) for line, ref in refs.items()}
    else:
        done = _original_changes(batch, refs)
        planned = {line: revert.plan(done[line], people.get(ref), policy) for line, ref in refs.items() if line in done}
        gone = actions.refuse(revert.TOUCHED, "What was done to this person is not known any more.")
        planned = _explain_touched(batch, {line: planned.get(line, gone) for line in refs}, refs)
        became = _accepted_access(people.values())
        planned = {line: replace(step, before=became.get(refs[line], step.before)) for line, step in planned.items()}
    return {line: replace(step, subject=refs[line]) for line, step in planned.items()}


def subject_of(row: Row) -> Ref:
    """Whom the row of an action or a revert is about."""
    kind, id = row.step["subject"]
    return kind, id


def _original_changes(batch: Batch, lines: Iterable[int]) -> dict[int, PlannedChange]:
    """What the batch that this one reverts did, by line."""
    wanted = among(Row.line, sorted(lines))
    rows = db.session.scalars(select(Row).where(Row.batch_id == batch.reverts_id, wanted))
    return {row.line: apply.load_change(row) for row in rows}


def _accepted_access(people: Iterable[Person]) -> dict[Ref, Access]:
    """By accepted invitation, the access of the user who accepted it: what they keep. A fixed number of queries."""
    accepted = [person.id for person in people if person.kind == "invitation" and person.state == "accepted"]
    if not accepted:
        return {}
    joined = among(Invitation.id, accepted)
    refs: dict[Ref, Ref] = {
        ("invitation", id): ("user", user_id)
        for id, user_id in db.session.execute(select(Invitation.id, Invitation.user_id).where(joined))
        if user_id
    }
    users = lookup.people_by_id(refs.values())
    return {invited: users[user].access for invited, user in refs.items() if user in users}


_SINCE = {
    AuditAction.USER_CHANGED: "Changed since",
    AuditAction.USER_DEACTIVATED: "Deactivated",
    AuditAction.USER_REACTIVATED: "Reactivated",
    AuditAction.INVITATION_CHANGED: "Changed since",
    AuditAction.INVITATION_SENT_AGAIN: "Sent again since",
    AuditAction.INVITATION_REVOKED: "Revoked",
    AuditAction.INVITATION_ACCEPTED: "Accepted",
}


def _explain_touched(batch: Batch, planned: Mapping[int, PlannedChange], refs: Mapping[int, Ref]) -> dict[int, PlannedChange]:
    """The same, with who touched whom since and when, as far as the audit log knows it; two queries."""
    touched = {refs[line]: line for line, step in planned.items() if any(i.code == revert.TOUCHED for i in step.issues)}
    explained = dict(planned)
    if not touched:
        return explained
    told: set[Ref] = set()
    zone = in_force.settings().time_zone
    for kind, table in (("user", "users"), ("invitation", "invitations")):
        events = (
            select(AuditEvent.subject_id, AuditEvent.action, AuditEvent.at, AuditEvent.details, User.name)
            .outerjoin(User, User.id == AuditEvent.actor_id)
            .where(AuditEvent.subject_type == table, AuditEvent.action.in_([action.value for action in _SINCE]))
            .where(among(AuditEvent.subject_id, [id for of_kind, id in touched if of_kind == kind]))
            .order_by(AuditEvent.id.desc())
        )
        for id, name, at, details, who in db.session.execute(events):
            ref = (kind, id)
            if ref in told:
                continue
            told.add(ref)
            if details.get("batch") == batch.reverts_id:
                continue  # nobody is known to have touched them since
            action = AuditAction(name)
            by = f" by {who}" if who and action is not AuditAction.INVITATION_ACCEPTED else ""
            issue = Issue("email", f"{_SINCE[action]}{by} on {full(at, zone)}.", revert.TOUCHED)
            explained[touched[ref]] = replace(planned[touched[ref]], issues=(issue,))
    return explained


def cells(step: PlannedChange, registry: Registry) -> dict[str, str]:
    """Role and groups of a row: as they will be, or as they are."""
    access = step.after or step.before
    if access is None:
        return {}
    role = registry.role_by_id.get(access.role)
    return {"role": role.name if role else "", "groups": _groups(access, registry)}


def _groups(access: Access, registry: Registry) -> str:
    if access.everything:
        return ALL_GROUPS
    return ", ".join(sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id))


def removed_rows(batch: Batch) -> Sequence[Row]:
    """Whom somebody took out of it, one by one; nothing is done to them. One query."""
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_not(None))
    return db.session.scalars(query.order_by(Row.line)).all()


def names(rows: Iterable[Row]) -> dict[int, str]:
    """The names of the users that these rows aim at, by row id; one query."""
    aims = {row.id: subject_of(row) for row in rows}
    ids = [id for kind, id in aims.values() if kind == "user"]
    found = dict(db.session.execute(select(User.id, User.name).where(among(User.id, ids))).all())
    return {row_id: found[id] for row_id, (kind, id) in aims.items() if kind == "user" and id in found}


def permission(batch: Batch) -> Permission:
    """What who confirms such a batch must be allowed to do."""
    return batch.doing.do.permission if batch.doing else Permission.INVITATIONS_MAKE


def why_not(frozen: PlannedChange, now: PlannedChange, by: User, needed: Permission) -> Obstacle | None:
    """Why a frozen step is not carried out, as (outcome, reason), or None where planning it anew comes to the same."""
    if now.plan is Plan.UNCHANGED:
        return Outcome.UNCHANGED, "Already so"
    if not by.may(needed):
        return Outcome.SKIPPED, f"{by.name} may no longer do this"
    if (now.before, now.was) != (frozen.before, frozen.was):
        return Outcome.SKIPPED, apply.CHANGED
    if frozen.sent is not None and now.sent != frozen.sent:
        return Outcome.SKIPPED, "Sent again since the review"
    if now.plan is Plan.ATTENTION:
        return Outcome.SKIPPED, " ".join(issue.text for issue in now.issues)
    return None if (now.after, now.act) == (frozen.after, frozen.act) else (Outcome.SKIPPED, apply.CHANGED)

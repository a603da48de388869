"""Carrying out a step: the one piece of code that gives access, for a worker's row and for a single invite alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert

from webapp.core.addresses import Address
from webapp.core.plan.actions import Theirs
from webapp.core.plan.planner import Access, Effect, Person, Plan, PlannedChange
from webapp.core.plan.registry import ALL_GROUPS, Registry
from webapp.core.security.permissions import Permission
from webapp.db import db
from webapp.models import Invitation, MessageKind, Outcome, Priority, Row, Session, User, UserState
from webapp.models.groups import invitation_groups, user_groups
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.invitations import invitations
from webapp.services.mail import outbox

CHANGED = "Changed since the review"


def why_not(step: PlannedChange, now: Person | None, registry: Registry, by: User) -> tuple[Outcome, str] | None:
    """Why a frozen step is not carried out, as (outcome, reason), or None where the person still is as the review showed.

    now: who has the e-mail now. Already as the file wants: unchanged; anything else: skipped.
    """
    assert step.after is not None
    present = now if now and not now.is_gone else None
    if present and present.state != "deactivated" and present.access == step.after and not _sends_again(step, present):
        return (Outcome.UNCHANGED, "Already as the file wants") if step.before != step.after else (Outcome.UNCHANGED, "")
    if not by.may(Permission.INVITATIONS_MAKE):
        return Outcome.SKIPPED, f"{by.name} may no longer invite"
    if _differs(step, present):
        return Outcome.SKIPPED, CHANGED
    known_groups = step.after.groups <= registry.group_by_id.keys()
    role = registry.role_by_id.get(step.after.role)
    if role is None or not known_groups:
        return Outcome.SKIPPED, CHANGED
    new_role = step.before is None or step.before.role != step.after.role
    held = registry.role_by_id[step.before.role].rank if step.before else 0
    if held > by.role.rank or ((new_role or step.plan is Plan.INVITE) and not by.may_grant(role)):
        return Outcome.SKIPPED, f"{by.name} may not grant or change this role"
    return None


def _sends_again(step: PlannedChange, present: Person) -> bool:
    return step.plan is Plan.INVITE and present.failed


def _differs(step: PlannedChange, present: Person | None) -> bool:
    if step.before is None or present is None:
        return not (step.before is None and present is None)
    return (present.kind, present.id) != step.subject or present.access != step.before or present.state == "deactivated"


def apply(
    step: PlannedChange,
    address: Address | None,
    by: User,
    registry: Registry,
    *,
    valid_days: int,
    batch_id: int | None = None,
    row_id: int | None = None,
    theirs: Theirs = Theirs.REVOKE_MANAGING,
) -> tuple[Outcome, Invitation | None]:
    """Part of a command: the change, its invitation, its message and its audit event. -> the row's outcome for now.

    address: for somebody new. theirs: what becomes of the invitations of somebody who is deactivated.
    """
    assert step.after is not None
    if step.before is None:
        assert address is not None
        [id] = invite([(address, step.after, row_id)], by, registry, valid_days=valid_days, batch_id=batch_id)
        return Outcome.WAITING, db.session.get_one(Invitation, id)
    assert step.subject is not None
    kind, id = step.subject
    person: User | Invitation = db.session.get_one(User, id) if kind == "user" else db.session.get_one(Invitation, id)
    if step.after != step.before:
        give(person, step.after)
        action = AuditAction.USER_CHANGED if kind == "user" else AuditAction.INVITATION_CHANGED
        events.record(
            by,
            action,
            person,
            before=access_in_names(step.before, registry),
            after=access_in_names(step.after, registry),
            batch=batch_id,
        )
    if isinstance(person, User):
        if step.act:
            _switch(person, step.act, by, batch_id, theirs)
        return Outcome.UPDATED, None
    if step.act is Effect.REVOKE:
        invitations.revoke(person, by, batch_id)
    if step.plan is not Plan.INVITE:
        return Outcome.UPDATED, person
    expiry = invitations.renew(person) if step.act is Effect.RESEND else {}
    events.record(by, AuditAction.INVITATION_SENT_AGAIN, person, batch=batch_id, **expiry)
    return _send(person, row_id), person


def invite(
    people: Sequence[tuple[Address, Access, int | None]],
    by: User,
    registry: Registry,
    *,
    valid_days: int,
    batch_id: int | None = None,
) -> list[int]:
    """Part of a command: people who are not here yet, each with the id of their row, if any. -> their invitations' ids.

    Invitations, messages and audit events, all or none, in a fixed number of statements.
    """
    ids = invitations.add_invitations(
        [(address, access) for address, access, _ in people], by, valid_days=valid_days, batch_id=batch_id
    )
    made = list(zip(ids, people, strict=True))
    events.record_many(
        by,
        AuditAction.INVITATION_CREATED,
        Invitation,
        [(id, address.display) for id, (address, _, _) in made],
        own={id: {"after": access_in_names(access, registry)} for id, (_, access, _) in made},
        batch=batch_id,
    )
    for priority, of_rows in ((Priority.BATCH, True), (Priority.SINGLE, False)):
        to = [(id, address.display, row_id) for id, (address, _, row_id) in made if bool(row_id) is of_rows]
        outbox.add_messages(MessageKind.INVITATION, to, priority=priority)
    return ids


def _switch(user: User, act: Effect, by: User, batch_id: int | None, theirs: Theirs) -> None:
    """Deactivate, which ends all sessions at once and revokes invitations of theirs, or reactivate."""
    was, extra = user.state, {}
    if act is Effect.DEACTIVATE:
        user.state = UserState.DEACTIVATED
        ended = db.session.execute(delete(Session).where(Session.user_id == user.id)).rowcount  # type: ignore[attr-defined]
        extra = {"sessions_ended": ended}
        if revoked := invitations.revoke_made_by(user, theirs, by, batch_id):
            extra["invitations_revoked"] = revoked
    else:
        user.state = UserState.ACTIVE
    action = AuditAction.USER_DEACTIVATED if act is Effect.DEACTIVATE else AuditAction.USER_REACTIVATED
    told = {"before": {"state": was.value}, "after": {"state": user.state.value}, "batch": batch_id}
    events.record(by, action, user, **told, **extra)


def _send(invitation: Invitation, row_id: int | None) -> Outcome:
    priority = Priority.BATCH if row_id else Priority.SINGLE
    outbox.add_message(MessageKind.INVITATION, invitation.email, invitation=invitation, row_id=row_id, priority=priority)
    return Outcome.WAITING


def give(person: User | Invitation, access: Access) -> None:
    """Part of a command: set a person's role and groups."""
    person.role_id = access.role
    person.all_groups = access.everything
    table, owner = (user_groups, "user_id") if isinstance(person, User) else (invitation_groups, "invitation_id")
    db.session.execute(delete(table).where(table.c[owner] == person.id))
    if access.groups:
        db.session.execute(insert(table), [{owner: person.id, "group_id": id} for id in sorted(access.groups)])
    db.session.flush()
    db.session.expire(person, ["role", "groups"])


def access_in_names(access: Access, registry: Registry) -> dict[str, Any]:
    """An access in names, as the audit log keeps it."""
    groups = "All groups" if access.everything else sorted(registry.group_by_id[id].name for id in access.groups)
    return {"role": registry.role_by_id[access.role].name, "groups": groups}


def load_change(row: Row) -> PlannedChange:
    """The stored plan of a row as the value that it was."""
    stored = row.step
    subject = stored.get("subject")
    return PlannedChange(
        plan=row.plan,
        subject=(subject[0], subject[1]) if subject else None,
        before=Access.from_dict(stored["before"]) if "before" in stored else None,
        after=Access.from_dict(stored["after"]) if "after" in stored else None,
        notes=tuple((code, text) for code, text in stored.get("notes", ())),
        marks=tuple(stored.get("marks", ())),
        twin=stored.get("twin"),
        act=Effect(stored["act"]) if "act" in stored else None,
        was=stored.get("was"),
        sent=stored.get("sent"),
        likely_domain=stored.get("likely_domain"),
    )


_ACTS = {Effect.DEACTIVATE: "deactivated", Effect.REACTIVATE: "reactivated", Effect.REVOKE: "invitation revoked"}


def changes(step: PlannedChange, registry: Registry) -> str:
    """What changed, in names: "Role Analyst to Remote; added Library, Labs; removed Year 4 iPads"."""
    if step.before is None or step.after is None:
        return ""
    parts = [_ACTS[step.act]] if step.act in _ACTS else []
    if step.before.role != step.after.role:
        old, new = (registry.role_by_id[id].name for id in (step.before.role, step.after.role))
        parts.append(f"role {old} to {new}")
    before, after = group_names(step.before, registry), group_names(step.after, registry)
    if added := [name for name in after if name not in before]:
        parts.append(f"added {', '.join(added)}")
    if removed := [name for name in before if name not in after]:
        parts.append(f"removed {', '.join(removed)}")
    return "; ".join(parts)


def group_names(access: Access, registry: Registry) -> list[str]:
    """The groups of an access by name, "All groups" as one of them; groups that are gone are left out."""
    if access.everything:
        return [ALL_GROUPS]
    return sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id)

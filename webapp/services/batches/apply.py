"""Applies planned changes: the only code that gives access, for a worker's row and for a single person alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete

from webapp.core.addresses import Address
from webapp.core.plan.actions import Do, Theirs
from webapp.core.plan.planner import Access, Person, Plan, PlannedChange
from webapp.core.plan.registry import ALL_GROUPS, Registry
from webapp.core.security.permissions import Permission
from webapp.core.text.phrases import CodedText
from webapp.db import db
from webapp.models import (
    Group,
    Invitation,
    MessageKind,
    Outcome,
    Priority,
    Role,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import tokens
from webapp.services.audit import events
from webapp.services.directory import people_list
from webapp.services.invitations import invitations
from webapp.services.mail import outbox

Obstacle = tuple[Outcome, CodedText]
"""What becomes of a row that is not applied, and why."""

CHANGED: Obstacle = (Outcome.SKIPPED, {"code": "changed"})


def why_not(
    change: PlannedChange, now: Person | None, registry: Registry, by: User
) -> Obstacle | None:
    """Why the planned change of a file's row is not applied; None where the person still is as the review showed.

    now: who has the e-mail now. Already as the file wants: unchanged; anything else: skipped.
    """
    assert change.after is not None
    before, after = change.before, change.after
    present = now if now and not now.is_gone else None
    is_active = present is not None and present.state != "deactivated"
    is_sent_again = change.plan is Plan.INVITE and present is not None and present.failed
    if present and is_active and present.access == after and not is_sent_again:
        return Outcome.UNCHANGED, {"code": "already_as_file"}
    if not by.may(Permission.INVITATIONS_MAKE):
        return Outcome.SKIPPED, {"code": "may_not_invite", "name": by.name}
    seen = (change.subject, before) if before else None
    found = ((present.kind, present.id), present.access) if present else None
    role = registry.role_by_id.get(after.role)
    is_there = role is not None and after.groups <= registry.group_by_id.keys()
    if seen != found or not is_there or (present and not is_active):
        return CHANGED
    gives_role = before is None or before.role != after.role or change.plan is Plan.INVITE
    is_above = before is not None and registry.role_by_id[before.role].rank > by.role.rank
    if is_above or (gives_role and not by.may_grant(registry.role_by_id[after.role])):
        return Outcome.SKIPPED, {"code": "may_not_grant", "name": by.name}
    return None


def apply(
    change: PlannedChange,
    by: User,
    registry: Registry,
    *,
    name: str = "",
    batch_id: int | None = None,
    row_id: int | None = None,
    theirs: Theirs = Theirs.REVOKE_MANAGING,
) -> Outcome:
    """Change the access of somebody who is there, with message and audit events. Does not commit.

    name: a new one for an invitation; "": it stays. Users keep their own. theirs: what becomes of the invitations of somebody
    who is deactivated. Returns the row's outcome for now.
    """
    assert change.before
    assert change.after
    assert change.subject
    kind, subject_id = change.subject
    person: User | Invitation = db.session.get_one(people_list.KINDS[kind], subject_id)
    is_user = isinstance(person, User)
    before = access_in_names(change.before, registry)
    after = access_in_names(change.after, registry)
    is_renamed = bool(name) and not is_user and name != person.name
    if is_renamed:
        before["name"], after["name"] = person.name, name
        person.name = name
    if is_renamed or change.after != change.before:
        give(person, change.after)
        action = "user.changed" if is_user else "invitation.changed"
        events.record(by, action, person, before=before, after=after, batch=batch_id)
    if isinstance(person, User):
        if change.effect:
            _set_state(person, change.effect == Do.REACTIVATE, theirs, by, batch_id)
        return Outcome.UPDATED
    if change.effect == Do.REVOKE:
        invitations.revoke(person, by, batch_id)
    if change.plan is not Plan.INVITE:
        return Outcome.UPDATED
    expiry = invitations.hand_over(person, again=True) if change.effect == Do.RESEND else {}
    events.record(by, "invitation.sent_again", person, batch=batch_id, **expiry)
    priority = Priority.BATCH if row_id else Priority.SINGLE
    outbox.add_message(
        MessageKind.INVITATION,
        person.email,
        invitation_id=person.id,
        row_id=row_id,
        priority=priority,
    )
    return Outcome.WAITING


def invite(
    people: Sequence[tuple[Address, str, Access, int | None]],
    by: User,
    registry: Registry,
    *,
    valid_days: int,
    batch_id: int | None = None,
) -> list[int]:
    """Invite people who have no account: address, name, access, and the id of their row, if they have one.

    Returns their invitations' ids. All or none, in a fixed number of statements. Does not commit.
    """
    new = [person[:3] for person in people]
    ids = invitations.add_invitations(new, by, valid_days=valid_days, batch_id=batch_id)
    invited = []
    details = {}
    messages = []
    for new_id, (address, name, access, row_id) in zip(ids, people, strict=True):
        invited.append((new_id, address.display))
        details[new_id] = {"after": name_details(name) | access_in_names(access, registry)}
        messages.append(
            {
                "recipient": address.display,
                "invitation_id": new_id,
                "row_id": row_id,
                "priority": Priority.BATCH if row_id else Priority.SINGLE,
            }
        )
    events.record_many(by, "invitation.created", invited, own=details, batch=batch_id)
    outbox.add_messages(MessageKind.INVITATION, messages)
    return ids


def _set_state(user: User, is_active: bool, theirs: Theirs, by: User, batch_id: int | None) -> None:
    """Reactivate a user; or deactivate, end all sessions and revoke their invitations. Does not commit."""
    action = "user.reactivated"
    state = UserState.ACTIVE
    details: dict[str, Any] = {}
    if not is_active:
        action = "user.deactivated"
        state = UserState.DEACTIVATED
        ended = db.session.execute(delete(Session).where(Session.user_id == user.id)).rowcount  # type: ignore[attr-defined]
        details["sessions_ended"] = ended
        if revoked_tokens := tokens.revoke_all(user):
            details["tokens_revoked"] = revoked_tokens
        if revoked := invitations.revoke_made_by(user, theirs, by, batch_id):
            details["invitations_revoked"] = revoked
    details |= {"before": {"state": user.state.value}, "after": {"state": state.value}}
    user.state = state
    events.record(by, action, user, batch=batch_id, **details)


def give(person: User | Invitation, access: Access) -> None:
    """Set a person's role and groups. Does not commit."""
    person.role = db.session.get_one(Role, access.role)
    person.all_groups = access.everything
    person.groups = [db.session.get_one(Group, group_id) for group_id in sorted(access.groups)]
    db.session.flush()


def access_in_names(access: Access, registry: Registry) -> dict[str, Any]:
    """An access in names, as the audit log keeps it."""
    groups = ALL_GROUPS if access.everything else access.group_names(registry)
    return {"role": registry.role_by_id[access.role].name, "groups": groups}


def name_details(name: str) -> dict[str, str]:
    """A name, if there is one, as the audit log keeps it."""
    return {"name": name} if name else {}


def diff(change: PlannedChange, registry: Registry) -> CodedText:
    """What an update changed, in names; for `Row.reason`."""
    before, after = change.before, change.after
    assert before
    assert after
    changes: list[dict[str, Any]] = []
    if change.effect:
        changes.append({"code": change.effect})
    if before.role != after.role:
        roles = [registry.role_by_id[access.role].name for access in (before, after)]
        changes.append({"code": "role", "role": roles})
    had, has = set(before.group_names(registry)), set(after.group_names(registry))
    for code, names in (("added", has - had), ("removed", had - has)):
        if names:
            changes.append({"code": code, "groups": sorted(names)})
    return {"code": "updated", "changes": changes} if changes else {}

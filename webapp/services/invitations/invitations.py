"""Invitations: made, linked, reminded of, accepted, closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, insert, select, update
from sqlalchemy.orm import lazyload

from webapp.core.addresses import Address
from webapp.core.errors import ConflictError, NotFoundError, OutOfRankError, PasswordRequiredError
from webapp.core.plan.actions import RESENDS_AN_HOUR, Theirs
from webapp.core.plan.planner import Access, Plan
from webapp.core.security import tokens
from webapp.core.security.passwords import hash_password
from webapp.core.security.permissions import Permission
from webapp.db import begin_write, bulk_execute, count_by, db, in_json, utcnow
from webapp.models import (
    Batch,
    Invitation,
    InvitationState,
    MessageKind,
    MessageState,
    Priority,
    Row,
    User,
)
from webapp.models.directory import invitation_groups
from webapp.services.audit import events
from webapp.services.directory import lookup, people_list
from webapp.services.links import invitation_links
from webapp.services.mail import outbox
from webapp.services.settings import in_force

IS_PENDING = Invitation.state == InvitationState.PENDING
CHUNK = 1000
"""Reminders queued in one transaction."""


def find_by_token(given: str) -> Invitation | None:
    """The invitation that a link belongs to, or None."""
    is_it = Invitation.token_hash == tokens.hash_token(given)
    return db.session.scalar(select(Invitation).where(is_it))


def find_given(email_key: str) -> Invitation | None:
    """The pending invitation of this e-mail whose link was handed over, also where it has expired by now, or None."""
    is_its = Invitation.email_key == email_key, Invitation.expires_at.is_not(None)
    return db.session.scalar(select(Invitation).where(IS_PENDING, *is_its))


def get_pending(invitation_id: int, by: User) -> Invitation:
    """A pending invitation, expired ones too, to a role that one may grant. Raises NotFoundError or ConflictError."""
    invitation = db.session.get(Invitation, invitation_id)
    if invitation is None or not by.may_grant(invitation.role):
        raise (OutOfRankError if invitation else NotFoundError)("There is no such invitation.")
    if invitation.state is not InvitationState.PENDING:
        raise ConflictError(f"This invitation was {invitation.state.value} in the meantime.")
    return invitation


def link_state(invitation: Invitation | None) -> str:
    """What opening the link shows: "open", "unknown", "expired", "revoked", "accepted" or "has account"."""
    if invitation is None:
        return "unknown"
    if invitation.state is InvitationState.ACCEPTED:
        return "accepted"
    if db.session.scalar(select(User.id).where(User.email_key == invitation.email_key)):
        return "has account"
    return "open" if invitation.status == "invited" else invitation.status


def count_made_by(by: User, who: ColumnElement[bool]) -> dict[str, int]:
    """How many pending invitations some users made that `by` may revoke: "managing" people, and "others".

    who: a condition on Invitation.
    """
    administrators = lookup.administrators()
    counts = {"managing": 0, "others": 0}
    for role_id, n in count_by(Invitation.role_id, who, _is_revocable(by)).items():
        counts["managing" if role_id in administrators else "others"] += n
    return counts


def count_made_by_people_of(batch: Batch, by: User) -> dict[str, int]:
    """Those of the people whom a batch deactivates."""
    acting = Row.batch_id == batch.id, Row.removed_at.is_(None), Row.plan == Plan.UPDATE
    people = select(User.id).join(Row, Row.email_key == User.email_key).where(*acting)
    return count_made_by(by, Invitation.invited_by_id.in_(people))


def _is_revocable(by: User) -> ColumnElement[bool]:
    """A condition on Invitation: it is pending, and its role does not rank above one's own."""
    roles = [role for role in lookup.registry().roles if not role.is_owner]
    changeable = [role.id for role in roles if role.rank <= by.role.rank]
    return IS_PENDING & in_json(Invitation.role_id, changeable)


# Made and closed, as parts of commands


def add_invitations(
    people: Sequence[tuple[Address, str, Access]],
    by: User,
    *,
    valid_days: int,
    batch_id: int | None = None,
) -> list[int]:
    """Add invitations: address, name, access; expired ones of the same e-mails are closed. Does not commit.

    -> their ids, in the order of the people. A fixed number of statements, however many.
    """
    keys = [address.key for address, _, _ in people]
    closed = _close(in_json(Invitation.email_key, keys), Invitation.expires_at <= utcnow())
    reason = "it had expired, a fresh one takes its place"
    events.record_many(by, "invitation.closed", closed, reason=reason)
    nonces = [tokens.new_nonce() for _ in people]
    made = [
        {
            "email": address.display,
            "email_key": address.key,
            "name": name,
            "role_id": access.role,
            "all_groups": access.everything,
            "nonce": nonce,
            "token_hash": nonce,  # the real one needs the id
            "valid_days": valid_days,
            "invited_by_id": by.id,
            "batch_id": batch_id,
        }
        for (address, name, access), nonce in zip(people, nonces, strict=True)
    ]
    ids = list(
        db.session.scalars(
            insert(Invitation).returning(Invitation.id, sort_by_parameter_order=True), made
        )
    )
    hashes, members = [], []
    for invitation_id, nonce, (_, _, access) in zip(ids, nonces, people, strict=True):
        token = invitation_links.derive_token(invitation_id, nonce)
        hashes.append({"id": invitation_id, "token_hash": tokens.hash_token(token)})
        for group_id in sorted(access.groups):
            members.append({"invitation_id": invitation_id, "group_id": group_id})
    db.session.execute(update(Invitation), hashes)
    if members:
        db.session.execute(insert(invitation_groups), members)
    return ids


def _close(*which: ColumnElement[bool]) -> Sequence[Any]:
    """Close the pending invitations that meet the conditions. Does not commit. -> the id and the e-mail of each."""
    values = {"state": InvitationState.REVOKED, "closed_at": utcnow()}
    closed = update(Invitation).where(IS_PENDING, *which).values(values)
    found: Sequence[Any] = bulk_execute(closed.returning(Invitation.id, Invitation.email)).all()
    return found


def hand_over(invitation: Invitation, again: bool = False) -> dict[str, Any]:
    """Let the link of an open invitation be given to its person; its time begins, if it has not yet. Does not commit.

    again: it is sent again, so its time begins again; the link already sent stays good. -> the expiry before and after, as the
    audit log keeps it.
    """
    invitation_links.ensure_link(invitation)
    before = _expiry(invitation)
    if again == (invitation.expires_at is not None):
        invitation.expires_at = utcnow() + timedelta(days=invitation.valid_days)
    return {"before": before, "after": _expiry(invitation)}


def _expiry(invitation: Invitation) -> dict[str, str | None]:
    until = invitation.expires_at
    return {"expires": until.isoformat(timespec="seconds") if until else None}


def revoke(invitation: Invitation, by: User, batch_id: int | None = None) -> None:
    """Revoke an invitation and cancel its unsent messages. Does not commit."""
    invitation.state, invitation.closed_at = InvitationState.REVOKED, utcnow()
    outbox.cancel_for_invitations([invitation.id])
    events.record(by, "invitation.revoked", invitation, batch=batch_id)


def revoke_made_by(user: User, theirs: Theirs, by: User, batch_id: int | None = None) -> int:
    """Revoke pending invitations that a deactivated user made. Returns how many. Does not commit."""
    if theirs is Theirs.KEEP:
        return 0
    wanted = [Invitation.invited_by_id == user.id, _is_revocable(by)]
    if theirs is Theirs.REVOKE_MANAGING:
        wanted.append(in_json(Invitation.role_id, lookup.administrators()))
    revoked = _close(*wanted)
    outbox.cancel_for_invitations([invitation_id for invitation_id, _ in revoked])
    events.record_many(by, "invitation.revoked", revoked, batch=batch_id)
    return len(revoked)


def send_again(invitation: Invitation, peer: str) -> bool:
    """Send an invitation again, as its person asked. Does not commit. -> whether it goes: not more often than people may resend.

    Of an expired one the link is a new one: who has only the old one stays out. That takes a mail server.
    """
    if invitation.is_expired and not in_force.environment().mail_url:
        return False
    about = ("invitation", invitation.id)
    if lookup.people_by_id([about])[about].sent_this_hour >= RESENDS_AN_HOUR:
        return False
    expiry = {}
    if invitation.is_expired:
        invitation_links.renew(invitation)
        expiry = hand_over(invitation, again=True)
    outbox.add_message(
        MessageKind.INVITATION,
        invitation.email,
        invitation_id=invitation.id,
        priority=Priority.SINGLE,
    )
    events.record(None, "invitation.sent_again", invitation, peer, **expiry)
    lookup.bump_version()
    return True


# Commands


def ask_again(given: str, peer: str) -> None:
    """Send the expired invitation of a link again, with a new link to its own address. Runs after the answer."""
    begin_write()
    invitation = find_by_token(given)
    if invitation is None or link_state(invitation) != "expired":
        db.session.rollback()
    elif send_again(invitation, peer):
        outbox.commit()
    else:
        email = invitation.email
        db.session.rollback()
        events.count_refusal("link.refused", None, f"the expired invitation of {email}", peer)


def copy_link(invitation_id: int, by: User, *, proven: bool = False) -> str:
    """The link, for handing over by other means: that is a hand-over, so the time to accept starts. Audited.

    proven: `by` has just given their password, as it takes where the role manages people. Raises PasswordRequiredError without
    it.
    """
    begin_write()
    invitation = get_pending(invitation_id, by)
    if Permission.USERS_MANAGE in invitation.role.permissions and not proven:
        raise PasswordRequiredError(f"anyone with this link becomes {invitation.role.name}.")
    if invitation.is_expired:
        raise ConflictError(
            "This invitation has expired. Invite this person again; that makes a new link."
        )
    expiries = hand_over(invitation)
    events.record(by, "invitation.link_copied", invitation, **expiries)
    db.session.commit()
    return invitation_links.link_url(invitation)


def accept(given: str, name: str, password: str) -> User:
    """Turn an invitation into a user with its role and groups, once. Raises ConflictError where the link does not work.

    The values are judged by `schemas.passwords` before.
    """
    db.session.rollback()
    password_hash = hash_password(password)  # slow: no transaction is open
    begin_write()
    invitation = find_by_token(given)
    if invitation is None or link_state(invitation) != "open":
        raise ConflictError("This link does not work.")
    user = join(invitation, name, password_hash)
    lookup.commit()
    return user


def join(
    invitation: Invitation, name: str, password_hash: str, *, has_password: bool = True
) -> User:
    """Turn an open invitation into a user. Does not commit."""
    user = User(
        email=invitation.email,
        email_key=invitation.email_key,
        name=name,
        password_hash=password_hash,
        has_password=has_password,
        role_id=invitation.role_id,
        all_groups=invitation.all_groups,
        groups=list(invitation.groups),
    )
    db.session.add(user)
    db.session.flush()
    invitation.state, invitation.closed_at = InvitationState.ACCEPTED, utcnow()
    invitation.user_id = user.id
    groups = "All groups" if user.all_groups else sorted(group.name for group in user.groups)
    access = {"role": invitation.role.name, "groups": groups}
    events.record(user, "invitation.accepted", invitation, after=access, user=user.id)
    return user


def send_reminders() -> int:
    """Queue a reminder for each invitation that is due for one, up to CHUNK, each once. Commits. Returns how many.

    Due are pending invitations that expire within `MUSTER_REMINDER_DAYS`, and whose last e-mail went: none that failed, is
    still to go or was never made. Those that are good for no longer than that anyway get none.
    """
    days = in_force.settings().reminder_days
    if not days:
        return 0
    now = utcnow()
    due = select(Invitation).where(
        IS_PENDING,
        Invitation.expires_at > now,
        Invitation.expires_at <= now + timedelta(days=days),
        Invitation.reminded_at.is_(None),
        Invitation.valid_days > days,
        people_list.is_latest_email(MessageState.SENT, MessageState.UNCERTAIN),
    )
    if not db.session.scalar(select(due.exists())):
        return 0
    begin_write()
    n = add_reminders(due)
    outbox.commit()
    return n


def add_reminders(due: Select[Any], by: User | None = None, **details: Any) -> int:
    """Queue a reminder for up to CHUNK of the invitations that a query finds. Does not commit. -> how many.

    by: who reminds them; their links then work for their whole time again. details: of the audit log.
    """
    found = db.session.scalars(
        due.order_by(Invitation.id).limit(CHUNK).options(lazyload("*"))
    ).all()
    for invitation in found:
        invitation.reminded_at = utcnow()
        if by:
            hand_over(invitation, again=True)
    reminded = [(each.id, each.email) for each in found]
    messages = [
        {"recipient": email, "invitation_id": invitation_id, "priority": Priority.BATCH}
        for invitation_id, email in reminded
    ]
    outbox.add_messages(MessageKind.REMINDER, messages)
    events.record_many(by, "invitation.reminded", reminded, **details)
    if by:  # else nothing changes that plans are made of
        lookup.bump_version()
    return len(found)

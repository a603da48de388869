"""What each message says, whether it is still to be sent, and a batch's e-mail before anybody gets it.

A new kind is a member of `MessageKind` and a text in `webapp.mail.messages`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import load_only, selectinload

from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import ALL_GROUPS
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import full
from webapp.db import db, utcnow
from webapp.mail import messages as emails
from webapp.mail.messages import Email
from webapp.models import (
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    Row,
    User,
    UserState,
)
from webapp.services.directory import lookup
from webapp.services.links import account_links, invitation_links
from webapp.services.settings import in_force

DEAD_LINK = "(no longer good, as the server’s key was changed: resend the invitation)"
HIDDEN_LINK = "(not shown here: “Copy invitation link” shows it, for your password)"


def load_messages(*where: ColumnElement[bool]) -> Sequence[Message]:
    """Messages with all that `render` asks for, in a fixed number of queries."""
    inviter = selectinload(Invitation.invited_by).lazyload(User.role)
    query = select(Message).where(*where)
    query = query.options(
        selectinload(Message.invitation).options(inviter, selectinload(Invitation.batch)),
        selectinload(Message.row).options(load_only(Row.batch_id), selectinload(Row.batch)),
        selectinload(Message.link),
    )
    return db.session.scalars(query.order_by(Message.id.desc())).all()


def why_not_sent(message: Message) -> str:
    """The code of why a message is not sent any more (`core.text.mail_phrases`), or ""."""
    if invitation := message.invitation:
        if invitation.state is not InvitationState.PENDING:
            return f"{invitation.state.value}_unsent"
        return "expired_unsent" if invitation.is_expired else ""
    if message.link:
        return account_links.why_not_sendable(message.link)
    return ""


def refresh_link(message: Message) -> None:
    """If the server's key was changed, store the hash of the link that is sent now. Does not commit."""
    if message.invitation:
        invitation_links.ensure_link(message.invitation)
    if message.link:
        account_links.refresh_hash(message.link)


def render(message: Message, *, sending: bool = False) -> Email:
    """The e-mail of a message."""
    if message.kind is MessageKind.TEST:
        return _render_test(message)
    if message.invitation:
        return _render_invitation(message, message.invitation, sending)
    link = message.link
    return emails.account(
        message.kind,
        to=message.recipient,
        organisation=in_force.organisation_name(),
        link=account_links.link_url(link) if link else "",
        reply_to=in_force.reply_to(),
        validity=account_links.validity(link.purpose) if link else "",
        door=in_force.environment().oidc_name,
        at=full(message.created_at, in_force.settings().time_zone),
    )


def _render_invitation(message: Message, invitation: Invitation, sending: bool) -> Email:
    batch = message.row.batch if message.row else invitation.batch
    groups = [group.name for group in invitation.groups]
    return _write_invitation(
        message.recipient,
        invitation.invited_by,
        name=invitation.name,
        role=invitation.role.name,
        groups=[ALL_GROUPS] if invitation.all_groups else groups,
        link=_link(invitation, sending),
        expires_days=_days_left(invitation),
        message=batch.message if batch else "",
        is_reminder=message.kind is MessageKind.REMINDER,
    )


def _write_invitation(to: str, by: User | None, **values: Any) -> Email:
    """An invitation from `by`, who may be gone: replies go to them only while they are here."""
    is_here = by is not None and by.state is UserState.ACTIVE
    now = in_force.settings()
    return emails.invitation(
        to=to,
        inviter=by.name if by else "",
        reply_to=in_force.reply_to((by.name, by.email) if by and is_here else ("", "")),
        organisation=in_force.organisation_name(),
        own_subject=now.invite_subject,
        words=now.invite_message,
        elsewhere=now.oidc_name if now.oidc_issuer else "",
        is_only_elsewhere=now.oidc_only == "yes",
        **values,
    )


def _link(invitation: Invitation, sending: bool) -> str:
    """To read it in the portal costs what it costs to make such an invitation."""
    if not sending and Permission.USERS_MANAGE in invitation.role.permissions:
        return HIDDEN_LINK
    is_good = invitation_links.is_good(invitation)
    return invitation_links.link_url(invitation) if is_good else DEAD_LINK


def _days_left(invitation: Invitation) -> int:
    if invitation.expires_at is None:
        return invitation.valid_days
    return max(1, math.ceil((invitation.expires_at - utcnow()) / timedelta(days=1)))


# Examples: previews and tests


def example_row(batch_id: int) -> Row | None:
    """Find the row whose e-mail is shown: the first new invitation, else the first row."""
    query = select(Row).where(Row.batch_id == batch_id, Row.removed_at.is_(None))
    is_invited = Row.plan == Plan.INVITE
    return db.session.scalar(query.order_by(is_invited.desc(), Row.line).limit(1))


def render_example(
    by: User | None,
    row: Row | None = None,
    valid_days: int | None = None,
    message: str = "",
    test_to: str = "",
) -> Email:
    """The e-mail that a person would get if `by` confirmed: the row's, else one who is made up. Its link leads nowhere.

    test_to: who gets it as a test, without a link.
    """
    role, groups = _access_in_names(row)
    address, name = "ines.carvalho@example.org", "Ines Carvalho"
    if row:
        address, name = row.email, row.full_name
    link = f"{in_force.environment().public_url}/invitations/…"
    return _write_invitation(
        test_to or address,
        by,
        name=name,
        role=role,
        groups=groups,
        link=None if test_to else link,
        expires_days=valid_days or in_force.settings().invite_days,
        message=message,
    )


def _render_test(message: Message) -> Email:
    """A test is from its own recipient, who asked for it. Of a discarded upload it is a general one."""
    to, row = message.recipient, message.row
    by = db.session.scalar(select(User).where(User.email == to))
    if row is None:
        return render_example(by, test_to=to)
    return render_example(by, row, row.batch.valid_days, row.batch.message, to)


def _access_in_names(row: Row | None) -> tuple[str, list[str]]:
    """The role and the groups that a row gives, as planned or else as its cells say; without a row, the lowest role."""
    registry = lookup.registry()
    after = row.change.after if row else None
    # a role may be deleted after its rows were planned
    if after and after.role in registry.role_by_id:
        return registry.role_by_id[after.role].name, after.group_names(registry)
    if row:
        return row.role, split_groups(row.groups)
    return registry.roles[-1].name, [group.name for group in registry.groups[:2]]

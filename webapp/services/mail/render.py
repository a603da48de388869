"""What each message says, and whether it is still to be sent.

A new kind is a member of `MessageKind`, a text or a function in `webapp.mail.messages`, and a line in WRITERS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import load_only, selectinload

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
from webapp.services.links import account_links, invitation_links
from webapp.services.mail import preview
from webapp.services.settings import in_force

DEAD_LINK = "(no longer good, as the server’s key was changed: resend the invitation)"
HIDDEN_LINK = "(not shown here: “Copy invitation link” shows it, for your password)"

WRITERS: dict[MessageKind, Callable[..., Email]] = {
    MessageKind.INVITATION: emails.invitation,
    MessageKind.REMINDER: partial(emails.invitation, is_reminder=True),
    MessageKind.TEST: emails.invitation,
    MessageKind.RESET: partial(emails.account, emails.RESET),
    MessageKind.EMAIL_CHANGE: partial(emails.account, emails.EMAIL_CHANGE),
    MessageKind.EMAIL_CHANGING: partial(emails.account, emails.EMAIL_CHANGING),
    MessageKind.PASSWORD_CHANGED: partial(emails.account, emails.PASSWORD_CHANGED),
    MessageKind.SECOND_FACTOR_ON: partial(emails.account, emails.SECOND_FACTOR_ON),
    MessageKind.SECOND_FACTOR_OFF: partial(emails.account, emails.SECOND_FACTOR_OFF),
}


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
        return "expired_unsent" if invitation.is_expired(utcnow()) else ""
    if message.link:
        return account_links.why_not_sendable(message.link)
    is_discarded = message.kind is MessageKind.TEST and not (message.row or message.user_id)
    return "discarded_unsent" if is_discarded else ""


def refresh_link(message: Message) -> None:
    """If the server's key was changed, store the hash of the link that is sent now. Does not commit."""
    if message.invitation:
        invitation_links.ensure_link(message.invitation)
    if message.link:
        account_links.refresh_hash(message.link)


def render(message: Message, *, sending: bool = False) -> Email | None:
    """The e-mail of a message; None for the test of an upload that was discarded."""
    if message.kind is MessageKind.TEST:
        return preview.render_test(message)
    write = partial(WRITERS[message.kind], to=message.recipient)
    if message.invitation:
        return write(**_invitation_values(message, message.invitation, sending))
    organisation = in_force.organisation_name()
    if link := message.link:
        url, validity = account_links.link_url(link), account_links.validity(link.purpose)
        return write(organisation=organisation, link=url, validity=validity)
    at = full(message.created_at, in_force.settings().time_zone)
    return write(organisation=organisation, at=at)


def _invitation_values(message: Message, invitation: Invitation, sending: bool) -> dict[str, Any]:
    """Who invites to what, until when, and the personal words of the upload."""
    by = invitation.invited_by
    is_here = by is not None and by.state is UserState.ACTIVE
    batch = message.row.batch if message.row else invitation.batch
    return {
        **in_force.letterhead(),
        "inviter": by.name if by else "",
        "reply_to": in_force.reply_to((by.name, by.email) if by and is_here else ("", "")),
        "role": invitation.role.name,
        "groups": emails.ALL_GROUPS
        if invitation.all_groups
        else [group.name for group in invitation.groups],
        "link": _link(invitation, sending),
        "expires_days": _days_left(invitation),
        "message": batch.message if batch else "",
    }


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

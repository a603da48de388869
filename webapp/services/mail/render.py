"""What each message says: one writer for each kind of e-mail.

A new kind is a member of `MessageKind`, a function in `webapp.mail.messages`, and a line in WRITERS.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import full
from webapp.db import db, utcnow
from webapp.mail import messages as emails
from webapp.mail.messages import Email
from webapp.models import (
    AccountLink,
    Batch,
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


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message before it is sent. write: None where nothing is left to write. obstacle: why it is not sent any more, or ""."""

    write: Callable[[], Email] | None
    obstacle: str = ""


Renderer = Callable[[Sequence[Message], bool], dict[int, Rendered]]
"""The drafts of messages of one kind, by their ids, in a fixed number of queries. True: they are about to be sent."""


def render(messages: Sequence[Message], *, sending: bool = False) -> dict[int, Rendered]:
    """The drafts of messages, by their ids. sending: part of a command, which makes links good again after a change of key."""
    by_kind = defaultdict(list)
    for message in messages:
        by_kind[message.kind].append(message)
    return {
        message_id: draft
        for kind, of_kind in by_kind.items()
        for message_id, draft in RENDERERS[kind](of_kind, sending).items()
    }


def _to_invited(email: Callable[..., Email]) -> Renderer:
    """An e-mail with an invitation's link: each with its invitation, who invited, and the personal words of its batch."""

    def write(messages: Sequence[Message], sending: bool) -> dict[int, Rendered]:
        now, letterhead = utcnow(), in_force.letterhead()
        found = db.session.execute(
            select(Message, Invitation, User.name, User.email, User.state, Batch.message)
            .join(Invitation, Invitation.id == Message.invitation_id)
            .outerjoin(User, User.id == Invitation.invited_by_id)
            .outerjoin(Row, Row.id == Message.row_id)
            .outerjoin(Batch, Batch.id == func.coalesce(Row.batch_id, Invitation.batch_id))
            .where(Message.id.in_([message.id for message in messages]))
            .options(joinedload(Invitation.role))
        ).unique()
        written = {}
        for message, invitation, inviter, address, state, words in found:
            obstacle, link = _closed(invitation, now), DEAD_LINK
            if sending and not obstacle:
                invitation_links.ensure_link(invitation)
            if not sending and Permission.USERS_MANAGE in invitation.role.permissions:
                link = HIDDEN_LINK  # to read it in the portal costs what it costs to make such an invitation
            elif invitation_links.is_good(invitation):
                link = invitation_links.link_url(invitation)
            values: dict[str, Any] = {
                **letterhead,
                "to": message.recipient,
                "inviter": inviter or "",
                "reply_to": in_force.reply_to(
                    (inviter, address) if state is UserState.ACTIVE else ("", "")
                ),
                "role": invitation.role.name,
                "groups": emails.ALL_GROUPS
                if invitation.all_groups
                else [group.name for group in invitation.groups],
                "link": link,
                "expires_days": _days_left(invitation, now),
                "message": words,
            }
            written[message.id] = Rendered(partial(email, **values), obstacle)
        return written

    return write


def _closed(invitation: Invitation, now: datetime) -> str:
    if invitation.state is not InvitationState.PENDING:
        return f"{invitation.state.value}_unsent"
    return "expired_unsent" if invitation.is_expired(now) else ""


def _days_left(invitation: Invitation, now: datetime) -> int:
    left = (
        (invitation.expires_at - now) / timedelta(days=1)
        if invitation.expires_at
        else invitation.valid_days
    )
    return max(1, math.ceil(left))


def _tests(messages: Sequence[Message], _sending: bool) -> dict[int, Rendered]:
    found = preview.values_of_tests(messages)
    gone = Rendered(None, "discarded_unsent")
    return {
        m.id: Rendered(partial(emails.invitation, **found[m.id])) if m.id in found else gone
        for m in messages
    }


def _with_link(email: Callable[..., Email]) -> Renderer:
    """An e-mail that carries a one-time link of its recipient's account."""

    def write(messages: Sequence[Message], sending: bool) -> dict[int, Rendered]:
        place = in_force.organisation_name()
        wanted = AccountLink.id.in_([message.link_id for message in messages])
        found = {link.id: link for link in db.session.scalars(select(AccountLink).where(wanted))}
        written = {}
        for message, link in ((message, found[message.link_id or 0]) for message in messages):
            if sending:
                account_links.refresh_hash(link)
            values: dict[str, Any] = {
                "link": account_links.link_url(link),
                "validity": account_links.validity(link.purpose),
            }
            draft = partial(email, to=message.recipient, organisation=place, **values)
            written[message.id] = Rendered(draft, account_links.why_not_sendable(link))
        return written

    return write


def _notice(email: Callable[..., Email]) -> Renderer:
    """An e-mail that tells of something that happened to its recipient's account, and when."""

    def write(messages: Sequence[Message], _sending: bool) -> dict[int, Rendered]:
        place, zone = in_force.organisation_name(), in_force.settings().time_zone
        return {
            m.id: Rendered(
                partial(email, to=m.recipient, organisation=place, at=full(m.created_at, zone))
            )
            for m in messages
        }

    return write


RENDERERS: dict[MessageKind, Renderer] = {
    MessageKind.INVITATION: _to_invited(emails.invitation),
    MessageKind.REMINDER: _to_invited(partial(emails.invitation, is_reminder=True)),
    MessageKind.TEST: _tests,
    MessageKind.RESET: _with_link(emails.reset),
    MessageKind.EMAIL_CHANGE: _with_link(emails.email_change),
    MessageKind.EMAIL_CHANGING: _notice(emails.email_changing),
    MessageKind.PASSWORD_CHANGED: _notice(emails.password_changed),
    MessageKind.SECOND_FACTOR_ON: _notice(emails.second_factor_on),
    MessageKind.SECOND_FACTOR_OFF: _notice(emails.second_factor_off),
}

"""A person's own account: name, password, e-mail; and who may act on other accounts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from webapp.core.addresses import Address
from webapp.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
)
from webapp.core.security.passwords import hash_password
from webapp.db import begin_write, count_by, db, utcnow
from webapp.models import (
    AccountLink,
    Invitation,
    InvitationState,
    LinkPurpose,
    Message,
    MessageKind,
    Priority,
    User,
    UserKind,
    UserState,
)
from webapp.services.accounts import sessions
from webapp.services.audit import events
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.invitations import invitations
from webapp.services.links import account_links
from webapp.services.mail import outbox

AN_HOUR = 5
"""How many e-mails of one kind people may cause about their own account within an hour."""


def get_user_below(user_id: int, by: User) -> User:
    """Get a user whom `by` may act on: one ranked below, never themselves or the Owner.

    Raises NotFoundError or ForbiddenError.
    """
    user = db.session.get(User, user_id)
    if user is None or user.state is UserState.ERASED or user.kind is UserKind.SERVICE:
        raise NotFoundError("There is no such person.")
    if user.role.rank >= by.role.rank:
        raise ForbiddenError("You can do this only for people whose role ranks below your own.")
    return user


def rename(user: User, name: str) -> None:
    """Change one's own name, which has passed `forms.OwnNameForm`."""
    begin_write()
    before = user.name
    if name != before:
        user.name = name
        events.record(user, "user.changed", user, before={"name": before}, after={"name": name})
    db.session.commit()


def change_password(user: User, password: str, keep: int) -> None:
    """Change one's own password, which has passed `schemas.passwords`; other devices are signed out. keep: this session."""
    db.session.rollback()
    password_hash = hash_password(password)  # slow: no transaction is open
    begin_write()
    refuse_flood(user, MessageKind.PASSWORD_CHANGED)
    set_password(user, password_hash, how="by themselves", keep=keep)
    outbox.commit()


def set_password(user: User, password_hash: str, *, how: str, keep: int | None = None) -> None:
    """Set a password and e-mail the user. Other sessions than `keep`, reset links and a change of e-mail end. Does not commit."""
    user.password_hash = password_hash
    user.has_password = True
    ended = sessions.end_all(user, keep)
    account_links.close_links(user, LinkPurpose.RESET)
    _keep_email(user)
    tell(user, MessageKind.PASSWORD_CHANGED)
    events.record(user, "password.changed", user, how=how, sessions_ended=ended)


def ask_for_email(user: User, address: Address) -> None:
    """Send a link to the new address; the e-mail changes when it is confirmed. Raises RateLimitError.

    Whether someone else has the address is only revealed to people who can read its mail, when they confirm the link.
    """
    begin_write()
    refuse_flood(user, MessageKind.EMAIL_CHANGE)
    account_links.close_links(user, LinkPurpose.EMAIL)
    link = account_links.create_link(
        user, LinkPurpose.EMAIL, email=address.display, email_key=address.key
    )
    tell(user, MessageKind.EMAIL_CHANGE, link)
    tell(user, MessageKind.EMAIL_CHANGING)
    events.record(user, "email.change_asked", user, after={"email": link.email})
    outbox.commit()


def withdraw_email(user: User) -> None:
    """Keep the e-mail: the link to the new address ends."""
    begin_write()
    _keep_email(user)
    db.session.commit()


def _keep_email(user: User) -> None:
    """End a change of e-mail that waits to be confirmed. Does not commit."""
    link = account_links.find_open(user, LinkPurpose.EMAIL)
    if link:
        account_links.close_links(user, LinkPurpose.EMAIL)
        events.record(user, "email.change_withdrawn", user, after={"email": link.email})


def change_email(link: AccountLink) -> None:
    """Change the e-mail to the confirmed one. A pending invitation for it is revoked. Does not commit.

    Raises ConflictError if another person has it.
    """
    user = link.user
    others = select(User.id).where(User.email_key == link.email_key)
    if db.session.scalar(others):
        raise ConflictError("Another person has this email.")
    before = {"email": user.email}
    replaced_addresses.record(user.email_key, link.email, link.email_key)
    user.email = link.email
    user.email_key = link.email_key
    is_theirs = Invitation.email_key == link.email_key
    is_pending = Invitation.state == InvitationState.PENDING
    promised = select(Invitation).where(is_theirs, is_pending)
    invitation = db.session.scalar(promised)
    if invitation:
        invitations.revoke(invitation, user)
    account_links.close_links(user, LinkPurpose.RESET)  # those went to the old address
    after = {"email": user.email}
    events.record(user, "user.changed", user, before=before, after=after)
    lookup.bump_version()


def refuse_flood(user: User, kind: MessageKind) -> None:
    """Refuse more than AN_HOUR e-mails of a kind about one's own account. Raises RateLimitError."""
    if count_lately(user, kind) >= AN_HOUR:
        sentence = f"You did this {AN_HOUR} times within the hour. Wait a while, then try again."
        raise RateLimitError(sentence, field="code")


def count_lately(user: User, kind: MessageKind) -> int:
    """How many e-mails of a kind were made about an account within the last hour."""
    lately = Message.created_at > utcnow() - timedelta(hours=1)
    return count_by(Message.kind, Message.user_id == user.id, lately)[kind]


def tell(user: User, kind: MessageKind, link: AccountLink | None = None) -> None:
    """Queue an e-mail about the account, with a link, which may go to a new address. Does not commit."""
    message = outbox.add_message(kind, user.email, user_id=user.id, priority=Priority.SINGLE)
    if link:
        message.recipient = link.email or user.email
        message.link_id = link.id
        message.priority = Priority.RESET

"""Ways back in: a link by e-mail, one from a person who manages users, and the Owner's, printed on the server."""

from __future__ import annotations

from sqlalchemy import select

from webapp.core.errors import (
    ConflictError,
    ForbiddenError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.security.passwords import hash_password
from webapp.core.security.permissions import Permission
from webapp.db import begin_write, db, utcnow
from webapp.models import (
    OWNER_ROLE_ID,
    AccountLink,
    LinkPurpose,
    MessageKind,
    User,
    UserState,
)
from webapp.services.accounts import profile, sessions, two_factor
from webapp.services.audit import events
from webapp.services.invitations import invitations
from webapp.services.links import account_links
from webapp.services.mail import outbox
from webapp.services.settings import in_force

AN_HOUR = 3
"""So many e-mails an hour: the links sent before stay good, so nobody can keep a person from theirs."""


def find_link(token: str, purpose: LinkPurpose) -> AccountLink | None:
    """The link, while it works and its person may use it."""
    link = account_links.find_by_token(token, purpose)
    if link is None or link.user.state is not UserState.ACTIVE:
        return None
    is_allowed = link.user.role.is_owner or in_force.environment().is_demo
    return link if is_allowed or purpose is not LinkPurpose.SIGN_IN else None


def in_need(user_id: int, by: User) -> User:
    """Who may get a link from `by`, where there is no mail server.

    Raises NotFoundError, ForbiddenError for somebody not ranked below or who may do more, RuleViolationError where e-mail
    works, ConflictError for a deactivated account.
    """
    if in_force.environment().mail_url:
        raise RuleViolationError(
            "Muster sends email here: have this person use “Forgot password?” on the sign-in page."
        )
    user = profile.get_user_below(user_id, by)
    if not by.may_grant(user.role):
        raise ForbiddenError(
            "This person’s role may do what yours may not, so you cannot make a link to their account."
        )
    if user.state is not UserState.ACTIVE:
        raise ConflictError("This account is deactivated. Reactivate it first.")
    if signs_in_elsewhere(user):
        name = in_force.environment().oidc_name
        raise RuleViolationError(
            f"This person signs in with {name}: there is no password to reset."
        )
    return user


def signs_in_elsewhere(user: User) -> bool:
    """Whether this person has no use for a password: they sign in at the provider."""
    settings = in_force.environment()
    if not settings.oidc_issuer or user.role.is_owner:
        return False
    return settings.oidc_only == "yes" or not user.has_password


def ask(email: str, peer: str) -> None:
    """Send a link to the user with this address, if there is one. Runs after the answer, which is always the same.

    Who was invited and has no account yet gets the invitation again, with a new link where it has expired.
    """
    key = sessions.account_key(email)
    begin_write()
    is_theirs = User.email_key == key, User.state == UserState.ACTIVE
    user = db.session.scalar(select(User).where(*is_theirs))
    if user:
        is_sent = _send_link(user, peer)
    else:
        invitation = invitations.find_given(key)
        is_sent = invitation is not None and invitations.send_again(invitation, peer)
    if is_sent:
        outbox.commit()
    else:
        db.session.rollback()
        events.count_refusal("password_reset.refused", None, key, peer)


def _send_link(user: User, peer: str) -> bool:
    """Send a link, unless AN_HOUR were sent within the hour. Does not commit."""
    kind = MessageKind.ELSEWHERE if signs_in_elsewhere(user) else MessageKind.RESET
    if profile.count_lately(user, kind) >= AN_HOUR:
        return False
    if kind is MessageKind.ELSEWHERE:
        profile.tell(user, kind)
        return True
    link = account_links.create_link(user, LinkPurpose.RESET)
    profile.tell(user, MessageKind.RESET, link)
    events.record(None, "password.reset_asked", user, peer)
    return True


def make_link(user_id: int, by: User, *, proven: bool = False) -> AccountLink:
    """Make a link to hand over. Audited; `account_links.link_url` tells it.

    Raises what `in_need` raises, and PasswordRequiredError.

    proven: `by` has just given their password, as it takes where the account manages users.
    """
    begin_write()
    user = in_need(user_id, by)
    if user.may(Permission.USERS_MANAGE) and not proven:
        raise PasswordRequiredError(f"anyone with this link is {user.role.name}. No link was made.")
    account_links.close_links(user, LinkPurpose.RESET)
    link = account_links.create_link(user, LinkPurpose.RESET)
    events.record(by, "password.link_made", user)
    db.session.commit()
    return link


def make_owner_link(*, without_second_factor: bool) -> AccountLink:
    """A fresh link that signs the Owner in; those before it end. Raises ConflictError while there is no Owner."""
    begin_write()
    owner = db.session.scalar(select(User).where(User.role_id == OWNER_ROLE_ID))
    if owner is None:
        raise ConflictError("There is no Owner yet: open the set-up link that the start printed.")
    account_links.close_links(owner, LinkPurpose.SIGN_IN)
    details = {"without_second_factor": without_second_factor}
    link = account_links.create_link(owner, LinkPurpose.SIGN_IN, **details)
    events.record(None, "owner_link.made", owner, **details)
    db.session.commit()
    return link


def use(token: str, purpose: LinkPurpose, password: str = "") -> User:
    """Do what a link is for, and set the new password, which has passed `schemas.passwords`. Returns whose link it is.

    Everybody signed in with the old password is signed out. Raises ConflictError if the link does not work, or another was
    faster, or somebody else has the new e-mail.
    """
    db.session.rollback()
    password_hash = hash_password(password) if password else ""  # slow: no transaction is open
    begin_write()
    link = find_link(token, purpose)
    if link is None:
        raise ConflictError("This link does not work any more.")
    link.closed_at = utcnow()
    user = link.user
    if purpose is LinkPurpose.SIGN_IN:
        events.record(user, "owner_link.used", user)
        if link.without_second_factor and user.has_second_factor:
            two_factor.clear(user, user)
    if purpose is LinkPurpose.EMAIL:
        profile.change_email(link)
    elif password_hash:
        profile.set_password(user, password_hash, how="by a link")
    outbox.commit()
    return user

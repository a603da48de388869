"""The password of the organisation's directory, which signs people in who were invited."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select

from webapp.core.errors import RuleViolationError
from webapp.core.plan.claims import Claims
from webapp.db import db
from webapp.models import Identity, User
from webapp.services.accounts import sso
from webapp.services.accounts.sso import LDAP
from webapp.services.settings import in_force

log = logging.getLogger(__name__)


def is_on() -> bool:
    """Whether passwords of the directory sign people in: a directory is set, and other doors are not closed."""
    settings = in_force.environment()
    return bool(settings.ldap_url) and settings.oidc_only != "yes"


def sign_in(email: str, password: str) -> User | None:
    """The user with this e-mail and password in the directory, who joins by it if they were invited.

    None where the directory does not know the two. Raises RuleViolationError where it does not answer, and EntryRefusedError
    where nobody invited the person.
    """
    if not is_on():
        return None
    email = email.strip()
    person = _find(email, password)
    if person is None:
        return None
    # the address that was typed: a person of the directory may have several
    claims = Claims(LDAP, person.id, email, is_verified=True, name=person.name)
    return sso.enter(claims).user


def is_own_password(user: User, password: str) -> bool:
    """Whether this is the password of the directory's account that signs the user in. Raises RuleViolationError."""
    if not is_on():
        return False
    is_theirs = Identity.user_id == user.id, Identity.issuer == LDAP
    known = db.session.scalar(select(Identity.subject).where(*is_theirs))
    if known is None:
        return False
    person = _find(user.email, password)
    return person is not None and person.id == known


def _find(email: str, password: str) -> Any:
    """The person of the directory with this e-mail and password, if there is one."""
    # imported only where a directory is set: it needs an optional package
    from webapp import ldap

    settings = in_force.environment()
    db.session.rollback()  # no transaction stays open while a server is asked
    try:
        person = ldap.find_person(settings, email)
        is_right = person is not None and person.id and ldap.is_password(settings, person, password)
    except ldap.LdapError as error:
        log.warning("sign-in: %s", error)
        raise RuleViolationError(
            "The directory does not answer, so only passwords of Muster work now. Try again in a minute."
        ) from error
    return person if is_right else None

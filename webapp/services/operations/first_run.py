"""The first start: what must be there, and the one-time link by which the Owner sets Muster up."""

from __future__ import annotations

import secrets

from sqlalchemy import func, select, text

from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.core.security.passwords import hash_password
from webapp.core.security.permissions import SHIPPED_ROLES
from webapp.core.security.tokens import hash_token
from webapp.core.text.formatting import plural
from webapp.db import begin_write, db
from webapp.models import (
    OWNER_ROLE_ID,
    AuditChain,
    Group,
    MailCircuit,
    Organisation,
    Role,
    User,
)
from webapp.schemas import passwords
from webapp.services.audit import events
from webapp.services.directory import groups, lookup
from webapp.services.settings import in_force
from webapp.settings.fields import ConfigError

DONE = "Muster is set up already. Sign in, or ask the Owner to invite you."


# Questions


def is_waiting() -> bool:
    """Whether there is no Owner yet."""
    return db.session.scalar(select(User.id).where(User.role_id == OWNER_ROLE_ID)) is None


def is_open(token: str) -> bool:
    """Whether this is the set-up link that works."""
    return is_waiting() and in_force.organisation().setup_token_hash == hash_token(token)


# Commands


def prepare() -> list[str]:
    """Make what every start needs: shipped roles, the organisation's row, first groups, the Owner or a set-up link.

    May run at each start. Answers with the lines to print. Raises ConfigError where a setting for the first start does not do.
    """
    settings = in_force.settings()
    owner = _owner_from_settings() if settings.owner_email and is_waiting() else None
    lines = []
    begin_write()
    _make_rows()
    if settings.groups and not db.session.scalar(select(func.count(Group.id))):
        try:
            made = groups.create_groups(settings.groups, None)
        except RuleViolationError as refusal:
            raise ConfigError(f"MUSTER_GROUPS cannot be used: {refusal}") from refusal
        lines.append(f"Made {plural(len(made), 'group')} from MUSTER_GROUPS.")
    if owner and is_waiting():
        _create_owner(*owner)
        lines.append(f"Made the Owner {settings.owner_email} from MUSTER_OWNER_EMAIL.")
    if is_waiting():
        token = secrets.token_urlsafe(32)
        in_force.organisation().setup_token_hash = hash_token(token)
        lines.append(f"Set up Muster: {settings.public_url}/setup/{token}")
    lookup.bump_version()
    db.session.commit()
    return lines


def finish(
    token: str,
    organisation: str,
    name: str,
    address: Address,
    password: str,
    time_zone: str,
) -> User:
    """Set Muster up: the organisation's name, its time zone and the Owner. The link works once; of two at once one wins.

    The password has passed `schemas.passwords`. Raises ConflictError where the link does not work (any more).
    """
    db.session.rollback()
    password_hash = hash_password(password)  # slow: no transaction is open
    begin_write()
    if not is_open(token):
        db.session.rollback()
        raise ConflictError(DONE)
    place = in_force.organisation()
    place.name = organisation
    if time_zone != in_force.environment().text("TIME_ZONE"):
        place.settings = {"TIME_ZONE": time_zone}
    owner = _create_owner(address, name, password_hash)
    lookup.bump_version()
    db.session.commit()
    return owner


def _create_owner(address: Address, name: str, password_hash: str) -> User:
    """Create the Owner, with All groups; the set-up link stops working. Does not commit."""
    owner = User(
        email=address.display,
        email_key=address.key,
        name=name,
        password_hash=password_hash,
        role_id=OWNER_ROLE_ID,
        all_groups=True,
    )
    db.session.add(owner)
    db.session.flush()
    place = in_force.organisation()
    place.setup_token_hash = None
    place.owner_id = owner.id
    events.record(owner, "setup.done", place)
    return owner


def _make_rows() -> None:
    for model in (Organisation, MailCircuit, AuditChain):
        if db.session.get(model, 1) is None:
            db.session.add(model(id=1))
    if not db.session.scalar(select(func.count(Role.id))):
        for role_id, shipped in enumerate(SHIPPED_ROLES, OWNER_ROLE_ID):
            db.session.add(Role(id=role_id, key=fold(shipped.name), **shipped._asdict()))
        db.session.flush()
        # ids that were given by hand do not move its sequence
        if db.engine.dialect.name == "postgresql":
            move = "SELECT setval(pg_get_serial_sequence('roles', 'id'), max(id)) FROM roles"
            db.session.execute(text(move))
    db.session.flush()


def _owner_from_settings() -> tuple[Address, str, str]:
    """The Owner's address, name (made of the e-mail's local part) and hash of the password, as the environment says."""
    settings = in_force.settings()
    email, password = settings.owner_email, settings.owner_password
    # who runs the server knows their own domain, such as school.local
    own_domain = email.rpartition("@")[2].lower()
    try:
        address = parse(email, (*settings.allowed_domains, own_domain))
    except InvalidAddressError as error:
        raise ConfigError(
            f"MUSTER_OWNER_EMAIL is “{email}”, which is not an email address."
        ) from error
    if problem := passwords.find_problem(password, email):
        raise ConfigError(f"MUSTER_OWNER_PASSWORD cannot be used: {problem}")
    name = address.display.partition("@")[0].replace(".", " ").title()
    return address, name, hash_password(password)

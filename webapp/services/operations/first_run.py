"""The first start: what must be there, and the one-time link by which the Owner sets Muster up."""

from __future__ import annotations

import secrets

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.core.security.passwords import hash_password
from webapp.core.security.permissions import SHIPPED_ROLES
from webapp.core.security.tokens import hash_token
from webapp.core.text import row_phrases
from webapp.core.text.formatting import plural
from webapp.db import begin_write, db, utcnow
from webapp.models import (
    OWNER_ROLE_ID,
    AuditChain,
    Group,
    Invitation,
    InvitationState,
    MailCircuit,
    Organisation,
    Role,
    User,
)
from webapp.schemas import passwords
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import groups, lookup
from webapp.services.settings import in_force
from webapp.settings.settings import ConfigError

DONE = "Muster is set up already. Sign in, or ask the Owner to invite you."


# Questions


def is_waiting() -> bool:
    """Whether there is no Owner yet."""
    return db.session.scalar(select(User.id).where(User.role_id == OWNER_ROLE_ID)) is None


def is_open(token: str) -> bool:
    """Whether this is the set-up link that works."""
    return is_waiting() and db.session.get_one(Organisation, 1).setup_token_hash == hash_token(
        token
    )


# Commands


def prepare() -> list[str]:
    """Make what every start needs: shipped roles, the organisation's row, first groups, the Owner or a set-up link.

    May run at each start. Answers with the lines to print. Raises ConfigError where a setting for the first start does not do.
    """
    settings = in_force.settings()
    owner = _owner_from_settings() if is_waiting() and settings.owner_email else None
    names = _groups_from_settings()
    token = secrets.token_urlsafe(32)
    lines = []
    begin_write()
    _make_rows()
    if names and not db.session.scalar(select(func.count(Group.id))):
        for group in groups.create_groups(names):
            events.record(None, AuditAction.GROUP_CREATED, group)
        lines.append(f"Made {plural(len(names), 'group')} from MUSTER_GROUPS.")
    if is_waiting() and owner:
        _create_owner(owner)
        events.record(owner, AuditAction.SETUP_DONE, owner)
        lines.append(f"Made the Owner {owner.email} from MUSTER_OWNER_EMAIL.")
    if is_waiting():
        db.session.get_one(Organisation, 1).setup_token_hash = hash_token(token)
        lines.append(f"Set up Muster: {settings.public_url}/setup/{token}")
    lookup.bump_version()
    db.session.commit()
    return lines


def finish(token: str, organisation: str, name: str, address: Address, password: str) -> User:
    """Set Muster up: the organisation's name and the Owner. The link works once; of two at once one wins.

    The password has passed `schemas.passwords`. Raises ConflictError where the link does not work (any more).
    """
    db.session.rollback()
    password_hash = hash_password(password)  # slow: no transaction is open
    begin_write()
    spent = (
        update(Organisation)
        .where(Organisation.id == 1, Organisation.setup_token_hash == hash_token(token))
        .values(setup_token_hash=None, name=organisation)
        .returning(Organisation.id)
    )
    if db.session.scalar(spent) is None:
        db.session.rollback()
        raise ConflictError(DONE)
    owner = User(
        email=address.display, email_key=address.key, name=name, password_hash=password_hash
    )
    try:
        _create_owner(owner)
    except IntegrityError as error:
        db.session.rollback()
        raise ConflictError(DONE) from error
    events.record(owner, AuditAction.SETUP_DONE, in_force.organisation())
    lookup.bump_version()
    db.session.commit()
    return owner


def _create_owner(owner: User) -> None:
    """Create the Owner, with All groups, and close a pending invitation of the address. Does not commit."""
    owner.role_id, owner.all_groups = OWNER_ROLE_ID, True
    db.session.add(owner)
    db.session.flush()
    pending = Invitation.email_key == owner.email_key, Invitation.state == InvitationState.PENDING
    closed = (
        update(Invitation).where(*pending).values(state=InvitationState.REVOKED, closed_at=utcnow())
    )
    gone = db.session.execute(closed.returning(Invitation.id, Invitation.email)).all()
    events.record_many(
        owner, AuditAction.INVITATION_CLOSED, Invitation, gone, reason="this person has an account"
    )
    db.session.execute(update(Organisation).values(setup_token_hash=None, owner_id=owner.id))


def _make_rows() -> None:
    if db.session.get(Organisation, 1) is None:
        db.session.add(Organisation(id=1))
    if db.session.get(MailCircuit, 1) is None:
        db.session.add(MailCircuit(id=1))
    if db.session.get(AuditChain, 1) is None:
        db.session.add(AuditChain(id=1))
    if not db.session.scalar(select(func.count(Role.id))):
        for role_id, shipped in enumerate(SHIPPED_ROLES, OWNER_ROLE_ID):
            permissions = [permission.value for permission in shipped.permissions]
            db.session.add(
                Role(
                    id=role_id,
                    name=shipped.name,
                    key=fold(shipped.name),
                    rank=shipped.rank,
                    permissions=permissions,
                )
            )
        db.session.flush()
        # ids that were given by hand do not move its sequence
        if db.engine.dialect.name == "postgresql":
            db.session.execute(
                text(
                    "SELECT setval(pg_get_serial_sequence('roles', 'id'), (SELECT max(id) FROM roles))"
                )
            )
    db.session.flush()


def _owner_from_settings() -> User:
    """The Owner as the environment names them, not yet stored; the name is made of the e-mail's local part."""
    settings = in_force.settings()
    email, password = settings.owner_email, settings.owner_password
    own_domain = email.rpartition("@")[
        2
    ].lower()  # who runs the server knows their own domain, such as school.local
    try:
        address = parse(email, (*settings.allowed_domains, own_domain))
    except InvalidAddressError as error:
        problem = row_phrases.describe({"code": error.code})
        raise ConfigError(
            f"MUSTER_OWNER_EMAIL is “{email}”, which cannot be used: {problem}"
        ) from error
    if found := passwords.problems(password, email=email):
        raise ConfigError(f"MUSTER_OWNER_PASSWORD cannot be used: {found[0]}")
    name = " ".join(
        address.display.partition("@")[0].replace(".", " ").replace("_", " ").split()
    ).title()
    return User(
        email=address.display,
        email_key=address.key,
        name=name[:120] or "Owner",
        password_hash=hash_password(password),
    )


def _groups_from_settings() -> list[str]:
    names = in_force.settings().groups
    try:
        return groups.clean_names(names) if names else []
    except RuleViolationError as refusal:
        raise ConfigError(
            f"MUSTER_GROUPS cannot be used: {' '.join(str(refusal).splitlines())}"
        ) from refusal

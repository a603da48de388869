"""People and things for tests, committed: what a request does is then seen by the test, and the other way round."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from pyotp import TOTP
from webapp.core.addresses import parse
from webapp.core.plan.registry import ALL_GROUPS, fold
from webapp.core.security import tokens, totp
from webapp.core.security.passwords import hash_password
from webapp.db import db, utcnow
from webapp.models import Batch, Group, Invitation, InvitationState, Organisation, RecoveryCode, Role, Row, User, UserState
from webapp.services.accounts import two_factor
from webapp.services.settings import in_force

T = TypeVar("T")

PASSWORD = "correct horse battery"
PERSONAS = {
    "Owner": "Maren Okafor",
    "Admin": "Devika Raman",
    "Investigator": "Grace Nakamura-Bell",
    "Analyst": "Amelia Hart",
    "Broadcaster": "Björn Håkansson",
    "Remote": "Jun-ho Park",
}


@cache
def password_hash() -> str:
    """PASSWORD, hashed once a test session: argon2 is slow on purpose."""
    return hash_password(PASSWORD)


def role(name: str) -> Role:
    """A shipped role, by name."""
    return db.session.scalars(db.select(Role).where(Role.key == fold(name))).one()


def email_of(name: str) -> str:
    """maren.okafor@northfield.example"""
    plain = name.replace("ö", "o").replace("å", "a")
    return ".".join(plain.casefold().split()) + "@northfield.example"


def make_factor(user: User) -> list[str]:
    """Two-step sign-in is on for this user. -> recovery codes; `code_of` tells what their app shows."""
    codes = [totp.new_recovery_code() for _ in range(totp.RECOVERY_CODES)]
    user.totp_salt, user.totp_since = secrets.token_hex(16), utcnow()
    db.session.add_all(RecoveryCode(user_id=user.id, code_hash=tokens.hash_token(totp.plain(code))) for code in codes)
    db.session.commit()
    return codes


def code_of(user: User, at: datetime) -> str:
    """What the user's app shows at that time."""
    return TOTP(two_factor.secret(user, user.totp_salt or "")).at(at)


def make_group(name: str) -> Group:
    """The group of this name, made where it is not there yet."""
    group = db.session.scalar(db.select(Group).where(Group.key == fold(name)))
    if group is None:
        group = Group(name=name, key=fold(name))
        _commit(group)
    return group


def make_user(
    name: str = "Amelia Hart",
    role_name: str = "Analyst",
    groups: tuple[str, ...] = (),
    *,
    email: str | None = None,
    state: UserState = UserState.ACTIVE,
    seen_at: datetime | None = None,
) -> User:
    """A user whose password is PASSWORD. groups: names, or ("All groups",)."""
    address = parse(email or email_of(name), ("northfield.example",))
    user = User(
        email=address.display, email_key=address.key, name=name, password_hash=password_hash(), role=role(role_name),
        state=state, seen_at=seen_at, **_access(groups),
    )  # fmt: skip
    db.session.add(user)
    db.session.flush()
    if user.role.is_owner:
        in_force.organisation().owner_id = user.id
    return _commit(user)


def make_persona(role_name: str) -> User:
    """The persona who has this shipped role; made once a test. As plain rows: nearly every test has two of them."""
    email = email_of(PERSONAS[role_name])
    user = db.session.scalar(db.select(User).where(User.email_key == email))
    if user is None:
        row = db.insert(User.__table__).values(
            email=email, email_key=email, name=PERSONAS[role_name], password_hash=password_hash(),
            role_id=db.select(Role.id).where(Role.key == fold(role_name)).scalar_subquery(), all_groups=role_name == "Owner",
        )  # fmt: skip
        user_id = db.session.connection().scalar(row.returning(User.id))
        if role_name == "Owner":
            db.session.connection().execute(db.update(Organisation.__table__).values(owner_id=user_id))
        db.session.commit()
        user = db.session.get_one(User, user_id)
    return user


def make_invitation(
    email: str = "ines.carvalho@northfield.example",
    role_name: str = "Analyst",
    groups: tuple[str, ...] = (),
    *,
    state: InvitationState = InvitationState.PENDING,
    expires_in: timedelta | None = timedelta(days=7),
    by: User | None = None,
    name: str = "",
) -> Invitation:
    """An invitation; `token_of` tells its link. expires_in: None while it was never handed over, negative when expired."""
    address = parse(email, ("northfield.example",))
    invitation = Invitation(
        email=address.display, email_key=address.key, name=name, role=role(role_name), state=state,
        token_hash=secrets.token_hex(32),
        nonce=tokens.new_nonce(), valid_days=7, expires_at=utcnow() + expires_in if expires_in else None,
        invited_by_id=by.id if by else None, closed_at=None if state is InvitationState.PENDING else utcnow(), **_access(groups),
    )  # fmt: skip
    db.session.add(invitation)
    db.session.flush()
    invitation.token_hash = tokens.hash_token(token_of(invitation))
    return _commit(invitation)


def token_of(invitation: Invitation) -> str:
    """The token of an invitation's link."""
    return tokens.derive(in_force.settings().secret_key, "invitation", invitation.id, invitation.version, invitation.nonce)


def make_batch(by: User, rows: int = 0, **values: Any) -> Batch:
    """A batch of `rows` people user1@northfield.example, … (Analyst, no groups), its plans not made."""
    values = {"file_name": values.pop("name", "autumn-term-staff.csv"), "valid_days": 7, **values}
    batch = Batch(**{"uploaded_by_id": by.id, "planned_for_id": by.id, **values})
    db.session.add(batch)
    db.session.flush()
    for n in range(1, rows + 1):
        cells = {"email": f"user{n}@northfield.example", "role": "Analyst", "groups": ""}
        read = {f"read_{field}": value for field, value in cells.items()}
        db.session.add(Row(batch_id=batch.id, line=n + 1, **cells, **read))
    return _commit(batch)


def _access(groups: tuple[str, ...]) -> dict[str, Any]:
    everything = groups == (ALL_GROUPS,)
    return {"all_groups": everything, "groups": [] if everything else [make_group(name) for name in groups]}


def _commit(thing: T) -> T:
    db.session.add(thing)
    db.session.commit()
    return thing

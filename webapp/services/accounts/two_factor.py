"""Two-step sign-in: codes from an app, and recovery codes."""

from __future__ import annotations

from pyotp import TOTP
from sqlalchemy import delete, select

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.security import totp
from webapp.core.security.permissions import Permission
from webapp.core.security.tokens import hash_token
from webapp.db import begin_write, count_by, db, utcnow
from webapp.mail.messages import NAMELESS
from webapp.models import (
    MessageKind,
    RecoveryCode,
    User,
    UserState,
)
from webapp.services.accounts import profile
from webapp.services.audit import events
from webapp.services.mail import outbox
from webapp.services.settings import in_force

HALF_WAY = 600
"""Seconds that the second step may take."""


def must_enrol(user: User) -> bool:
    """Whether a person must set up two-step sign-in before anything else (MUSTER_REQUIRE_TOTP)."""
    required = in_force.settings().require_totp
    is_meant = required == "everyone"
    if required == "managers":
        is_meant = user.may(Permission.USERS_MANAGE)
    return is_meant and not user.has_second_factor


def secret(user: User, salt: str) -> str:
    """The secret for the app. salt: in the cookie until the first code proves that the app has the secret."""
    key = in_force.environment().secret_key
    return totp.secret(key, user.id, salt)


def otpauth_address(user: User, salt: str) -> str:
    """The secret as the otpauth:// address for a QR code."""
    issuer = in_force.organisation_name() or NAMELESS
    app = TOTP(secret(user, salt))
    return app.provisioning_uri(name=user.email, issuer_name=issuer)


def codes_left(user: User) -> int:
    """How many recovery codes are unused."""
    user_id = RecoveryCode.user_id
    return count_by(user_id, user_id == user.id)[user.id]


def pending_login(user: User) -> tuple[int, float, str]:
    """What the cookie holds after the first step. It is void once the password or the second factor changes."""
    since = utcnow().timestamp()
    return user.id, since, _proof(user)


def pending_user(user_id: int, since: float, proof: str) -> User | None:
    """The user of a `pending_login`, or None if it is void or too old."""
    user = db.session.get(User, user_id)
    if user is None or user.state is not UserState.ACTIVE:
        return None
    took = utcnow().timestamp() - since
    is_valid = took < HALF_WAY and proof == _proof(user)
    return user if is_valid else None


def _proof(user: User) -> str:
    return hash_token(f"{user.password_hash}|{user.totp_salt}")


def turn_on(user: User, salt: str, code: str) -> list[str]:
    """Turn two-step sign-in on. -> the recovery codes, shown this once.

    Raises RuleViolationError if the code is wrong, ConflictError if it is already on.
    """
    begin_write()
    profile.refuse_flood(user, MessageKind.SECOND_FACTOR_ON)
    if user.has_second_factor:
        raise ConflictError("Two-step sign-in is on already.")
    user.totp_salt = salt
    user.totp_since = utcnow()
    _use_code(user, code)
    codes = _new_codes(user)
    profile.tell(user, MessageKind.SECOND_FACTOR_ON)
    events.record(user, "second_factor.on", user)
    outbox.commit()
    return codes


def check_code(user: User, code: str) -> None:
    """Check a code and use it up. Raises RuleViolationError; of two who use one code at once, one passes."""
    begin_write()
    _use_code(user, code)
    db.session.commit()


def renew_codes(user: User, code: str) -> list[str]:
    """Replace the recovery codes. -> the new ones. Raises RuleViolationError if the code is wrong."""
    begin_write()
    _use_code(user, code)
    codes = _new_codes(user)
    events.record(user, "second_factor.codes_made", user)
    db.session.commit()
    return codes


def turn_off(user: User, code: str) -> None:
    """Turn two-step sign-in off. Raises RuleViolationError if the code is wrong."""
    begin_write()
    _use_code(user, code)
    clear(user, user)
    outbox.commit()


def get_protected_user(user_id: int, by: User) -> User:
    """A person whose two-step sign-in `by` may turn off.

    Raises NotFoundError, ForbiddenError if they do not rank below, ConflictError if they have none.
    """
    user = profile.get_user_below(user_id, by)
    if not user.has_second_factor:
        raise ConflictError("This person has no two-step sign-in.")
    return user


def reset(user_id: int, by: User) -> None:
    """Turn two-step sign-in off for a person who lost it. Raises what `get_protected_user` raises."""
    begin_write()
    user = get_protected_user(user_id, by)
    clear(user, by)
    outbox.commit()


def clear(user: User, by: User) -> None:
    """Remove the second factor, e-mail the user, record it. Does not commit."""
    user.totp_salt = None
    user.totp_since = None
    user.totp_step = None
    _delete_codes(user)
    profile.tell(user, MessageKind.SECOND_FACTOR_OFF)
    events.record(by, "second_factor.off", user)


def _use_code(user: User, code: str) -> None:
    """Use up the app's current code, or a recovery code. Raises RuleViolationError. Does not commit."""
    settings = in_force.environment()
    salt = user.totp_salt or ""
    secrets = []
    for key in (settings.secret_key, *settings.secret_key_fallbacks):
        secrets.append(totp.secret(key, user.id, salt))
    code = totp.plain(code)
    step = totp.step_of(secrets, code, utcnow())
    if step is not None and step > (user.totp_step or 0):
        user.totp_step = step
        return
    is_own = RecoveryCode.user_id == user.id
    is_typed = RecoveryCode.code_hash == hash_token(code)
    recovery = db.session.scalar(select(RecoveryCode).where(is_own, is_typed))
    if recovery is None:
        db.session.rollback()
        events.count_refusal("second_factor.refused", user.id, "(second step)")
        sentence = "This code is not right, or was used already."
        raise RuleViolationError(sentence, field="code")
    db.session.delete(recovery)
    left = codes_left(user)
    events.record(user, "second_factor.code_used", user, left=left)


def _new_codes(user: User) -> list[str]:
    """Replace the recovery codes. -> the new ones. Does not commit."""
    _delete_codes(user)
    codes = []
    for _ in range(totp.RECOVERY_CODES):
        code = totp.new_recovery_code()
        code_hash = hash_token(totp.plain(code))
        recovery = RecoveryCode(user_id=user.id, code_hash=code_hash)
        db.session.add(recovery)
        codes.append(code)
    return codes


def _delete_codes(user: User) -> None:
    own = delete(RecoveryCode).where(RecoveryCode.user_id == user.id)
    db.session.execute(own)

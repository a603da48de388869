"""Time-based one-time codes (RFC 6238), and recovery codes for people who lost their app."""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime

from pyotp import TOTP

from webapp.core.security.tokens import digest

STEP = 30
"""Seconds."""
RECOVERY_CODES = 10


def secret(secret_key: str, user_id: int, salt: str) -> str:
    """The secret that the app and Muster share: 160 bits in base32, derived, stored nowhere."""
    derived = digest(secret_key, f"totp|{user_id}|{salt}")
    return b32encode(derived[:20]).decode()


def step_of(secrets: Iterable[str], code: str, now: datetime) -> int | None:
    """The time step that the code is of, at most one earlier or later than now; None where it is of none."""
    this = int(now.timestamp()) // STEP
    for secret in secrets:
        for step in (this - 1, this, this + 1):
            moment = step * STEP
            if TOTP(secret).verify(code, for_time=moment):
                return step
    return None


def new_recovery_code() -> str:
    """80 random bits, as a person can copy them: "07fd-2a9c-ab5e-41d3-9e60"."""
    parts = []
    for _ in range(5):
        parts.append(secrets.token_hex(2))
    return "-".join(parts)


def plain(code: str) -> str:
    """What was typed, without the spaces and hyphens that people put in."""
    return "".join(c for c in code if c.isalnum()).lower()

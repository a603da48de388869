"""Signatures of webhooks, as Standard Webhooks says (version 1, symmetric)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable

from webapp.core.security.tokens import digest

PREFIX = "whsec_"


def derive_secret(secret_key: str, endpoint_id: int, nonce: str) -> str:
    """The secret that a receiver and Muster share: 256 bits, derived from the server's key, stored nowhere."""
    derived = digest(secret_key, f"webhook|{endpoint_id}|{nonce}")
    return PREFIX + b64encode(derived).decode()


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: one signature for each secret that counts. timestamp: seconds since 1970."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = []
    for secret in secrets:
        key = b64decode(secret.removeprefix(PREFIX))
        signature = hmac.digest(key, signed, hashlib.sha256)
        signatures.append("v1," + b64encode(signature).decode())
    return " ".join(signatures)

"""Tokens: 256 bits, derived where they must be derivable again, random where not; only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode


def new_nonce() -> str:
    """The random value of a row that a link is derived from: 128 bits, hex."""
    return secrets.token_hex(16)


def derive(secret_key: str, purpose: str, subject_id: int, version: int, nonce: str) -> str:
    """Derive a token of 43 URL-safe characters: HMAC-SHA256 of what it is for, under the server's key.

    The same again at every try, so that a message rebuilt after a crash carries the same link, "Copy link" needs no
    stored secret, and a stolen database opens nothing.

    nonce: the row's random value. No other row has it, even one that gets the same id after an erasure or a restore.
    Empty only for rows from before there was one, whose links were sent.
    """
    text = f"{purpose}|{subject_id}|{version}"
    if nonce:
        text += f"|{nonce}"
    token = urlsafe_b64encode(digest(secret_key, text))
    return token.rstrip(b"=").decode()


def digest(secret_key: str, text: str) -> bytes:
    """HMAC-SHA256 of a text under the server's key."""
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).digest()


def hash_token(token: str) -> str:
    """What is stored of a token: SHA-256, hex. Enough for 256 random bits (no salt, no stretching needed)."""
    hashed = hashlib.sha256(token.encode())
    return hashed.hexdigest()

"""The cryptography of the audit log. docs/decisions/0014.

The **stamp** of an event is a keyed digest of what it says. Fields that may name a person are in the stamp by a salted
digest of their own. Erasing a person replaces the words and drops the salt; the stamp stays, and a keyed mark shows that
Muster wrote the new words. The **link** of an event covers its stamp and all events before it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

PERSONAL = ("actor", "subject", "details")
"""Fields of an event that may name a person."""

Digest = dict[str, str]
"""Of a personal field: its `digest` with the `salt`; or, once erased, with the `mark` of the new words."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def derive_key(secret_key: str) -> bytes:
    """The key of the log, derived from the server's secret key."""
    return hmac.digest(secret_key.encode(), b"audit", "sha256")


def hmac_hex(key: bytes, purpose: str, *parts: Any) -> str:
    """HMAC-SHA256, in hex, of JSON values."""
    return hmac.digest(key, _encode([purpose, *parts]).encode(), "sha256").hex()


def digest_field(key: bytes, name: str, value: Any, salt: str) -> Digest:
    """The digest of a personal field."""
    return {"salt": salt, "digest": hmac_hex(key, name, salt, value)}


def digest_event(key: bytes, facts: Mapping[str, Any], personal: Mapping[str, Digest]) -> str:
    """The stamp of an event: an HMAC of its facts and of the digests of its personal fields."""
    return hmac_hex(
        key, "event", dict(facts), {name: personal[name]["digest"] for name in PERSONAL}
    )


def chain_link(key: bytes, previous: str, seq: int, event_id: int, stamp: str) -> str:
    """The link of the event at place `seq`. previous: the link before it, "" for the first."""
    return hmac_hex(key, "link", previous, seq, event_id, stamp)


def erase_field(key: bytes, name: str, value: Any, digest: Digest) -> Digest:
    """The digest of a field whose words were replaced by `value`. Without the salt the old words cannot be guessed."""
    return {
        "digest": digest["digest"],
        "mark": hmac_hex(key, "erased", name, digest["digest"], value),
    }


def field_matches(key: bytes, name: str, value: Any, digest: Digest) -> bool:
    """Whether a personal field says what was recorded, or what Muster wrote there when it erased a person."""
    if "salt" in digest:
        return hmac.compare_digest(hmac_hex(key, name, digest["salt"], value), digest["digest"])
    return hmac.compare_digest(erase_field(key, name, value, digest)["mark"], digest["mark"])

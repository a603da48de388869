"""The cryptography of the audit log. docs/decisions/0014.

The **stamp** of an event is a keyed digest of what it says. Fields that may name a person are in the stamp by a salted
digest of their own. Erasing a person replaces the words and drops the salt; the stamp stays, and a keyed mark shows that
Muster wrote the new words. The **link** of an event covers its stamp and all events before it.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

PERSONAL = ("actor", "subject", "details")
"""Fields of an event that may name a person."""
PLAIN = ("at", "actor_id", "action", "subject_type", "subject_id", "address", "count")
FIELDS = PLAIN + PERSONAL

Digest = dict[str, str]
"""Of a personal field: its `digest` with the `salt`; or, once erased, with the `mark` of the new words."""

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=datetime.isoformat)


def derive_key(secret_key: str) -> bytes:
    """The key of the log, derived from the server's secret key."""
    return hmac.digest(secret_key.encode(), b"audit", "sha256")


def hmac_hex(key: bytes, purpose: str, *parts: Any) -> str:
    """HMAC-SHA256, in hex, of JSON values."""
    text = _JSON.encode([purpose, *parts])
    return hmac.digest(key, text.encode(), "sha256").hex()


def make_stamp(key: bytes, values: Mapping[str, Any]) -> dict[str, Any]:
    """The stamp of an event, and the digests of its personal fields, by column. values: FIELDS by name."""
    personal = {}
    for name in PERSONAL:
        salt = secrets.token_hex(8)
        digest = hmac_hex(key, name, salt, values[name])
        personal[name] = {"salt": salt, "digest": digest}
    return {"personal": personal, "stamp": _digest_event(key, values, personal)}


def _digest_event(key: bytes, values: Mapping[str, Any], personal: Mapping[str, Digest]) -> str:
    plain = {name: values[name] for name in PLAIN}
    digests = {name: personal[name]["digest"] for name in PERSONAL}
    return hmac_hex(key, "event", plain, digests)


def is_unchanged(
    keys: Sequence[bytes], values: Mapping[str, Any], personal: Any, stamp: str | None
) -> bool:
    """Whether an event says what was recorded, or what Muster wrote there when it erased a person. keys: any may fit."""
    with suppress(KeyError, TypeError):  # what somebody wrote there may have any shape
        if stamp in [_digest_event(key, values, personal) for key in keys]:
            return all(field_matches(keys, name, values[name], personal[name]) for name in PERSONAL)
    return False


def field_matches(keys: Sequence[bytes], name: str, value: Any, digest: Digest) -> bool:
    """Whether a personal field says what was recorded, or what Muster wrote there."""
    if "salt" in digest:
        salt = digest["salt"]
        return digest["digest"] in [hmac_hex(key, name, salt, value) for key in keys]
    return digest in [erase_field(key, name, value, digest) for key in keys]


def erase_field(key: bytes, name: str, value: Any, digest: Digest) -> Digest:
    """The digest of a field whose words were replaced by `value`. Without the salt the old words cannot be guessed."""
    mark = hmac_hex(key, "erased", name, digest["digest"], value)
    return {"digest": digest["digest"], "mark": mark}


def chain_link(key: bytes, previous: str, seq: int, event_id: int, stamp: str | None) -> str:
    """The link of the event at place `seq`. previous: the link before it, "" for the first."""
    return hmac_hex(key, "link", previous, seq, event_id, stamp or "")

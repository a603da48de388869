"""The cryptography of the audit log. docs/decisions/0014.

The **stamp** of an event is a keyed digest of what it says. Fields that may name a person are in the stamp by a salted
digest of their own. Erasing a person replaces the words and drops the salt; the stamp stays, and a keyed mark shows that
Muster wrote the new words. Each event's **link** is a keyed digest of its stamp and the link before it.

`keys` are those that count: our own, which signs, then those of before the server's key was changed.
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
PLAIN = (
    "at",
    "actor_id",
    "action",
    "subject_type",
    "subject_id",
    "address",
    "count",
)
FIELDS = PLAIN + PERSONAL

Keys = Sequence[bytes]
Values = Mapping[str, Any]
"""Of an event: FIELDS by name."""
Digest = dict[str, str]
"""Of a personal field: its `digest` with the `salt`; or, once erased, with the `mark` of the new words."""

_JSON = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    default=datetime.isoformat,
)


def derive_key(secret_key: str) -> bytes:
    """The key of the log, derived from the server's secret key."""
    return hmac.digest(secret_key.encode(), b"audit", "sha256")


def sign(keys: Keys, *parts: Any) -> str:
    """HMAC-SHA256, in hex, of JSON values with our own key. The first says what they are."""
    text = _JSON.encode(parts).encode()
    digest = hmac.digest(keys[0], text, "sha256")
    return digest.hex()


def is_signed(
    keys: Keys,
    signature: str | None,
    *parts: Any,
) -> bool:
    """Whether one of the keys signed this."""
    possible = [sign([key], *parts) for key in keys]
    return signature in possible


def make_stamp(keys: Keys, values: Values) -> dict[str, Any]:
    """The stamp of an event, and the digests of its personal fields, by column."""
    personal = {}
    for name in PERSONAL:
        salt = secrets.token_hex(8)
        digest = sign(keys, name, salt, values[name])
        personal[name] = {"salt": salt, "digest": digest}
    stamp = sign(keys, *_list_stamped(values, personal))
    return {"personal": personal, "stamp": stamp}


def _list_stamped(values: Values, personal: Any) -> Sequence[Any]:
    plain = {name: values[name] for name in PLAIN}
    digests = {}
    for name in PERSONAL:
        digests[name] = personal[name]["digest"]
    return "event", plain, digests


def is_unchanged(
    keys: Keys,
    values: Values,
    personal: Any,
    stamp: str | None,
) -> bool:
    """Whether an event says what was recorded, or what Muster wrote there when it erased a person."""
    with suppress(KeyError, TypeError):  # what somebody wrote there may have any shape
        is_whole = is_signed(keys, stamp, *_list_stamped(values, personal))
        for name in PERSONAL:
            is_whole &= field_matches(keys, name, values[name], personal[name])
        return is_whole
    return False


def field_matches(
    keys: Keys,
    name: str,
    value: Any,
    digest: Digest,
) -> bool:
    """Whether a personal field says what was recorded, or what Muster wrote there."""
    kept = digest["digest"]
    if "salt" in digest:
        return is_signed(keys, kept, name, digest["salt"], value)
    return is_signed(keys, digest["mark"], "erased", name, kept, value)


def erase_field(
    keys: Keys,
    name: str,
    value: Any,
    digest: Digest,
) -> Digest:
    """The digest of a field whose words were replaced by `value`. Without the salt the old words cannot be guessed."""
    kept = digest["digest"]
    mark = sign(keys, "erased", name, kept, value)
    return {"digest": kept, "mark": mark}

"""The audit log's cryptography: what stands for an event, and how events are chained. docs/decisions/0014.

An event's **stamp** is a keyed digest of what happened. Fields that may name a person are in it by a salted digest of
their own, so that erasing somebody can put a pseudonym in place of the words: the stamp stays, the salt goes, and a keyed
mark says that it was Muster who did so. A **link** of the chain stands for an event and all that were sealed before it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

PERSONAL = ("actor", "subject", "details")
"""Fields of an event whose words may name a person."""

_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

Digests = dict[str, dict[str, str]]
"""By personal field: `digest`, and either its `salt` or, once the words were erased, the `mark` of what stands there now."""


def key_of(secret_key: str) -> bytes:
    """The key of the log, derived from the server's own."""
    return hmac.digest(secret_key.encode(), b"audit", "sha256")


def keyed(key: bytes, purpose: str, *parts: Any) -> str:
    """HMAC-SHA256, hex, of JSON values; two lists of parts are never taken for each other."""
    return hmac.digest(key, _encoded([purpose, *parts]).encode(), "sha256").hex()


def digests(key: bytes, words: Mapping[str, Any], salts: Mapping[str, str]) -> Digests:
    """What stands for each personal field in the stamp."""
    return {name: {"salt": salts[name], "digest": keyed(key, name, salts[name], words[name])} for name in PERSONAL}


def stamp(key: bytes, facts: Mapping[str, Any], personal: Mapping[str, Mapping[str, str]]) -> str:
    """What stands for an event: its facts (no word of a person), and the digests of its personal fields."""
    return keyed(key, "event", dict(facts), {name: personal[name]["digest"] for name in PERSONAL})


def link(key: bytes, before: str, seq: int, event_id: int, stamp: str) -> str:
    """The link of the chain at place `seq`. before: the link in front of it, "" for the first."""
    return keyed(key, "link", before, seq, event_id, stamp)


def is_kept(key: bytes, name: str, words: Any, digest: Mapping[str, str]) -> bool:
    """Whether a personal field says what it said when it was recorded, or what was put there when somebody was erased."""
    if "salt" in digest:
        return hmac.compare_digest(keyed(key, name, digest["salt"], words), digest.get("digest", ""))
    return hmac.compare_digest(_mark(key, name, words, digest), digest.get("mark", ""))


def erased(key: bytes, name: str, words: Any, digest: Mapping[str, str]) -> dict[str, str]:
    """The digest of a field after `words` took the place of what it said. Without its salt, nobody can guess what that was."""
    return {"digest": digest["digest"], "mark": _mark(key, name, words, digest)}


def _mark(key: bytes, name: str, words: Any, digest: Mapping[str, str]) -> str:
    return keyed(key, "erased", name, digest.get("digest", ""), words)

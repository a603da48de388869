"""What happened to somebody, in words: an audit event's action and details -> a sentence without its actor. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "setup.done": "Set up Muster",
    "session.started": "Signed in",
    "session.ended": "Signed out",
    "invitation.created": "Invited",
    "invitation.sent_again": "Invitation sent again",
    "invitation.accepted": "Invitation accepted",
    "invitation.link_copied": "Invitation link copied",
    "invitation.revoked": "Invitation revoked",
}


def told(action: str, details: Mapping[str, Any]) -> str:
    """ "Role changed from Remote to Analyst", "Invited as Analyst"; an action that is not known here is told by its name."""
    before, after = details.get("before") or {}, details.get("after") or {}
    if action == "invitation.created" and after.get("role"):
        return f"Invited as {after['role']}"
    if action in ("user.changed", "invitation.changed"):
        return _change(before, after)
    return _WORDS.get(action) or action.rpartition(".")[2].replace("_", " ").capitalize()


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    changes = []
    if before.get("role") != after.get("role"):
        changes.append(f"role changed from {before.get('role')} to {after.get('role')}")
    if before.get("groups") != after.get("groups"):
        changes.append("device groups changed")
    told = " and ".join(changes) or "changed"
    return told[0].upper() + told[1:]

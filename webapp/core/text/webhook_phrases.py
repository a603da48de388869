"""Webhooks in words: types of events, what a receiver answered, and why an endpoint was turned off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.core.text.formatting import clipped

TITLES = {
    "invitation.created": "Somebody is invited",
    "invitation.accepted": "Somebody accepts, and has an account",
    "invitation.revoked": "An invitation is revoked",
    "user.changed": "Role, groups, name or email of a user change",
    "user.deactivated": "A user is deactivated",
    "user.reactivated": "A user is reactivated",
    "user.erased": "A user is erased",
    "batch.finished": "An upload or action is finished",
}
"""By type, in the order of the page."""

_ANSWERS = {
    "timeout": "No answer within 10 seconds",
    "name": "The host name is not known",
    "certificate": "The certificate is not trusted",
    "link_local": "The address is link-local, which Muster never calls",
    "broken": "The connection failed",
}
LONGEST = 160
"""Characters of what the receiver or the system said."""

WHY_OFF = {
    "failing": "No event was taken for five days.",
    "gone": "The receiver answered 410: it wants no more events.",
}


def describe_answer(answer: Mapping[str, Any]) -> str:
    """What became of one try: "200", "500: Try later", "The connection failed: Connection refused"."""
    said = _ANSWERS.get(answer["code"]) or str(answer["status"])
    if 300 <= (answer["status"] or 0) < 400:
        said += ", a redirect, which Muster does not follow"
    words = clipped(answer["words"], LONGEST)
    return f"{said}: {words}" if words else said

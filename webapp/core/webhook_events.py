"""What webhooks tell: types of events, and the body of each, made of an audit event. docs/webhooks.md has their schemas.

A body has what its schema says and nothing else of the audit event: details are Muster's own and may change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from webapp.core.plan.registry import ALL_GROUPS

Values = Mapping[str, Any]
"""Of an audit event, by column."""
Data = dict[str, Any]

TEST = "webhook.test"


def make_body(values: Values) -> Data:
    """The body for an audit event of one of TYPES."""
    return _envelope(values["action"], values["at"], _DATA[values["action"]](values))


def make_test_body(at: datetime, endpoint_id: int) -> Data:
    """The body of a test."""
    return _envelope(TEST, at, {"endpoint": endpoint_id})


def _envelope(kind: str, at: datetime, data: Data) -> Data:
    return {"type": kind, "timestamp": at.isoformat(), "data": data}


def _of_invitation(values: Values) -> Data:
    return {
        "invitation": values["subject_id"],
        "email": values["subject"],
        **_context(values),
    }


def _with_access(values: Values) -> Data:
    details = values["details"]
    access = _describe_access(details.get("after") or {})
    return _of_invitation(values) | access


def _accepted(values: Values) -> Data:
    return _with_access(values) | {"user": values["details"].get("user")}


def _of_user(values: Values) -> Data:
    return {
        "user": values["subject_id"],
        "email": values["subject"],
        **_context(values),
    }


def _changed(values: Values) -> Data:
    details = values["details"]
    sides = {side: _describe_access(details.get(side) or {}) for side in ("before", "after")}
    return _of_user(values) | sides


def _erased(values: Values) -> Data:
    """Without the e-mail: it is gone."""
    return {"user": values["subject_id"], **_context(values)}


def _finished(values: Values) -> Data:
    return {
        "batch": values["subject_id"],
        "name": values["subject"],
        "outcomes": values["details"].get("outcomes", {}),
    }


def _context(values: Values) -> Data:
    """Who did it, and in which upload; None where it was Muster itself, or no upload."""
    by = None
    if values["actor_id"]:
        by = {"user": values["actor_id"], "email": values["actor"]}
    return {"by": by, "batch": values["details"].get("batch")}


def _describe_access(side: Mapping[str, Any]) -> Data:
    """What is known of name, e-mail, role and groups."""
    known = {name: side[name] for name in ("email", "name", "role") if name in side}
    if "groups" in side:
        known["all_groups"] = side["groups"] == ALL_GROUPS
        known["groups"] = [] if known["all_groups"] else side["groups"]
    return known


_DATA: dict[str, Callable[[Values], Data]] = {
    "invitation.created": _with_access,
    "invitation.accepted": _accepted,
    "invitation.revoked": _of_invitation,
    "user.changed": _changed,
    "user.deactivated": _of_user,
    "user.reactivated": _of_user,
    "user.erased": _erased,
    "batch.finished": _finished,
}

TYPES = tuple(_DATA)
"""Each is the action of an audit event. Refusals are none: they are sealed up to an hour late."""

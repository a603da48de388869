"""The menu of what can be done to one person, in the list and on their page."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import request, session, url_for

from webapp.core.plan.registry import Registry
from webapp.http.web import current_user, safe_next
from webapp.services.directory import allowed_actions
from webapp.services.directory.people_list import Entry

ENDPOINTS = {
    ("user", ""): "people.user",
    ("user", "access"): "people.user_access",
    ("user", "deactivation"): "people.deactivate",
    ("user", "reactivation"): "people.reactivate",
    ("user", "sessions"): "people.end_sessions",
    ("user", "reset_link"): "resets.hand_over",
    ("user", "second_factor"): "second_factors.reset",
    ("user", "erasure"): "erasures.show",
    ("invitation", ""): "people.invitation",
    ("invitation", "access"): "people.invitation_access",
    ("invitation", "revocation"): "people.revoke",
    ("invitation", "messages"): "invitations.send_again",
    ("invitation", "link"): "invitations.link",
    ("invitation", "email"): "invitations.email",
}


def person_address(entry: Entry, noun: str = "", **values: Any) -> str:
    """The address of a person's page, or of one of its nouns."""
    kind = "user" if entry.is_user else "invitation"
    values[f"{kind}_id"] = entry.person.id
    return url_for(ENDPOINTS[kind, noun], **values)


def menu_context(registry: Registry) -> dict[str, Any]:
    """What templates/people/person/_menu.html needs in addition to the entry."""
    back = safe_next(request.args.get("next")) or request.full_path.rstrip("?")
    return {
        "address": person_address,
        "does": partial(allowed_actions.allowed_actions, by=current_user(), registry=registry),
        "back": back,
        "acted": session.pop("acted", ""),
        "registry": registry,
    }

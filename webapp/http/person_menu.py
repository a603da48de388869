"""The menu of what can be done to one person, in the list and on their page."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import request, session

from webapp.core.plan.registry import Registry
from webapp.http.web import current_user, safe_next
from webapp.models import Invitation, User
from webapp.services.directory import people_list


def person_address(person: User | Invitation, noun: str = "", **query: Any) -> str:
    """The address of a person's page, or of something that can be done to them: "/users/12/deactivation"."""
    kind, page = ("users", "") if person.is_user else ("invitations", "details")
    path = f"{request.script_root}/{kind}/{person.id}/{noun or page}".rstrip("/")
    return f"{path}?{urlencode(query)}" if query else path


def menu_context(registry: Registry) -> dict[str, Any]:
    """What templates/people/person/_menu.html needs in addition to the person."""
    back = safe_next(request.args.get("next")) or request.full_path.rstrip("?")
    return {
        "address": person_address,
        "does": partial(people_list.allowed_actions, by=current_user(), registry=registry),
        "back": back,
        "acted": session.pop("acted", ""),
        "registry": registry,
    }

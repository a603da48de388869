"""The menu of what can be done to one person, in the list and on their page."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import request, session

from webapp.core.plan.actions import Do
from webapp.core.plan.planner import Access
from webapp.core.plan.registry import Registry
from webapp.http.web import current_user, safe_next
from webapp.models import Invitation, User
from webapp.services.directory import people_list


def person_address(person: User | Invitation, noun: str = "", **query: Any) -> str:
    """The address of a person's page, or of something that can be done to them: "/users/12/deactivation"."""
    path = f"{request.script_root}/invitations/{person.id}/{noun or 'details'}"
    if person.is_user:
        path = f"{request.script_root}/users/{person.id}/{noun}".rstrip("/")
    if query:
        path += f"?{urlencode(query)}"
    return path


def allowed_actions(registry: Registry, person: User | Invitation) -> frozenset[Do]:
    """What the current user may do to a person. No query."""
    access = Access(person.role_id, everything=person.all_groups)
    return people_list.allowed_actions(person.status, access, current_user(), registry, person.id)


def menu_context(registry: Registry) -> dict[str, Any]:
    """What templates/people/person/_menu.html needs in addition to the person."""
    back = safe_next(request.args.get("next")) or request.full_path.rstrip("?")
    return {
        "address": person_address,
        "does": partial(allowed_actions, registry),
        "back": back,
        "acted": session.pop("acted", ""),
        "registry": registry,
    }

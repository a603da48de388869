"""What can be done to one person, as a menu in the list and on their page; and who was picked in the list."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import request, session

from webapp.core.lists.people_filter import Filter
from webapp.core.plan.planner import Ref
from webapp.core.plan.registry import Registry
from webapp.http.web import current_user, safe_next
from webapp.models import Invitation, User
from webapp.schemas.batches import parse_people
from webapp.services.directory import lookup, people_list


def person_address(person: User | Invitation, noun: str = "", **query: Any) -> str:
    """The address of a person's page, or of something that can be done to them: "/users/12/deactivation"."""
    path = f"{request.script_root}/invitations/{person.id}/{noun or 'details'}"
    if person.is_user:
        path = f"{request.script_root}/users/{person.id}/{noun}".rstrip("/")
    if query:
        path += f"?{urlencode(query)}"
    return path


def menu_context(registry: Registry) -> dict[str, Any]:
    """What templates/people/person/_menu.html needs in addition to the person."""
    policy = lookup.policy(current_user(), registry)
    return {
        "address": person_address,
        "does": partial(people_list.allowed_actions, policy),
        "back": safe_next(request.args.get("next")) or request.full_path.rstrip("?"),
        "acted": session.pop("acted", ""),
        "registry": registry,
    }


def read_people() -> frozenset[Ref]:
    """Who was picked in the list: `people` ("user-12,invitation-5"), or with `all`, or by GET, all that its filter finds."""
    if request.method == "GET" or request.form.get("all"):
        return people_list.find_refs(Filter.parse(request.args))
    return parse_people(request.form.get("people", ""))

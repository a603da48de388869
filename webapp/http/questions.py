"""Asks before a command that should not happen by accident: as a page at the command's address, or as a dialog."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from webapp.http.web import Answer, page_or_fragment, safe_next

PEOPLE = (("Account Settings", "settings.index"), ("Role Management", "people_list.index"))
"""The trail of questions about people: names and endpoints."""


def ask(
    *,
    section: str = "settings",
    trail: tuple[tuple[str, str], ...] = PEOPLE,
    status: int = 200,
    **question: Any,
) -> Answer:
    """Show a question as a page, or as a form for htmx.

    asks: a sentence with its question mark. tells: what would happen. does, keeps: the two ways on. home: where the second one
    leads, unless one came from elsewhere. is_harmless: nothing is lost. values: what the form sends besides. proof: why it asks
    for one's own password, where it does. problem: what was wrong with the password.
    """
    return page_or_fragment(
        "questions/show.html",
        "questions/_form.html",
        status,
        section=section,
        trail=[(name, url_for(endpoint)) for name, endpoint in trail],
        back=safe_next(request.values.get("next")) or "",
        **question,
    )

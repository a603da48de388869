"""Asks before a command that should not happen by accident: as a page at the command's address, or as a dialog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import request, url_for

from webapp.http.web import page_or_fragment, safe_next

PEOPLE = (("Account Settings", "settings.index"), ("Role Management", "people_list.index"))
"""The trail of questions about people: names and endpoints."""
SETTINGS = PEOPLE[:1]


@dataclass(frozen=True, slots=True)
class Question:
    """asks: a sentence with its question mark. tells: what would happen. does, keeps: the two ways on. home: where the second
    one leads, unless one came from elsewhere. is_bad: something is lost, and not to do it is the safe choice. values: what the
    form sends besides. proof: why it asks for one's own password, where it does."""

    asks: str
    tells: str
    does: str
    home: str
    keeps: str = "Keep"
    is_bad: bool = True
    section: str = "settings"
    trail: Sequence[tuple[str, str]] = PEOPLE
    values: Mapping[str, str] = field(default_factory=dict)
    proof: str = ""


def ask(question: Question, problem: str = "", status: int = 200) -> tuple[str, int]:
    """Show the question as a page, or as a form for htmx. problem: what was wrong with the password."""
    return page_or_fragment(
        "questions/show.html",
        "questions/_form.html",
        status,
        question=question,
        problem=problem,
        back=safe_next(request.form.get("next") or request.args.get("next")) or "",
        trail=[(name, url_for(endpoint)) for name, endpoint in question.trail],
    )

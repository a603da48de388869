"""Every route says who may call it, routes.txt lists them all, and the server keeps to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.factories import make_user
from webapp.cli import route_lines
from webapp.core.permissions import SHIPPED_ROLES

LISTED = Path(__file__).parent.parent / "routes.txt"
PERMISSIONS = {role.name: {str(permission) for permission in role.permissions} for role in SHIPPED_ROLES}
PERSONAL = {"sessions.delete", "sessions.second", "sessions.pass_second"}
"""They end the session of who calls them, or are for who is half-way in."""


def routes(app):
    """(method, path, endpoint, who) of every route but the static files."""
    with app.app_context():
        rows = [line.split(maxsplit=3) for line in route_lines()]
    return [(method, path, endpoint, who) for method, path, endpoint, who in rows if endpoint != "static"]


def call(browser, method, path, user_id=1, **more):
    path = path.replace("<int:user_id>", str(user_id))
    return browser.send(method, re.sub(r"<(int:)?[^>]+>", "1", path), None, **more)


def test_every_route_says_who_may_call_it(app):
    assert [endpoint for _, _, endpoint, who in routes(app) if who == "NOBODY"] == []


def test_routes_txt_lists_every_route(app):
    with app.app_context():
        lines = route_lines()
    assert LISTED.read_text(encoding="utf-8").splitlines() == lines, (
        "Look at the new routes, then: flask muster routes > routes.txt"
    )


@pytest.mark.slow
@pytest.mark.parametrize("role", PERMISSIONS)
def test_a_role_gets_what_its_permissions_include_and_nothing_else(app, sign_in, role):
    wrong, somebody_below = [], make_user("Olga Durand", "Remote").id
    for method, path, endpoint, who in routes(app):
        browser = sign_in(role)
        answer = call(browser, method, path, somebody_below)
        is_allowed = who in ("public", "signed in") or who in PERMISSIONS[role]
        fits = answer.status not in (401, 403) and answer.status < 500 if is_allowed else answer.status == 403
        is_asked_to_sign_in = "/sign-in" in answer.location and endpoint not in PERSONAL
        if endpoint != "health.show" and (not fits or is_asked_to_sign_in):
            wrong.append(f"{method} {path} ({who}): {answer.status} {answer.location}")
    assert wrong == []


def test_who_is_signed_out_is_led_to_the_sign_in(app, client, sign_in):
    sign_in("Owner")
    wrong = []
    for method, path, endpoint, who in routes(app):
        answer, part = call(client, method, path), call(client, method, path, htmx=True)
        if who != "public":
            if (answer.status, part.status) != (303, 401) or "/sign-in" not in answer.location or "/sign-in" not in part.location:
                wrong.append(f"{method} {path}: {answer.status} {answer.location}, for htmx {part.status}")
        elif endpoint != "health.show" and (answer.status >= 500 or answer.status in (401, 403)):
            wrong.append(f"{method} {path}: {answer.status}")
    assert wrong == []

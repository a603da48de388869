"""Who gets in: by a bearer token alone, as far as token and role reach; and what is answered to everybody else."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from webapp.core.errors import MusterError
from webapp.core.security.permissions import SHIPPED_ROLES, Permission
from webapp.db import db, utcnow
from webapp.http import rate_limits
from webapp.http.api import problems
from webapp.models import ApiToken, AuditEvent, UserState

from tests.factories import make_persona
from tests.program import API, Program, program_of
from tests.routes import route_lines
from tests.steps import begin_action, carry_out

TOP = Path(__file__).parents[2]
HELD = {role.name: set(role.permissions) for role in SHIPPED_ROLES}
ALL = tuple(Permission)


def routes(app):
    """(method, path, who) of the API's routes."""
    found = [line.split(maxsplit=3) for line in route_lines(app)]
    return [(method, re.sub("<[^>]+>", "999", path), who) for method, path, _, who in found if path.startswith("/api/v1")]


def test_without_a_token_every_route_is_401(app, client):
    for method, path, who in routes(app):
        if who == "public":
            continue
        answer = client.send(method, path, 401, csrf=False)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (answer.headers["Content-Type"], answer.json["title"]) == ("application/problem+json", "Unauthorized")


def test_a_cookie_opens_nothing_and_takes_no_csrf_token(app, owner):
    """Every blueprint is exempt by itself: what comes without a CSRF token is judged by its bearer token."""
    program = program_of(app, "Owner", ALL)
    for method, path, who in routes(app):
        if who == "public":
            continue
        owner.send(method, path, 401, csrf=False)
        assert program.send(method, path, None, json={} if method not in ("GET", "DELETE") else None).status not in (
            400,
            401,
            403,
        ), path


@pytest.mark.parametrize("name", ["Owner", "Admin", "Investigator", "Analyst", "Remote"])
def test_a_call_takes_the_permission_of_the_token_and_of_the_role(app, name):
    """Token x permission x route: it passes where both have it."""
    make_persona("Owner")
    user = make_persona(name)
    wrong = []
    for permission in HELD[name] or [Permission.USERS_SEE]:
        if not HELD[name]:
            continue
        program = Program(app, user, [permission])
        db.session.refresh(program.token)
        held = set(program.token.permissions) & HELD[name]
        for method, path, who in routes(app):
            if who in ("public", "signed in"):
                continue
            answer = program.send(method, path, None)
            if (answer.status != 403) != (who in held):
                wrong.append(f"{method} {path} ({who}) with {permission}: {answer.status}")
    assert wrong == []


def test_a_role_that_loses_a_permission_takes_it_from_its_tokens(app):
    program = program_of(app)
    program.get("/batches")
    program.user.role.permissions = ["users:see"]
    db.session.commit()
    assert program.get("/batches", 403).json["type"] == "urn:muster:forbidden"


@pytest.mark.parametrize("sent", ["Bearer", "Bearer muster_nothing", "Basic bWU6bWU=", "muster_x", "Bearer  "])
def test_what_is_no_token_is_401(app, client, sent):
    client.get(f"{API}/batches", 401, headers={"Authorization": sent})


def test_an_expired_token_is_401(app):
    program = program_of(app)
    db.session.get_one(ApiToken, program.id).expires_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert program.get("/batches", 401).json["detail"] == "This token is wrong, expired or revoked."
    assert db.session.scalar(db.select(AuditEvent.action).where(AuditEvent.action == "token.refused"))


def test_who_is_deactivated_has_no_tokens_any_more(app, owner):
    program, other = program_of(app), program_of(app, "Analyst")
    carry_out(owner, begin_action(owner, "deactivate", program.user))
    assert db.session.get_one(type(program.user), program.user.id).state is UserState.DEACTIVATED
    assert (program.revoked(), other.revoked()) == (True, False)
    program.get("/batches", 401)


def test_a_token_of_somebody_not_active_is_401_even_where_it_is_still_there(app):
    program = program_of(app)
    program.user.state = UserState.DEACTIVATED
    db.session.commit()
    program.get("/batches", 401)


def test_its_use_is_noted_after_the_answer_and_once_a_minute(app, queries):
    program = program_of(app)
    program.get("/batches")
    first = db.session.get_one(ApiToken, program.id).seen_at
    assert first
    program.get("/batches")
    assert db.session.get_one(ApiToken, program.id).seen_at == first


def test_a_token_may_call_so_often(app, monkeypatch):
    monkeypatch.setattr(rate_limits, "BY_TOKEN", 2)
    program, other = program_of(app), program_of(app, "Analyst")
    for left in (1, 0):
        assert program.get("/batches").headers["RateLimit"].startswith(f'"token";r={left};t=')
    answer = program.get("/batches", 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    other.get("/batches")


def test_many_wrong_tokens_from_one_place_are_429_and_right_ones_still_work(app, client, monkeypatch):
    monkeypatch.setattr(rate_limits, "BY_PEER", 2)
    program = program_of(app)
    wrong = {"headers": {"Authorization": "Bearer muster_wrong"}}
    for status in (401, 401, 429):
        answer = client.get(f"{API}/batches", status, **wrong)
    assert int(answer.headers["Retry-After"]) > 60
    program.get("/batches")


# Every answer is JSON


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("GET", "/nothing", 404, {}),
        ("GET", "/batches/99999999999999", 404, {}),
        ("GET", "/batches/7", 404, {}),
        ("PUT", "/batches", 405, {}),
        ("POST", "/batches", 415, {"data": "a,b", "content_type": "text/csv"}),
        ("POST", "/batches", 400, {"data": "{", "content_type": "application/json"}),
        ("POST", "/batches", 400, {"data": "[" * 100_000, "content_type": "application/json"}),
        ("POST", "/batches", 422, {"json": []}),
        ("POST", "/batches", 422, {"json": {"rows": [{"email": "a@x.org", "roll": "Analyst"}]}}),
        ("GET", "/batches?limit=0", 422, {}),
        ("GET", "/batches?page=2", 422, {}),
    ],
)
def test_problems_are_json(app, method, path, status, more):
    answer = program_of(app).send(method, path, status, **more)
    assert set(answer.json) >= {"type", "title", "status", "detail", "request", "errors"}
    assert answer.json["request"] == answer.headers["X-Request-ID"]


def test_what_is_too_long_is_a_problem(app, monkeypatch):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1000)
    program_of(app).post("/batches", {"rows": [{"email": "a" * 2000, "role": "Analyst"}]}, 413)


def test_a_crash_is_a_problem_with_the_id_of_the_log(app, monkeypatch):
    program = program_of(app)
    monkeypatch.setitem(app.view_functions, "api_batches.index", _crash)
    app.testing = False
    try:
        answer = program.get("/batches", 500)
    finally:
        app.testing = True
    assert answer.json["request"]


def _crash():
    raise ZeroDivisionError


_crash.required = Permission.BATCHES_SEE


def test_a_pointer_says_where(app):
    rows = [{"email": "a@x.org", "role": "Analyst"}, {"email": 7, "roll/e": "x"}]
    answer = program_of(app).post("/batches", {"rows": rows, "optoins": {}}, 422)
    assert {error["pointer"] for error in answer.json["errors"]} == {
        "/rows/1/email", "/rows/1/role", "/rows/1/roll~1e", "/optoins",
    }  # fmt: skip


def test_outside_of_the_api_a_token_is_nothing(app):
    program = program_of(app)
    answer = program.client.get("/batches", 303, headers={"Authorization": f"Bearer {program.text}"})
    assert "/sign-in" in answer.location


def test_no_answer_sets_a_cookie(app):
    program = program_of(app)
    for path in ("/batches", "/nothing", "/openapi.json"):
        assert "Set-Cookie" not in program.send("GET", path, None).headers


def test_every_kind_of_problem_is_in_the_document_for_people():
    listed = set(re.findall(r"`([a-z-]+)`", (TOP / "docs" / "api.md").read_text(encoding="utf-8")))
    kinds, found = [MusterError], set()
    while kinds:
        each = kinds.pop()
        kinds += each.__subclasses__()
        if not each.__module__.startswith("webapp.mail."):  # those are between worker and mail server
            found.add(problems.name_of(each.__new__(each)))
    assert found - {"muster", "entry-refused", "invite-refused"} <= listed, "the last is answered as is-here or rule-violation"

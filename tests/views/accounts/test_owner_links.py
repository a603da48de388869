"""The way back in for a locked-out Owner."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from webapp.db import db, utcnow
from webapp.models import AccountLink, AuditEvent, LinkPurpose, Session, User
from webapp.run import data_folder
from webapp.services.links import account_links
from webapp.services.people import ownership

from tests.factories import PASSWORD, code_of, make_factor, make_persona

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

MAREN = "maren.okafor@northfield.example"
NEW = "a long walk at dusk"


@pytest.fixture
def owner_user(app):
    return make_persona("Owner")


@pytest.fixture
def printed(app):
    """`printed(…)`: runs `muster owner-link …`. -> the token of the link."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=["muster", "owner-link", *arguments])
        assert result.exit_code == 0, result.output
        db.session.rollback()
        off = r"(?: and turns their two-step sign-in off)?" if arguments else ""
        told = rf"Signs in {re.escape(MAREN)}{off}, once, within 30 minutes: http://127.0.0.1:8000/owner-links/(\S+)\n"
        return re.fullmatch(told, result.output)[1]

    return run


def events(action):
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action)).all()


def test_the_link_signs_the_owner_in_once(client, owner_user, printed):
    token = printed()
    assert token not in str(db.session.execute(db.select(AccountLink.__table__)).all())
    page = client.get(f"/owner-links/{token}").page
    assert MAREN in page.text
    client.get("/account", status=303)
    assert client.post(f"/owner-links/{token}").location == "/"
    assert MAREN in client.get("/account").page.text
    client.get(f"/owner-links/{token}", status=410)
    client.post(f"/owner-links/{token}", status=410)
    assert [len(events(action)) for action in ("owner_link.made", "owner_link.used")] == [1, 1]


def test_who_has_forgotten_the_password_sets_a_new_one(client, sign_in, owner_user, printed):
    elsewhere = sign_in(owner_user)
    token = printed()
    assert "Use at least 12 characters." in client.post(f"/owner-links/{token}", {"password": "short"}, status=422).page.text
    client.post(f"/owner-links/{token}", {"password": NEW})
    elsewhere.get("/", status=303)
    client.post("/sign-out")
    client.post("/sign-in", {"email": MAREN, "password": PASSWORD}, status=422)
    client.post("/sign-in", {"email": MAREN, "password": NEW})


def test_the_second_step_is_asked_for_all_the_same(client, owner_user, printed, now):
    make_factor(owner_user)
    assert client.post(f"/owner-links/{printed()}").location == "/sign-in/code"
    client.get("/account", status=303)
    client.post("/sign-in/code", {"code": code_of(owner_user, now.at)})
    client.get("/account")


def test_without_second_factor_turns_it_off(client, owner_user, printed):
    make_factor(owner_user)
    token = printed("--without-second-factor")
    assert "This turns two-step sign-in off" in client.get(f"/owner-links/{token}").page.text
    assert db.session.get_one(User, owner_user.id).has_second_factor, "opening the link changes nothing"
    assert client.post(f"/owner-links/{token}").location == "/"
    assert not db.session.get_one(User, owner_user.id).has_second_factor
    assert len(events("second_factor.off")) == 1


def test_it_works_for_30_minutes_and_a_newer_one_ends_it(client, owner_user, printed):
    first, second = printed(), printed()
    client.get(f"/owner-links/{first}", status=410)
    link = db.session.scalars(db.select(AccountLink).where(AccountLink.closed_at.is_(None))).one()
    link.expires_at = utcnow()
    db.session.commit()
    client.get(f"/owner-links/{second}", status=410)
    client.post(f"/owner-links/{second}", status=410)
    assert db.session.scalars(db.select(Session)).all() == []


def test_it_is_for_the_owner_alone(client, owner_user, printed):
    token = printed()
    heir = make_persona("Admin")
    ownership.hand_over(heir.id, owner_user, heir.role_id)
    client.get(f"/owner-links/{token}", status=410)
    client.post(f"/owner-links/{token}", status=410)


def test_a_link_for_somebody_else_signs_in_in_the_demo_alone(client, owner_user, settings):
    analyst = make_persona("Analyst")
    path = urlsplit(account_links.link_url(account_links.create_link(analyst, LinkPurpose.SIGN_IN))).path
    db.session.commit()
    client.get(path, status=410)
    client.post(path, status=410)
    mark = settings.data_dir / data_folder.DEMO
    mark.touch()
    try:
        assert client.get(path).page.h1 == f"Sign in as {analyst.name}"
        client.post(path)
        assert analyst.email in client.get("/account").page.text
        client.get(path, status=410)
    finally:
        mark.unlink()


def test_while_there_is_no_owner_it_says_so(app):
    result = app.test_cli_runner().invoke(args=["muster", "owner-link"])
    assert result.exit_code == 1
    assert "There is no Owner yet" in result.output

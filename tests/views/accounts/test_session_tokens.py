"""A cookie that somebody has copied ends when its session is replaced, and when what signs its user in changes."""

from __future__ import annotations

import re

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Session, User
from webapp.services.accounts import password_reset, profile, sessions
from webapp.services.links.account_links import link_url

from tests.client import Client
from tests.factories import PASSWORD, code_of, make_factor, make_invitation, make_persona, make_user, token_of
from tests.mail_fixtures import due_emails

pytestmark = [pytest.mark.slow, pytest.mark.any_database]  # passwords are hashed slowly on purpose

NEW = "a long walk at dusk"


def copy_of(app, browser):
    """Another browser with a copy of this one's cookie."""
    copy = Client(app)
    copy.set_cookie(sid=browser.cookie())
    copy.get("/account")
    return copy


def assert_ended(copy):
    assert copy.get("/account", status=303).location.startswith("/sign-in")


@pytest.fixture
def victim(sign_in):
    return sign_in(make_user("Amelia Hart"))


def signed_out(user):
    ended = db.select(AuditEvent).where(AuditEvent.action == "session.ended", AuditEvent.subject_id == user.id)
    return db.session.scalars(ended).all()


class TestOnTopOfSomebodyElsesSession:
    def test_signing_in_ends_it(self, app, victim):
        other = make_user("Ana Ruiz")
        copy = copy_of(app, victim)
        victim.post("/sign-in", {"email": other.email, "password": PASSWORD})
        assert other.email in victim.get("/account").page.text
        assert_ended(copy)
        assert len(signed_out(victim.user)) == 1

    def test_signing_in_with_two_steps_ends_it_after_the_second(self, app, victim, now):
        other = make_user("Ana Ruiz")
        make_factor(other)
        copy = copy_of(app, victim)
        victim.post("/sign-in", {"email": other.email, "password": PASSWORD})
        copy.get("/account")
        victim.post("/sign-in/code", {"code": code_of(db.session.get_one(User, other.id), now.at)})
        assert_ended(copy)

    def test_accepting_an_invitation_ends_it(self, app, victim):
        link = f"/invitations/{token_of(make_invitation())}"
        copy = copy_of(app, victim)
        victim.post(link, {"name": "Inês Carvalho", "password": NEW})
        assert_ended(copy)
        assert db.session.scalars(db.select(Session).where(Session.user_id == victim.user.id)).all() == []

    def test_the_owners_link_ends_it(self, app, victim):
        link = password_reset.make_owner_link(without_second_factor=False)
        path = re.search(r"/owner-links/\S+", link_url(link))[0]
        copy = copy_of(app, victim)
        victim.post(path, {})
        assert_ended(copy)

    def test_other_sessions_of_theirs_go_on(self, app, victim, sign_in):
        elsewhere = sign_in(victim.user)
        other = make_user("Ana Ruiz")
        victim.post("/sign-in", {"email": other.email, "password": PASSWORD})
        elsewhere.get("/account")

    def test_signing_in_again_as_oneself_ends_the_session_before(self, app, victim):
        copy = copy_of(app, victim)
        victim.post("/sign-in", {"email": victim.user.email, "password": PASSWORD})
        assert_ended(copy)


class TestTheSessionThatChangesWhatSignsOneIn:
    @pytest.fixture
    def copy(self, app, victim):
        return copy_of(app, victim)

    def test_password(self, victim, copy):
        victim.post("/account/password", {"current": PASSWORD, "password": NEW})
        assert_ended(copy)
        assert "Your password is changed." in victim.get("/account").page.text

    def test_one_that_was_ended_meanwhile_stays_ended(self, app, victim, monkeypatch):
        change = profile.change_password

        def change_and_end(user, *args):
            change(user, *args)
            sessions.end_sessions(user, user)

        monkeypatch.setattr(profile, "change_password", change_and_end)
        victim.post("/account/password", {"current": PASSWORD, "password": NEW})
        assert_ended(victim)

    def test_two_step_sign_in_on(self, victim, copy, now):
        page = victim.get("/account/second-factor").page
        assert page
        user, salt = db.session.get_one(User, victim.user.id), victim.cookie("totp_salt")
        user.totp_salt = salt
        code = code_of(user, now.at)
        db.session.rollback()
        victim.post("/account/second-factor", {"current": PASSWORD, "code": code}, status=200)
        assert_ended(copy)
        victim.get("/account")

    @pytest.mark.parametrize(("what", "status"), [("removal", 303), ("codes", 200)])
    def test_two_step_sign_in_off_and_recovery_codes(self, victim, copy, now, what, status):
        codes = make_factor(victim.user)
        victim.post(f"/account/second-factor/{what}", {"current": PASSWORD, "code": codes[0]}, status=status)
        assert_ended(copy)
        victim.get("/account")

    def test_email(self, app, victim, copy):
        victim.post("/account/email", {"current": PASSWORD, "email": "a.hart@northfield.example"})
        assert_ended(copy)
        second = copy_of(app, victim)
        letters = due_emails()
        (path,) = [found[0] for each in letters if (found := re.search(r"/email-changes/\S+", each.text))]
        victim.post(path)
        assert_ended(second)
        assert "a.hart@northfield.example" in victim.get("/account").page.text

    def test_a_wrong_password_renews_nothing(self, victim, copy):
        victim.post("/account/password", {"current": "wrong wrong wrong", "password": NEW}, status=422)
        copy.get("/account")

    def test_handing_over_ownership(self, app, owner):
        heir = make_persona("Admin")
        copy = copy_of(app, owner)
        owner.post("/ownership", {"heir": heir.id, "role": heir.role_id, "password": PASSWORD})
        assert_ended(copy)
        owner.get("/account")

"""Forgotten passwords."""

from __future__ import annotations

import contextvars
import re
from datetime import timedelta

import pytest
from webapp.core.security import passwords
from webapp.db import db, utcnow
from webapp.jobs import outbox as jobs
from webapp.models import (
    AccountLink,
    AuditEvent,
    Invitation,
    InvitationState,
    LinkPurpose,
    Message,
    MessageKind,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import password_reset
from webapp.services.links import account_links
from webapp.services.mail import render

from tests.client import Client
from tests.factories import PASSWORD, make_invitation, make_persona, make_user, token_of
from tests.mail_fixtures import due_emails, message_to

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

AMELIA = "amelia.hart@northfield.example"
INES = "ines@northfield.example"
NEW = "a long walk at dusk"


@pytest.fixture
def amelia(app):
    make_persona("Owner")
    return make_user()


def link_to(email):
    """The token of the newest link that was mailed to somebody."""
    letters = due_emails()
    (text,) = [letter.text for letter in letters if letter.to == email and "/password-resets/" in letter.text]
    return re.search(r"/password-resets/(\S+)", text)[1]


def ask(client, email=AMELIA, status=200):
    return client.post("/password-resets/new", {"email": email}, status=status)


def plain(text):
    """An answer without its CSRF tokens, which differ each time."""
    return re.sub(r'"[\w.-]{80,}"', "", text)


def actions():
    return db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)).all()


def test_from_the_sign_in_to_a_new_password(client, amelia):
    assert client.get("/sign-in").page.all("a", href="/password-resets/new")
    client.get("/password-resets/new")
    assert ask(client, " Amelia.HART@northfield.example ").page.h1 == "Ask for your link"
    token = link_to(AMELIA)
    page = client.get(f"/password-resets/{token}").page
    assert f"For {AMELIA}." in page.text
    answer = client.post(f"/password-resets/{token}", {"password": NEW})
    assert answer.location == "/sign-in"
    assert "Your password is changed. Sign in with it." in client.get("/sign-in").page.text
    client.post("/sign-in", {"email": AMELIA, "password": PASSWORD}, status=422)
    client.post("/sign-in", {"email": AMELIA, "password": NEW})
    assert "password.changed" in actions()


@pytest.mark.parametrize("email", ["nobody@northfield.example", "gone@northfield.example", "no address at all"])
def test_unknown_and_known_addresses_get_the_same_answer_by_the_same_work(client, amelia, queries, email):
    make_user("Hannah Whitcombe", email="gone@northfield.example", state=UserState.DEACTIVATED)

    def answered(address):
        """The answer, and what was asked of the database before it was given."""
        queries.clear()
        sent = {"data": {"email": address}, "headers": {"X-CSRFToken": client.token()}}
        response = contextvars.Context().run(client.flask.open, "/password-resets/new", method="POST", **sent)
        before = list(queries)
        text = response.get_data(as_text=True)
        response.close()  # what comes after the answer runs now
        assert len(queries) > len(before)
        return response.status_code, plain(text.replace(address, "…")), before

    assert answered(AMELIA) == answered(email)
    assert db.session.scalars(db.select(Message.recipient)).all() == [AMELIA]


def test_asking_for_an_unknown_address_is_counted_in_the_log(client, amelia):
    ask(client, "nobody@northfield.example")
    ask(client, "nobody@northfield.example")
    (event,) = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "password_reset.refused"))
    assert (event.subject, event.count, event.address) == ("nobody@northfield.example", 2, client.peer)


def test_asking_is_limited_by_account_and_peer_and_says_so(client, amelia):
    for _ in range(10):
        ask(client)
    answer = ask(client, status=429)
    assert "Too many tries. Try again in 15 minutes." in answer.page.text
    (event,) = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "limit.refused"))
    assert (event.subject, event.address) == (f"password reset for {AMELIA}", client.peer)
    client.post("/sign-in", {"email": AMELIA, "password": PASSWORD})  # signing in is counted by itself


def test_nobody_gets_more_than_three_links_an_hour_and_those_stay_good(client, amelia):
    for _ in range(5):
        ask(client)
    links = db.session.scalars(db.select(AccountLink)).all()
    assert len(links) == 3
    for link in links:
        token = account_links.link_url(link).rpartition("/")[2]
        client.get(f"/password-resets/{token}")


class TestWhoWasInvited:
    """Somebody who has no account yet, and asks for a password all the same."""

    def sent(self):
        db.session.rollback()
        of_them = Message.recipient == INES, Message.kind == MessageKind.INVITATION
        return db.session.scalars(db.select(Message).where(*of_them).order_by(Message.id)).all()

    def test_gets_the_invitation_again_and_the_answer_of_everybody(self, client, amelia):
        invited = make_invitation(INES)
        until = invited.expires_at
        answers = {plain(ask(client, email).text.replace(email, "…")) for email in (INES, AMELIA, "nobody@northfield.example")}
        assert len(answers) == 1
        (message,) = self.sent()
        letter = render.render(message, sending=True)
        assert f"/invitations/{token_of(invited)}" in letter.text
        assert db.session.get_one(Invitation, invited.id).expires_at == until, "its time is not extended"
        assert actions().count("invitation.sent_again") == 1

    def test_three_times_an_hour_counted_together_with_resending(self, client, sign_in):
        invited = make_invitation(INES)
        first = {"kind": MessageKind.INVITATION, "priority": 2, "recipient": INES, "message_id": "<1@x>"}
        db.session.add(Message(**first, invitation_id=invited.id))
        db.session.commit()
        sign_in("Admin").post(f"/invitations/{invited.id}/messages")
        for _ in range(4):
            ask(client, INES)
        assert len(self.sent()) == 1 + 3

    def test_gets_a_new_link_where_the_invitation_has_expired_and_the_old_one_stays_dead(self, client, amelia, change_settings):
        change_settings(mail_url="smtp://127.0.0.1:1")
        expired = make_invitation(INES, expires_in=timedelta(days=-1))
        old = token_of(expired)
        answers = {plain(ask(client, email).text.replace(email, "…")) for email in (INES, "nobody@northfield.example")}
        assert len(answers) == 1
        (message,) = self.sent()
        fresh = token_of(db.session.get_one(Invitation, expired.id))
        assert f"/invitations/{fresh}" in render.render(message, sending=True).text
        assert fresh != old
        client.get(f"/invitations/{fresh}")
        client.get(f"/invitations/{old}", status=404)

    @pytest.mark.parametrize("how", [{"state": InvitationState.REVOKED}, {"expires_in": None}])
    def test_not_where_the_invitation_is_withdrawn_or_has_not_gone_yet(self, client, amelia, how, change_settings):
        change_settings(mail_url="smtp://127.0.0.1:1")
        make_invitation(INES, **how)
        ask(client, INES)
        assert self.sent() == []

    def test_an_expired_one_is_not_revived_where_no_email_is_sent(self, client, amelia):
        expired = make_invitation(INES, expires_in=timedelta(days=-1))
        ask(client, INES)
        assert self.sent() == []
        client.get(f"/invitations/{token_of(expired)}", status=410)


def test_opening_the_link_changes_nothing(client, amelia, queries):
    ask(client)
    token = link_to(AMELIA)
    queries.clear()
    client.get(f"/password-resets/{token}")
    assert not [each for each in queries if not each.startswith("SELECT")], queries
    client.post(f"/password-resets/{token}", {"password": NEW})


def test_the_link_works_once_and_its_sisters_end(client, amelia):
    ask(client)
    first = link_to(AMELIA)
    link = account_links.create_link(amelia, LinkPurpose.RESET)
    db.session.commit()
    second = account_links.link_url(link).rpartition("/")[2]
    client.post(f"/password-resets/{first}", {"password": NEW})
    for token in (first, second, "x" * 43):
        assert "This link does not work any more" in client.get(f"/password-resets/{token}", status=410).page.text
        client.post(f"/password-resets/{token}", {"password": NEW}, status=410)


def test_the_link_works_for_60_minutes(client, amelia):
    ask(client)
    token = link_to(AMELIA)
    link = db.session.scalars(db.select(AccountLink)).one()
    assert timedelta(minutes=59) < link.expires_at - utcnow() <= timedelta(minutes=60)
    link.expires_at = utcnow()
    db.session.commit()
    client.get(f"/password-resets/{token}", status=410)
    client.post(f"/password-resets/{token}", {"password": NEW}, status=410)


def test_a_password_that_does_not_do_is_told_and_costs_nothing(client, amelia):
    ask(client)
    token = link_to(AMELIA)
    page = client.post(
        f"/password-resets/{token}", {"password": "amelia.hart1", "name": "x", "email": "x@x.org"}, status=422
    ).page
    assert "Not your name or email" in page.text
    client.post(f"/password-resets/{token}", {"password": NEW})


def test_everybody_signed_in_with_the_old_password_is_signed_out_and_the_person_is_told(client, sign_in, amelia):
    elsewhere = sign_in(amelia)
    ask(client)
    client.post(f"/password-resets/{link_to(AMELIA)}", {"password": NEW})
    elsewhere.get("/", status=303)
    assert db.session.scalars(db.select(Session).where(Session.user_id == amelia.id)).all() == []
    assert message_to(AMELIA).kind is MessageKind.PASSWORD_CHANGED
    jobs.send()
    assert message_to(AMELIA).result["code"] == "file"


def test_who_is_deactivated_meanwhile_does_not_come_back(client, amelia):
    ask(client)
    token = link_to(AMELIA)
    amelia.state = UserState.DEACTIVATED
    db.session.commit()
    client.get(f"/password-resets/{token}", status=410)
    client.post(f"/password-resets/{token}", {"password": NEW}, status=410)


def test_the_link_is_never_in_outgoing_mail(client, owner, amelia):
    ask(client)
    message = message_to(AMELIA)
    assert AMELIA not in owner.get("/messages").page.text
    owner.get(f"/messages/{message.id}", status=404)
    owner.get(f"/messages/{message.id}/html", status=404)


def test_the_answer_tells_of_an_email_only_where_one_is_sent(client, amelia, change_settings):
    for email in (AMELIA, "nobody@northfield.example"):
        page = ask(client, email).page
        assert f"Muster sends no email here. If {email} has an account, a person who manages users" in page.text
        assert "on its way" not in page.text
    change_settings(mail_url="smtp://mail.northfield.example")
    page = ask(client).page
    assert page.h1 == "Check your inbox"
    assert f"If {AMELIA} has an account here, an email with a link is on its way." in page.text


# A link from somebody who manages users


def test_without_a_mail_server_one_who_manages_users_hands_a_link_over(admin, client, amelia):
    assert "Ask a person who manages users for a link" in client.get("/password-resets/new").page.text
    listed = admin.get("/users").text
    assert f"/users/{amelia.id}/reset-link" in listed
    assert listed.index("Make reset link") < listed.index(f"/users/{amelia.id}/deactivation"), "what destroys stands last"
    asked = admin.get(f"/users/{amelia.id}/reset-link").page
    assert "Make a reset link for Amelia Hart?" in asked.text
    assert db.session.scalars(db.select(AccountLink)).all() == []
    page = admin.post(f"/users/{amelia.id}/reset-link", status=200).page
    (address,) = [field["value"] for field in page.all("input", id="link")]
    token = address.rpartition("/")[2]
    assert address == f"http://127.0.0.1:8000/password-resets/{token}"
    assert token not in admin.get("/users").text
    event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "password.link_made")).one()
    assert (event.actor, event.subject) == (admin.user.email, AMELIA)
    assert token not in str(event.details)
    client.post(f"/password-resets/{token}", {"password": NEW})


def test_a_link_to_the_account_of_who_manages_users_costs_the_password(owner, client):
    devika = make_persona("Admin")
    path = f"/users/{devika.id}/reset-link"
    assert owner.get(path).page.all("input", name="password")
    for sent, problem in (
        ({}, "Type your password: anyone with this link is Admin."),
        ({"password": "wrong"}, "This is not your password"),
    ):
        for htmx in (False, True):
            assert problem in owner.post(path, sent, status=422, htmx=htmx).page.text
    assert db.session.scalars(db.select(AccountLink)).all() == []
    page = owner.post(path, {"password": PASSWORD}, status=200).page
    (address,) = [field["value"] for field in page.all("input", id="link")]
    client.post(f"/password-resets/{address.rpartition('/')[2]}", {"password": NEW})


def test_with_a_mail_server_nobody_makes_links(admin, amelia, change_settings):
    change_settings(mail_url="smtp://mail.northfield.example")
    for ask in (admin.get, admin.post):
        assert "Forgot password?" in ask(f"/users/{amelia.id}/reset-link", status=422).page.text
    assert "reset-link" not in admin.get("/users").text


@pytest.mark.parametrize("role", ["Owner", "Admin"])
def test_nobody_makes_a_link_for_somebody_not_ranked_below(admin, role):
    other = make_persona("Owner") if role == "Owner" else make_user("Second Admin", "Admin")
    for user in (other, admin.user):
        admin.get(f"/users/{user.id}/reset-link", status=403)
        admin.post(f"/users/{user.id}/reset-link", status=403)
    assert db.session.scalars(db.select(AccountLink)).all() == []


def test_no_link_for_somebody_deactivated_or_unknown(admin):
    gone = make_user("Hannah Whitcombe", state=UserState.DEACTIVATED)
    assert "This account is deactivated." in admin.post(f"/users/{gone.id}/reset-link", status=409).page.text
    admin.post("/users/4711/reset-link", status=404)


def test_both_ways_hash_the_same_passwords_at_sign_in(client, amelia, monkeypatch):
    """A known and an unknown address cost the same work, seen through the page."""
    checked = []
    verify = passwords.PasswordHasher.verify
    monkeypatch.setattr(passwords.PasswordHasher, "verify", lambda *args: checked.append(1) or verify(*args))
    answers = [
        Client(client.app).post("/sign-in", {"email": email, "password": "wrong"}, status=422).text.replace(email, "…")
        for email in (AMELIA, "nobody@northfield.example")
    ]
    assert len(checked) == 2
    assert plain(answers[0]) == plain(answers[1])


def test_a_reset_of_nobody_is_no_error(app):
    password_reset.ask("", "192.0.2.1")
    assert db.session.scalars(db.select(User)).all() == []

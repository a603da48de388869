"""One's own account."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import AuditEvent, Invitation, InvitationState, Message, MessageKind, MessageState, Session, User, UserState

from tests.client import Client
from tests.factories import PASSWORD, make_persona, make_user
from tests.mail_fixtures import due_emails, make_message, message_to

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

AMELIA = "amelia.hart@northfield.example"
HART = "a.hart@northfield.example"
NEW = "a long walk at dusk"


@pytest.fixture
def amelia(sign_in):
    return sign_in(make_user())


def events(action):
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)).all()


def token_to(email):
    """The token of the link that was mailed to a new address."""
    letters = due_emails()
    (text,) = [letter.text for letter in letters if letter.to == email and "/email-changes/" in letter.text]
    return re.search(r"/email-changes/(\S+)", text)[1]


def test_the_account_menu_leads_to_it_for_everybody(sign_in):
    for role in ("Owner", "Remote"):
        browser = sign_in(role)
        assert browser.get("/").page.all("a", href="/account")
        page = browser.get("/account").page
        assert page.h1 == "Your account"
        assert browser.user.email in page.text


def test_the_name_is_changed_and_told_in_the_log(amelia):
    amelia.post("/account/name", {"name": "  Amelia   Hartley "})
    assert "Your name is changed." in amelia.get("/account").page.text
    assert db.session.get_one(User, amelia.user.id).name == "Amelia Hartley"
    (event,) = events("user.changed")
    assert event.details == {"before": {"name": "Amelia Hart"}, "after": {"name": "Amelia Hartley"}}
    assert "Type your name." in amelia.post("/account/name", {"name": " "}, status=422).page.text


# Password


def test_a_new_password_needs_the_old_one_and_signs_other_devices_out(sign_in, amelia, client):
    elsewhere = sign_in(amelia.user)
    amelia.post("/account/password", {"current": PASSWORD, "password": NEW})
    assert "Other devices are signed out." in amelia.get("/account").page.text
    elsewhere.get("/", status=303)
    client.post("/sign-in", {"email": AMELIA, "password": PASSWORD}, status=422)
    client.post("/sign-in", {"email": AMELIA, "password": NEW})
    assert message_to(AMELIA).kind is MessageKind.PASSWORD_CHANGED
    (event,) = events("password.changed")
    assert event.details == {"how": "by themselves", "sessions_ended": 1}


@pytest.mark.any_database
def test_a_password_that_does_not_do_changes_nothing(amelia, client):
    for current, password, said in (
        ("wrong horse battery", NEW, "This is not your password. Nothing was changed."),
        ("", NEW, "Type your current password."),
        (PASSWORD, "short", "Use at least 12 characters."),
        (PASSWORD, "amelia.hart1", "Not your name or email"),
    ):
        assert said in amelia.post("/account/password", {"current": current, "password": password}, status=422).page.text
    client.post("/sign-in", {"email": AMELIA, "password": PASSWORD})


def test_the_own_password_cannot_be_guessed_at(amelia):
    for _ in range(10):
        amelia.post("/account/password", {"current": "wrong", "password": NEW}, status=422)
    answer = amelia.post("/account/password", {"current": PASSWORD, "password": NEW}, status=429)
    assert "Too many tries. Try again in 15 minutes." in answer.page.text


# E-mail


def ask(browser, email=HART, current=PASSWORD, status=303):
    return browser.post("/account/email", {"email": email, "current": current}, status=status)


def test_the_email_changes_when_the_new_address_is_confirmed(amelia, client):
    ask(amelia)
    page = amelia.get("/account").page
    assert f"{HART} waits to be confirmed" in page.text
    assert db.session.get_one(User, amelia.user.id).email == AMELIA
    assert message_to(AMELIA).kind is MessageKind.EMAIL_CHANGING
    token = token_to(HART)
    assert HART in client.get(f"/email-changes/{token}").page.text
    assert db.session.get_one(User, amelia.user.id).email == AMELIA, "opening the link changes nothing"
    assert client.post(f"/email-changes/{token}").location == "/sign-in"
    client.post("/sign-in", {"email": AMELIA, "password": PASSWORD}, status=422)
    client.post("/sign-in", {"email": HART, "password": PASSWORD})
    assert "This link does not work any more" in client.get(f"/email-changes/{token}", status=410).page.text
    client.post(f"/email-changes/{token}", status=410)
    (event,) = events("user.changed")
    assert (event.details["before"], event.details["after"]) == ({"email": AMELIA}, {"email": HART})


def test_confirming_an_email_sets_no_password(amelia, client):
    ask(amelia)
    client.post(f"/email-changes/{token_to(HART)}", {"password": NEW})
    client.post("/sign-in", {"email": HART, "password": NEW}, status=422)
    client.post("/sign-in", {"email": HART, "password": PASSWORD})


def test_users_win_a_pending_invitation_for_the_new_address_is_revoked(amelia, client):
    invitation = db.session.get_one(Invitation, make_message(HART).invitation_id)
    ask(amelia)
    assert invitation.state is InvitationState.PENDING
    client.post(f"/email-changes/{token_to(HART)}")
    assert db.session.get_one(type(invitation), invitation.id).state is InvitationState.REVOKED
    (event,) = events("invitation.revoked")
    assert (event.actor_id, event.subject_id) == (amelia.user.id, invitation.id)
    waiting = db.session.scalars(db.select(Message).where(Message.invitation_id == invitation.id)).one()
    assert waiting.state is MessageState.CANCELLED


@pytest.mark.any_database
def test_an_email_that_does_not_do_changes_nothing(amelia):
    for email, current, said in (
        ("nowhere", PASSWORD, "No @ in email."),
        (" ", PASSWORD, "Type your new email."),
        (HART, "wrong", "This is not your password."),
        ("Amelia.Hart@northfield.example", PASSWORD, "This is your email already."),
    ):
        assert said in ask(amelia, email, current, status=422).page.text
    assert events("email.change_asked") == []


def test_whether_somebody_has_an_account_is_not_said_to_who_asks_for_their_address(amelia, client):
    maren = "maren.okafor@northfield.example"
    taken, free = ask(amelia, maren), ask(amelia, "nobody@northfield.example")
    assert (taken.status, taken.location) == (free.status, free.location)
    ask(amelia, maren)
    assert "Another person may have this email" in client.post(f"/email-changes/{token_to(maren)}", status=410).page.text
    assert db.session.get_one(User, amelia.user.id).email == AMELIA


class TestMailsAnHour:
    """A person who is signed in can have only so many e-mails sent."""

    def test_to_addresses_of_their_choice(self, sign_in):
        remote = sign_in("Remote")
        for n in range(5):
            ask(remote, f"stranger{n}@x.example")
        page = ask(remote, "stranger5@x.example", status=429).page
        assert "You did this 5 times within the hour." in page.text
        ask(remote, "not an address", status=422)
        sent = db.session.scalars(db.select(Message.recipient).where(Message.kind == MessageKind.EMAIL_CHANGE)).all()
        assert len(sent) == 5
        assert [event.actor_id for event in events("limit.refused")] == [remote.user.id]
        db.session.execute(db.update(Message).values(created_at=utcnow() - timedelta(hours=2)))
        db.session.commit()
        ask(remote, "stranger5@x.example")

    def test_withdrawing_does_not_give_one_back(self, sign_in):
        remote = sign_in("Remote")
        for n in range(5):
            ask(remote, f"stranger{n}@x.example")
            remote.post("/account/email/withdrawal")
        ask(remote, "stranger5@x.example", status=429)

    def test_about_their_own_password(self, sign_in):
        remote, passwords = sign_in("Remote"), [PASSWORD, *(f"plum kettle orbit {n}" for n in range(6))]
        for n in range(6):
            sent = {"current": passwords[n], "password": passwords[n + 1]}
            answer = remote.post("/account/password", sent, 303 if n < 5 else 429)
        assert "You did this 5 times within the hour." in answer.page.text
        told = db.session.scalars(db.select(Message).where(Message.kind == MessageKind.PASSWORD_CHANGED)).all()
        assert len(told) == 5


def test_somebody_who_takes_the_address_meanwhile_keeps_it(amelia, client):
    ask(amelia)
    token = token_to(HART)
    make_user("Albert Hart", email=HART)
    assert "Another person may have this email" in client.post(f"/email-changes/{token}", status=410).page.text
    assert db.session.get_one(User, amelia.user.id).email == AMELIA


def test_a_change_can_be_withdrawn_and_a_new_one_ends_the_one_before_it(amelia, client):
    ask(amelia)
    first = token_to(HART)
    ask(amelia, "hart@northfield.example")
    client.get(f"/email-changes/{first}", status=410)
    second = token_to("hart@northfield.example")
    amelia.post("/account/email/withdrawal")
    client.post(f"/email-changes/{second}", status=410)
    assert "waits to be confirmed" not in amelia.get("/account").page.text
    amelia.post("/account/email/withdrawal")
    assert len(events("email.change_withdrawn")) == 1


def test_a_change_that_is_withdrawn_before_its_email_went_is_not_sent(amelia):
    ask(amelia)
    amelia.post("/account/email/withdrawal")
    assert [letter.to for letter in due_emails()] == [AMELIA]
    assert message_to(HART).state is MessageState.CANCELLED


# Sessions


def test_sessions_are_listed_with_device_address_and_time_and_ended_one_by_one(sign_in, amelia, app):
    elsewhere, third = sign_in(amelia.user), sign_in(amelia.user)
    here, there, _ = db.session.scalars(db.select(Session).where(Session.user_id == amelia.user.id).order_by(Session.id)).all()
    there.user_agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    there.address, there.seen_at = "198.51.100.7", utcnow() - timedelta(hours=2)
    db.session.commit()
    page = amelia.get("/account").page
    assert "Firefox on Windows 198.51.100.7 · Last active today at" in page.text.replace("yesterday", "today")
    assert "Active now" in page.text
    assert not page.all("form", action=f"/account/sessions/{here.id}/end")
    amelia.post(f"/account/sessions/{there.id}/end")
    elsewhere.get("/", status=303)
    assert "Your other devices have to sign in again." in amelia.get("/account/sessions/end").page.text
    third.get("/")
    amelia.post("/account/sessions/end")
    assert "Signed out on 1 other device." in amelia.get("/account").page.text
    third.get("/", status=303)
    amelia.get("/account")
    amelia.post(f"/account/sessions/{here.id}/end")
    assert "Signed out on 0 other devices." in amelia.get("/account").page.text, "not this one: that is signing out"


def test_nobody_ends_the_session_of_somebody_else(amelia, owner):
    own = db.session.scalars(db.select(Session).where(Session.user_id == owner.user.id)).one()
    amelia.post(f"/account/sessions/{own.id}/end")
    owner.get("/")


def test_the_page_costs_the_same_however_many_sessions_there_are(amelia, sign_in, queries):
    def cost():
        queries.clear()
        amelia.get("/account")
        return len(queries)

    first = cost()
    for _ in range(9):
        sign_in(amelia.user)
    assert cost() == first, queries


# What an administrator changes counts at the next request


def test_who_is_deactivated_is_out_at_the_next_request(amelia):
    amelia.get("/account")
    db.session.get_one(User, amelia.user.id).state = UserState.DEACTIVATED
    db.session.commit()
    assert amelia.get("/account", status=303).location.startswith("/sign-in")
    amelia.post("/account/name", {"name": "x"}, status=303)


def test_who_is_demoted_may_less_at_the_next_request(admin):
    admin.get("/messages")
    user = db.session.get_one(User, admin.user.id)
    user.role = make_persona("Remote").role
    db.session.commit()
    admin.get("/messages", status=403)
    admin.get("/users", status=403)


@pytest.mark.parametrize(("limit", "ago"), [("seen_at", timedelta(minutes=31)), ("created_at", timedelta(hours=3))])
def test_sessions_end_when_idle_and_when_old_as_the_settings_say(amelia, change_settings, limit, ago):
    change_settings(session_idle=timedelta(minutes=30), session_max=timedelta(hours=2))
    session = db.session.scalars(db.select(Session).where(Session.user_id == amelia.user.id)).one()
    setattr(session, limit, utcnow() - ago + timedelta(minutes=90 if limit == "created_at" else 2))
    db.session.commit()
    amelia.get("/account")
    setattr(db.session.get_one(Session, session.id), limit, utcnow() - ago)
    db.session.commit()
    amelia.get("/account", status=303)


def test_signed_out_nobody_has_an_account_page(client: Client, app):
    make_persona("Owner")
    assert client.get("/account", status=303).location == "/sign-in?next=/account"

"""Two-step sign-in."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from html import unescape

import pytest
from pyotp import TOTP
from webapp.core.security import totp
from webapp.core.security.tokens import hash_token
from webapp.db import db
from webapp.models import AuditEvent, Message, MessageKind, RecoveryCode, Session, User
from webapp.services.settings import in_force

from tests.client import Client
from tests.factories import PASSWORD, code_of, make_factor, make_persona, make_user
from tests.mail_fixtures import message_to

AMELIA = "amelia.hart@northfield.example"

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose


@pytest.fixture
def amelia(app):
    make_persona("Owner")
    return make_user()


def first_step(client, password=PASSWORD, **more):
    return client.post("/sign-in", {"email": AMELIA, "password": password, **more})


def second_step(client, code, status=303):
    return client.post("/sign-in/code", {"code": code}, status=status)


def events(action):
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)).all()


# Set up


def test_it_is_set_up_with_a_code_and_gives_ten_recovery_codes(sign_in, now, client):
    browser = sign_in(make_user())
    assert browser.get("/account").page.all("a", href="/account/second-factor")
    page = browser.get("/account/second-factor").page
    (picture,) = page.all("img", class_="qr")
    assert picture["src"].startswith("data:image/svg+xml")
    secret = re.search(r"Type this key into the app: ((?:[A-Z2-7]{4} ?){8})", page.text)[1].replace(" ", "")
    answer = browser.post("/account/second-factor", {"code": TOTP(secret).at(now.at), "current": PASSWORD}, status=200)
    codes = re.findall(r"(?:[0-9a-f]{4}-){4}[0-9a-f]{4}", answer.text)
    assert len(set(codes)) == 10
    stored = db.session.scalars(db.select(RecoveryCode.code_hash)).all()
    assert sorted(stored) == sorted(hash_token(totp.plain(code)) for code in codes)
    assert not any(code in browser.get("/account/second-factor").text for code in codes), "shown once"
    assert message_to(AMELIA).kind is MessageKind.SECOND_FACTOR_ON
    assert len(events("second_factor.on")) == 1
    assert first_step(client).location == "/sign-in/code"
    now.pass_(30)
    second_step(client, TOTP(secret).at(now.at))


@pytest.mark.parametrize(
    ("code", "current", "said"),
    [("000000", PASSWORD, "This code is not right, or was used already."), ("", PASSWORD, "Type the code."),
     (None, "wrong", "This is not your password. Nothing was changed."), (None, "", "Type your current password.")],
)  # fmt: skip
def test_a_wrong_code_or_password_turns_nothing_on(sign_in, now, code, current, said):
    browser = sign_in(make_user())
    page = browser.get("/account/second-factor").page
    secret = re.search(r"Type this key into the app: ((?:[A-Z2-7]{4} ?){8})", page.text)[1]
    sent = {"code": TOTP(secret.replace(" ", "")).at(now.at) if code is None else code, "current": current}
    page = browser.post("/account/second-factor", sent, status=422).page
    assert said in page.text
    assert secret in page.text, "the same secret goes on: it is in the app by now"
    assert not db.session.get_one(User, browser.user.id).has_second_factor


def test_after_five_emails_about_it_within_the_hour_it_has_to_wait(sign_in, now):
    browser = sign_in(make_user())
    values = {"kind": MessageKind.SECOND_FACTOR_ON, "priority": 1, "recipient": AMELIA, "user_id": browser.user.id}
    db.session.add_all(Message(message_id=f"<{n}@x>", **values) for n in range(5))
    db.session.commit()
    secret = re.search(r"into the app: ((?:[A-Z2-7]{4} ?){8})", browser.get("/account/second-factor").page.text)[1]
    sent = {"code": TOTP(secret.replace(" ", "")).at(now.at), "current": PASSWORD}
    assert "You did this 5 times within the hour." in browser.post("/account/second-factor", sent, status=422).page.text
    assert not db.session.get_one(User, browser.user.id).has_second_factor


def test_opening_the_page_writes_nothing(sign_in, queries):
    browser = sign_in(make_user())
    queries.clear()
    browser.get("/account/second-factor")
    assert not [each for each in queries if not each.startswith("SELECT")], queries


# Sign in


def test_the_password_alone_leads_only_to_the_second_step(client, amelia, now):
    make_factor(amelia)
    answer = first_step(client, next="/settings")
    assert answer.location == "/sign-in/code"
    client.get("/sign-in/code")
    client.get("/account", status=303)
    assert db.session.scalars(db.select(Session)).all() == []
    assert second_step(client, code_of(amelia, now.at)).location == "/settings"
    client.get("/account")


def test_the_second_step_without_the_first_leads_back(client, amelia, now):
    make_factor(amelia)
    assert client.get("/sign-in/code", status=303).location == "/sign-in"
    assert second_step(client, code_of(amelia, now.at)).location == "/sign-in"


@pytest.mark.parametrize("change", ["password", "factor", "state", "time"])
def test_the_first_step_counts_while_nothing_has_changed_and_for_ten_minutes(client, amelia, now, change):
    make_factor(amelia)
    first_step(client)
    if change == "password":
        amelia.password_hash += "x"
    elif change == "factor":
        amelia.totp_salt = "another salt"
    elif change == "state":
        amelia.state = "deactivated"
    else:
        now.pass_(601)
    db.session.commit()
    assert second_step(client, code_of(amelia, now.at)).location == "/sign-in"
    assert "That took too long." in client.get("/sign-in").page.text
    assert db.session.scalars(db.select(Session)).all() == []


def test_a_ticket_of_somebody_else_does_not_count(client, amelia, now):
    make_factor(amelia)
    other = make_user("Björn Håkansson")
    make_factor(other)
    first_step(client)
    client.set_cookie(half_way=[other.id, *client.cookie("half_way")[1:]])
    assert second_step(client, code_of(other, now.at)).location == "/sign-in"


def test_a_code_is_taken_once(client, amelia, now):
    make_factor(amelia)
    code = code_of(amelia, now.at)
    first_step(client)
    second_step(client, code)
    thief = Client(client.app)
    first_step(thief)
    assert "This code is not right, or was used already." in second_step(thief, code, status=422).page.text
    before = code_of(amelia, now.at - timedelta(seconds=30))
    second_step(thief, before, status=422)  # nor one from before it
    now.pass_(30)
    second_step(thief, code_of(amelia, now.at))


def test_a_recovery_code_signs_in_once_and_is_told_in_the_log(client, amelia):
    codes = make_factor(amelia)
    first_step(client)
    second_step(client, f" {codes[3].upper().replace('-', ' ')} ")
    assert "You have 9 recovery codes left." in client.get("/account").page.text
    (event,) = events("second_factor.code_used")
    assert event.details == {"left": 9}
    again = Client(client.app)
    first_step(again)
    second_step(again, codes[3], status=422)


def test_recovery_codes_of_somebody_else_do_not_work(client, amelia):
    make_factor(amelia)
    codes = make_factor(make_user("Björn Håkansson"))
    first_step(client)
    second_step(client, codes[0], status=422)
    assert db.session.scalars(db.select(db.func.count(RecoveryCode.id))).one() == 20


def test_codes_cannot_be_guessed_at_not_even_from_many_peers(client, amelia, now):
    make_factor(amelia)
    for n in range(10):
        browser = Client(client.app, peer=f"192.0.2.{n}")
        first_step(browser)
        second_step(browser, "000000", status=422)
    first_step(client)
    assert "Too many tries. Try again in 15 minutes." in second_step(client, code_of(amelia, now.at), status=429).page.text
    assert [event.count for event in events("second_factor.refused")] == [1] * 10


def test_of_20_wrong_codes_at_once_none_gets_in_and_none_crashes(client, amelia, now):
    make_factor(amelia)
    first_step(client)
    half_way = client.cookie("half_way")
    statuses = at_once(client.app, half_way, ["000000"] * 20)
    assert set(statuses) <= {422, 429}
    assert statuses.count(422) <= 10
    assert db.session.scalars(db.select(Session)).all() == []


def test_of_a_code_used_many_times_at_once_one_gets_in(client, amelia, now):
    codes = make_factor(amelia)
    first_step(client)
    half_way = client.cookie("half_way")
    for code in (code_of(amelia, now.at), codes[0]):
        statuses = at_once(client.app, half_way, [code] * 4)
        assert sorted(statuses) == [303, 422, 422, 422]
    assert len(db.session.scalars(db.select(Session)).all()) == 2


def at_once(app, half_way, codes):
    """Second steps at the same moment, each in a browser of its own. -> their statuses."""
    statuses, ready = [], threading.Barrier(len(codes))

    def step(code):
        browser = Client(app)
        browser.set_cookie(half_way=half_way)
        with app.app_context():
            ready.wait()
            statuses.append(browser.post("/sign-in/code", {"code": code}, status=None).status)

    threads = [threading.Thread(target=step, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    return statuses


def test_after_the_servers_key_was_changed_the_app_goes_on_while_the_old_key_is_named(client, amelia, now, change_settings):
    codes = make_factor(amelia)
    code = code_of(amelia, now.at)
    old = in_force.settings().secret_key
    change_settings(secret_key="a new key that is long enough for this", secret_key_fallbacks=(old,))
    first_step(client)
    second_step(client, code)
    change_settings(secret_key_fallbacks=())
    later = Client(client.app)
    first_step(later)
    second_step(later, code_of(amelia, now.at).translate(str.maketrans("0123456789", "1234567890")), status=422)
    second_step(later, codes[0])


# Changed and turned off


def test_new_recovery_codes_end_those_before(sign_in, amelia, now):
    old = make_factor(amelia)
    browser = sign_in(amelia)
    answer = browser.post("/account/second-factor/codes", {"code": code_of(amelia, now.at), "current": PASSWORD}, status=200)
    new = re.findall(r"(?:[0-9a-f]{4}-){4}[0-9a-f]{4}", answer.text)
    assert len(new) == 10
    assert set(new).isdisjoint(old)
    assert len(db.session.scalars(db.select(RecoveryCode)).all()) == 10


def test_turning_it_off_needs_password_and_code(sign_in, amelia, now, client):
    codes = make_factor(amelia)
    browser = sign_in(amelia)
    page = browser.post("/account/second-factor/removal", {"code": "000000", "current": PASSWORD}, status=422).page
    assert "This code is not right" in page.text
    browser.post("/account/second-factor/removal", {"code": codes[0], "current": "wrong"}, status=422)
    assert db.session.get_one(User, amelia.id).has_second_factor
    browser.post("/account/second-factor/removal", {"code": codes[0], "current": PASSWORD})
    assert "Two-step sign-in is off." in unescape(browser.get("/account").page.text)
    assert message_to(AMELIA).kind is MessageKind.SECOND_FACTOR_OFF
    assert db.session.scalars(db.select(RecoveryCode)).all() == []
    assert first_step(client).location == "/"


def test_who_manages_users_turns_it_off_for_somebody_ranked_below(admin, amelia, client):
    make_factor(amelia)
    assert f"/users/{amelia.id}/second-factor/removal" in admin.get("/users").text
    asked = admin.get(f"/users/{amelia.id}/second-factor/removal?next=/users?q=hart").page
    assert "Turn off two-step sign-in of Amelia Hart?" in asked.text
    assert db.session.get_one(User, amelia.id).has_second_factor
    back = asked.values("next")[0]
    path = f"/users/{amelia.id}/second-factor/removal"
    admin.post(path, {"next": back}, status=422)
    wrong = admin.post(path, {"next": back, "password": "wrong wrong wrong"}, status=422).page
    assert "This is not your password. Nothing was changed." in wrong.text
    assert wrong.values("next") == [back]
    assert db.session.get_one(User, amelia.id).has_second_factor
    assert admin.post(path, {"next": back, "password": PASSWORD}).location == "/users?q=hart"
    assert first_step(client).location == "/"
    (event,) = events("second_factor.off")
    assert (event.actor, event.subject) == (admin.user.email, AMELIA)
    admin.post(f"/users/{amelia.id}/second-factor/removal", status=409)


@pytest.mark.parametrize("role", ["Owner", "Admin"])
def test_nobody_turns_it_off_for_somebody_not_ranked_below(admin, role):
    other = make_persona("Owner") if role == "Owner" else make_user("Second Admin", "Admin")
    for user in (other, admin.user):
        make_factor(user)
        admin.get(f"/users/{user.id}/second-factor/removal", status=403)
        admin.post(f"/users/{user.id}/second-factor/removal", status=403)
        assert db.session.get_one(User, user.id).has_second_factor


# Required


def test_who_must_have_it_sets_it_up_before_anything_else(sign_in, change_settings, now):
    change_settings(require_totp="managers")
    browser = sign_in("Admin")
    for path in ("/", "/users", "/account", "/sign-in"):
        assert browser.get(path, status=303).location == "/account/second-factor"
    assert browser.get("/users", htmx=True).location == "/account/second-factor"
    assert browser.post("/account/name", {"name": "x"}).location == "/account/second-factor"
    page = browser.get("/account/second-factor").page
    assert "It is required here for your account" in page.text
    assert not page.all("a", href="/users")
    secret = re.search(r"Type this key into the app: ((?:[A-Z2-7]{4} ?){8})", page.text)[1].replace(" ", "")
    browser.post("/account/second-factor", {"code": TOTP(secret).at(now.at), "current": PASSWORD}, status=200)
    browser.get("/users")
    browser.post("/sign-out")


def test_whom_it_is_not_required_of_goes_on(sign_in, change_settings):
    change_settings(require_totp="managers")
    sign_in("Analyst").get("/users")
    change_settings(require_totp="everyone")
    browser = sign_in("Remote")
    browser.get("/", status=303)
    assert browser.post("/sign-out").location == "/sign-in"
    browser.get("/sign-in")

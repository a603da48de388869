"""Signing in and out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from webapp.app import create_app
from webapp.db import db, utcnow
from webapp.http import rate_limits
from webapp.models import AuditEvent, BatchState, Session, User, UserState
from webapp.services.audit import chain
from webapp.services.audit.events import count_refusal, record_many

from tests.client import Client
from tests.factories import PASSWORD, make_batch, make_persona, make_user

MAREN = "maren.okafor@northfield.example"


@pytest.fixture(autouse=True)
def _owner(app):
    make_persona("Owner")


def sign_in(client, email=MAREN, password=PASSWORD, status=303, **more):
    return client.post("/sign-in", {"email": email, "password": password, **more}, status=status)


def try_once(account, peer, **more):
    """Whether this try was allowed."""
    return bool(rate_limits.hit(account, peer, **more))


def test_a_right_password_leads_home(client):
    answer = sign_in(client, email=" Maren.OKAFOR@northfield.example ")
    assert answer.location == "/"
    assert "Maren Okafor" in client.get("/").page.text


def test_the_page_that_was_asked_for_comes_after_signing_in(client):
    asked = client.get("/users?status=active", status=303)
    form = client.get(asked.location).page
    assert form.values("next") == ["/users?status=active"]
    assert sign_in(client, next=form.values("next")[0]).location == "/users?status=active"


def test_under_a_path_prefix_one_stays_below_it(settings):
    below = Client(create_app(replace(settings, public_url="http://127.0.0.1:8000/muster")))
    asked = below.get("/muster/users", status=303)
    assert asked.location.startswith("/muster/sign-in?next=")
    page = below.get(asked.location).page
    assert page.all("form", action="/muster/sign-in")
    answer = below.post("/muster/sign-in", {"email": MAREN, "password": PASSWORD, "next": page.values("next")[0]})
    assert answer.location == "/muster/users"
    below.get(answer.location)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere_after_signing_in(client, elsewhere):
    assert sign_in(client, next=elsewhere).location == "/"


@pytest.mark.parametrize(
    ("email", "password"),
    [(MAREN, "wrong horse battery"), ("nobody@northfield.example", PASSWORD), ("gone@northfield.example", PASSWORD),
     ("not an address", PASSWORD), (MAREN, "x" * 5000)],
)  # fmt: skip
def test_every_refusal_says_the_same_and_keeps_the_email(client, email, password):
    make_user("Hannah Whitcombe", email="gone@northfield.example", state=UserState.DEACTIVATED)
    page = sign_in(client, email, password, status=422).page
    assert "Email or password is wrong." in page.text
    assert page.values("email") == [email]
    assert page.values("password") == [""]
    assert client.cookie() is None


def test_blanks_are_said_under_their_fields_and_cost_no_try(client):
    page = sign_in(client, "", "", status=422).page
    assert "Type your email." in page.text
    assert "Type your password." in page.text
    assert [try_once(MAREN, client.peer) for _ in range(11)] == [True] * 10 + [False]


def test_each_sign_in_has_a_fresh_session_and_ends_the_one_before_it(client):
    sign_in(client)
    first = client.cookie()
    sign_in(client)
    assert client.cookie() != first
    assert len(db.session.scalars(db.select(Session)).all()) == 1
    client.set_cookie(sid=first)
    client.get("/", status=303)


def test_the_cookie_is_http_only_lax_and_no_plain_token_is_stored(client):
    answer = sign_in(client)
    cookie = next(value for name, value in answer.headers if name == "Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.cookie() not in db.session.scalars(db.select(Session.token_hash)).all()


def test_signing_out_ends_the_session_on_the_server(client):
    sign_in(client)
    token = client.cookie()
    assert client.post("/sign-out").location == "/sign-in"
    assert "You are signed out." in client.get("/sign-in").page.text
    client.set_cookie(sid=token)
    client.get("/", status=303)


def test_who_is_signed_in_is_led_on_from_the_sign_in(owner):
    assert owner.get("/sign-in", status=303).location == "/"


@pytest.mark.parametrize("limit", ["seen_at", "created_at"])
def test_a_session_ends_when_idle_or_old(owner, limit):
    setattr(db.session.scalars(db.select(Session)).one(), limit, utcnow() - timedelta(days=8))
    db.session.commit()
    page = owner.get(owner.get("/", status=303).location).page
    assert "Sign in again to go on." in page.text


def test_deactivating_somebody_signs_them_out(admin):
    admin.user.state = UserState.DEACTIVATED
    db.session.commit()
    admin.get("/", status=303)


def test_a_signed_out_fragment_tells_htmx_to_go_to_the_sign_in(client):
    assert client.get("/users", htmx=True).location == "/sign-in"


def test_last_activity_is_noted_once_a_minute_and_after_the_answer(owner, queries):
    session = db.session.scalars(db.select(Session)).one()
    owner.get("/settings")
    queries.clear()
    owner.get("/settings")
    assert not [each for each in queries if not each.startswith("SELECT")], queries
    session.seen_at = owner.user.seen_at = utcnow() - timedelta(minutes=2)
    db.session.commit()
    queries.clear()
    owner.get("/settings")
    assert [each.split()[:2] for each in queries if not each.startswith("SELECT")] == [
        ["UPDATE", "users"],
        ["UPDATE", "sessions"],
    ]
    assert utcnow() - db.session.get_one(User, owner.user.id).seen_at < timedelta(seconds=30)


def test_what_a_page_asks_for_by_itself_keeps_no_session_alive(owner):
    batch = make_batch(owner.user, state=BatchState.FINISHED)
    session = db.session.scalars(db.select(Session)).one()
    session.seen_at = before = utcnow() - timedelta(minutes=2)
    db.session.commit()
    owner.get(f"/batches/{batch.id}/joined", htmx=True)
    assert db.session.scalars(db.select(Session.seen_at)).one() == before
    owner.get(f"/batches/{batch.id}")
    assert db.session.scalars(db.select(Session.seen_at)).one() > before


@pytest.mark.slow
def test_the_11th_try_of_an_account_from_one_peer_has_to_wait(client):
    for _ in range(9):
        sign_in(client, "nobody@northfield.example", "wrong", status=422)
    sign_in(client, "Nobody@northfield.example", "wrong", status=422)
    answer = sign_in(client, "nobody@northfield.example", "wrong", status=429)
    assert "Too many tries. Try again in 15 minutes." in answer.page.text
    assert answer.headers["Retry-After"] == "900"
    sign_in(client)  # another account from here is not held up
    sign_in(Client(client.app, peer="192.0.2.2"), "nobody@northfield.example", "wrong", status=422)


def test_tries_that_were_right_do_not_count(app):
    for _ in range(150):
        counters = rate_limits.hit(MAREN, "192.0.2.9")
        assert counters
        rate_limits.refund(counters)


@pytest.mark.parametrize(("accounts", "peers", "limit"), [(1, 60, 50), (200, 1, 100), (1, 1, 10)])
def test_limits_by_account_by_peer_and_by_both(app, accounts, peers, limit):
    tries = (try_once(f"{n % accounts}@x.org", f"192.0.2.{n % peers}") for n in range(200))
    assert next(n for n, each in enumerate(tries) if not each) == limit


def test_tries_are_counted_on_the_queue_server_for_all_processes(queue, app):
    for _ in range(10):
        try_once(MAREN, "192.0.2.1")
    app.extensions.pop("muster_limits")  # another process
    assert not try_once(MAREN, "192.0.2.1")


def test_tries_are_counted_in_memory_while_the_queue_server_is_away(app):
    for _ in range(10):
        try_once(MAREN, "192.0.2.1")
    assert not try_once(MAREN, "192.0.2.1")


def test_a_frozen_queue_server_holds_nobody_up(client, frozen_queue):
    sign_in(client, "nobody@northfield.example", "wrong", status=422)
    sign_in(client)


def test_refused_sign_ins_are_counted_in_the_audit_log_not_appended(client):
    for _ in range(3):
        sign_in(client, MAREN.upper(), "wrong", status=422)
    events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "session.refused")).all()
    assert [(each.count, each.address, each.actor_id) for each in events] == [(3, client.peer, None)]
    sign_in(client, "my secret password", "wrong", status=422)
    assert not db.session.scalar(db.select(AuditEvent).where(AuditEvent.subject.contains("secret")))


def test_signing_in_and_out_is_in_the_audit_log(client):
    sign_in(client)
    client.post("/sign-out")
    actions = db.session.scalars(db.select(AuditEvent.action).where(AuditEvent.actor == MAREN).order_by(AuditEvent.id)).all()
    assert actions == ["session.started", "session.ended"]


def test_signing_in_without_the_token_of_the_form_is_refused(client):
    page = client.post("/sign-in", {"email": MAREN, "password": PASSWORD}, status=400, csrf=False).page
    assert "This page was open for too long" in page.text


class TestLockedByOthers:
    """An account that others lock from many peers stays open where its person has signed in before."""

    def lock(self, app):
        for n in range(60):
            try_once(MAREN, f"198.51.100.{n}")

    def test_a_browser_that_signed_in_before_still_signs_in(self, client):
        sign_in(client)
        client.post("/sign-out")
        self.lock(client.app)
        sign_in(Client(client.app, peer="192.0.2.2"), status=429)
        client.peer = "203.0.113.5"
        assert sign_in(client).location == "/"

    def test_browsers_that_signed_in_before_have_fifty_tries_together(self, app):
        browser = Client(app, peer="203.0.113.9")
        sign_in(browser)
        browser.post("/sign-out")
        for n in range(48):
            assert try_once(MAREN, f"203.0.113.{n % 8}", device=f"browser {n % 8}")
        statuses = [sign_in(browser, password="wrong", status=None).status for _ in range(4)]
        assert statuses == [422, 422, 429, 429]

    def test_it_has_ten_tries_of_its_own_from_wherever(self, client):
        sign_in(client)
        client.post("/sign-out")
        for n in range(10):
            client.peer = f"203.0.113.{n}"
            sign_in(client, password="wrong", status=422)
        sign_in(client, status=429)
        sign_in(Client(client.app, peer="192.0.2.2"))

    def test_it_is_known_for_that_account_alone(self, client):
        sign_in(client)
        client.post("/sign-out")
        devika = make_persona("Admin").email
        for n in range(60):
            try_once(devika, f"198.51.100.{n}")
        sign_in(client, devika, status=429)

    def test_who_is_signed_in_can_still_show_that_it_is_them(self, client):
        sign_in(client)
        self.lock(client.app)
        sent = {"current": PASSWORD, "email": "maren@northfield.example"}
        assert client.post("/account/email", sent).location == "/account"

    def test_a_cookie_that_somebody_made_up_is_not_believed(self, client):
        self.lock(client.app)
        client.flask.set_cookie(client.app.config["SESSION_COOKIE_NAME"], "eyJkZXZpY2UiOiIxIn0.aaaa.bbbb")
        sign_in(client, status=429)


def test_an_ipv6_network_is_one_peer(app):
    for n in range(10):
        try_once(MAREN, f"2001:db8:1:2::{n}")
    assert not try_once(MAREN, "2001:db8:1:2:ffff::1")
    assert try_once(MAREN, "2001:db8:1:3::1")
    for _ in range(9):
        try_once(MAREN, "::ffff:192.0.2.1")
    assert try_once(MAREN, "192.0.2.1")
    assert not try_once(MAREN, "192.0.2.1")


class TestNobodyFillsTheLog:
    def events(self, app):
        query = db.select(AuditEvent).where(AuditEvent.action.like("%.refused")).order_by(AuditEvent.id)
        return db.session.scalars(query).all()

    def refused(self, peer, n):
        for i in range(n):
            count_refusal("limit.refused", None, f"sign-in as {i}@x.org", peer)

    def test_one_place_gets_twenty_lines_an_hour_and_the_rest_are_counted(self, app):
        self.refused("192.0.2.7", 50)
        events = self.events(app)
        assert len(events) == 21
        assert (events[-1].subject, events[-1].address, events[-1].count) == ("(others)", "192.0.2.7", 30)
        assert sum(each.count for each in events) == 50

    def test_a_whole_ipv6_network_is_one_place(self, app):
        for n in range(30):
            self.refused(f"2001:db8::{n:x}", 1)  # the same address typed
        assert [(each.address, each.count) for each in self.events(app)] == [("2001:db8::/64", 30)]

    def test_many_places_together_get_two_hundred(self, app):
        record_many(None, "limit.refused", [(n, f"{n}@x.org") for n in range(198)])
        db.session.commit()
        for n in range(6):
            self.refused(f"192.0.2.{n}", 1)
        events = self.events(app)
        assert len(events) == 201
        assert (events[-1].subject, events[-1].address, events[-1].count) == ("(others)", "", 4)

    def test_one_person_gets_a_hundred(self, app, sign_in):
        remote = sign_in("Remote").user
        record_many(remote, "access.refused", [(n, f"POST /users/{n}") for n in range(98)])
        db.session.commit()
        for n in range(6):
            count_refusal("access.refused", remote.id, f"GET /users/{n}", f"192.0.2.{n}")
        events = self.events(app)
        assert len(events) == 101
        assert (events[-1].subject, events[-1].count) == ("(others)", 4)

    def test_the_chain_stays_whole(self, app):
        self.refused("192.0.2.7", 25)
        db.session.rollback()
        assert not chain.verify().problems

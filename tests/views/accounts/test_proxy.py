"""A proxy in front that has signed people in: its header is believed from it alone, and one session is one person."""

from __future__ import annotations

import ipaddress

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Identity, InvitationState, Session, User
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.client import Client
from tests.factories import PASSWORD, make_factor, make_invitation, make_persona, make_user, token_of
from tests.served import served

AMELIA = "amelia.hart@northfield.example"
INES = "ines.carvalho@northfield.example"
HERE = (ipaddress.ip_network("192.0.2.1/32"),)


def as_(email, name=""):
    return {"Remote-Email": email, "Remote-Name": name}


def sessions():
    db.session.rollback()  # the server has its own transactions
    return db.session.scalars(db.select(Session).where(Session.via == "proxy")).all()


@pytest.fixture(autouse=True)
def proxy(app, change_settings):
    make_persona("Owner")
    change_settings(proxy_email_header="Remote-Email", proxy_name_header="Remote-Name", proxy_networks=HERE)


class TestWhoIsNamed:
    def test_a_user_is_in_at_the_page_that_they_opened(self, client):
        make_user()
        assert client.get("/account?x=1", 303, headers=as_(AMELIA)).location == "/account?x=1"
        page = client.get("/account", headers=as_(AMELIA))
        assert "Amelia Hart" in page.text
        client.post("/account/name", {"name": "Amelia H."}, headers=as_(AMELIA))
        assert len(sessions()) == 1

    def test_a_pending_invitation_is_accepted(self, client):
        invitation = make_invitation(INES)
        client.get("/", 303, headers=as_(INES, "Inês Carvalho".encode().decode("latin-1")))
        assert db.session.get(type(invitation), invitation.id).state is InvitationState.ACCEPTED
        assert db.session.scalar(db.select(User.name).where(User.email_key == INES)) == "Inês Carvalho"

    def test_the_page_of_a_link_changes_nothing_until_one_goes_on(self, client):
        invitation = make_invitation("bob@northfield.example")
        page = client.get(f"/invitations/{token_of(invitation)}", headers=as_(INES)).page
        [way] = [each["href"] for each in page.all("a") if "/sign-in/sso" in each["href"]]
        assert db.session.get(type(invitation), invitation.id).state is InvitationState.PENDING
        client.get(way, 303, headers=as_(INES))
        assert db.session.scalar(db.select(User).where(User.email_key == "bob@northfield.example"))

    def test_the_session_counts_from_then_on(self, client):
        make_user()
        client.get("/account", 303, headers=as_(AMELIA))
        client.get("/account")

    def test_somebody_else_at_the_proxy_is_somebody_else_here(self, client):
        make_user()
        make_user("Cy Vance", "Remote")
        client.get("/account", 303, headers=as_(AMELIA))
        client.post("/account/name", {"name": "Mine"}, headers=as_("cy.vance@northfield.example"))
        assert db.session.scalars(db.select(User).where(User.name == "Mine")).all() == []
        client.get("/account", 303, headers=as_("cy.vance@northfield.example"))
        assert "Cy Vance" in client.get("/account", headers=as_("cy.vance@northfield.example")).text

    def test_a_command_begins_no_session(self, client):
        make_user()
        assert "/sign-in" in client.post("/account/name", {"name": "X"}, headers=as_(AMELIA)).location
        assert sessions() == []

    def test_a_forged_form_is_refused_as_ever(self, client):
        make_user()
        client.get("/account", 303, headers=as_(AMELIA))
        client.post("/account/name", {"name": "X"}, 400, csrf=False, headers=as_(AMELIA))

    def test_no_code_is_asked_for(self, client, change_settings):
        make_user()
        change_settings(proxy_email_header="Remote-Email", proxy_networks=HERE, require_totp="everyone")
        client.get("/account", 303, headers=as_(AMELIA))
        client.get("/account", headers=as_(AMELIA))


class TestRefused:
    @pytest.mark.parametrize(
        ("email", "says"),
        [
            ("nobody@northfield.example", "Nobody has invited nobody@northfield.example."),
            ("maren.okafor@northfield.example", "only the Owner connects it"),
            (f"{AMELIA}, maren.okafor@northfield.example", "names nobody by a single email"),
            (f"{AMELIA},", "names nobody by a single email"),
            ("amelia", "names nobody by a single email"),
            ("cy.vance@northfield.example", "has two-step sign-in"),
        ],
    )
    def test_the_sign_in_page_says_why_and_takes_a_password(self, client, email, says):
        make_user()
        make_factor(make_user("Cy Vance", "Remote"))
        assert "/sign-in" in client.get("/account", 303, headers=as_(email)).location
        page = client.get("/sign-in", headers=as_(email)).page
        assert says in page.text
        assert page.all("input", name="password")
        assert sessions() == []

    def test_a_refusal_is_in_the_audit_log(self, client):
        client.get("/account", 303, headers=as_("nobody@northfield.example"))
        event = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert (event.action, event.subject) == ("sso.refused", "nobody@northfield.example (uninvited)")

    def test_the_owner_signs_in_by_password_and_connects_it(self, client, owner):
        owner.get("/account", headers=as_(owner.user.email))
        owner.post("/account/identities", {"current": PASSWORD}, headers=as_(owner.user.email))
        client.get("/account", 303, headers=as_(owner.user.email))
        assert "Maren Okafor" in client.get("/account", headers=as_(owner.user.email)).text


class TestWhoIsBelieved:
    def test_nobody_from_elsewhere(self, app, client):
        make_user()
        elsewhere = Client(app, peer="192.0.2.2")
        assert "/sign-in" in elsewhere.get("/account", 303, headers=as_(AMELIA)).location
        assert "Amelia" not in elsewhere.get("/sign-in", headers=as_(AMELIA)).text
        elsewhere.get("/sign-in/sso", 404, headers=as_(AMELIA))
        assert sessions() == []

    @pytest.mark.parametrize(("peer", "gets_in"), [("192.0.2.1", True), ("192.0.2.2", False)])
    def test_the_real_peer_counts_not_what_is_forwarded(self, app, monkeypatch, peer, gets_in):
        make_user()
        monkeypatch.setattr(app, "wsgi_app", ProxyFix(app.wsgi_app, x_for=1))
        browser = Client(app, peer=peer)
        browser.get("/account", 303, headers={**as_(AMELIA), "X-Forwarded-For": "192.0.2.1" if not gets_in else "198.51.100.7"})
        assert bool(sessions()) is gets_in

    def test_a_mapped_address_is_the_same(self, app):
        make_user()
        Client(app, peer="::ffff:192.0.2.1").get("/account", 303, headers=as_(AMELIA))
        assert len(sessions()) == 1

    def test_without_the_setting_no_header_counts(self, client, change_settings):
        make_user()
        change_settings(proxy_email_header="", proxy_networks=())
        assert "/sign-in" in client.get("/account", 303, headers=as_(AMELIA)).location

    def test_what_is_written_almost_like_the_header(self, app, change_settings):
        """Through the web server, which is what reads headers: names with _ are dropped, one sent twice is joined."""
        make_user()
        change_settings(proxy_email_header="Remote-Email", proxy_networks=(ipaddress.ip_network("127.0.0.1"),))
        with served(app, threads=4) as server:
            head = "GET /account HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            for lines in (
                [f"Remote_Email: {AMELIA}"],
                ["Remote-Email: nobody@northfield.example", f"Remote-Email: {AMELIA}"],
                [f"Remote-Email: {AMELIA}", f"Remote-Email: {AMELIA}"],
                [f"X-Remote-Email: {AMELIA}"],
            ):
                with server.connect() as connection:
                    connection.sendall((head + "\r\n".join([*lines, "", ""])).encode())
                    answer = connection.makefile("rb").read()
                assert b"/sign-in" in answer, lines
            assert sessions() == []
            assert server.ask("/account", Remote_Email=AMELIA)[0] == 303
            assert len(sessions()) == 1


class TestSigningOut:
    def test_it_leads_on_to_the_proxys(self, client, change_settings):
        make_user()
        change_settings(proxy_email_header="Remote-Email", proxy_networks=HERE, proxy_sign_out_url="https://auth.example/logout")
        client.get("/account", 303, headers=as_(AMELIA))
        assert client.post("/sign-out", headers=as_(AMELIA)).location == "/sign-out"
        answer = client.get("/sign-out", headers=as_(AMELIA))
        assert answer.headers["Refresh"] == "0; url=https://auth.example/logout"
        assert sessions() == []

    def test_without_one_it_ends_at_a_page_that_signs_nobody_in(self, client):
        make_user()
        client.get("/account", 303, headers=as_(AMELIA))
        client.post("/sign-out", headers=as_(AMELIA))
        answer = client.get("/sign-out", headers=as_(AMELIA))
        assert "Refresh" not in answer.headers
        assert sessions() == []


def test_who_has_no_password_is_told_how_to_get_one(client):
    make_invitation(INES, "Admin")
    client.get("/", 303, headers=as_(INES))
    assert "Have a link sent" in client.get("/account").page.text
    page = client.post("/invitations", {"email": "x@northfield.example", "role": "Admin", "password": "guess"}, 422).page
    assert "You have no password here. Choose one" in page.text


def test_the_key_is_the_email_of_the_header_whatever_the_user_is_called_now(client):
    amelia = make_user()
    client.get("/account", 303, headers=as_(AMELIA.upper()))
    amelia = db.session.get(User, amelia.id)
    amelia.email = amelia.email_key = "a.hart@northfield.example"
    db.session.commit()
    Client(client.app).get("/account", 303, headers=as_(AMELIA))
    assert [one.subject for one in db.session.scalars(db.select(Identity))] == [AMELIA]

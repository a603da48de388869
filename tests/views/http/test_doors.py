"""What stands at the doors: links that do not work, NUL in forms, cookies, and what answers tell the browser."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from webapp.app import create_app
from webapp.core.security import passwords
from webapp.db import db
from webapp.http import rate_limits
from webapp.models import AuditEvent, InvitationState, LinkPurpose
from webapp.services.links import account_links

from tests.client import Client
from tests.factories import PASSWORD, make_invitation, make_persona, make_user, token_of
from tests.steps import rows_of, stage

PATHS = ("invitations", "password-resets", "email-changes", "owner-links", "setup")


@pytest.fixture(autouse=True)
def _owner(app):
    make_persona("Owner")


def refused_links():
    query = db.select(AuditEvent).where(AuditEvent.action == "link.refused").order_by(AuditEvent.id)
    return [(each.subject, each.count) for each in db.session.scalars(query)]


# Links


def count_dead_links(client, n):
    """As if that browser had opened n links that do not exist."""
    for _ in range(n):
        assert not rate_limits.hit_dead_link(client.peer)


@pytest.mark.parametrize("path", PATHS)
def test_guessing_links_is_slowed_down_and_one_that_works_opens_all_the_same(client, path):
    unknown = 404 if path == "invitations" else 410
    client.get(f"/{path}/{'x' * 42}1", unknown)
    count_dead_links(client, 98)
    client.get(f"/{path}/{'x' * 42}2", unknown)
    answer = client.get(f"/{path}/guess", 429)
    assert "Wait 15 minutes, then try again." in answer.page.text
    client.post(f"/{path}/guess", {"password": "a long walk at dusk"}, 429)
    client.get(f"/invitations/{token_of(make_invitation())}")
    Client(client.app, peer="192.0.2.2").get(f"/{path}/guess", unknown)


def test_links_that_worked_once_do_not_count_as_guesses(client):
    used = token_of(make_invitation(state=InvitationState.REVOKED))
    count_dead_links(client, 99)
    for _ in range(3):
        client.get(f"/invitations/{used}", 410)
    client.get("/invitations/guess", 404)
    client.get("/invitations/guess", 429)


def test_links_that_do_not_work_are_in_the_audit_log_without_their_tokens(client):
    ines = make_invitation(state=InvitationState.REVOKED)
    for _ in range(2):
        client.get(f"/invitations/{token_of(ines)}", 410)
    client.post(f"/invitations/{token_of(ines)}", {"name": "X", "password": "plum kettle orbit"}, 410)
    for path in PATHS:
        client.get(f"/{path}/guess", None)
    assert refused_links() == [
        (f"the link of the invitation of {ines.email}", 3),
        ("the link of an invitation", 1),
        ("a link (reset)", 1),
        ("a link (email)", 1),
        ("a link (sign_in)", 1),
        ("a link to set Muster up", 1),
    ]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_with_a_token_is_told_to_nobody(client, path):
    assert client.get(f"/{path}/guess", None).headers["Referrer-Policy"] == "no-referrer"


def test_pages_behind_links_that_work_hide_their_address_and_others_do_not(client, owner):
    answer = client.get(f"/invitations/{token_of(make_invitation())}")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    link = account_links.create_link(make_user(), LinkPurpose.RESET)
    db.session.commit()
    token = account_links.link_url(link).rpartition("/")[2]
    assert client.get(f"/password-resets/{token}").headers["Referrer-Policy"] == "no-referrer"
    assert owner.get("/account").headers["Referrer-Policy"] == "same-origin"


# NUL


NUL = "a\0b"


def multipart(**fields):
    """As a browser sends a form with a file."""
    return {"data": {**fields, "extra": (io.BytesIO(b"x"), "x.txt")}, "content_type": "multipart/form-data"}


@pytest.mark.parametrize("sent", [lambda **fields: {"data": fields}, multipart], ids=["urlencoded", "multipart"])
class TestNul:
    def test_in_a_cell(self, admin, sent):
        batch = stage(admin)
        row = rows_of(batch)[0]
        answer = admin.patch(f"/batches/{batch.id}/rows/{row.id}", status=400, **sent(field="email", value=NUL, seen=row.email))
        assert answer.page.h1 == "This was not understood"

    def test_in_a_replacement(self, admin, sent):
        batch = stage(admin)
        admin.post(f"/batches/{batch.id}/replacements", status=400, **sent(find="a", by=NUL))

    def test_in_groups_of_a_bulk_change(self, admin, sent):
        batch = stage(admin)
        admin.post(f"/batches/{batch.id}/changes", status=400, **sent(do="set_groups", groups=NUL))

    def test_on_accepting(self, client, sent):
        client.post(f"/invitations/{token_of(make_invitation())}", status=400, **sent(name=NUL, password="plum kettle orbit"))

    def test_in_a_password(self, client, sent):
        client.post("/sign-in", status=400, **sent(email="a@x.org", password=NUL))

    def test_in_the_name_of_a_field(self, client, sent):
        client.post("/sign-in", status=400, **sent(email="a@x.org", password="x", **{NUL: "x"}))

    def test_somewhere_in_a_field_that_is_sent_twice(self, client, sent):
        client.post("/sign-in", status=400, **sent(email=["a@x.org", NUL], password="x"))


# Cookies, and what a browser keeps


def test_two_portals_under_one_host_have_cookies_of_their_own(app, settings):
    names = {}
    for path in ("", "/muster", "/muster-test"):
        below = create_app(replace(settings, public_url=f"https://intranet.example{path}", trusted_proxies=1))
        sent = {"email": make_persona("Owner").email, "password": PASSWORD}
        answer = Client(below).post("/sign-in", sent, headers={"X-Forwarded-Host": "intranet.example"})
        cookie = answer.headers["Set-Cookie"]
        names[path] = cookie.partition("=")[0]
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert names[""] == "__Host-muster"
    assert len(set(names.values())) == 3
    assert all(name.startswith("__Host-muster") for name in names.values())


def test_signing_out_has_the_browser_forget_pages(owner):
    assert owner.post("/sign-out").headers["Clear-Site-Data"] == '"cache"'


# Too much at once


def test_who_waits_too_long_for_a_check_of_a_password_is_told_so(client, monkeypatch):
    monkeypatch.setattr(passwords, "WAIT", 0.01)
    sent = {"email": make_persona("Owner").email, "password": PASSWORD}
    for _ in range(passwords.AT_ONCE):
        passwords._at_once.acquire()
    try:
        for _ in range(12):  # which costs no try
            page = client.post("/sign-in", sent, 503).page
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._at_once.release()
    assert page.h1 == "Muster is busy"
    assert "Try again in a moment." in page.text
    client.post("/sign-in", sent)


def test_a_form_without_its_token_and_one_too_large_are_lines_of_the_security_log(client, caplog):
    for _ in range(25):
        client.post("/sign-in", {"email": "x", "password": "x"}, 400, csrf=False)
    client.post("/sign-in", {"email": "x" * (11 * 1024 * 1024)}, 413, csrf=False)
    lines = [record.getMessage() for record in caplog.records if record.name == "muster.security"]
    assert len([line for line in lines if "token" in line]) == 20
    assert len([line for line in lines if "bytes (POST sessions.new)" in line]) == 1

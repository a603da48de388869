"""Where a form comes from and which host it is for, with an https address behind a proxy, as people run it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from webapp.app import create_app
from webapp.db import db
from webapp.models import AuditEvent, User

from tests.client import Client
from tests.factories import PASSWORD, make_invitation, make_persona, token_of
from tests.steps import rows_of, stage

pytestmark = pytest.mark.any_database

HOST = "muster.northfield.example"
PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST}
ELSEWHERE = "This form came from another site"

GOOD = {
    "no Referer": {},
    "Origin null": {"Origin": "null"},
    "Origin null, same origin": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "own Origin": {"Origin": f"https://{HOST}"},
    "own Origin, foreign Referer": {"Origin": f"https://{HOST}", "Referer": "https://evil.example/"},
    "typed by hand": {"Sec-Fetch-Site": "none"},
    "a proxy that hides https": {"X-Forwarded-Proto": "http", "Origin": f"https://{HOST}"},
    "a proxy that hides the host": {"X-Forwarded-Host": "127.0.0.1:8000", "Origin": f"https://{HOST}"},
    "by the machine's address": {"X-Forwarded-Host": "192.0.2.80", "Origin": "https://192.0.2.80"},
}
BAD = {
    "foreign Origin": {"Origin": "https://evil.example"},
    "foreign Origin, own Referer": {"Origin": "https://evil.example", "Referer": f"https://{HOST}/"},
    "another scheme": {"Origin": f"http://{HOST}"},
    "another port": {"Origin": f"https://{HOST}:8443"},
    "no address": {"Origin": "https://["},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a sister site": {"Sec-Fetch-Site": "same-site"},
}


@pytest.fixture(scope="module")
def https(whole_app, settings):
    """The same portal, reached over https behind one proxy."""
    return create_app(replace(settings, public_url=f"https://{HOST}", trusted_proxies=1))


@pytest.fixture
def browser(app, https):
    https.extensions.pop("muster_limits", None)  # what was counted for the test before
    return Client(https)


def sign_in(browser, says, status):
    sent = {"email": make_persona("Owner").email, "password": PASSWORD}
    return browser.post("/sign-in", sent, status, headers=PROXIED | says)


def accept(browser, says, status):
    sent = {"name": "Ines Carvalho", "password": "plum kettle orbit 42"}
    return browser.post(f"/invitations/{token_of(make_invitation())}", sent, status, headers=PROXIED | says)


@pytest.mark.parametrize("says", GOOD.values(), ids=GOOD)
class TestTheTokenIsTheProof:
    def test_one_signs_in(self, browser, says):
        assert sign_in(browser, says, 303).location == "/"

    def test_one_accepts_an_invitation(self, browser, says):
        make_persona("Owner")
        assert accept(browser, says, 303).location == "/"


@pytest.mark.parametrize("says", BAD.values(), ids=BAD)
class TestAFormFromAnotherSite:
    def test_signs_nobody_in(self, browser, says, caplog):
        page = sign_in(browser, says, 400).page
        assert page.h1 == ELSEWHERE
        assert f"Open https://{HOST}" in page.text
        assert browser.cookie() is None
        lines = [record for record in caplog.records if record.name == "muster.security"]
        assert len(lines) == 1
        assert "another site" in lines[0].getMessage()

    def test_accepts_nothing(self, browser, says):
        make_persona("Owner")
        assert accept(browser, says, 400).page.h1 == ELSEWHERE
        assert db.session.scalar(db.select(User).where(User.name == "Ines Carvalho")) is None


def test_an_edit_by_htmx_needs_no_referer_either(browser):
    sign_in(browser, {}, 303)
    batch = stage(browser, headers=PROXIED)
    cell = {"field": "email", "value": "new@northfield.example", "seen": "ana@northfield.example"}
    address = f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}"
    said = browser.patch(address, cell, 400, htmx=True, headers=PROXIED | BAD["foreign Origin"])
    assert ELSEWHERE in said.page.text
    assert not said.page.whole
    assert rows_of(batch)[0].email == "ana@northfield.example"
    browser.patch(address, cell, htmx=True, headers=PROXIED)
    assert rows_of(batch)[0].email == "new@northfield.example"


def test_what_was_refused_is_counted(browser):
    for _ in range(3):
        sign_in(browser, BAD["foreign Origin"], 400)
    event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "origin.refused")).one()
    assert (event.subject, event.count) == ("Origin: https://evil.example", 3)


def test_a_wrong_token_still_says_that_the_page_was_open_for_too_long(browser):
    page = browser.post("/sign-in", {"email": "x", "password": "x"}, 400, csrf=False, headers=PROXIED).page
    assert page.h1 == "This page was open for too long"


@pytest.mark.parametrize("host", ["evil.example", f"{HOST}.evil.example", "[", "muster", f"evil@{HOST}:x"])
def test_another_host_is_refused_with_a_sentence(browser, host, caplog):
    page = browser.get("/sign-in", 400, headers=PROXIED | {"X-Forwarded-Host": host}).page
    assert f"Open https://{HOST}" in page.text
    assert "is not the host of MUSTER_PUBLIC_URL" in caplog.text


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:443", f"{HOST}.", "127.0.0.1:8000", "[::1]:8000", "192.0.2.7"])
def test_the_own_host_this_machine_and_addresses_are_served(browser, host):
    make_persona("Owner")
    browser.get("/sign-in", headers=PROXIED | {"X-Forwarded-Host": host})


def test_a_host_with_letters_of_its_own_language(app, settings):
    make_persona("Owner")
    browser = Client(create_app(replace(settings, public_url="https://schüle.example")))
    browser.get("/sign-in", headers={"Host": "xn--schle-mva.example"})


@pytest.mark.parametrize("path", ["/healthz", "/healthz/live"])
def test_health_checks_may_ask_by_any_name(browser, path):
    answer = browser.get(path, None, headers={"Host": "muster-web:8000"})
    assert answer.status in (200, 503)
    assert answer.json


def test_refusals_never_fill_the_log(browser, caplog):
    for n in range(40):
        browser.get("/sign-in", 400, headers={"Host": f"evil{n}.example"})
    assert caplog.text.count("is not the host") == 20

"""Single sign-on in a real browser, under the real policy: to the provider's page and back, and once more to show who one is."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, until

INES = "ines.carvalho@northfield.example"


@pytest.fixture(scope="module")
def portal(portals, provider_process):
    provider_process.say("ines", email=INES, email_verified=True, name="Ines Carvalho")
    own = {name.upper(): value for name, value in provider_process.settings().items()}
    return portals({f"MUSTER_{name}": value for name, value in own.items()})


@pytest.fixture
def authorize(provider_process):
    """`authorize(page)`: sign Ines in on the provider's page, which this page shows now."""

    def sign_in_there(page):
        expect(page.get_by_role("heading", level=1)).to_have_text("Authorize Client")
        assert page.url.startswith(provider_process.issuer)
        page.get_by_placeholder("sub").fill("ines")
        page.get_by_role("button", name="Authorize").click()

    return sign_in_there


@pytest.fixture
def watched(open_page, portal, provider_process):
    """A fresh browser. What the provider's own page does is not ours."""
    watched = open_page()
    hosts = {urlsplit(portal.url).hostname, "localhost"}
    watched.page.context.route(lambda url: urlsplit(url).hostname not in hosts, lambda route: route.abort())
    yield watched
    watched.problems[:] = [each for each in watched.problems if provider_process.issuer not in each]


def test_an_invited_person_joins_with_the_account_they_have_and_confirms_with_it(owner, watched, portal, authorize):
    page = owner.go("/users?invite=single")
    page.get_by_label("Email", exact=True).fill(INES)
    page.get_by_role("radio", name="Admin").check()
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Send invitation").click()
    letter = portal.mail_to(INES)
    assert "Continue with School account, or choose a name and a password, and you are in:" in letter
    link = next(line for line in letter.splitlines() if "/invitations/" in line)

    page = watched.go(urlsplit(link).path)
    watched.axe_at_both_widths("an invitation with single sign-on")
    page.get_by_role("link", name="Continue with School account").click()
    authorize(page)
    page.wait_for_url(portal.url + "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, Ines")

    watched.go("/account")
    expect(page.get_by_text("School account signs you in, since")).to_be_visible()
    watched.axe_at_both_widths("an account with single sign-on")

    watched.go("/users?invite=single")
    page.get_by_label("Email", exact=True).fill("new@northfield.example")
    page.get_by_role("radio", name="Admin").check()
    watched.axe("confirm elsewhere")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Confirm with School account (opens a new tab)").click()
    authorize(opened.value)
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Confirmed")
    opened.value.close()
    page.get_by_role("button", name="Send invitation").click()
    expect(page.get_by_text("Invitation sent to new@northfield.example")).to_be_visible()


def test_the_sign_in_page_and_the_settings(owner, watched, portal, authorize):
    page = watched.go("/sign-in")
    watched.axe_at_both_widths("sign-in with single sign-on")
    page.get_by_role("link", name="Continue with School account").focus()
    page.keyboard.press("Enter")
    authorize(page)
    until(page, "origin => location.origin === origin", portal.url)

    page = owner.go("/settings/sign-in")
    expect(page.get_by_text("/sign-in/sso/callback")).to_be_visible()
    owner.axe_at_both_widths("settings of single sign-on")

"""API tokens, service accounts and the page of the API, by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.factories import PASSWORD


def test_a_token_is_made_and_revoked_by_keyboard(owner: Watched) -> None:
    page = owner.go("/account/tokens")
    owner.axe_at_both_widths("no tokens")
    page.get_by_label("Name").fill("Nightly import")
    page.get_by_label("Invite").press("Space")
    page.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#token-text")).to_have_text(re.compile("^muster_"))
    owner.axe_at_both_widths("a token just made")
    page.get_by_role("link", name="Revoke Nightly import").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Revoke")).press("Enter")
    expect(page.get_by_text("There are none yet.")).to_be_visible()


def test_a_service_account_and_the_page_of_the_api(owner: Watched) -> None:
    page = owner.go("/settings/service-accounts")
    page.get_by_label("Name").fill("School information system")
    page.keyboard.press("Enter")
    expect(page.get_by_text("School information system").first).to_be_visible()
    owner.axe_at_both_widths("a service account")
    owner.go("/api")
    owner.axe_at_both_widths("the API")

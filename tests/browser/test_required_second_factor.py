"""Where two-step sign-in is required of those who manage users, they set it up before anything else."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import expect
from pyotp import TOTP

from tests.browser.conftest import OWNER, PASSWORD

SETTINGS = {"MUSTER_REQUIRE_TOTP": "managers", "MUSTER_MAIL_URL": ""}


def test_the_owner_sets_it_up_and_goes_on(open_page, portal):
    watched = open_page(viewport={"width": 390, "height": 844})
    page = watched.go("/sign-in?next=/users")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up two-step sign-in")
    watched.axe("two-step sign-in is required")
    watched.go("/batches")
    expect(page.get_by_text("It is required here for your account")).to_be_visible()
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(TOTP(secret).at(datetime.now(UTC)))
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two-step sign-in is on")
    watched.go("/batches")
    expect(page.get_by_role("heading", level=1)).to_have_text("Uploads")

"""Links to roles that manage users; each state with axe."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Watched

DEV = "dev.patel@northfield.example"


def dialog(page: Page):
    return page.get_by_role("dialog")


def invite(watched: Watched, email: str) -> None:
    """Single Invite, as Admin."""
    page = watched.go("/invitations/new?invite=single")
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_role("radio", name="Admin").check()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("^(Send|Create) invitation")).click()
    expect(page.get_by_text(re.compile(f"Invitation sent to {email}|is invited"))).to_be_visible()


def test_the_link_of_an_admin_asks_for_the_password_in_its_dialog(owner: Watched) -> None:
    invite(owner, DEV)
    page = owner.page
    page.get_by_role("button", name=f"Actions for {DEV}").click()
    page.get_by_role("button", name="Copy invitation link").click()
    asked = dialog(page)
    expect(asked.get_by_text("Anyone with this link becomes Admin.")).to_be_visible()
    owner.axe("the password before the link")
    asked.get_by_label("Your password").fill("wrong wrong wrong")
    asked.get_by_role("button", name="Show link").click()
    expect(asked.get_by_text("This is not your password.")).to_be_visible()
    asked.get_by_label("Your password").fill(PASSWORD)
    asked.get_by_role("button", name="Show link").click()
    expect(asked.get_by_label("Link", exact=True)).to_have_value(re.compile("/invitations/.{43}"))
    expect(asked.get_by_role("button", name="Copy invitation link")).to_be_focused()


def test_the_sheet_asks_for_it_too(owner: Watched) -> None:
    page = owner.go("/link-sheets/new")
    expect(page.get_by_label("Your password")).to_be_visible()
    owner.axe("a sheet with the link of an Admin")
    page.get_by_role("button", name="Make slips to print").click()
    expect(page.get_by_text("Type your password: some of these links make people manage users.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Make slips to print").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 slip")

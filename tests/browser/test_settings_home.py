"""Settings and Home as the Owner works with them: by keyboard, at both widths, in both themes."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import OWNER, Watched, upload
from tests.run.conftest import wait_until

SETTINGS = {"MUSTER_MAIL_FROM": "", "MUSTER_MAX_ROWS": "", "MUSTER_INVITE_DAYS": "14"}


def test_settings_are_found_changed_and_tried_out(owner: Watched) -> None:
    wait_until(lambda: owner.portal.muster.health().get("status") == "ok", "the workers are there")
    page = owner.go("/settings")
    expect(page.get_by_text("Healthy")).to_be_visible()
    owner.axe_at_both_widths("the index")
    page.get_by_role("link", name="General").press("Enter")
    name = page.get_by_label("Organisation")
    name.fill("")
    name.press("Enter")
    expect(page.get_by_text("Type your organisation’s name.")).to_be_visible()
    expect(name).to_be_focused()
    owner.axe_at_both_widths("a name that is missing")
    name.fill("Northfield Academy")
    name.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    expect(page.locator(".sidebar")).to_contain_text("Northfield Academy")

    page = owner.go("/settings/email")
    expect(page.get_by_label("Invitations work for")).to_have_attribute("readonly", "")
    page.get_by_label("Sender").fill("Front office <office@northfield.example>")
    page.get_by_label("Words in every invitation").fill("Bring your laptop.\nLunch is at noon.")
    page.get_by_role("button", name="Send a test message").press("Enter")
    expect(page.locator("#last-test")).to_contain_text("The mail server said:", timeout=180_000)
    expect(page.locator("#last-test")).to_contain_text("Sent")
    assert "Bring your laptop.\nLunch is at noon." in owner.portal.mail_to(OWNER)
    expect(page.frame_locator("iframe").get_by_text("Bring your laptop.")).to_be_visible()
    page.get_by_text("As text").click()
    owner.axe_at_both_widths("what invitations say")

    page = owner.go("/settings/uploads")
    page.get_by_label("Users in a file, at most").fill("many")
    page.get_by_label("Groups of people who are here already").select_option("add")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("Type a whole number from 1 to 50000.")).to_be_visible()
    expect(page.get_by_label("Groups of people who are here already")).to_have_value("add")
    owner.axe_at_both_widths("a wrong number")
    page.get_by_label("Users in a file, at most").fill("3")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    for path in ("/settings/sign-in", "/settings/data", "/aliases"):
        owner.go(path)
        owner.axe_at_both_widths(path)


def test_home_tells_what_waits_and_draws_the_weeks(owner: Watched) -> None:
    page = owner.go("/")
    step = page.locator("#first-steps [aria-current=step]")
    expect(step).to_contain_text("Invite your first users")
    owner.axe_at_both_widths("Home in the first days")
    page.keyboard.press("i")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    step.get_by_role("button", name="Single Invite").press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Email")).to_be_visible()
    upload(owner, "Email,Role,Groups\nines.carvalho@northfield.example,Analyst,\n")
    page = owner.go("/users?invite=single")
    page.get_by_label("Email").fill("tom.ashworth@northfield.example")
    page.get_by_role("button", name=re.compile("Send invit")).click()
    expect(page.get_by_text("Invitation sent to tom.ashworth@northfield.example")).to_be_visible()
    owner.portal.mail_to("tom.ashworth@northfield.example")
    page = owner.go("/")
    expect(page.get_by_role("img", name="Invitations by week")).to_be_visible()
    expect(page.get_by_role("link", name="staff.csv")).to_be_visible()
    expect(page.locator("#all-well")).to_be_visible()
    expect(page.get_by_role("navigation", name="Figures")).to_contain_text("Not joined yet")
    owner.axe_at_both_widths("Home with a chart")

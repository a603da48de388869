"""The report while people join: how it looks, by keyboard alone, and how it goes on by itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OWNER, PASSWORD, Watched, send, sign_in, token, upload
from tests.run.conftest import wait_until

PEOPLE = ["ines", "jonas", "lena", "nadia", "omar", "pia", "quentin"]
FILE = (
    "Email,Role,Groups\n"
    + "".join(f"{name}@northfield.example,Analyst,Student Devices\n" for name in PEOPLE)
    + "maren.okafor@northfield.example,Owner,\nfull@northfield.example,Remote,\n"
)


@pytest.fixture(scope="module")
def report(browser, portal) -> str:
    """The address of the report of seven invitations, one failure and one row with nothing to do."""
    portal.sink.answer("full@northfield.example", "552 5.2.2 Over quota")
    watched = Watched(browser.new_page(), portal, [])
    sign_in(watched, OWNER)
    path = upload(watched, FILE)
    send(watched.page, "Send 8 invitations")
    expect(watched.page.get_by_text("0 of 7 joined").first).to_be_visible(timeout=180_000)
    watched.page.context.close()
    return path


def join(open_page: Callable[..., Watched], name: str) -> None:
    """This person opens the link and joins."""
    guest = open_page()
    link = re.search(r"/invitations/\S+", guest.portal.mail_to(f"{name}@northfield.example"))
    assert link
    form = {"csrf_token": token(guest, link[0]), "name": name.title(), "password": PASSWORD}
    assert guest.page.context.request.post(guest.portal.url + link[0], form=form).ok


def test_the_report_in_both_themes_and_at_both_widths(owner, report):
    page = owner.go(report)
    expect(page.get_by_role("heading", level=1)).to_have_text("staff.csv")
    expect(page.locator(".page-head p")).to_contain_text("7 invited, 1 failed, today at")
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("link", name="Download the corrected file")).to_be_visible()
    owner.axe_at_both_widths("the menu")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="More")).to_be_focused()
    page.get_by_text("They have what the file asks for already.").press("Enter")
    owner.axe_at_both_widths("the report")


def test_counts_by_itself_who_joins_and_keeps_the_focus(owner, report, open_page):
    page = owner.page
    page.clock.install()
    owner.go(report)
    expect(page.get_by_text("7 to go")).to_be_visible()
    page.get_by_role("link", name="Remind 7").focus()
    join(open_page, "ines")
    page.clock.fast_forward(16_000)
    expect(page.get_by_text("1 of 7 joined").first).to_be_visible()
    expect(page.get_by_role("heading", name="Joined", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Ines", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Remind 6")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="joined")).to_have_text("0 of 7 joined")
    page.clock.fast_forward(60_000)
    expect(page.get_by_role("status").filter(has_text="joined")).to_have_text("1 of 7 joined")


def test_asks_for_nothing_in_a_hidden_tab(owner, report):
    page = owner.page
    page.clock.install()
    owner.go(report)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.isAway })")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/joined" in request.url else None)
    page.evaluate("window.isAway = true")
    page.clock.fast_forward(40_000)
    page.wait_for_timeout(300)
    assert asked == []
    page.evaluate("window.isAway = false")
    with page.expect_request("**/joined?*"):
        page.clock.fast_forward(16_000)


def test_reminds_by_keyboard(owner, report, portal):
    page = owner.go(report)
    button = page.locator("#remind")
    n = button.inner_text().removeprefix("Remind ")
    button.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=f"Send a reminder to {n} people?")).to_be_focused()
    owner.axe_at_both_widths("the question")
    dialog.get_by_role("button", name=f"Remind {n}").press("Enter")
    expect(page.get_by_text(f"Reminders are on their way to {n} people.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sent 1 minute ago")).to_be_disabled()
    to_pia = ["pia@northfield.example"]
    wait_until(lambda: [each.recipients for each in portal.sink.messages].count(to_pia) == 2, "Pia is reminded")

"""What works on every page: the key for inviting, pasting into its dialog, and where short messages stand."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched, send, upload

PASTE = """([text, file]) => {
  const clipboardData = new DataTransfer();
  if (text) clipboardData.setData("text/plain", text);
  if (file) clipboardData.items.add(new File([file], "copied.csv", {type: "text/csv"}));
  const paste = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
  document.activeElement.dispatchEvent(paste);
}"""


def dialog(page: Page):
    return page.get_by_role("dialog", name="Invite Users")


def test_i_invites_from_every_page(owner: Watched) -> None:
    for path in ("/", "/settings", "/groups", "/audit", "/messages", "/account"):
        page = owner.go(path)
        page.keyboard.press("i")
        expect(dialog(page)).to_be_visible()
    page = owner.go("/account")
    page.get_by_label("Full name").fill("Somebody")
    page.get_by_role("button", name="Save name").focus()
    page.keyboard.press("i")
    ask = page.get_by_role("alertdialog", name="Leave this page?")
    ask.get_by_role("button", name="Keep editing").click()
    expect(page.get_by_label("Full name")).to_have_value("Somebody")


def test_what_is_pasted_into_the_dialog_is_taken_wherever_the_focus_is(owner: Watched) -> None:
    page = owner.go("/users?invite=single")
    expect(page.get_by_label("Email")).to_be_focused()
    page.get_by_role("tab", name="Bulk Upload").click()
    page.get_by_text("Paste from a spreadsheet").click()
    expect(page.get_by_label("Rows, with or without the header")).to_be_focused()
    page = owner.go("/users?invite=bulk")
    expect(page.get_by_role("heading", name="Invite Users")).to_be_focused()
    page.evaluate(PASTE, ["Email\tRole\npasted@northfield.example\tAnalyst\n", ""])
    expect(page.get_by_role("button", name="Review pasted rows")).to_be_focused()
    owner.axe("pasted, not sent yet")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Email, row 2")).to_have_value("pasted@northfield.example")
    page = owner.go("/users?invite=bulk")
    page.evaluate(PASTE, ["", "Email,Role\ncopied@northfield.example,Analyst\n"])
    expect(page.get_by_label("Email, row 2")).to_have_value("copied@northfield.example")
    assert "copied.csv" in page.title() + page.inner_text("main")


def test_short_messages_stand_at_the_foot_and_in_a_dialog_above_its_buttons(owner: Watched) -> None:
    page = owner.go("/account")
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("button", name="Save name").click()
        toast = page.locator(".toast", has_text="Your name is changed.")
        expect(toast).to_be_visible()
        box = toast.bounding_box()
        assert height - 40 < box["y"] + box["height"] < height, (width, box)
        owner.axe(f"a message at {width}")
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        owner.go("/users?invite=single")
        page.route("**/invitations", lambda route: route.abort())
        page.get_by_label("Email").fill("ines@northfield.example")
        page.get_by_role("button", name=re.compile("invitation$")).click()
        box = page.locator(".toast").bounding_box()
        foot = page.locator("#single-panel .foot").bounding_box()
        assert foot["y"] - 30 < box["y"] + box["height"] <= foot["y"], (width, box, foot)
        page.unroute_all(behavior="ignoreErrors")
    owner.problems.clear()  # of the request that did not reach the server


def test_mail_and_log_are_found_and_unfolded_by_keyboard(owner: Watched) -> None:
    rows = "".join(f"pupil{n}@northfield.example,Remote,Exam Laptops\n" for n in range(5))
    upload(owner, f"Email,Role,Groups\n{rows}", "pupils.csv")
    send(owner.page, "Send 5 invitations")
    owner.portal.mail_to("pupil4@northfield.example")
    page = owner.go("/messages")
    owner.axe_at_both_widths("outgoing mail")
    page.keyboard.press("/")
    page.keyboard.type("PUPIL3")
    expect(page.locator("#messages tbody tr")).to_have_count(1)
    expect(page.get_by_label("Search by address")).to_be_focused()
    page.get_by_label("Search by address").fill("nobody")
    expect(page.get_by_text("No message to “nobody” is here.")).to_be_visible()
    page = owner.go("/audit")
    last = page.locator("#events").get_by_role("link", name="pupil0@northfield.example")
    expect(last).to_be_hidden()
    page.get_by_role("button", name=re.compile("5 entries of pupils.csv")).press("Enter")
    expect(last).to_be_visible()
    owner.axe_at_both_widths("the log, unfolded")

"""The same list again, who is missing in it, and the end of their access, by keyboard, with axe on every page and state."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import fits, send, upload


def file_of(*names: str) -> str:
    return "Email,Role,Groups\n" + "".join(f"{name}@northfield.example,Analyst,Student Devices\n" for name in names)


def test_who_is_missing_by_keyboard(owner):
    upload(owner, file_of("ana", "ben", "cleo", "dina"))
    page = owner.page
    send(page, "Send 4 invitations")
    expect(page.locator(".page-head p")).to_contain_text("4 invited", timeout=180_000)

    upload(owner, file_of("ana", "ben", "cleo"), "again.csv")
    expect(page.get_by_text("Same list as staff.csv, sent today at")).to_be_visible()
    page.get_by_role("button", name="More").press("Enter")
    expect(page.get_by_role("link", name="Who is missing")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="is missing here").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who is missing")
    expect(page.get_by_role("heading", name="1 person is missing")).to_be_visible()
    expect(page.get_by_role("link", name="dina@northfield.example")).to_be_visible()
    owner.axe_at_both_widths("who is missing in the earlier list")
    fits(page, 390, 844)

    scope = page.get_by_label("Compare with")
    scope.focus()
    scope.select_option(label="Student Devices")
    page.get_by_role("button", name="Show").press("Enter")
    page.wait_for_url("**/missing?scope=group-*")
    page.get_by_role("button", name="Review 1 person").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("End the access of 1 person")
    expect(page.get_by_text("People of Student Devices who are not in again.csv.")).to_be_visible()
    owner.axe("the review of the action")
    title = page.get_by_role("heading", level=1).bounding_box()
    assert title
    assert title["width"] > title["height"], "the title stands in lines on a phone, not in letters"

    page.get_by_role("button", name="End the access of 1 person").press("Enter")
    dialog = page.get_by_role("dialog")
    number = dialog.get_by_label("Type 1 to go on")
    expect(number).to_be_focused()
    number.fill("4")
    number.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Type 1. Nothing was done.")
    expect(number).to_be_focused()
    owner.axe("a wrong number")
    fits(page, 390, 844)
    number.fill("1")
    number.press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("1 ended", timeout=180_000)
    owner.axe("the report")

"""Fixing many rows at once, undo and redo: by mouse and by keyboard, each state with axe."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import until, upload

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Analsyt,Techer Laptops\n"
    'carla@northfield.example,Remote,"Techer Laptops, Student Devices"\n'
    "dan@northfield.example,Remote,Student Devices\n"
    "dan@northfield.example,Remote,Teacher Laptops\n"
    "eva@northfield.example,Remote,\n"
)


@pytest.fixture
def review(owner) -> Page:
    upload(owner, FILE)
    return owner.page


def toast(page: Page, text: str) -> None:
    expect(page.locator(".toast:not([hidden])").get_by_text(text)).to_be_visible()


def role(page: Page, line: int):
    return page.get_by_label(f"Role, row {line}", exact=True)


def email(page: Page, line: int):
    return page.get_by_label(f"Email, row {line}", exact=True)


class TestUndo:
    def test_by_buttons_and_after_a_refresh(self, owner, review):
        undo, redo = review.get_by_role("button", name="Undo", exact=True), review.get_by_role("button", name="Redo", exact=True)
        expect(undo).to_be_disabled()
        role(review, 2).select_option("Analyst")
        expect(undo).to_be_enabled()
        review.reload()
        undo.click()
        toast(review, "Undone: changed Role in row 2")
        expect(role(review, 2)).to_have_value("Analsyt")
        expect(undo).to_be_disabled()
        expect(undo).to_be_focused()  # also when nothing is left to undo
        owner.axe("after an undo")
        redo.press("Enter")
        toast(review, "Redone: changed Role in row 2")
        expect(role(review, 2)).to_have_value("Analyst")

    def test_of_a_typed_email_shows_what_was_there(self, review):
        email(review, 2).fill("other@northfield.example")
        email(review, 2).press("Enter")
        expect(review.locator("#edit-status")).to_contain_text("Row 2")
        review.locator("#undo").click()
        expect(email(review, 2)).to_have_value("ana@northfield.example")

    def test_from_the_list_of_recent_changes(self, owner, review):
        role(review, 2).select_option("Analyst")
        expect(review.locator("#undo")).to_be_enabled()
        role(review, 5).select_option("Analyst")
        expect(review.locator("#edit-status")).to_contain_text("Row 5")
        review.get_by_role("button", name="Recent changes").press("Enter")
        expect(review.locator("#steps li")).to_have_count(2)
        owner.axe("the recent changes")
        review.get_by_role("button", name="Undo: You changed Role in row 2").press("Enter")
        toast(review, "Undone: changed Role in row 2")
        expect(role(review, 2)).to_have_value("Analsyt")
        expect(role(review, 5)).to_have_value("Analyst")
        expect(review.get_by_role("button", name="Recent changes")).to_be_focused()


def test_find_and_replace_by_keyboard_alone(owner, review):
    review.get_by_role("button", name="More").press("Enter")
    review.get_by_role("button", name="Find and replace").press("Enter")
    dialog = review.get_by_role("dialog", name="Find and replace")
    expect(dialog.get_by_label("Find", exact=True)).to_be_focused()
    owner.axe("find and replace")
    review.keyboard.type("northfield")
    review.keyboard.press("Tab")
    review.keyboard.type("southfield")
    expect(dialog.get_by_text("6 rows change.")).to_be_visible()
    expect(dialog.get_by_text("ana@southfield.example")).to_be_visible()
    owner.axe("find and replace with its preview")
    review.keyboard.press("Enter")
    toast(review, "Replaced in 6 rows")
    expect(dialog).to_be_hidden()
    expect(email(review, 2)).to_have_value("ana@southfield.example")
    review.locator("#undo").click()
    expect(email(review, 2)).to_have_value("ana@northfield.example")


class TestSelection:
    def test_click_and_shift_click_then_a_role(self, owner, review):
        expect(review.get_by_role("toolbar", name="Actions for selected rows")).to_be_hidden()
        review.get_by_label("Select row 2", exact=True).check()
        review.get_by_label("Select row 4", exact=True).click(modifiers=["Shift"])
        expect(review.get_by_text("3 rows selected")).to_be_visible()
        owner.axe("three rows selected")
        review.get_by_role("button", name="Set role 3").click()
        owner.axe("the roles for the selected rows")
        review.get_by_role("button", name="Broadcaster", exact=True).click()
        toast(review, "Role changed in 3 rows")
        for line in (2, 3, 4):
            expect(role(review, line)).to_have_value("Broadcaster")
        expect(role(review, 5)).to_have_value("Remote")
        expect(review.get_by_role("toolbar", name="Actions for selected rows")).to_be_hidden()
        review.locator("#undo").click()
        expect(role(review, 2)).to_have_value("Analsyt")

    def test_groups_by_keyboard_alone(self, owner, review):
        review.get_by_label("Select row 5", exact=True).press("Space")
        review.get_by_label("Select row 7", exact=True).press("Space")
        review.get_by_role("button", name="Edit groups 2").press("Enter")
        dialog = review.get_by_role("dialog", name="Groups of 2 rows")
        expect(dialog).to_be_visible()
        owner.axe("the groups of the selected rows")
        dialog.get_by_label("Exam Laptops").press("Space")
        dialog.get_by_role("button", name="Change groups in 2 rows").press("Enter")
        toast(review, "Groups changed in 2 rows")
        expect(dialog).to_be_hidden()
        expect(review.get_by_label("Groups, row 7", exact=True)).to_contain_text("Exam Laptops")
        expect(review.get_by_label("Groups, row 5", exact=True)).to_contain_text("Student Devices")

    def test_escape_clears_it(self, review):
        review.get_by_label("Select row 5", exact=True).press("Space")
        expect(review.get_by_text("1 row selected")).to_be_visible()
        review.get_by_role("button", name="Clear selection").focus()
        review.keyboard.press("Escape")
        expect(review.get_by_role("toolbar", name="Actions for selected rows")).to_be_hidden()
        expect(review.get_by_label("Select row 5", exact=True)).not_to_be_checked()

    def test_all_of_the_filter_on_other_pages_too(self, owner):
        upload(owner, "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(130)))
        page = owner.page
        page.get_by_label("Select all rows on this page").check()
        expect(page.get_by_text("100 of 130 selected")).to_be_visible()
        page.get_by_role("button", name="Select all 130").press("Enter")
        expect(page.get_by_text("130 rows selected")).to_be_visible()
        page.get_by_role("button", name="Remove 130").click()
        toast(page, "130 rows removed")
        expect(page.get_by_text("Every row was removed")).to_be_visible()
        page.locator("#undo").click()
        toast(page, "Undone: removed 130 rows")
        expect(page.get_by_role("button", name="Send 130 invitations")).to_be_visible()

    def test_an_edit_of_one_cell_keeps_it(self, review):
        review.get_by_label("Select row 5", exact=True).check()
        role(review, 2).select_option("Analyst")
        expect(review.locator("#edit-status")).to_contain_text("Row 2")
        expect(review.get_by_label("Select row 5", exact=True)).to_be_checked()
        expect(review.get_by_text("1 row selected")).to_be_visible()

    def test_on_a_phone(self, owner, open_page):
        upload(owner, FILE)
        owner.page.set_viewport_size({"width": 390, "height": 844})
        owner.page.get_by_label("Select row 5", exact=True).check()
        expect(owner.page.get_by_text("1 row selected")).to_be_visible()
        owner.axe("a row selected on a phone")
        assert owner.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


class TestRows:
    def test_one_more_takes_the_focus_and_can_be_taken_back(self, owner, review):
        review.get_by_role("button", name="Add a row").press("Enter")
        expect(email(review, 8)).to_be_focused()
        owner.axe("a row added")
        review.keyboard.type("fay@northfield.example")
        review.keyboard.press("Enter")
        expect(email(review, 8)).to_have_value("fay@northfield.example")
        expect(review.locator("#edit-status")).to_contain_text("Row 8")
        review.locator("#undo").click()
        expect(email(review, 8)).to_have_value("")
        review.locator("#undo").click()
        expect(email(review, 8)).to_have_count(0)

    def test_one_more_on_another_page(self, owner):
        upload(owner, "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(100)))
        owner.page.get_by_role("button", name="Add a row").click()
        expect(email(owner.page, 102)).to_be_focused()

    def test_twins_by_keyboard(self, owner, review):
        review.get_by_role("link", name="row 6", exact=True).first.press("Enter")
        expect(email(review, 6)).to_be_focused()
        review.get_by_role("button", name="Merge groups with row 6, row 5").press("Enter")
        toast(review, "Groups merged")
        expect(email(review, 6)).to_have_count(0)
        expect(review.get_by_label("Groups, row 5", exact=True)).to_contain_text("Teacher Laptops")
        until(review, "document.activeElement !== document.body")  # the focus must not be lost
        review.locator("#undo").click()
        review.get_by_role("button", name="Keep this one and remove the others with its email, row 6").click()
        toast(review, "1 row removed")
        expect(email(review, 5)).to_have_count(0)
        expect(email(review, 6)).to_have_count(1)

    def test_the_way_to_a_twin_on_another_page(self, owner):
        lines = [f"u{n}@northfield.example,Analyst,\n" for n in range(110)]
        upload(owner, "Email,Role,Groups\n" + "".join(lines) + "u0@northfield.example,Analyst,Student Devices\n")
        owner.page.get_by_role("link", name="row 112", exact=True).click()
        expect(email(owner.page, 112)).to_be_focused()
        expect(owner.page).to_have_url(re.compile("page=2"))


def test_misspelt_domains_by_mouse_and_by_keyboard(owner):
    upload(owner, "Email,Role\nana@gmial.com,Analyst\nben@gmial.com,Remote\ncleo@outlok.com,Remote\n")
    page = owner.page
    expect(page.get_by_role("button", name="Send 3 invitations")).to_be_enabled()
    expect(page.get_by_text("Misspelt domain?")).to_have_count(3)
    owner.axe("misspelt domains")
    cell = page.get_by_label("Email, row 4")
    cell.focus()
    page.keyboard.press("Control+.")
    expect(cell).to_have_value("cleo@outlook.com")
    expect(cell).to_be_focused()
    expect(page.locator("#edit-status")).to_contain_text("Row 4: No problem.")

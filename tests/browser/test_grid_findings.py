"""What a newcomer stumbled over in the review: nothing typed is lost, nothing old is said, nothing is out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import OWNER, PASSWORD, Held, Watched, answered, sign_in, upload

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Lehrer,Student Devices\n"
    "cleo@northfield.example,Hausmeister,Exam Laptops\n"
    "dan@northfield.example,Remote,Teacher Laptops\n"
)
OFFLINE = ("Failed to load resource: net::ERR", "Failed to fetch")


@pytest.fixture
def review(owner: Watched) -> Watched:
    upload(owner, FILE)
    return owner


@pytest.fixture
def long(owner: Watched) -> Page:
    """300 rows on three pages; rows 3 and 240 need attention."""
    roles = {3: "Nobody", 240: "Nobody"}
    upload(owner, "Email,Role,Groups\n" + "".join(f"u{n:03}@x.org,{roles.get(n, 'Analyst')},\n" for n in range(2, 302)))
    return owner.page


@contextmanager
def browser_questions(page: Page) -> Iterator[list[str]]:
    """What the browser itself asks meanwhile; each question is answered with no."""
    asked = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", answer)
    yield asked
    page.remove_listener("dialog", answer)


def expect_offline(review: Watched) -> None:
    """What the console says of requests that this test has cut off."""
    review.problems[:] = [problem for problem in review.problems if not any(words in problem for words in OFFLINE)]


class TestNothingTypedIsLost:
    def test_an_edit_that_does_not_reach_the_server_says_so_in_its_cell_and_is_sent_by_enter(self, review):
        page, cell = review.page, review.page.get_by_label("Email, row 5", exact=True)
        page.route("**/rows/*", lambda route: route.abort(), times=1)
        cell.fill("dana@northfield.example")
        cell.press("Enter")
        told = page.locator("td", has=cell).get_by_text("Not saved. Check your connection and press Enter again.")
        expect(told).to_be_visible()
        expect(cell).to_have_value("dana@northfield.example")
        expect(cell).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#edit-status")).to_have_text("Not saved. Check your connection and press Enter again.")
        review.axe("an edit that was not saved")
        page.get_by_label("Role, row 5").select_option("Analyst")  # an answer that draws its row again
        expect(page.locator("#edit-status")).to_contain_text("Row 5: No problem.")
        expect(told).to_be_visible()
        cell.press("Enter")
        with page.expect_response("**/rows/*"):
            cell.press("Enter")
        expect(told).to_have_count(0)
        page.reload()
        expect(cell).to_have_value("dana@northfield.example")
        expect_offline(review)

    def test_esc_takes_an_edit_that_was_not_saved_back(self, review):
        page, cell = review.page, review.page.get_by_label("Email, row 5", exact=True)
        page.route("**/rows/*", lambda route: route.continue_(headers=route.request.headers | {"x-csrftoken": "old"}), times=1)
        cell.fill("dana@northfield.example")
        cell.press("Enter")
        told = page.get_by_text("Not saved. Press Enter to try again.")
        expect(told.first).to_be_visible()
        cell.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(cell).to_have_value("dan@northfield.example")
        expect(page.locator("[data-unsaved]")).to_have_count(0)
        expect(cell).not_to_have_attribute("aria-invalid", "true")

    def test_groups_that_were_not_saved_can_be_chosen_again(self, review):
        page = review.page
        page.route("**/rows/*", lambda route: route.abort(), times=1)
        for told in (1, 0):
            page.get_by_role("button", name="Groups, row 5").click()
            page.locator("#group-picker").get_by_label("Admin Office").check()
            page.keyboard.press("Enter")
            expect(page.locator("[data-unsaved]")).to_have_count(told)
        expect(page.get_by_role("button", name="Groups, row 5")).to_contain_text("Admin Office")
        expect(page.locator("[data-unsaved]")).to_have_count(0)
        expect_offline(review)

    def test_leaving_the_page_does_not_ask_because_a_cell_holds_a_line_break(self, owner):
        upload(owner, 'Email,Role,Groups\n"ana@northfield.example\nben@northfield.example",Analyst,\n')
        page = owner.page
        with browser_questions(page) as asked:
            page.get_by_label("Role, row 2").click()
            page.keyboard.press("Escape")
            page.reload()
        assert not asked

    def test_leaving_the_page_asks_while_a_cell_is_half_typed(self, review):
        page = review.page
        with browser_questions(page) as asked:
            page.get_by_label("Email, row 5", exact=True).click()
            page.keyboard.type("half")
            with page.expect_event("dialog"):
                page.evaluate("location.reload()")
            assert asked == ["beforeunload"]
            page.keyboard.press("Escape")
            page.reload()
        assert asked == ["beforeunload"]

    def test_closing_the_invitation_asks_before_a_message_is_lost(self, review):
        page = review.page
        page.get_by_role("button", name="More").click()
        page.locator("#letter-open").click()
        letter = page.locator("#letter")
        page.get_by_label("Personal message").fill("Welcome to the autumn term.")
        page.keyboard.press("Escape")
        expect(page.get_by_role("alertdialog")).to_contain_text("Close without saving?")
        page.get_by_role("button", name="Keep editing").click()
        expect(page.get_by_label("Personal message")).to_have_value("Welcome to the autumn term.")
        letter.get_by_role("button", name="Close").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Close").click()
        expect(letter).to_be_hidden()
        page.get_by_role("button", name="More").click()
        page.locator("#letter-open").click()
        expect(page.get_by_label("Personal message")).to_have_value("")
        page.keyboard.press("Escape")
        expect(letter).to_be_hidden()

    def test_signed_out_in_between_leads_to_the_sign_in_and_back(self, review):
        page, path = review.page, review.page.url
        page.goto(path + "?plan=attention")
        page.context.clear_cookies()
        page.get_by_label("Role, row 2").select_option("Analyst")
        expect(page.get_by_text("You were signed out. Sign in to go on.")).to_be_visible()
        page.get_by_label("Email").fill(OWNER)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(path + "?plan=attention")


class TestWhatIsSaid:
    def test_is_what_happened_last(self, review):
        page = review.page
        for line in (2, 3, 4):
            page.get_by_role("button", name=f"Remove row {line}").click()
            expect(page.locator("#toasts")).to_contain_text(f"Row {line} removed")
        expect(page.locator("#toasts .toast > span")).to_have_text(["Row 4 removed"])
        page.get_by_role("button", name="Undo", exact=True).first.click()
        expect(page.locator("#toasts")).to_contain_text("Undone")
        expect(page.locator("#toasts .toast")).to_have_count(1)

    def test_the_same_refusal_twice_is_said_once(self, review):
        page = review.page
        for _ in range(2):
            page.evaluate("document.getElementById('undo').removeAttribute('aria-disabled')")
            with page.expect_response("**/undos"):
                page.locator("#undo").click()
            answered(page)
            expect(page.locator("#toasts .toast")).to_have_count(1)


class TestNothingIsOutOfReach:
    def test_two_clicks_on_add_a_row_are_two_rows_on_the_page_too(self, review):
        page, held = review.page, Held(review.page)
        held.on_the_way("**/rows")
        page.get_by_role("button", name="Add a row").dblclick()
        held.let_go()
        expect(page.get_by_label("Email, row 7", exact=True)).to_be_visible()
        expect(page.get_by_text("6 people. Nothing")).to_be_visible()
        page.reload()
        expect(page.locator("#rows tbody tr")).to_have_count(6)

    @pytest.mark.parametrize("width", [390, 1000, 1440])
    def test_the_invitation_at_every_width(self, review, width):
        review.page.set_viewport_size({"width": width, "height": 800})
        expect(review.page.locator("#more-open")).to_be_visible()

    def test_f8_goes_on_to_the_next_page_that_has_a_problem(self, long):
        long.get_by_label("Email, row 2", exact=True).focus()
        long.keyboard.press("F8")
        expect(long.get_by_label("Role, row 3", exact=True)).to_be_focused()
        long.keyboard.press("F8")
        long.wait_for_url(re.compile(r"page=3"))
        expect(long.get_by_label("Role, row 240")).to_be_focused()
        long.keyboard.press("Shift+F8")
        long.wait_for_url(re.compile(r"/batches/\d+#"))
        expect(long.get_by_label("Role, row 3", exact=True)).to_be_focused()
        long.get_by_role("button", name="Next problem").click()
        expect(long.get_by_label("Role, row 240")).to_be_focused()

    def test_after_a_refused_sending_the_focus_is_on_send(self, owner, open_page):
        page, path = owner.page, upload(owner, "Email,Role,Groups\nana@northfield.example,Remote,\n")
        page.get_by_role("button", name="Send 1 invitation").click()
        expect(page.locator("#confirm-send")).to_be_visible()
        page.evaluate("document.querySelector('[name=version]').value = 0")
        other = page.context.new_page()
        other.goto(owner.portal.url + path)
        other.get_by_label("Role, row 2").select_option("Analyst")
        expect(other.locator("#edit-status")).to_contain_text("No problem.")
        other.get_by_role("button", name="Remove row 2").click()
        expect(other.locator("#toasts")).to_contain_text("removed")
        other.get_by_role("button", name="Add a row").click()
        expect(other.get_by_label("Email, row 3", exact=True)).to_be_visible()
        page.get_by_role("dialog").get_by_role("button", name="Send 1 invitation").click()
        expect(page.get_by_text("Nothing was sent.").first).to_be_visible()
        expect(page.locator("#send")).to_be_focused()


class TestManyRows:
    def test_one_taken_out_of_all_leaves_all_others(self, long):
        long.get_by_label("Select all rows on this page").check()
        long.get_by_role("button", name="Select all 300").click()
        long.get_by_label("Select row 5", exact=True).uncheck()
        expect(long.locator("#selected-count").get_by_text("299 rows selected").first).to_be_visible()
        long.get_by_role("button", name="Remove 299").click()
        expect(long.get_by_text("1 person. Nothing")).to_be_visible()
        expect(long.get_by_label("Email, row 5", exact=True)).to_be_visible()

    def test_the_bar_says_that_a_change_is_under_way(self, long):
        held = Held(long)
        held.on_the_way("**/changes")
        long.get_by_label("Select all rows on this page").check()
        long.get_by_role("button", name="Set role").click()
        long.locator("#selection-roles").get_by_role("button", name="Remote").click()
        expect(long.locator("#selection[aria-busy=true]").get_by_text("Changing 100 rows")).to_be_visible()
        held.let_go()
        expect(long.locator("#selection")).to_be_hidden()


def test_only_emails_need_one_role_and_no_column(owner):
    page = owner.go("/users?invite=bulk")
    page.locator("#paste summary").click()
    page.get_by_label("Rows, with or without the header").fill("ana@northfield.example\nben@northfield.example")
    page.get_by_role("button", name="Review pasted rows").click()
    owner.axe("one role for all rows")
    page.get_by_label("Or one role for all rows").select_option("Remote")
    expect(page.get_by_text("Ready. 2 rows to review.")).to_be_visible()
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_label("Role, row 1")).to_have_value("Remote")
    expect(page.get_by_role("button", name="Send 2 invitations")).to_be_visible()


@pytest.mark.parametrize("opener", ["Send 1 invitation", "Edit groups"])
def test_on_a_phone_dialogs_are_as_wide_as_the_screen(open_page, opener):
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    sign_in(phone, OWNER)
    upload(phone, "Email,Role,Groups\nana@northfield.example,Remote,\n")
    page = phone.page
    if opener == "Edit groups":
        page.get_by_label("Select row 2", exact=True).check()
        expect(page.get_by_role("button", name="Remove 1")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name=opener).first.click()
    box = page.locator("dialog[open]").bounding_box() or {}
    assert (round(box["x"]), round(box["width"])) == (0, 390)
    heights = page.evaluate(
        "[...document.querySelectorAll('#rows :is(.cell, .btn)')].map((control) => control.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44

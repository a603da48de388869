"""A firewall, a rate limit or a Wi-Fi's sign-in page answers instead of Muster: nothing of it enters the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Watched, answered, upload

FILE = "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Analsyt,Student Devices\n"
ANSWERS = {
    403: "<html><body><h1>Request blocked.</h1>Support ID 123</body></html>",
    429: "Too many requests. Slow down.",
    200: "<html><body><h1>Wi-Fi</h1>Please sign in to the Wi-Fi</body></html>",
    502: "<html><body>Bad Gateway</body></html>",
}
CASES = [*ANSWERS.items(), (200, ""), (200, "<hx-partial hx-target='h1' hx-swap='textContent'>Wi-Fi</hx-partial>")]


@pytest.fixture
def review(owner: Watched) -> Watched:
    upload(owner, FILE)
    return owner


def answer_once(page: Page, address: str, status: int, body: str) -> None:
    def fulfill(route: Route) -> None:
        headers = {"HX-Redirect": "/wifi", "HX-Trigger": "wifi"} if body.startswith("<hx") else {}
        route.fulfill(status=status, body=body, content_type="text/html", headers=headers)

    page.route(address, fulfill, times=1)


def expect_5xx(review: Watched) -> None:
    review.problems[:] = [problem for problem in review.problems if "responded with a status of 502" not in problem]


def test_a_cell_keeps_what_was_typed_and_says_that_it_is_not_saved(review):
    page, cell = review.page, review.page.get_by_label("Email, row 2", exact=True)
    for n, (status, body) in enumerate(CASES):
        value = f"new{n}@northfield.example"
        answer_once(page, "**/rows/*", status, body)
        cell.fill(value)
        cell.press("Enter")
        why = f"Not saved. Something between here and Muster answered ({status}). Press Enter to try again."
        expect(page.locator("td", has=cell).get_by_text(why)).to_be_visible()
        expect(cell).to_have_value(value)
        expect(page.get_by_text("Wi-Fi")).to_have_count(0)
        cell.press("Enter")
        cell.press("Enter")
        answered(page)
        expect(page.locator("[data-unsaved]")).to_have_count(0)
        expect(cell).to_have_value(value)
    page.reload()
    expect(cell).to_have_value(value)
    expect_5xx(review)


def test_what_was_pressed_says_that_nothing_was_saved_or_loaded(review):
    page = review.page
    toast = page.locator(".toast")
    for status, body in CASES:
        answer_once(page, "**/rows/*/removal", status, body)
        page.get_by_role("button", name="Remove row 2").click()
        expect(toast).to_contain_text(f"Not saved. Something between here and Muster answered ({status}).")
        expect(page.get_by_label("Email, row 2", exact=True)).to_have_value("ana@northfield.example")
        toast.get_by_role("button", name="Dismiss").click()
    answer_once(page, "**/replacements/new", *CASES[0])
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Find and replace").click()
    expect(toast).to_contain_text("Not loaded. Something between here and Muster answered (403).")
    expect_5xx(review)


def test_an_undo_that_did_not_arrive_can_be_pressed_again(review):
    page = review.page
    page.get_by_role("button", name="Remove row 2").click()
    undo = page.locator(".toast").get_by_role("button", name="Undo")
    answer_once(page, "**/undos*", 200, "")
    undo.click()
    expect(page.locator(".toast[data-tone=bad]")).to_be_visible()
    undo.click()
    expect(page.get_by_label("Email, row 2", exact=True)).to_be_visible()


def test_an_upload_says_who_answered_and_keeps_the_file(owner):
    page = owner.go("/users?invite=bulk")
    alert = page.get_by_role("dialog").get_by_role("alert")
    for status, body in CASES:
        answer_once(page, "**/batches", status, body)
        if status == 403:
            page.set_input_files("#upload-file", {"name": "staff.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
        else:
            alert.get_by_role("button").click()
        expect(alert).to_contain_text(f"Something between here and Muster answered ({status}).")
        expect(alert).to_contain_text("Nothing was sent. The file is still chosen.")
    alert.get_by_role("button").click()
    page.wait_for_url("**/batches/*")
    expect_5xx(owner)

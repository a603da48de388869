"""Finding rows: filters by column, search as one types, order; by mouse and by keyboard, kept in the address."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import upload

FILE = (
    "Email,Role,Groups\n"
    "zoe@northfield.example,Remote,Student Devices\n"
    "ana@northfield.example,Analsyt,Techer Laptops\n"
    "bea@northfield.example,Admin,All groups\n"
    + "".join(f"person{n}@northfield.example,Analyst,Exam Laptops\n" for n in range(8))
)


@pytest.fixture
def review(owner) -> Page:
    upload(owner, FILE)
    return owner.page


def shows(page: Page, lines: list[str]) -> None:
    """These rows, by their numbers and in this order, once the answer is there."""
    expect(page.locator("tbody [role=rowheader]")).to_have_text(lines)


def begins_with(page: Page, *lines: str) -> None:
    for n, line in enumerate(lines):
        expect(page.locator("tbody [role=rowheader]").nth(n)).to_have_text(line)


def test_counts_by_column_are_filters_with_an_address(owner, review):
    address = review.url
    role = review.get_by_role("link", name="Role 1")
    role.click()
    expect(review).to_have_url(address + "?plan=attention&problem=role")
    shows(review, ["3"])
    expect(review.get_by_text("1 of 11 rows")).to_be_visible()
    expect(role).to_have_attribute("aria-current", "true")
    owner.axe("filtered by column")
    review.reload()
    shows(review, ["3"])
    review.get_by_role("link", name="New Admins 1").click()
    shows(review, ["4"])
    review.go_back()
    shows(review, ["3"])
    review.get_by_role("link", name="Clear", exact=True).click()
    expect(review).to_have_url(address)


def test_a_fix_takes_its_count_away_at_once(review):
    review.get_by_role("button", name="Replace “Analsyt” by “Analyst”, row 3").click()
    expect(review.get_by_role("link", name="Role 1")).to_have_count(0)
    expect(review.get_by_role("link", name="Groups 1", exact=True)).to_be_visible()


def test_search_as_one_types_keeps_the_focus_and_the_words(owner, review):
    address = review.url
    review.locator("h1").click()
    review.keyboard.press("/")
    search = review.get_by_label("Find in email, role and groups")
    expect(search).to_be_focused()
    review.keyboard.type("person", delay=40)
    expect(review.get_by_text("8 of 11 rows")).to_be_visible()
    expect(search).to_be_focused()
    review.keyboard.type("3")
    expect(review.get_by_text("1 of 11 rows")).to_be_visible()
    expect(search).to_have_value("person3")
    expect(review).to_have_url(address + "?q=person3")
    owner.axe("a search")
    review.keyboard.type("xyz")
    expect(review.get_by_role("heading", name="No row has “person3xyz”")).to_be_visible()
    expect(search).to_be_focused()
    owner.axe("a search without a match")
    review.get_by_role("link", name="Clear", exact=True).last.click()
    expect(review).to_have_url(address)
    expect(review.locator("tbody tr")).to_have_count(11)


def test_an_empty_search_shows_all_rows_again(review):
    search = review.get_by_label("Find in email, role and groups")
    search.fill("zoe")
    expect(review.locator("tbody tr")).to_have_count(1)
    search.fill("")
    expect(review.locator("tbody tr")).to_have_count(11)
    search.fill("bea")
    search.press("Enter")
    expect(review.locator("tbody tr")).to_have_count(1)


def test_the_page_comes_back_as_it_was_found(review):
    search = review.get_by_label("Find in email, role and groups")
    search.fill("person")
    expect(review.locator("tbody tr")).to_have_count(8)
    review.get_by_role("link", name="New invites").click()
    expect(review).to_have_url(re.compile(r"plan=.*q=person|q=person.*plan="))
    expect(review.get_by_label("Find in email, role and groups")).to_have_value("person")
    review.get_by_role("link", name="Uploads").first.click()
    review.wait_for_url("**/batches")
    review.go_back()
    expect(review.locator("tbody tr")).to_have_count(8)
    review.go_back()
    expect(review.get_by_label("Find in email, role and groups")).to_have_value("person")


def test_a_found_row_is_mended_in_place_and_the_filter_stays(review):
    review.get_by_label("Find in email, role and groups").fill("ana@")
    expect(review.locator("tbody tr")).to_have_count(1)
    review.get_by_role("button", name="Replace “Analsyt” by “Analyst”, row 3").click()
    expect(review.locator("#edit-status")).to_contain_text("Row 3")
    expect(review.get_by_role("link", name="New invites")).to_have_attribute("href", re.compile("q=ana(@|%40)"))


def test_sorted_by_keyboard_alone(owner, review):
    email = review.get_by_role("columnheader", name="Email").get_by_role("link")
    email.focus()
    review.keyboard.press("Enter")
    expect(review.get_by_role("columnheader", name="Email")).to_have_attribute("aria-sort", "ascending")
    begins_with(review, "3", "4")
    owner.axe("sorted")
    review.get_by_role("columnheader", name="Email").get_by_role("link").press("Enter")
    expect(review.get_by_role("columnheader", name="Email")).to_have_attribute("aria-sort", "descending")
    begins_with(review, "2")
    review.get_by_role("columnheader", name="What happens").get_by_role("link").click()
    expect(review.get_by_role("columnheader", name="What happens")).to_have_attribute("aria-sort", "ascending")
    begins_with(review, "3")


def test_what_is_shown_is_what_is_downloaded(review, tmp_path: Path):
    review.get_by_label("Find in email, role and groups").fill("exam laptops")
    expect(review.get_by_text("8 of 11 rows")).to_be_visible()
    review.get_by_role("button", name="More").click()
    with review.expect_download() as found:
        review.get_by_role("link", name="Download as CSV").click()
    found.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["Email", "Role", "Groups", "Status", "Reason", "Suggestion"]
    assert len(table) == 9
    with review.expect_download() as blocked:
        review.get_by_role("link", name="Download the blocked row").click()
    assert blocked.value.suggested_filename == "staff-blocked-rows.csv"


def test_on_a_phone(open_page, owner, portal):
    from tests.browser.conftest import OWNER, sign_in

    path = upload(owner, FILE)
    phone = open_page(viewport={"width": 360, "height": 740}, has_touch=True)
    sign_in(phone, OWNER)
    page = phone.go(path)
    page.get_by_label("Find in email, role and groups").fill("zoe")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.axe("a search on a phone")

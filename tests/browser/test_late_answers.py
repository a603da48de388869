"""Answers that come late, or in another order than they were asked for: what the page shows then is what a reload shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Held, answered, upload

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Remote,Student Devices\n"
    "broken,Remote,\n"
    "maren.okafor@northfield.example,Owner,Student Devices\n"
)
SHOWN = """() => ({
  words: ["h1", "[id$=-review]", "[id$=-send]"].map((part) => document.querySelector(part).innerText.replace(/\\s+/g, " ")),
  values: [...document.querySelectorAll("main :is(input:not([type=hidden]), select)")].map((c) => [c.id, c.value, c.checked]),
  asked: [...document.querySelectorAll("main [hx-vals]")].map((c) => [c.id, c.getAttribute("hx-vals")]),
})"""


@pytest.fixture
def page(owner) -> Page:
    upload(owner, FILE)
    return owner.page


@pytest.fixture
def held(page) -> Held:
    return Held(page)


def edit(page: Page, name: str, value: str) -> None:
    page.get_by_label(name).fill(value)
    page.get_by_label(name).press("Enter")


def skip(page: Page) -> None:
    page.locator("#skip-errors").click()


def is_what_a_reload_shows(page: Page) -> None:
    answered(page)
    shown = page.evaluate(SHOWN)
    page.reload()
    assert shown == page.evaluate(SHOWN)


def test_a_cell_is_answered_late_and_skip_was_ticked_meanwhile(page, held):
    held.answers("**/rows/*")
    edit(page, "Email, row 2", "anna@northfield.example")
    held.wait()
    skip(page)
    held.let_go()
    expect(page.get_by_label("Skip them")).to_be_checked()
    expect(page.get_by_label("Email, row 2")).to_have_value("anna@northfield.example")
    is_what_a_reload_shows(page)


def test_an_option_is_answered_late_and_a_cell_was_edited_meanwhile(page, held):
    held.answers("**/batches/*")
    skip(page)
    held.wait()
    edit(page, "Email, row 4", "cleo@northfield.example")
    held.let_go()
    expect(page.get_by_label("Skip them")).to_be_checked()
    expect(page.get_by_label("Email, row 4")).to_have_value("cleo@northfield.example")
    is_what_a_reload_shows(page)


def test_a_cell_comes_late_to_the_server_and_the_mode_was_changed_meanwhile(page, held):
    held.on_the_way("**/rows/*")
    edit(page, "Email, row 4", "cleo@northfield.example")
    held.wait()
    page.get_by_label("who exists").select_option("add")
    held.let_go()
    expect(page.get_by_label("who exists")).to_have_value("add")
    expect(page.get_by_label("Email, row 4")).to_have_value("cleo@northfield.example")
    is_what_a_reload_shows(page)


def test_two_rows_are_answered_in_the_other_order(page, held):
    held.answers("**/rows/*")
    edit(page, "Email, row 4", "cleo@northfield.example")
    held.wait()
    page.get_by_label("Role, row 2").select_option("Analyst")
    held.let_go()
    expect(page.get_by_role("region", name="Send").get_by_text("1 needs attention")).to_be_visible()
    is_what_a_reload_shows(page)


def test_many_rows_are_changed_while_a_cell_is_on_its_way(page, held):
    held.on_the_way("**/rows/*")
    edit(page, "Email, row 4", "cleo@northfield.example")
    held.wait()
    page.get_by_label("Select row 3").check()
    page.get_by_role("button", name="Remove 1").dblclick()
    held.let_go()
    expect(page.get_by_label("Email, row 3")).to_have_count(0)
    expect(page.get_by_label("Email, row 4")).to_have_value("cleo@northfield.example")
    expect(page.locator("#toasts [data-tone=warn]")).to_have_count(0)
    is_what_a_reload_shows(page)

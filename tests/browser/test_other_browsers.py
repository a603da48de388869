"""What Firefox does otherwise, played in Chromium; and what was first seen wrong there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OWNER, Watched, send, sign_in, upload

PEOPLE = "Email,Role,Groups\n" + "".join(f"person{n}@northfield.example,Analyst,Student Devices\n" for n in range(4))
TO_MATCH = "Who,Mail,Function\nAna,ana@northfield.example,Analyst\n"


@pytest.fixture
def review(owner: Watched) -> Page:
    owner.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(owner, PEOPLE)
    return owner.page


def is_seen_in_columns(table: Locator) -> None:
    """Each heading stands above its cells."""
    expect(table).to_be_visible()
    edges = "cells => cells.map((cell) => Math.round(cell.getBoundingClientRect().left))"
    assert table.locator("thead th").evaluate_all(edges) == table.locator("tbody tr").first.locator("> *").evaluate_all(edges)


def test_leaving_the_window_saves_nothing_and_the_edit_goes_on(review):
    asked = []
    review.on("request", lambda request: asked.append(request.method))
    email = review.get_by_label("Email, row 2")
    email.click()
    email.fill("half")
    email.evaluate("""(input) => {
        document.hasFocus = () => false;
        for (const type of ["change", "focusout"]) input.dispatchEvent(new Event(type, { bubbles: true }));
        delete document.hasFocus;
    }""")
    assert "PATCH" not in asked
    review.keyboard.type(".typed@northfield.example")
    review.keyboard.press("Enter")
    expect(review.locator("#edit-status")).to_contain_text("Row 2")
    assert asked.count("PATCH") == 1
    expect(email).to_have_value("half.typed@northfield.example")


def test_what_a_reopened_tab_restores_is_not_taken_for_what_is_so(review):
    box = review.get_by_label("Select row 3", exact=True)
    box.evaluate("(box) => { box.checked = true; box.dispatchEvent(new Event('input', { bubbles: true })); }")
    expect(box).not_to_be_checked()
    box.click()
    expect(box).to_be_checked()
    expect(review.locator("#selected-count")).to_have_text("1 row selected", use_inner_text=True)


def test_single_keys_work_from_a_box_of_a_row(review):
    review.get_by_label("Select row 3", exact=True).focus()
    review.keyboard.press("/")
    expect(review.get_by_label("Find in email, role and groups")).to_be_focused()


def test_a_cell_is_copied_and_not_what_was_selected_in_the_field_before_it(review):
    review.get_by_label("Email, row 2").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Control+c"):
        review.keyboard.press(key)
    expect(review.locator("#edit-status")).to_have_text("1 cell copied.")
    assert review.evaluate("navigator.clipboard.readText()") == "New invite"


def test_tables_of_a_preview_have_columns(owner, review):
    review.get_by_role("button", name="More").click()
    review.get_by_role("button", name="Find and replace").click()
    review.get_by_label("Find", exact=True).fill("person")
    is_seen_in_columns(review.locator("#replace-preview table"))
    upload(owner, TO_MATCH)
    is_seen_in_columns(review.locator("table.data.plain"))


def test_home_on_a_phone_and_the_table_of_its_chart(open_page: Callable[..., Watched], owner, review):
    phone = open_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    sign_in(phone, OWNER)
    phone.go("/")
    assert phone.page.locator("#step-3 > div").evaluate("(words) => words.clientWidth") > 200
    send(review, "Send 4 invitations")
    expect(review.locator(".page-head p")).to_contain_text("4 invited", timeout=30_000)
    assert owner.go("/").locator("#chart :has(> table)").evaluate("(part) => [part.clientWidth, part.clientHeight]") == [1, 1]

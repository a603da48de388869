"""A row with many long groups: what is too much is folded, and the picker stays in the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import upload

NAMES = [f"Building {n} Floor {n} Teacher Laptops and Projectors (managed)" for n in range(1, 21)]
MANY = ", ".join(NAMES)
SETTINGS = {"MUSTER_GROUPS": f"Student Devices,{','.join(NAMES)}"}
FILE = "Email,Role,Groups\n" + "".join(f'person{n}@northfield.example,Analyst,"{MANY}"\n' for n in range(6))
UNKNOWN = ", ".join(f"Nowhere in particular but with a very long name {n}" for n in range(30))


def expect_in_window(page: Page) -> None:
    box, height = page.locator("#group-picker").bounding_box(), page.viewport_size["height"]
    assert box["y"] >= 0, box
    assert box["y"] + box["height"] <= height, box


@pytest.mark.parametrize("width", [1440, 800])
def test_the_picker_of_a_tall_cell_stays_in_the_window_and_the_page_where_it_is(owner, width):
    upload(owner, FILE + f'tall@northfield.example,Analyst,"{UNKNOWN}"\nlast@northfield.example,Analyst,Student Devices\n')
    page = owner.page
    page.set_viewport_size({"width": width, "height": 800})
    for line in (2, 5, 8, 9):
        cell = page.get_by_role("button", name=f"Groups, row {line}", exact=True)
        cell.evaluate("cell => cell.scrollIntoView({ block: 'center' })")
        before = page.evaluate("scrollY")
        cell.click()
        expect(page.get_by_label("Find a group")).to_be_focused()
        assert page.evaluate("scrollY") == before
        expect_in_window(page)
        page.keyboard.press("Escape")
        expect(cell).to_be_focused()
        assert page.evaluate("scrollY") == before


def test_many_groups_are_folded_and_kept(owner):
    upload(owner, FILE)
    page = owner.page
    cell = page.get_by_role("button", name="Groups, row 2", exact=True)
    expect(cell.locator(".token")).to_have_count(6)
    expect(cell.locator(".token").last).to_have_text("+15 more")
    cell.click()
    expect(page.locator("#group-picker :checked")).to_have_count(20)
    page.locator("#group-picker").get_by_label(NAMES[0]).uncheck()
    page.keyboard.press("Enter")
    expect(cell.locator(".token").last).to_have_text("+14 more")
    page.reload()
    cell.click()
    expect(page.locator("#group-picker :checked")).to_have_count(19)


def test_many_groups_to_create_are_folded_too(owner):
    upload(owner, f'tall@northfield.example,Analyst,"{UNKNOWN}"\n'.join(["Email,Role,Groups\n", ""]))
    row = owner.page.locator("tr", has=owner.page.get_by_label("Email, row 2", exact=True))
    expect(row.get_by_role("button", name="Create group")).to_have_count(5)
    expect(row.get_by_text("25 more", exact=True)).to_be_visible()
    expect(row.locator(".token[data-state=invalid]").last).to_have_text("+25 more")

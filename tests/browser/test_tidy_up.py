"""Tidy up by mouse, by keyboard alone and without the script: what the ticks come to, and where the focus goes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import fits, upload


def file_of(place: str) -> str:
    """Fifteen rows that need attention. place: what new groups and an unknown role are called: what one test creates stays."""
    return (
        "Email,Name,Role,Groups,Status\n"
        "ana@northfield.example,Ana Silva,Analsyt,Techer Laptops,\n"
        "ben@northfield.example,Ben Carter,Analyst,Student Devices; Teacher Laptops,\n"
        f"cleo@northfield,Cleo Dubois,analsyt,{place},\n"
        f"dora@gmial.com,Dora Lind,Remote,{place} 101,\n"
        f"ed@northfield.example,Ed Moss,{place} keeper,{place},\n"
        "flo@northfield.example,Flo Haddad,Remote,Student Devices,\n"
        "flo@northfield.example,Flo Haddad,Remote,Teacher Laptops,\n"
        "gus@northfield.example,Gus Vos,Remote,,suspended\n"
    ) + "".join(f"u{n}@northfield.example,,Analyst,{place} {n}\n" for n in range(8))


def panel(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Tidy up")


def toast(page: Page, text: str) -> None:
    expect(page.locator(".toast:not([hidden])").get_by_text(text)).to_be_visible()


def background(button: Locator) -> str:
    """Its colour, once it has changed to it."""
    return button.evaluate(
        "async e => { await Promise.all(e.getAnimations().map(a => a.finished)); return getComputedStyle(e).backgroundColor; }"
    )


def test_by_mouse_and_its_undo(owner):
    upload(owner, file_of("Kiosk"))
    review = owner.page
    send = review.locator("#send")
    grey = background(send)
    review.get_by_role("button", name="Tidy up 15 problems").click()
    sheet = panel(review)
    foot = sheet.locator("#tidy-up-foot")
    expect(sheet.get_by_role("heading", name="Tidy up", exact=True)).to_be_focused()
    expect(foot).to_have_text("16 fixes in 15 rows. 1 row still needs you.")
    owner.axe_at_both_widths("tidy up")
    sheet.get_by_label("What Kiosk keeper means").select_option("Analyst")
    expect(sheet.get_by_label("Kiosk keeper, row 6")).to_be_checked()
    expect(foot).to_have_text("17 fixes in 15 rows. Then every row is ready.")
    expect(sheet.get_by_text("1 of 1 chosen")).to_be_visible()
    sheet.get_by_label("Remember “Kiosk keeper” for next time").check()
    sheet.get_by_label("All of Spelling").uncheck()
    expect(sheet.get_by_role("button", name="Apply 14 fixes")).to_be_enabled()
    sheet.get_by_label("Techer Laptops to Teacher Laptops").check()
    expect(sheet.get_by_label("All of Spelling")).to_have_js_property("indeterminate", True)
    sheet.get_by_label("All of Spelling").check()
    sheet.get_by_label("What Kiosk 1 becomes").select_option("")
    expect(sheet.get_by_label("Create Kiosk 1,")).not_to_be_checked()
    sheet.get_by_role("button", name="Apply 16 fixes").click()
    toast(review, "16 fixes in 14 rows")
    expect(sheet).to_be_hidden()
    expect(review.get_by_label("Role, row 6", exact=True)).to_have_value("Analyst")
    expect(review.get_by_role("button", name="Tidy up 1 problem")).to_be_visible()
    send.hover()
    assert background(send) == grey, "it cannot be pressed, also under the pointer that pressed Apply"
    review.locator(".toast:not([hidden])").get_by_role("button", name="Undo").click()
    toast(review, "Undone: tidied up 16 fixes. 9 groups stay")
    expect(review.get_by_label("Email, row 4", exact=True)).to_have_value("cleo@northfield")
    review.locator("#tidy-up-open").click()
    expect(review.locator(".toast")).to_have_count(0)


def test_by_keyboard_alone(owner):
    upload(owner, file_of("Hall"))
    review = owner.page
    review.locator("#tidy-up-open").press("Enter")
    sheet = panel(review)
    expect(sheet.get_by_role("heading", name="Tidy up", exact=True)).to_be_focused()
    review.keyboard.press("Escape")
    expect(review.locator("#tidy-up-open")).to_be_focused()
    expect(review.get_by_label("Role, row 2", exact=True)).to_have_value("Analsyt")
    review.keyboard.press("Enter")
    expect(sheet.get_by_label("All of Spelling")).to_be_checked()
    sheet.get_by_label("All of Spelling").focus()
    review.keyboard.press("Space")
    expect(sheet.get_by_role("button", name="Apply 13 fixes")).to_be_visible()
    review.keyboard.press("Control+Enter")
    toast(review, "13 fixes in 13 rows")
    expect(review.locator("body")).not_to_be_focused()
    review.reload()
    review.keyboard.press("t")
    expect(sheet.get_by_role("button", name="Apply 3 fixes")).to_be_visible()
    review.keyboard.press("Control+Enter")
    toast(review, "3 fixes in 3 rows")
    expect(review.locator("#rows :focus, .stats a:focus")).to_have_count(1)


@pytest.mark.parametrize("width", [1440, 390])
def test_fits_and_says_when_nothing_is_ticked(owner, width):
    upload(owner, file_of("Lab"))
    review = owner.page
    review.set_viewport_size({"width": width, "height": 900 if width == 1440 else 844})
    review.locator("#tidy-up-open").click()
    sheet = panel(review)
    expect(sheet.get_by_role("button", name="Apply 16 fixes")).to_be_in_viewport()
    for each in (width, 320):
        review.set_viewport_size({"width": each, "height": 844})
        assert sheet.evaluate("each => each.scrollWidth <= each.clientWidth")
    for box in sheet.locator("[data-all]").all():
        box.uncheck()
    expect(sheet.locator("#tidy-up-foot")).to_have_text("Tick what to fix.")
    expect(sheet.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    sheet.get_by_label("All of Words Muster does not know").press("Space")
    expect(sheet.get_by_label("Lab keeper, row 6")).not_to_be_checked()


def test_a_long_list_of_one_kind_keeps_its_head_and_foot_in_sight(owner):
    upload(owner, "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,Stage {n}\n" for n in range(60)))
    review = owner.page
    review.locator("#tidy-up-open").click()
    sheet = panel(review)
    sheet.get_by_text("Show 52 more").click()
    for width, height in ((1440, 900), (390, 844)):
        review.set_viewport_size({"width": width, "height": height})
        sheet.get_by_label("Create Stage 59,").scroll_into_view_if_needed()
        expect(sheet.get_by_role("heading", name="Tidy up", exact=True)).to_be_in_viewport()
        expect(sheet.get_by_role("button", name="Apply 60 fixes")).to_be_in_viewport()


def test_without_the_script_it_is_a_page(owner, open_page, portal):
    path = upload(owner, file_of("Attic"))
    page = open_page(java_script_enabled=False, storage_state=owner.page.context.storage_state()).page
    page.goto(portal.url + path)
    page.get_by_role("button", name=re.compile("^Tidy up")).click()
    fits(page, 390)
    page.get_by_label("What Attic keeper means").select_option("Remote")
    page.get_by_label("Attic keeper, row 6").check()
    page.get_by_role("button", name=re.compile("^Apply")).click()
    expect(page.get_by_text("17 fixes in 15 rows")).to_be_visible()

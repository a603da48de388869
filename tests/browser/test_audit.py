"""The audit log in a browser: read, found as one types, unfolded, taken away; wide and narrow, light and dark."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Watched, sign_in, upload
from tests.run.conftest import wait_until


@pytest.fixture(scope="module", autouse=True)
def _something_happened(browser, portal):
    """The Owner uploads a file; somebody cannot sign in."""
    page = browser.new_context().new_page()
    watched = Watched(page, portal, [])
    sign_in(watched, OWNER)
    upload(watched, "Email,Role\nines@northfield.example,Remote\n", "autumn-term-staff.csv")
    page.context.clear_cookies()
    watched.go("/sign-in")
    page.get_by_label("Email").fill("tomasz@northfield.example")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Email or password is wrong.")).to_be_visible()
    page.context.close()


def rows(page: Page):
    return page.locator("#events tr[id]:not(.detail)")


@pytest.mark.parametrize("width", [1440, 390])
def test_every_state_can_be_used_by_everybody(open_page, width):
    watched = open_page(viewport={"width": width, "height": 900})
    sign_in(watched, OWNER)
    page = watched.go("/audit")
    expect(rows(page).filter(has_text="Created the group Exam Laptops")).to_be_visible()
    watched.axe("the log")
    button = rows(page).filter(has_text="Uploaded autumn-term-staff.csv").get_by_role("button")
    detail = page.locator("#" + str(button.get_attribute("aria-controls")))
    expect(detail).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(detail).to_contain_text("batch.uploaded")
    watched.axe("an entry unfolded")
    page.keyboard.press("Space")
    expect(detail).to_be_hidden()
    page.get_by_label("Period").select_option("between")
    expect(page.get_by_label("From")).to_be_visible()
    watched.axe("between two days")
    watched.go("/audit?q=nobody")
    expect(page.get_by_text("No entries match these filters")).to_be_visible()
    watched.axe("nothing found")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_is_found_as_one_types_and_the_address_carries_it(owner):
    page = owner.go("/audit")
    page.keyboard.press("/")
    page.keyboard.type("exam lap")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=exam\+lap"))
    expect(page.get_by_label("Search the log")).to_be_focused()
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Search the log").fill("")
    expect(page).not_to_have_url(re.compile("exam"))
    page.get_by_label("Action").select_option("refusals")
    refused = "Sign-in as tomasz@northfield.example refused: email or password is wrong"
    expect(rows(page).filter(has_text=refused)).to_be_visible()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Action").select_option("uploads")
    expect(rows(page).filter(has_text="Uploaded autumn-term-staff.csv")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="autumn-term-staff.csv").click()
    expect(page).to_have_url(re.compile(r"/batches/\d+$"))


def test_all_entries_about_one_thing(owner):
    page = owner.go("/audit?action=uploads")
    rows(page).get_by_role("button").click()
    page.get_by_role("link", name="all entries").click()
    expect(page.get_by_text("Only entries about one upload.")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    expect(rows(page).nth(3)).to_be_visible()


def test_is_taken_away_as_filtered_and_that_is_in_it(owner, tmp_path: Path):
    page = owner.go("/audit?action=groups")
    shown = rows(page).count()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export CSV").click()
    taken.value.save_as(tmp_path / "log.csv")
    lines = list(csv.DictReader((tmp_path / "log.csv").open(encoding="utf-8-sig", newline="")))
    assert len(lines) == shown
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export JSON lines").click()
    taken.value.save_as(tmp_path / "log.jsonl")
    assert len([json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]) == shown
    owner.go("/audit?action=log")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("Exported the audit log")


def test_without_script_everything_is_there(open_page):
    watched = open_page(java_script_enabled=False)
    sign_in(watched, OWNER)
    page = watched.go("/audit")
    page.get_by_label("Search the log").fill("exam lap")
    page.get_by_role("button", name="Filter").click()
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#events .detail")).to_be_visible()


def test_workers_seal_what_was_recorded(owner):
    def sealed() -> bool:
        page = owner.go("/audit?action=groups")
        return page.locator("#events .detail", has_text="not sealed yet").count() == 0

    wait_until(sealed, "the sweep of a worker seals the entries")

"""Invitations after the upload: what became of each, another address, a sheet of links; each state with axe, in both themes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched, send, sign_in, until, upload

WRONG, RIGHT = "ines.carvalo@northfield.example", "ines.carvalho@northfield.example"
FILE = f"Email,Role,Groups\njonas.weber@northfield.example,Remote,Exam Laptops\n{WRONG},Analyst,Student Devices\n"


@pytest.fixture(scope="module")
def report(browser, portal) -> str:
    """The address of the report of an upload of which one e-mail was refused."""
    portal.sink.answer(WRONG, "550 5.1.1 No such user here")
    page = browser.new_page()
    watched = Watched(page, portal, [])
    sign_in(watched, "maren.okafor@northfield.example")
    path = upload(watched, FILE)
    send(page, "Send 2 invitations")
    expect(page.locator(".page-head p")).to_contain_text("1 invited, 1 failed", timeout=180_000)
    page.context.close()
    return path


def test_what_became_of_each_is_told_in_the_list_on_its_page_and_in_the_report(owner, report):
    page = owner.go(report)
    expect(page.get_by_text("Refused by the mail server (550 5.1.1 No such user here)").first).to_be_visible()
    expect(page.get_by_text("Sent today at")).to_be_visible()
    owner.axe("the report")
    owner.go("/users")
    line = page.get_by_role("row").filter(has_text=WRONG)
    expect(line.locator("td .delivery")).to_contain_text("Email failed")
    expect(page.get_by_role("row").filter(has_text="jonas.weber")).to_contain_text("Link works until")
    owner.axe("the list")
    page.get_by_role("link", name=WRONG).click()
    expect(page.locator("dl .delivery")).to_contain_text("Email failed")
    owner.axe("the invitation's page")


def test_a_sheet_of_links_as_slips_and_as_a_file(owner, report, tmp_path):
    page = owner.go("/users?status=invited")
    page.get_by_role("link", name="Link sheet").click()
    expect(page.get_by_role("heading", name="2 open invitations")).to_be_visible()
    owner.axe("before the hand-over")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV for mail merge").click()
    download.value.save_as(tmp_path / "sheet.csv")
    with Path(tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["Email"] for line in lines] == [WRONG, "jonas.weber@northfield.example"]
    page.get_by_role("button", name="Make slips to print").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 slips")
    images = page.get_by_role("img", name=re.compile("QR code of the link for"))
    expect(images).to_have_count(2)
    until(page, "[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    owner.axe("the slips")
    page.emulate_media(media="print")
    expect(page.locator("#sidebar")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(images.first).to_be_visible()
    page.emulate_media(media="screen")


def test_a_sheet_for_picked_people(owner, report):
    page = owner.go("/users?status=invited")
    page.get_by_label("Select jonas.weber@northfield.example").check()
    bar = page.get_by_role("toolbar", name="Actions for selected users")
    owner.axe("the bar of what was picked")
    bar.get_by_role("button", name="Link sheet 1").click()
    expect(page.get_by_role("heading", name="1 open invitation")).to_be_visible()


def test_edit_email_by_keyboard_from_the_report(owner, report, portal):
    page = owner.go(report)
    page.get_by_role("link", name=f"Edit email of {WRONG}").focus()
    page.keyboard.press("Enter")
    field = page.get_by_role("dialog").get_by_label("Email", exact=True)
    expect(field).to_be_focused()
    owner.axe("the form")
    field.fill("jonas.weber@northfield.example")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This person is already invited.")).to_be_visible()
    expect(field).to_have_value("jonas.weber@northfield.example")
    owner.axe("the form refused")
    field.fill(RIGHT)
    page.keyboard.press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("2 invited", timeout=180_000)
    assert "/invitations/" in portal.mail_to(RIGHT)
    owner.go("/users?q=ines")
    expect(page.get_by_role("row").filter(has_text=RIGHT)).to_contain_text("Handed to the mail server")

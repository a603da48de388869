"""The whole path: from sign-in to the accepted invitation."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress

from playwright.sync_api import expect

from tests.browser.conftest import Watched, send, sign_in_by_form, upload

FILE = (
    "Email;Role;Groups\n"
    "ines.carvalho@northfield.example;Analsyt;Student Devices, Library Chromebooks\n"
    "jonas.weber@northfield;Broadcaster;Teacher Laptops\n"
    "owen.pritchard@northfield.example;Remote;Techer Laptops\n"
    "ines.carvalho@northfield.example;Analsyt;Student Devices, Library Chromebooks\n"
)


def test_from_a_file_to_an_accepted_invitation(owner, open_page, portal):
    page = owner.go("/")
    owner.axe("Home")
    page.get_by_role("link", name="Account Settings").click()
    page.wait_for_url("**/settings")
    owner.axe("Account Settings")
    page.get_by_role("link", name="Role Management").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Role Management")
    owner.axe("Role Management")
    page.get_by_role("button", name="Invite Users").click()
    owner.axe("the dialog")
    with page.expect_download() as template:
        page.get_by_role("dialog").get_by_role("link", name="Download our CSV template").click()
    assert template.value.suggested_filename.endswith(".csv")

    page.set_input_files("#upload-file", {"name": "staff.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    page.wait_for_url("**/batches/*")
    expect(page.get_by_text("4 people. Nothing has been sent.")).to_be_visible()
    owner.axe("the review")
    address = page.url

    page.get_by_role("button", name="Replace “Analsyt” by “Analyst”, row 2").click()
    expect(page.get_by_label("Role, row 2")).to_have_value("Analyst")
    page.get_by_role("button", name="Use @northfield.example, row 3").click()
    expect(page.get_by_label("Email, row 3")).to_have_value("jonas.weber@northfield.example")
    page.get_by_role("button", name="Replace “Techer Laptops” by “Teacher Laptops”, row 4").click()
    expect(page.get_by_label("Groups, row 4")).to_have_text("Teacher Laptops")
    page.get_by_role("button", name="Replace “Analsyt” by “Analyst”, row 5").click()
    expect(page.get_by_text("Same as row 2. Left out.")).to_be_visible()
    expect(page.get_by_role("button", name="Send 3 invitations")).to_be_enabled()
    page.reload()
    owner.axe("the review, repaired")
    assert portal.sink.messages == []

    send(page, "Send 3 invitations")
    expect(page.locator(".page-head p")).to_contain_text("3 invited", timeout=180_000)
    assert page.url == address
    owner.axe("the report")
    page.get_by_text("Nothing was done for these rows.").click()
    expect(page.get_by_text("Same email as row 2")).to_be_visible()

    text = portal.mail_to("ines.carvalho@northfield.example")
    link = re.search(r"http://\S+/invitations/\S+", text)
    assert link, text
    assert link.group().startswith(portal.url)

    invited: Watched = open_page()
    join = invited.page
    join.goto(link.group())
    expect(join.get_by_role("heading", level=1)).to_contain_text("Join")
    expect(join.get_by_text("Analyst")).to_be_visible()
    invited.axe("the invitation")
    join.get_by_label("Full name").fill("Inês Carvalho")
    join.get_by_label("Password", exact=True).fill("a long walk at dusk")
    join.get_by_role("button", name="Join").click()
    join.wait_for_url(portal.url + "/")
    expect(join.get_by_text("Student Devices")).to_be_visible()
    invited.axe("Home of an Analyst")
    join.goto(link.group())
    expect(join.get_by_role("heading", level=1)).to_have_text("This invitation was already used")
    invited.axe("a used invitation")

    page.goto(portal.url + "/users")
    expect(page.get_by_text("Inês Carvalho")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("jonas.weber")).locator(".chip:visible")).to_be_visible()
    assert len(portal.sink.messages) == 3


def test_confirming_the_same_batch_in_two_tabs_sends_once(owner, portal):
    before = len(portal.sink.messages)
    path = upload(owner, "Email,Role,Groups\ntwo.tabs@northfield.example,Remote,\n")
    other = owner.page.context.new_page()
    other.goto(portal.url + path)
    other.get_by_role("button", name="Send 1 invitation").click()
    answer = other.get_by_role("dialog").get_by_role("button", name="Send 1 invitation")
    expect(answer).to_be_visible()
    third = owner.page.context.new_page()
    third.goto(portal.url + path)
    send(owner.page, "Send 1 invitation", twice=True)
    expect(owner.page.locator(".page-head p")).to_contain_text("1 invited")
    answer.click()
    expect(other.get_by_text("confirmed already")).to_be_visible()
    third.get_by_role("button", name="Send 1 invitation").click()
    expect(third.get_by_text("confirmed already")).to_be_visible()
    expect(owner.page.locator(".page-head p")).to_contain_text("1 invited", timeout=180_000)
    portal.mail_to("two.tabs@northfield.example")
    assert len(portal.sink.messages) == before + 1


def test_a_worker_that_is_killed(owner, portal):
    """That what it had is sent again by itself, in time: `make faults`."""
    people = "".join(f"crowd{n}@northfield.example,Remote,\n" for n in range(40))
    upload(owner, "Email,Role,Groups\n" + people)
    page = owner.page
    send(page, "Send 40 invitations")
    expect(page.get_by_role("link", name="Discard upload")).to_have_count(0)
    for pid in portal.muster.processes("worker.py"):
        with suppress(ProcessLookupError):  # a worker takes its child with it
            os.kill(pid, signal.SIGKILL)
    portal.let_leases_end()
    expect(page.locator(".page-head p")).to_contain_text("40 invited", timeout=240_000)
    sent = [r for m in portal.sink.messages for r in m.recipients if r.startswith("crowd")]
    assert len(set(sent)) == 40
    assert len(sent) <= 42, "only the message in flight may come twice, of each of the two workers"


def test_a_refused_address_is_reported_with_the_servers_words_and_retried(owner, portal):
    portal.sink.answer("full@northfield.example", "552 5.2.2 Over quota")
    upload(owner, "Email,Role,Groups\nfull@northfield.example,Remote,\nfine@northfield.example,Remote,\n")
    page = owner.page
    send(page, "Send 2 invitations")
    expect(page.locator(".page-head p")).to_contain_text("1 invited, 1 failed", timeout=180_000)
    expect(page.get_by_text("552")).to_be_visible()
    owner.axe("a report with a failure")
    portal.sink.answer("full@northfield.example", "250 OK")
    page.get_by_role("button", name="Retry failed").click()
    expect(page.locator(".page-head p")).to_contain_text("2 invited", timeout=180_000)
    assert [m.recipients for m in portal.sink.messages].count(["fine@northfield.example"]) == 1


def test_signing_out_and_in_again_leads_back_to_the_review(owner, open_page):
    path = upload(owner, "Email,Role,Groups\nback@northfield.example,Analsyt,\n")
    elsewhere = open_page(viewport={"width": 390, "height": 844})
    elsewhere.go(path)
    elsewhere.axe("the sign-in on a phone")
    sign_in_by_form(elsewhere, "maren.okafor@northfield.example")
    elsewhere.go(path)
    expect(elsewhere.page.get_by_text("Not a role")).to_be_visible()
    elsewhere.axe("the review on a phone")

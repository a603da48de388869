"""A fresh installation without a mail server: set up, look around, invite, hand over the link by hand."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Held, fits, send, sign_in, sign_in_by_form, upload

SETTINGS = {"MUSTER_OWNER_EMAIL": "", "MUSTER_OWNER_PASSWORD": "", "MUSTER_GROUPS": "", "MUSTER_MAIL_URL": ""}
OWNER = "maren.okafor@northfield.example"


def test_set_up_then_the_whole_job_without_a_mail_server(open_page, portal):
    watched = open_page()
    page = watched.go("/")
    watched.axe("waiting to be set up")
    link = re.search(r"http://\S+/setup/\S+", portal.muster.output())
    assert link, portal.muster.output()
    page.goto(link.group())
    watched.axe("set-up")
    page.get_by_label("Organisation").fill("Northfield Academy")
    page.get_by_label("Full name").fill("Maren Okafor")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("Use at least 12 characters.")).to_be_visible()
    watched.axe("set-up, refused")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url(portal.url + "/")
    expect(page.locator("#first-steps [aria-current=step]")).to_contain_text("Device groups")
    watched.axe_at_both_widths("Home, first steps")

    again = open_page()
    again.page.goto(link.group())
    expect(again.page.get_by_role("heading", level=1)).to_be_visible()
    assert again.page.locator("input[name=password]").count() <= 1, "the link is used: at most the sign-in asks for a password"

    page.get_by_role("link", name="Device Groups").first.click()
    expect(page.get_by_role("button", name="Use 6 example groups")).to_be_visible()
    watched.axe("no groups yet")
    page.get_by_role("button", name="Use 6 example groups").click()
    expect(page.get_by_text("Teacher Laptops").first).to_be_visible()
    watched.axe("Device Groups")

    watched.go("/batches")
    watched.axe("no uploads yet")
    watched.go("/messages")
    watched.axe("no messages yet")

    watched.go("/")
    page.get_by_role("button", name="Copy line").press("Enter")
    expect(page.get_by_text("Line copied")).to_be_visible()
    watched.axe_at_both_widths("Home, email is the next step")
    page.get_by_role("button", name="Go on without email").press("Enter")
    expect(page.locator("#first-steps")).to_contain_text("Without email. Set it up")

    upload(watched, "Email,Role,Groups\nines.carvalho@northfield.example,Analyst,Student Devices\n")
    send(page, "Create 1 invitation")
    expect(page.locator(".page-head p")).to_contain_text("1 created, none emailed", timeout=180_000)
    watched.go("/batches")
    watched.axe("Uploads")

    watched.go("/messages")
    watched.axe("Outgoing mail")
    page.get_by_role("link", name=re.compile("ines.carvalho|invit", re.I)).first.click()
    page.wait_for_url("**/messages/*")
    watched.axe("a message")
    assert list((portal.muster.data_dir / "outbox").glob("*.eml"))

    watched.go("/users")
    row = page.get_by_role("row", name=re.compile("ines.carvalho"))
    row.get_by_role("button", name=re.compile("Actions")).click()
    page.get_by_role("button", name="Copy invitation link").click()
    given = page.get_by_label("Link", exact=True).input_value()
    watched.axe("the invitation link")
    assert given.startswith(portal.url + "/invitations/")

    invited = open_page(viewport={"width": 390, "height": 844})
    join = invited.page
    join.goto(given)
    invited.axe("the invitation on a phone")
    join.get_by_label("Full name").fill("Inês Carvalho")
    join.get_by_label("Password", exact=True).fill("a long walk at dusk")
    join.get_by_role("button", name="Join").click()
    join.wait_for_url(portal.url + "/")
    expect(join.get_by_role("heading", name="Welcome, Inês")).to_be_focused()
    expect(join.get_by_text("Student Devices", exact=True)).to_be_visible()
    invited.axe_at_both_widths("the first page of somebody who was invited")


def test_pages_on_a_phone_and_what_is_refused(open_page, portal):
    watched = open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page = watched.go("/sign-in")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill("wrong wrong wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Email or password is wrong.")).to_be_visible()
    watched.axe("a refused sign-in")
    sign_in_by_form(watched, OWNER)
    for path in (
        "/",
        "/users",
        "/users?q=nobody-at-all",
        "/users?invite=single",
        "/users?invite=bulk",
        "/groups",
        "/batches",
        "/settings",
        "/messages",
        "/nowhere",
    ):
        watched.go(path)
        watched.axe(path)
        fits(page, 390, 844)


def test_a_refused_file_says_why_in_the_dialog_and_the_next_one_works(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=bulk")
    page.set_input_files("#upload-file", {"name": "people.csv", "mimeType": "text/csv", "buffer": b"Email,Role\n"})
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_focused()
    watched.axe("a refused file")
    page.set_input_files(
        "#upload-file", {"name": "people.csv", "mimeType": "text/csv", "buffer": b"Email,Role\nana@x.org,Remote\n"}
    )
    page.wait_for_url("**/batches/*")


def test_a_file_is_dropped(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=bulk")
    handle = page.evaluate_handle(
        """() => { const d = new DataTransfer();
        d.items.add(new File(["Email,Role\\ndropped@x.org,Remote\\n"], "dropped.csv", {type: "text/csv"})); return d; }"""
    )
    page.dispatch_event("#upload-file", "dragenter", {"dataTransfer": handle})
    expect(page.get_by_text("Drop to check this file")).to_be_visible()
    page.dispatch_event("#upload-file", "dragleave", {"dataTransfer": handle})
    page.evaluate(
        """d => { const input = document.querySelector("#upload-file");
        input.files = d.files; input.dispatchEvent(new Event("change", {bubbles: true})); }""",
        handle,
    )
    page.wait_for_url("**/batches/*")
    expect(page.get_by_text("dropped.csv")).to_be_visible()


DROP = """files => { const d = new DataTransfer();
        for (const [name, text] of Object.entries(files)) d.items.add(new File([text], name, {type: "text/csv"}));
        const drop = new DragEvent("drop", {dataTransfer: d, bubbles: true, cancelable: true});
        document.querySelector("#upload-file").dispatchEvent(drop); }"""


def test_several_files_are_dropped(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=bulk")
    page.evaluate(DROP, {"north.csv": "Email,Role\na@x.org,Remote\n", "empty.csv": ""})
    alert = page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("empty.csv: This file is empty.")
    expect(alert).to_contain_text("Nothing was sent. 1 other file can be reviewed under Uploads.")
    watched.axe("one of two files refused")
    page.evaluate(DROP, {"south.csv": "Email,Role\nb@x.org,Remote\n", "west.csv": "Email,Role\nc@x.org,Remote\n"})
    page.wait_for_url("**/batches")
    for name in ("north.csv", "south.csv", "west.csv"):
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_several_files_stop_with_the_dialog(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=bulk")
    held = Held(page)
    held.on_the_way("**/batches")
    page.evaluate(DROP, {"first.csv": "Email,Role\nd@x.org,Remote\n", "second.csv": "Email,Role\ne@x.org,Remote\n"})
    held.wait()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Invite Users").click()
    page.set_input_files("#upload-file", {"name": "late.csv", "mimeType": "text/csv", "buffer": b"Email,Role\nf@x.org,Remote\n"})
    expect(page.get_by_role("heading", level=1)).to_have_text("Review late.csv")
    page = watched.go("/batches")
    expect(page.get_by_role("link", name="late.csv")).to_be_visible()
    expect(page.get_by_role("link", name="second.csv")).to_have_count(0)


def test_the_dialog_by_keyboard_alone(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users")
    page.keyboard.press("i")
    expect(page.get_by_role("dialog")).to_be_visible()
    watched.axe("the dialog")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    watched.axe("the shortcuts")
    page.keyboard.press("Escape")


def test_a_single_invite_and_then_the_same_again(open_page, portal):
    watched = open_page()
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=single")
    page.get_by_label("Email", exact=True).fill("single@northfield.example")
    page.get_by_role("button", name="Create invitation").click()
    expect(page.get_by_text("single@northfield.example is invited. No email was sent, as no mail server is set")).to_be_visible()
    watched.go("/users?invite=single")
    page.get_by_label("Email", exact=True).fill("single@northfield.example")
    page.get_by_role("button", name="Create invitation").click()
    expect(page.get_by_text("This person is already invited.")).to_be_visible()
    watched.axe("a single invite that is in the way")
    page.get_by_role("button", name="Resend invitation").click()
    expect(page.get_by_text("single@northfield.example is invited again. No email was sent")).to_be_visible()

"""The question before sending, the password where somebody becomes an administrator, and the e-mail of the batch."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OWNER, PASSWORD, Held, send, sign_in, upload

FILE = "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Remote,\n"


def test_the_question_says_what_happens_and_esc_leads_back(owner, portal):
    upload(owner, FILE)
    page = owner.page
    button = page.get_by_role("button", name="Send 2 invitations")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Invite 2 people?")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    owner.axe("the question before sending")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    dialog.get_by_role("button", name="Keep editing").click()
    expect(dialog).to_be_hidden()
    assert portal.sink.messages == []


def test_it_follows_the_edits_of_the_page(owner):
    upload(owner, FILE)
    page = owner.page
    page.get_by_role("button", name="Remove row 3").click()
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text("Invite 1 person?")


def test_an_edit_whose_answer_comes_while_it_is_open_is_told_in_it(owner):
    upload(owner, FILE)
    page = owner.page
    held = Held(page)
    held.on_the_way("**/rows/*")
    page.get_by_label("Role, row 2").select_option("Admin")
    held.wait()
    page.get_by_role("button", name="Send 2 invitations").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    held.let_go()
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Invite 2 people?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Your password")).to_be_visible()


def test_who_makes_an_admin_gives_the_password_by_keyboard_alone(owner, portal):
    upload(owner, FILE + "dev@northfield.example,Admin,\n")
    page = owner.page
    page.get_by_role("button", name="Send 3 invitations").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Invite 3 people?")
    expect(dialog.get_by_text("because 1 becomes Admin")).to_be_visible()
    owner.axe("the question with the password")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    page.keyboard.type("not my password")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("This is not your password. Nothing was sent.")).to_be_visible()
    expect(dialog.get_by_label("Your password")).to_be_focused()
    expect(dialog.get_by_label("Your password")).to_have_value("")
    owner.axe("a wrong password")
    assert portal.sink.messages == []
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("invited", timeout=180_000)


def test_no_message_lies_over_the_password(owner):
    upload(owner, "Email,Role\nida@northfield.example,Admin\nkai@northfield.example,Remote\n")
    page = owner.page
    page.get_by_role("button", name="Remove row 3").click()
    expect(page.locator(".toast")).to_be_visible()
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.get_by_label("Your password")).to_be_focused()
    expect(page.locator(".toast")).to_have_count(0)


def test_without_a_password_nothing_goes(owner):
    upload(owner, "Email,Role,Groups\nsam@northfield.example,Admin,\n")
    page = owner.page
    page.get_by_role("button", name="Send 1 invitation").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Send 1 invitation").click()
    expect(dialog.get_by_text("Type your password: somebody becomes an administrator.")).to_be_visible()


def test_without_the_script_a_page_asks_the_same(open_page, portal):
    watched = open_page(java_script_enabled=False)
    sign_in(watched, OWNER)
    page = watched.go("/users?invite=bulk")
    page.set_input_files(
        "#upload-file", {"name": "plain.csv", "mimeType": "text/csv", "buffer": b"Email,Role\neva@northfield.example,Admin\n"}
    )
    page.get_by_role("button", name="Upload and review").click()
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Before it is sent")
    expect(page.get_by_role("heading", name="Invite 1 person?")).to_be_visible()
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Send 1 invitation").click()
    page.wait_for_url("**/batches/*")
    portal.mail_to("eva@northfield.example")


def test_the_page_that_asks_passes_axe_and_leads_back(owner):
    path = upload(owner, FILE.replace("ana", "anna"))
    page = owner.go(path + "/confirmation")
    owner.axe("the question as a page")
    page.get_by_role("button", name="Keep editing").click()
    expect(page).to_have_url(owner.portal.url + path)


def test_days_and_message_by_keyboard_alone_and_the_preview_follows(owner, portal):
    upload(owner, "Email,Role,Groups\nines@northfield.example,Analyst,Student Devices\n")
    page = owner.page
    page.get_by_role("button", name="More").press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Invitation")
    days = dialog.get_by_label("The link works for")
    expect(days).to_have_value("7")
    owner.axe("the invitation")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(days).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Type a number of days from 1 to 365.")).to_be_visible()
    expect(days).to_be_focused()
    owner.axe("the invitation, refused")
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.type("Dear all,\nthe portal opens on <Monday>.")
    frame = page.frame_locator("#letter-html")
    expect(frame.get_by_text("the portal opens on <Monday>.")).to_be_visible()
    expect(frame.get_by_text("within 3 days")).to_be_visible()
    dialog.get_by_text("As text").click()
    expect(dialog.locator("#letter-text")).to_contain_text("> the portal opens on <Monday>.")
    owner.axe("the invitation, typed")
    dialog.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_text("Invitation saved")).to_be_visible()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="More")).to_be_focused()
    page.reload()
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("button", name="Invitation text and expiry 3 days, message")).to_be_visible()
    page.keyboard.press("Escape")
    send(page, "Send 1 invitation")
    assert "> the portal opens on <Monday>.\n" in portal.mail_to("ines@northfield.example")


def test_a_test_arrives_and_invites_nobody(owner, portal):
    upload(owner, "Email,Role,Groups\nlena@northfield.example,Analyst,Student Devices\n")
    page = owner.page
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Invitation text and expiry").click()
    dialog = page.get_by_role("dialog", name="Invitation")
    dialog.get_by_label("Personal message").fill("Just to see.")
    dialog.get_by_role("button", name="Send a test to me").click()
    expect(page.get_by_text(f"Test on its way to {OWNER}")).to_be_visible()
    text = portal.mail_to(OWNER)
    assert "> Just to see.\n" in text
    assert "This is a test." in text
    assert "/invitations/" not in text
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Send 1 invitation")).to_be_visible()
    owner.go("/messages")
    expect(page.get_by_text("Test of an invitation").first).to_be_visible()
    owner.axe("Outgoing mail with a test")


def test_the_invitation_as_a_page(owner):
    path = upload(owner, FILE.replace("ben", "benno"))
    owner.go(path + "/letter")
    owner.axe("the invitation as a page")

"""One's own account in a real browser: forgotten, changed, guarded by a second step; and somebody erased."""

from __future__ import annotations

import email
import email.policy
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from pyotp import TOTP

from tests.browser.conftest import OWNER, PASSWORD, sign_in, sign_in_by_form, upload
from tests.run.conftest import wait_until

SETTINGS = {"MUSTER_MAIL_URL": ""}
AMELIA, HART = "amelia.hart@northfield.example", "a.hart@northfield.example"
NEW = "a long walk at dusk"
PHONE = {"viewport": {"width": 390, "height": 844}}


def link_to(portal, address, path):
    """The newest link of this kind in an e-mail to somebody."""

    def written():
        files = sorted((portal.muster.data_dir / "outbox").glob("*.eml"), key=os.path.getmtime, reverse=True)
        mails = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
        texts = [mail.get_body(("plain",)).get_content() for mail in mails if address in mail["To"]]
        return next((found.group() for text in texts if (found := re.search(rf"http\S+/{path}/\S+", text))), None)

    return wait_until(written, f"a link to {path} is mailed to {address}")


def in_database(portal, statement, *values):
    with closing(sqlite3.connect(portal.muster.data_dir / "muster.db", timeout=60)) as database, database:
        database.execute(statement, values)


def code(secret, steps=0):
    return TOTP(secret).at(datetime.fromtimestamp(datetime.now(UTC).timestamp() + 30 * steps, UTC))


@pytest.fixture(scope="module")
def joined(portal, browser):
    """Amelia Hart has an account."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(portal.url + "/sign-in")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(portal.url + "/")
    page.goto(portal.url + "/users?invite=single")
    page.get_by_label("Email", exact=True).fill(AMELIA)
    page.get_by_role("button", name="Create invitation").click()
    expect(page.get_by_text(f"{AMELIA} is invited.")).to_be_visible()
    context.clear_cookies()
    page.goto(link_to(portal, AMELIA, "invitations"))
    page.get_by_label("Full name").fill("Amelia Hart")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(portal.url + "/")
    context.close()


@pytest.mark.usefixtures("joined")
def test_a_forgotten_password_is_chosen_again_on_a_phone(open_page, portal):
    watched = open_page(**PHONE)
    page = watched.go("/sign-in")
    watched.axe("sign-in")
    page.get_by_role("link", name="Forgot password?").click()
    expect(page.get_by_role("button", name="Send link")).to_be_visible()
    watched.axe("forgot password")
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_text("Type your email.")).to_be_visible()
    watched.axe("forgot password, blank")
    page.get_by_label("Email").fill(AMELIA)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask for your link")
    watched.axe("asked")
    link = link_to(portal, AMELIA, "password-resets")
    page.goto(link)
    watched.axe("a new password")
    page.get_by_label("New password", exact=True).fill("short")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Use at least 12 characters.")).to_be_visible()
    watched.axe("a new password, refused")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password is changed. Sign in with it.")).to_be_visible()
    page.goto(link)
    watched.axe("a link that was used")
    sign_in_by_form(watched, AMELIA)


@pytest.mark.usefixtures("joined")
def test_name_password_email_and_sessions_are_ones_own(open_page, portal):
    watched, elsewhere = open_page(), open_page(user_agent="Mozilla/5.0 (iPhone; like Mac OS X) Safari/604.1")
    for each in (elsewhere, watched):
        sign_in(each, AMELIA)
        each.go("/")
    page = watched.page
    page.get_by_role("button", name=re.compile("Amelia Hart")).click()
    watched.axe("the account menu")
    page.get_by_role("group", name="Account menu").get_by_role("link", name="Your account").click()
    expect(page.get_by_label("Full name")).to_be_visible()
    watched.axe("the account")
    page.get_by_label("Full name").fill("Amelia Hartley")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your name is changed.")).to_be_visible()

    form = page.get_by_role("region", name="Password")
    form.get_by_label("Current password", exact=True).fill("wrong")
    form.get_by_label("New password", exact=True).fill(NEW)
    form.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("This is not your password. Nothing was changed.")).to_be_visible()
    expect(form.get_by_label("Current password", exact=True)).to_be_focused()
    watched.axe("the account, refused")

    form = page.get_by_role("region", name="Email")
    form.get_by_label("New email").fill(HART)
    form.get_by_label("Current password", exact=True).fill(PASSWORD)
    form.get_by_role("button", name="Change email").click()
    expect(page.get_by_text(f"{HART} waits to be confirmed")).to_be_visible()
    watched.axe("an email that waits to be confirmed")
    confirming = open_page(**PHONE)
    link = link_to(portal, HART, "email-changes")
    confirming.page.goto(link)
    confirming.axe("confirming an email")
    confirming.page.get_by_role("button", name="Confirm this email").click()
    expect(confirming.page.get_by_text(f"Your email is {HART} now.")).to_be_visible()
    confirming.page.goto(link)
    confirming.axe("an email that was confirmed")

    page.reload()
    expect(page.get_by_text(f"You sign in with {HART}.")).to_be_visible()
    device = page.get_by_role("listitem").filter(has_text="Safari on iPhone")
    device.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Signed out on 1 other device.")).to_be_visible()
    elsewhere.page.reload()
    expect(elsewhere.page.get_by_text("Sign in again to go on.")).to_be_visible()


def test_two_steps_and_the_way_back_in_without_the_phone(open_page, portal):
    watched = open_page(**PHONE)
    sign_in(watched, OWNER)
    page = watched.go("/account/second-factor")
    watched.axe("setting up two-step sign-in")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.get_by_label("Code").fill("000000")
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("This code is not right, or was used already.")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    watched.axe("setting up, refused")
    page.get_by_label("Code").fill(code(secret))
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two-step sign-in is on")
    watched.axe("recovery codes")
    recovery = page.locator("#codes").inner_text().split()
    assert len(recovery) == 10
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    with page.expect_download() as kept:
        page.get_by_role("button", name="Download").click()
    assert kept.value.suggested_filename == "muster-recovery-codes.txt"
    assert kept.value.path().read_text().split() == recovery
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url("**/account")
    watched.axe("the account with two steps")
    watched.go("/account/second-factor")
    watched.axe("two-step sign-in")

    again = open_page()
    page = again.go("/sign-in")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two-step sign-in")
    again.axe("the second step")
    page.get_by_label("Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is not right, or was used already.")).to_be_visible()
    expect(page.get_by_label("Code")).to_have_attribute("inputmode", "numeric")
    page.get_by_role("link", name="Use a recovery code").click()
    again.axe("the second step by a recovery code")
    page.get_by_label("Recovery code").fill("0000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is not right, or was used already.")).to_be_visible()
    again.axe("the second step, refused")
    page.get_by_label("Recovery code").fill(recovery[0])
    page.keyboard.press("Enter")
    page.wait_for_url(portal.url + "/")

    told = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "muster", "owner-link", "--without-second-factor"],
        env=portal.muster.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    link = re.search(r"http\S+/owner-links/\S+", told.stdout).group()
    locked_out = open_page()
    page = locked_out.page
    page.goto(link)
    locked_out.axe("the Owner’s link")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(portal.url + "/")
    page.goto(link)
    locked_out.axe("the Owner’s link, used")
    locked_out.go("/account")
    expect(page.get_by_role("link", name="Set up two-step sign-in")).to_be_visible()


@pytest.mark.usefixtures("joined")
def test_a_link_is_handed_over_and_a_person_is_erased(owner, portal):
    page = owner.go("/users?q=hart")
    page.get_by_role("button", name=re.compile("Actions for Amelia")).click()
    owner.axe("what may be done to an account")
    page.get_by_role("link", name="Make reset link").click()
    dialog = page.get_by_role("dialog", name=re.compile("Make a reset link for Amelia"))
    expect(dialog.get_by_role("heading")).to_be_focused()
    owner.axe("before a link is made")
    dialog.get_by_role("button", name="Make reset link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reset link")
    owner.axe("the reset link")

    upload(owner, f"Email,Role,Groups\n{AMELIA},Analyst,Student Devices\n")
    in_database(portal, "UPDATE users SET state = 'deactivated' WHERE email LIKE '%hart@%'")
    owner.go("/users?status=deactivated")
    page.get_by_role("button", name=re.compile("Actions for Amelia")).click()
    page.get_by_role("link", name="Erase person").click()
    expect(page.get_by_role("button", name="Erase for good")).to_be_visible()
    owner.axe("before somebody is erased")
    page.get_by_label("Your password", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not your password. Nothing was changed.")).to_be_visible()
    owner.axe("before somebody is erased, refused")
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("This person is erased.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Amelia"))).to_have_count(0)

"""Role Management: searching, picking people across pages, one person's menu and page; each state with axe."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Held, Watched, fits, send, sign_in, upload

PEOPLE = [(f"person{n:02}@northfield.example", "Remote" if n % 3 else "Analyst", "Exam Laptops") for n in range(30)]
FILE = "Email,Role,Groups\n" + "".join(f"{email},{role},{groups}\n" for email, role, groups in PEOPLE)
AMELIA = "amelia.hart@northfield.example"


@pytest.fixture(scope="module")
def school(browser, portal) -> None:
    """Thirty invited people, and Amelia Hart, who has joined."""
    page = browser.new_page()
    watched = Watched(page, portal, [])
    sign_in(watched, "maren.okafor@northfield.example")
    upload(watched, FILE + f"{AMELIA},Analyst,Student Devices\n")
    send(page, "Send 31 invitations")
    link = re.search(r"/invitations/\S+", portal.mail_to(AMELIA))
    assert link
    guest = browser.new_page()
    guest.goto(portal.url + link[0])
    guest.get_by_label("Full name").fill("Amelia Hart")
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name=re.compile("Join|Accept|Create")).click()
    guest.wait_for_url(portal.url + "/")
    guest.context.close()
    page.context.close()


@pytest.fixture
def people(school, owner) -> Page:
    owner.go("/users")
    return owner.page


def bar(page: Page):
    return page.get_by_role("toolbar", name="Actions for selected users")


def pick(page: Page, name: str):
    return page.get_by_label(f"Select {name}", exact=True)


def toast(page: Page, text: str) -> None:
    expect(page.locator(".toast:not([hidden])").get_by_text(text)).to_be_visible()


@pytest.mark.parametrize("width", [1920, 1440, 1280, 900, 700])
def test_the_bar_of_what_can_be_done_is_whole(people, width):
    people.set_viewport_size({"width": width, "height": 900})
    people.locator("#pick-page").check()
    edge = bar(people).bounding_box()
    for button in bar(people).get_by_role("button").all():
        box = button.bounding_box()
        assert box["x"] >= edge["x"], (button.inner_text(), box, edge)
        assert box["x"] + box["width"] <= edge["x"] + edge["width"], (button.inner_text(), box, edge)
        button.click(trial=True)


class TestSearch:
    def test_as_one_types_in_the_address_and_back_again(self, owner, people):
        owner.axe("the list")
        people.keyboard.press("/")
        people.keyboard.type("person07")
        expect(people.locator("#users tbody tr")).to_have_count(1)
        expect(people).to_have_url(re.compile(r"q=person07"))
        expect(people.locator("#people-found")).to_have_text("1 person found")
        expect(people.get_by_label("Search by name or email")).to_be_focused()
        expect(people.get_by_role("link", name="Export CSV")).to_have_attribute("href", re.compile("q=person07"))
        people.get_by_role("link", name="person07@northfield.example").click()
        expect(people.get_by_role("heading", level=1)).to_have_text("person07@northfield.example")
        people.go_back()
        expect(people.locator("#users tbody tr")).to_have_count(1)
        expect(people.get_by_label("Search by name or email")).to_have_value("person07")

    def test_a_choice_is_taken_back_by_back(self, people):
        people.get_by_label("Role", exact=True).first.select_option("Analyst")
        expect(people).to_have_url(re.compile(r"role=\d"))
        expect(people.get_by_text("1–11 of 11")).to_be_visible()
        people.get_by_label("Device group", exact=True).select_option("No groups")
        expect(people.get_by_text("No users match these filters")).to_be_visible()
        expect(people).to_have_url(re.compile(r"group=\w"))
        people.go_back()
        expect(people.get_by_text("1–11 of 11")).to_be_visible()
        people.go_back()
        expect(people.get_by_text("1–25 of 32")).to_be_visible()

    def test_nobody_found_and_the_way_out(self, owner, people):
        people.get_by_label("Search by name or email").fill("nobody at all")
        expect(people.get_by_text("matches “nobody at all”")).to_be_visible()
        owner.axe("nobody found")
        people.get_by_role("link", name="Clear filters").click()
        expect(people.get_by_text("1–25 of 32")).to_be_visible()

    def test_rows_are_stood_in_for_while_an_answer_lets_one_wait(self, people):
        held = Held(people)
        held.on_the_way("**/users?q=*")
        people.get_by_label("Search by name or email").fill("person1")
        expect(people.locator(".skeletons")).to_be_visible()
        held.let_go()
        expect(people.locator(".skeletons")).to_be_hidden()

    def test_by_a_heading(self, people):
        people.get_by_role("link", name="Last activity").press("Enter")
        expect(people).to_have_url(re.compile("sort=activity"))
        expect(people.get_by_role("columnheader", name="Last activity")).to_have_attribute("aria-sort", "ascending")
        expect(people.get_by_role("link", name="Last activity")).to_be_focused()
        people.keyboard.press("Enter")
        expect(people.get_by_role("columnheader", name="Last activity")).to_have_attribute("aria-sort", "descending")
        expect(people.get_by_role("link", name="Last activity")).to_be_focused()

    def test_by_status_and_page_by_page_the_focus_stays(self, owner, people):
        people.evaluate("window.same = true")
        people.get_by_role("link", name="Invited").press("Enter")
        expect(people).to_have_url(re.compile(r"/users\?status=invited$"))
        expect(people.get_by_role("link", name="Invited")).to_have_attribute("aria-current", "true")
        expect(people.get_by_role("link", name="Invited")).to_be_focused()
        people.get_by_role("link", name="Next").press("Enter")
        expect(people.get_by_text("26–30 of 30")).to_be_visible()
        expect(people.locator("#people-found")).to_have_text("30 people found, page 2")
        expect(people.get_by_role("link", name="Next", disabled=True)).to_be_focused()
        owner.axe("the last page")
        people.get_by_role("link", name="Previous").press("Enter")
        expect(people.get_by_role("link", name="Previous", disabled=True)).to_be_focused()
        people.go_back()
        expect(people.get_by_text("26–30 of 30")).to_be_visible()
        assert people.evaluate("window.same"), "the page was loaded again"


class TestPicking:
    def test_across_pages_and_on_to_the_review(self, owner, people):
        pick(people, "person01@northfield.example").check()
        pick(people, "person04@northfield.example").click(modifiers=["Shift"])
        pick(people, "Amelia Hart").check()
        expect(bar(people).get_by_text("5 selected")).to_be_visible()
        expect(bar(people).get_by_role("button", name="Resend 4")).to_be_visible()
        expect(bar(people).get_by_role("button", name="Deactivate 1")).to_be_visible()
        expect(bar(people).get_by_role("button", name="Change role 5")).to_be_visible()
        expect(bar(people).get_by_role("button", name="Reactivate")).to_be_hidden()
        owner.axe("people picked")
        people.get_by_role("link", name="Next").click()
        expect(people.get_by_text("26–32 of 32")).to_be_visible()
        expect(bar(people).get_by_text("5 selected")).to_be_visible()
        pick(people, "person29@northfield.example").check()
        expect(bar(people).get_by_role("button", name="Revoke 5")).to_be_visible()
        people.get_by_label("Search by name or email").fill("person02")
        expect(people.locator("#users tbody tr")).to_have_count(1)
        expect(pick(people, "person02@northfield.example")).to_be_checked()
        bar(people).get_by_role("button", name="Revoke 5").click()
        people.wait_for_url("**/batches/*")
        for name in ("person01", "person29", "amelia.hart"):
            expect(people.get_by_text(f"{name}@northfield.example").first).to_be_visible()
        people.goto(owner.portal.url + "/users")
        expect(bar(people)).to_be_hidden()

    def test_all_that_the_filter_finds_by_keyboard_alone(self, owner, people):
        people.get_by_label("Search by name or email").fill("person")
        expect(people.get_by_text("1–25 of 30")).to_be_visible()
        people.get_by_label("Select all on this page").press("Control+a")
        expect(bar(people).get_by_text("25 selected")).to_be_visible()
        people.keyboard.press("Control+a")
        expect(bar(people).get_by_text("30 selected")).to_be_visible()
        expect(bar(people).get_by_role("button", name="Resend", exact=True)).to_be_visible()
        expect(people.locator("#selected-count")).to_be_focused()
        bar(people).get_by_role("button", name="Edit groups", exact=True).press("Enter")
        dialog = people.get_by_role("dialog", name="Groups of 30 people")
        owner.axe("the groups of everybody found")
        dialog.get_by_label("Admin Office").press("Space")
        dialog.get_by_role("button", name="Review the change").press("Enter")
        people.wait_for_url("**/batches/*")
        expect(people.get_by_role("heading", level=1)).to_contain_text("30")

    def test_with_arrows_and_escape(self, people):
        pick(people, "person00@northfield.example").focus()
        people.keyboard.press("Shift+ArrowDown")
        people.keyboard.press("Shift+ArrowDown")
        expect(bar(people).get_by_text("3 selected")).to_be_visible()
        people.keyboard.press("ArrowUp")
        expect(pick(people, "person01@northfield.example")).to_be_focused()
        people.keyboard.press("Escape")
        expect(bar(people)).to_be_hidden()

    def test_another_filter_ends_all_that_was_found(self, people):
        people.get_by_label("Select all on this page").check()
        people.get_by_role("button", name="Select all 32").click()
        expect(bar(people).get_by_text("32 selected")).to_be_visible()
        people.get_by_label("Search by name or email").fill("amelia")
        expect(people.locator("#users tbody tr")).to_have_count(1)
        expect(bar(people).get_by_text("32 selected")).to_be_hidden()

    def test_a_role_for_two(self, owner, people):
        pick(people, "person00@northfield.example").check()
        pick(people, "person01@northfield.example").check()
        bar(people).get_by_role("button", name="Change role 2").press("Enter")
        owner.axe("the roles for those picked")
        people.get_by_role("group", name="Roles").get_by_role("button", name="Broadcaster").press("Enter")
        people.wait_for_url("**/batches/*")
        expect(people.get_by_text("Broadcaster").first).to_be_visible()


class TestOnePerson:
    def test_role_by_the_menu_with_a_password_for_an_admin(self, owner, people):
        people.get_by_role("button", name="Actions for Amelia Hart").click()
        owner.axe("the menu of a user")
        people.get_by_role("link", name="Change role").press("Enter")
        dialog = people.get_by_role("dialog", name="Role of Amelia Hart")
        expect(dialog.get_by_label("Your password")).to_be_hidden()
        dialog.get_by_label("Admin").check()
        owner.axe("somebody becomes an administrator")
        dialog.get_by_role("button", name="Change role").click()
        expect(dialog.get_by_text("Type your password: this person becomes Admin.")).to_be_visible()
        owner.axe("a password is missing")
        dialog.get_by_label("Your password").fill(PASSWORD)
        dialog.get_by_role("button", name="Change role").click()
        toast(people, "Amelia Hart")
        expect(people.locator("tr", has_text="Amelia Hart").get_by_role("cell", name="Admin")).to_be_visible()

    def test_deactivated_after_a_question_and_back_with_a_password(self, owner, people):
        people.get_by_role("button", name="Actions for Amelia Hart").press("Enter")
        people.get_by_role("link", name="Deactivate", exact=True).press("Enter")
        asked = people.get_by_role("dialog", name="Deactivate Amelia Hart?")
        expect(asked).to_contain_text("They are signed out at once and keep no access.")
        owner.axe("the question")
        people.keyboard.press("Escape")
        expect(asked).to_be_hidden()
        people.get_by_role("button", name="Actions for Amelia Hart").click()
        people.get_by_role("link", name="Deactivate", exact=True).click()
        asked.get_by_role("button", name="Deactivate").click()
        toast(people, "Amelia Hart was deactivated")
        expect(people.get_by_role("button", name="Actions for Amelia Hart")).to_be_focused()
        expect(people.locator("tr", has_text="Amelia Hart").get_by_role("cell", name="Deactivated")).to_be_visible()
        people.get_by_role("link", name="Amelia Hart").click()
        expect(people.get_by_role("heading", level=1)).to_have_text("Amelia Hart")
        people.get_by_role("button", name="Actions").click()
        people.get_by_role("link", name="Reactivate").click()
        dialog = people.get_by_role("dialog", name="Reactivate Amelia Hart?")
        dialog.get_by_label("Your password").fill(PASSWORD)
        dialog.get_by_role("button", name="Reactivate").click()
        toast(people, "Amelia Hart")

    def test_a_link_is_copied_without_leaving_the_list(self, owner, people):
        owner.go("/users?q=person05")
        people.get_by_role("button", name="Actions for person05@northfield.example").press("Enter")
        people.get_by_role("button", name="Copy invitation link").press("Enter")
        dialog = people.get_by_role("dialog", name="Link for person05@northfield.example")
        expect(dialog.get_by_label("Link", exact=True)).to_have_value(re.compile("/invitations/"))
        expect(dialog.get_by_role("button", name="Copy invitation link")).to_be_focused()
        owner.axe("the link of an invitation")
        people.keyboard.press("Enter")
        toast(people, "Link copied")
        people.keyboard.press("Escape")
        expect(people.get_by_role("button", name="Actions for person05@northfield.example")).to_be_focused()
        expect(people).to_have_url(re.compile(r"/users\?q=person05$"))

    def test_groups_and_revocation_on_an_invitation_s_page(self, owner, people):
        people.get_by_role("link", name="person12@northfield.example").click()
        expect(people.get_by_text("Invited by")).to_be_visible()
        owner.axe("the page of an invitation")
        people.get_by_role("button", name="Actions").click()
        people.get_by_role("link", name="Edit device groups").click()
        dialog = people.get_by_role("dialog", name="Device groups of person12@northfield.example")
        dialog.get_by_label("All groups").check()
        expect(dialog.get_by_label("Exam Laptops")).not_to_be_checked()
        dialog.get_by_role("button", name="Change groups").click()
        toast(people, "person12@northfield.example")
        expect(people.get_by_text("to All groups")).to_be_visible()
        people.get_by_role("button", name="Actions").click()
        people.get_by_role("link", name="Revoke invitation").click()
        people.get_by_role("dialog", name="Revoke the invitation").get_by_role("button", name="Revoke invitation").click()
        expect(people.get_by_text("Revoked").first).to_be_visible()
        expect(people.get_by_role("button", name="Actions")).to_have_count(0)
        expect(people.get_by_role("heading", level=1)).to_be_focused()
        owner.axe("the page of a revoked invitation")

    def test_a_session_of_somebody_else_is_ended(self, owner, people, open_page):
        people.get_by_role("link", name="Amelia Hart").click()
        expect(people.get_by_role("heading", level=1)).to_have_text("Amelia Hart")
        other = open_page()
        sign_in(other, AMELIA)
        people.reload()
        owner.axe("the page of a user")
        ending = people.get_by_role("link", name="End the session of").first
        ending.press("Enter")
        asked = people.get_by_role("dialog", name="End this session of Amelia Hart?")
        expect(asked.get_by_role("link", name="Keep")).to_be_focused()
        owner.axe("before a session is ended")
        asked.get_by_role("link", name="Keep").press("Enter")
        expect(ending).to_be_focused()
        ending.press("Enter")
        asked.get_by_role("button", name="End session").press("Enter")
        toast(people, "The session ended.")
        other.go("/users")
        expect(other.page).to_have_url(re.compile("/sign-in"))


def test_on_a_phone(school, owner):
    page = owner.go("/users?status=unjoined")
    fits(page, 390, 844)
    owner.axe("the list on a phone")
    page.get_by_role("link", name="person01@northfield.example").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("person01@northfield.example")
    owner.axe("a person on a phone")
    fits(page, 390, 844)


def test_what_is_said_of_a_change_covers_no_control(school, owner):
    page = owner.go("/account")
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("button", name="Save name").click()
        expect(page.locator(".toast", has_text="Your name is changed.")).to_be_visible()
        assert page.evaluate(UNDER_TOAST) == [], width


UNDER_TOAST = """() => { // in one go: the toast stays for ten seconds
  const a = document.querySelector(".toast").getBoundingClientRect();
  const isUnder = (control) => {
    const b = control.getBoundingClientRect();
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  };
  const all = document.querySelectorAll("main :is(a, button, input:not([type=hidden]))");
  const controls = [...all].filter((control) => control.checkVisibility());
  scrollTo(0, document.body.scrollHeight); // a page can be scrolled on until nothing is under it
  const under = controls.filter((control) => isUnder(control));
  for (const control of controls) {
    control.focus();
    if (isUnder(control)) under.push(control);
  }
  return under.map((control) => control.outerHTML);
}"""


def test_without_a_script(school, open_page):
    plain = open_page(java_script_enabled=False)
    sign_in(plain, "maren.okafor@northfield.example")
    page = plain.go("/users")
    page.get_by_label("Search by name or email").fill("person03")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#users tbody tr")).to_have_count(1)
    expect(pick(page, "person03@northfield.example")).to_be_hidden()
    page.get_by_role("button", name="Actions for person03@northfield.example").click()
    page.get_by_role("link", name="Edit device groups").click()
    page.get_by_label("Admin Office").check()
    page.get_by_role("button", name="Change groups").click()
    expect(page).to_have_url(re.compile(r"/users\?q=person03"))
    expect(page.locator("#users").get_by_text("Admin Office")).to_be_visible()
    page.get_by_role("button", name="Actions for person03@northfield.example").click()
    page.get_by_role("link", name="Revoke invitation").click()
    expect(page.get_by_text("Their link stops working.")).to_be_visible()
    page.get_by_role("link", name="Keep").click()
    expect(page).to_have_url(re.compile(r"/users\?q=person03"))
    expect(page.locator("#users").get_by_role("cell", name=re.compile("^Invited Handed"))).to_be_visible()

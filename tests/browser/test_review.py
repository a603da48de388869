"""The review as a whole: how much of the table is seen, its menu, its fold, and where the focus is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Watched, fits, send, sign_in, upload

FILE = (
    "Email,Name,Role,Groups\n"
    "aisha@northfield.example,Aisha Rahman,Admin,Student Devices\n"
    "ben@northfield.example,Ben Carter,Analyst,Student Devices\n"
    'chloe@northfield.example,Chloé Dubois,Analyist,"Student Devices, Techer Laptops"\n'
    "daniel@northfield,Daniel Okonkwo,Broadcaster,Student Devices\n"
    "ewa@northfield.example,Ewa Nowak,Broadcaster,Techer Laptops\n"
    "farid@@northfield.example,Farid Haddad,Remote,\n"
    "grace@northfield.example,Grace Lim,Teacher,Teacher Laptops\n"
    "imran@northfield.example,Imran Aziz,Teacher,Teacher Laptops\n"
    "jo@northfield.example,Jo Whitfield,Teacher,Exam Laptops\n"
    "kiran@northfield.example,Kiran Patel,Remote,All groups\n"
    "lena@gmial.com,Lena Fischer,Remote,Library Chromebooks\n"
    "ben@northfield.example,Ben Carter,Remote,Exam Laptops\n"
    + "".join(f"person{n}@northfield.example,Person {n},Analyst,Music Room iPads\n" for n in range(8))
)
FIRST = "Math.round(document.querySelector('#rows tbody > tr').getBoundingClientRect().top + scrollY)"
WHOLE = """() => {
  const end = document.querySelector('.commit').getBoundingClientRect().top;
  return [...document.querySelectorAll('#rows tbody > tr')].filter((row) => row.getBoundingClientRect().bottom <= end).length;
}"""


@pytest.fixture
def review(owner: Watched) -> Page:
    upload(owner, FILE)
    return owner.page


def test_the_table_is_what_is_seen_first(owner, review, open_page):
    fits(review, 1440)
    assert review.evaluate(FIRST) <= 300
    assert review.evaluate(WHOLE) >= 9
    owner.axe("a review with problems")
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    sign_in(phone, OWNER)
    page = phone.go(review.url.removeprefix(owner.portal.url))
    assert page.evaluate(FIRST) <= 400
    expect(page.get_by_text("20 people. Nothing has been sent.")).to_be_visible()
    expect(page.get_by_role("link", name="Attention")).to_be_visible()
    page.get_by_role("button", name="Next problem").tap()
    expect(page.locator("[aria-invalid=true]:focus")).to_have_count(1)
    phone.axe_at_both_widths("a review on a phone")


def test_a_menu_by_keyboard_alone(owner, review):
    review.get_by_role("button", name="More").focus()
    review.keyboard.press("Enter")
    review.keyboard.press("ArrowDown")
    expect(review.get_by_role("button", name="Find and replace")).to_be_focused()
    review.keyboard.press("ArrowUp")
    expect(review.get_by_role("link", name="Replace file")).to_be_focused()
    owner.axe("the menu of the review")
    review.keyboard.press("Escape")
    expect(review.get_by_role("button", name="More")).to_be_focused()


def test_tidy_up_by_its_key_and_from_a_word_of_several_rows(review):
    review.locator("h1").focus()
    review.keyboard.press("t")
    expect(review.get_by_role("dialog", name="Tidy up")).to_be_visible()
    review.keyboard.press("Escape")
    review.get_by_role("button", name="Fix in 3 rows: row 8").click()
    expect(review.locator("#tidy-up-form :focus")).to_have_count(1)


def test_after_a_change_of_many_rows_the_focus_is_where_it_was_and_no_key_replaces_anything(owner, review):
    email = review.get_by_label("Email, row 3", exact=True)
    email.focus()
    review.get_by_role("button", name="Keep this one and remove the others with its email, row 3").click()
    expect(review.get_by_text("1 row removed")).to_be_visible()
    expect(email).to_be_focused()
    review.keyboard.press("x")
    expect(email).to_have_value("ben@northfield.example")


def test_the_fold_by_keyboard(owner, portal):
    people = "".join(f"kept{n}@northfield.example,Analyst,\n" for n in range(4))
    upload(owner, f"Email,Role,Groups\n{people}")
    send(owner.page, "Send 4 invitations")
    for n in range(4):
        portal.mail_to(f"kept{n}@northfield.example")
    upload(owner, f"Email,Role,Groups\n{people}more@northfield.example,Analyst,\n", "again.csv")
    page = owner.page
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    page.get_by_label("Email, row 6").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#fold")).to_be_focused()
    owner.axe("folded rows")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(6)
    expect(page.locator("#fold")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(2)

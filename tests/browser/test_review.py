"""The review as a whole: how much of the table is seen, its menu, its fold, and where the focus is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Watched, fits, sign_in, upload

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

"""Names as long as they may be, of people, addresses, roles, groups and files: no page gets wider than its window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import GROUPS, OWNER, PASSWORD, Watched, fits, send, sign_in, upload

NAME = ("Wolfeschlegelsteinhausenbergerdorff" * 3)[:100]
ADDRESS = "long." * 11 + "name@a-very-long-domain-name-of-a-school.that-goes-on-and-on-and-on.school.example"
ROLE = ("Klassenzimmergerätekoordinationsbeauftragte" * 2)[:80]
GROUP = ("Naturwissenschaftsraumtabletsammlung" * 3)[:80]
FILE = "autumn-term-" + "x" * 120 + ".csv"
SETTINGS = {"MUSTER_GROUPS": f"{GROUPS},{GROUP}"}
PEOPLE = [f"{ADDRESS};{ROLE};{GROUP}, Student Devices", f"x{ADDRESS};{ROLE};{GROUP}", f"y{ADDRESS};Not a role;"]
PEOPLE += [f"person{n:02}@northfield.example;Remote;Exam Laptops" for n in range(22)]
LISTS = ("/", "/users", "/groups", "/batches", "/messages", "/audit", "/roles", "/ownership", "/aliases")
REPORT = "the report"
WIDTHS = (390, 800, 1440)


@pytest.fixture(scope="module")
def school(browser, portal) -> str:
    """A role, a group, a file, an invitation and a user of very long names; the address of the report that has them."""
    page = browser.new_page()
    watched = Watched(page, portal, [])
    sign_in(watched, OWNER)
    watched.go("/roles/new")
    page.get_by_label("Name").fill(ROLE)
    page.get_by_label("Rank").fill("50")
    page.get_by_label("See people").check()
    page.get_by_role("button", name="Add role").click()
    page.wait_for_url("**/roles")
    report = upload(watched, "Email;Role;Groups\n" + "\n".join(PEOPLE), FILE)
    page.get_by_label("Skip them").click()
    page.get_by_text("Skip them").wait_for()
    send(page, "Send 24 invitations")
    link = re.search(r"/invitations/\S+", portal.mail_to(ADDRESS))
    assert link
    guest = browser.new_page()
    guest.goto(portal.url + link[0])
    guest.get_by_label("Full name").fill(NAME)
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name="Join").click()
    guest.wait_for_url(portal.url + "/")
    guest.context.close()
    expect(page.locator(".page-head p")).to_contain_text("24 invited", timeout=180_000)
    page.context.close()
    return report


@pytest.mark.parametrize("path", [*LISTS, REPORT])
def test_no_list_is_wider_than_its_window(school, owner, path):
    owner.go(school if path is REPORT else path)
    for width in (800, 1440, 390):
        fits(owner.page, width)
    owner.axe(path)


def test_nor_is_a_review_of_groups_that_do_not_exist(owner):
    upload(owner, f"Email;Role;Groups\nana@northfield.example;Remote;{'x' * 120}, {'y' * 120}\n")
    expect(owner.page.get_by_text("2 groups do not exist")).to_be_visible()
    for width in WIDTHS:
        fits(owner.page, width)


def test_nor_is_a_page_about_one_of_them(school, owner):
    page = owner.page
    for section, name in (("users", NAME), ("groups", GROUP), ("roles", ROLE)):
        owner.go(f"/{section}")
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        for width in WIDTHS:
            fits(page, width)
    owner.go("/users")
    page.get_by_role("button", name=f"Actions for {NAME}").click()
    owner.go(str(page.get_by_role("link", name="Change role").get_attribute("href")))
    for width in WIDTHS:
        fits(page, width)


def test_a_report_on_a_phone_says_all_of_it(school, owner):
    page = owner.page
    page.set_viewport_size({"width": 390, "height": 844})
    owner.go(school)
    cut = page.locator(".feed > li > *").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth && e.clientWidth).length"
    )
    assert page.locator(".feed > li").count() > 2
    assert cut == 0


def test_a_question_about_somebody_breaks_their_address(school, owner):
    page = owner.go("/users?q=xlong")
    page.get_by_role("button", name="Actions for xlong").click()
    page.get_by_role("link", name="Revoke invitation").click()
    expect(page.get_by_role("heading", name="Revoke the invitation to xlong")).to_be_visible()
    owner.axe("the question")
    assert page.locator("#access-form").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_what_a_row_offers_is_not_half_under_the_bar_of_those_picked(school, owner):
    page = owner.go("/users")
    page.locator("[data-pick]").first.check()
    expect(page.get_by_role("toolbar", name="Actions for selected users")).to_be_visible()
    owner.axe("people picked, with the bar over the rows")


def test_a_suggested_address_fits_a_phone(owner):
    upload(owner, "Email,Role,Groups\nfriederike.sommer[at]northfield.example,Analyst,\n")
    expect(owner.page.get_by_role("button", name="friederike.sommer@northfield.example")).to_be_visible()
    fits(owner.page, 390)
    fits(owner.page, 360)

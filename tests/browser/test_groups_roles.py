"""Groups, roles and ownership as people work with them: by mouse and by keyboard, at both widths, in both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, upload

PHONE = {"width": 390, "height": 844}


def menu(page: Page, name: str, entry: str) -> None:
    """Open the menu of a row and follow an entry, by keyboard alone."""
    page.get_by_role("button", name=f"Actions for {name}").press("Enter")
    page.get_by_role("link", name=entry).press("Enter")


def test_a_group_is_renamed_by_keyboard_and_files_go_on_saying_the_old_name(owner):
    page = owner.go("/groups")
    owner.axe_at_both_widths("groups")
    menu(page, "Exam Laptops", "Rename or describe")
    name = page.get_by_label("Group name", exact=True)
    expect(name).to_be_focused()
    owner.axe_at_both_widths("a group edited")
    name.fill("Library Chromebooks")
    name.press("Enter")
    expect(page.get_by_text("“Library Chromebooks” exists already.")).to_be_visible()
    expect(name).to_have_value("Library Chromebooks")
    expect(name).to_be_focused()
    owner.axe_at_both_widths("a group with a name that is taken")
    name.fill("Exam Room Laptops")
    page.keyboard.press("Tab")
    page.keyboard.type("Locked down")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“Exam Room Laptops” saved.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Exam Room Laptops Locked down"))).to_be_visible()
    upload(owner, "Email,Role,Groups\nines.carvalho@northfield.example,Analyst,Exam Laptops\n")
    expect(page.get_by_role("link", name=re.compile("New invites 1|1 New invites"))).to_be_visible()
    expect(page.get_by_text("No such group")).to_have_count(0)


def test_groups_are_found_as_one_types(owner):
    page = owner.go("/groups")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("student", delay=30)
    expect(page.get_by_text("1 of 6 groups")).to_be_visible()
    expect(page.get_by_label("Find a group")).to_be_focused()
    page.keyboard.type("xyz")
    expect(page.get_by_role("heading", name="No group matches “studentxyz”")).to_be_visible()
    owner.axe_at_both_widths("no group found")
    page.get_by_role("link", name="Show all groups").click()
    page.get_by_role("link", name="All groups", exact=True).click()
    expect(page.locator("#filter-group")).to_have_value("all")
    expect(page.get_by_text("maren.okafor@northfield.example")).to_be_visible()


def test_two_groups_become_one_and_one_goes(owner):
    page = owner.go("/groups")
    menu(page, "Student Devices", "Merge others into it")
    owner.axe_at_both_widths("which groups to merge")
    page.get_by_label("Science Lab iPads").press("Space")
    page.get_by_role("button", name="Show what happens").press("Enter")
    expect(page.get_by_role("heading", name="No one gains “Student Devices”")).to_be_visible()
    owner.axe_at_both_widths("before merging")
    page.get_by_role("button", name="Merge 1 group").press("Enter")
    expect(page.get_by_role("heading", name="Student Devices", level=1)).to_be_visible()
    expect(page.locator(".names")).to_contain_text("Science Lab iPads")
    page.get_by_label("Another name").fill("Pupils")
    page.get_by_label("Another name").press("Enter")
    expect(page.locator(".names")).to_contain_text("Pupils")
    owner.axe_at_both_widths("a group")
    page.get_by_role("button", name="Forget Pupils").press("Enter")
    expect(page.locator(".names")).not_to_contain_text("Pupils")
    menu(owner.go("/groups"), "Admin Office", "Delete")
    expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    owner.axe_at_both_widths("before deleting")
    page.get_by_role("button", name="Delete group").press("Enter")
    expect(page.get_by_text("“Admin Office” deleted.")).to_be_visible()


def test_a_role_of_ones_own_is_made_used_and_deleted(owner):
    page = owner.go("/settings")
    page.get_by_role("link", name="Roles").press("Enter")
    expect(page.get_by_role("heading", name="Roles", level=1)).to_be_visible()
    owner.axe_at_both_widths("the matrix")
    page.get_by_role("link", name="New role").press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    owner.axe_at_both_widths("a new role")
    page.keyboard.type("Analyst")
    page.keyboard.press("Tab")
    page.keyboard.type("Looks after a year.")
    page.keyboard.press("Tab")
    page.keyboard.type("70")
    page.get_by_label("Invite", exact=False).first.press("Space")
    page.get_by_role("button", name="Add role").press("Enter")
    expect(page.get_by_text("“Analyst” exists already.")).to_be_visible()
    expect(page.get_by_label("Rank")).to_have_value("70")
    owner.axe_at_both_widths("a role with a name that is taken")
    page.get_by_label("Name").fill("Head of Year")
    page.get_by_role("button", name="Add role").press("Enter")
    row = page.get_by_role("row", name=re.compile("Head of Year"))
    expect(row).to_contain_text("Looks after a year.")
    expect(row).to_contain_text("70")
    upload(owner, "Email,Role,Groups\ntom.ashdown@northfield.example,Head of Year,\n")
    expect(page.get_by_text("Not a role")).to_have_count(0)
    owner.go("/roles")
    menu(page, "Head of Year", "Change")
    page.get_by_label("Name").fill("Year Lead")
    page.get_by_role("button", name="Save role").press("Enter")
    expect(page.get_by_text("also “Head of Year”")).to_be_visible()
    menu(page, "Year Lead", "Change")
    owner.axe_at_both_widths("a role with another name")
    page.get_by_role("link", name="Delete role").press("Enter")
    expect(page.get_by_text("Rows under review that name it need attention then.")).to_be_visible()
    owner.axe_at_both_widths("before a role is deleted")
    page.get_by_role("button", name="Delete role").press("Enter")
    expect(page.get_by_text("“Year Lead” deleted.")).to_be_visible()


@pytest.mark.parametrize("page_size", [PHONE], ids=["phone"])
def test_the_ownership_is_handed_over_and_back(owner, open_page, page_size):
    page = owner.go("/users?invite=single")
    page.get_by_label("Email").fill("ines.carvalho@northfield.example")
    page.get_by_role("dialog").get_by_role("radio", name="Admin").check()
    owner.axe_at_both_widths("a single invite of an administrator")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Send invitation").click()
    page.wait_for_url("**/users")
    link = re.search(r"http://\S+/invitations/\S+", owner.portal.mail_to("ines.carvalho@northfield.example"))
    ines = open_page(viewport=page_size)
    ines.page.goto(link.group(0))
    ines.page.get_by_label("Full name").fill("Ines Carvalho")
    ines.page.get_by_label("Password", exact=True).fill("another long enough phrase")
    ines.page.get_by_role("button", name=re.compile("Join|Accept|Create")).click()
    ines.page.wait_for_url(owner.portal.url + "/")
    owner.go("/ownership")
    owner.axe_at_both_widths("who becomes Owner")
    page.get_by_role("link", name="Choose Ines Carvalho").press("Enter")
    expect(page.get_by_role("heading", name="Ines Carvalho becomes Owner. You become Admin.")).to_be_visible()
    owner.axe_at_both_widths("before handing over")
    page.get_by_label("Your password", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not your password. Nothing was changed.")).to_be_visible()
    owner.axe_at_both_widths("a wrong password")
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ines Carvalho is the Owner now. You are Admin.")).to_be_visible()
    ines.go("/settings").get_by_role("link", name="Ownership").click()
    ines.page.get_by_role("link", name="Choose Maren Okafor").click()
    ines.page.get_by_label("Your password", exact=True).fill("another long enough phrase")
    ines.page.get_by_role("button", name="Hand over ownership").click()
    expect(ines.page.get_by_text("Maren Okafor is the Owner now. You are Admin.")).to_be_visible()
    owner.go("/roles/new")
    expect(page.get_by_role("heading", name="New role")).to_be_visible()

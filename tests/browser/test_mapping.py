"""Matching columns and words, pasting, splitting, replacing the file: by mouse, and by keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Held, Watched, sign_in, upload
from tests.files.writers import xlsx

SETTINGS = {"MUSTER_MAX_ROWS": "4"}
HR = (
    "Person;Kennung;Amt;Pools\n"
    "Ana;ana@northfield.example;Lehrkraft;Student Devices\n"
    "Ben;ben@northfield.example;Lehrkraft;Kollegium\n"
    "Eva;eva@northfield.example;Remote;\n"
)


def hr(first: str) -> str:
    """The file with a header that no other test has had remembered."""
    return HR.replace("Person", first)


def named(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"))


def choose_file(page: Page, text: str, name: str = "staff.csv") -> None:
    page.set_input_files("#upload-file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def test_columns_by_mouse(owner):
    upload(owner, HR)
    page = owner.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Match your columns")
    expect(page.get_by_label("Use column Kennung as")).to_have_value("email")
    expect(page.get_by_text("No column holds the role yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Continue to review")).to_have_attribute("aria-disabled", "true")
    owner.axe("columns, the role missing")
    page.get_by_label("Use column Amt as").select_option("Role")
    expect(page.get_by_text("No column holds the role yet.")).to_have_count(0)
    expect(page.locator("section", has_text="Preview").get_by_text("Lehrkraft").first).to_be_visible()
    expect(page).to_have_url(re.compile("=role"))
    assert "csrf" not in page.url
    page.reload()
    expect(page.get_by_label("Use column Amt as")).to_have_value("role")
    owner.axe("columns, complete")
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))
    expect(page.locator("#facts")).to_contain_text("columns as you chose")


def test_columns_by_keyboard_alone_and_remembered(owner):
    upload(owner, HR.replace("Kennung", "Anmeldung"))
    page = owner.page
    role = page.get_by_label("Use column Amt as")
    role.focus()
    page.keyboard.press("r")
    expect(page.get_by_text("No column holds the role yet.")).to_have_count(0)
    expect(role).to_be_focused()
    page.get_by_label("Remember for files with these headers").focus()
    expect(page.get_by_label("Remember for files with these headers")).to_be_checked()
    for _ in range(2):
        page.keyboard.press("Tab")
    assert named(page) == "Continue to review"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))

    upload(owner, HR.replace("Kennung", "Anmeldung").replace("ana@", "zoe@"))
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))
    expect(page.locator("#facts")).to_contain_text("columns as remembered")
    page.get_by_label("Email, row 2").fill("zoe.li@northfield.example")
    page.keyboard.press("Enter")
    expect(page.locator("#edit-status")).to_contain_text("Row 2")
    page.get_by_role("button", name="More").press("Enter")
    page.get_by_role("link", name="Change columns").press("Enter")
    expect(page.get_by_text("Reading the file again loses 1 edit")).to_be_visible()
    owner.axe("columns of what is under review")
    page.get_by_role("button", name="Continue to review").press("Enter")
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("1 edit made in the review is lost.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Match your columns")


def test_one_field_for_two_columns_asks_which_counts(owner):
    upload(owner, hr("Mitarbeiter"))
    page = owner.page
    page.get_by_label("Use column Amt as").select_option("Role")
    page.get_by_label("Use column Mitarbeiter as").select_option("Role")
    expect(page.get_by_text("Which one counts?")).to_have_count(2)
    owner.axe("a doubled field")
    page.get_by_label("Use column Mitarbeiter as").select_option("Ignore")
    expect(page.get_by_text("Which one counts?")).to_have_count(0)


def test_a_choice_made_while_another_is_on_its_way_is_kept(owner):
    upload(owner, hr("Langsam"))
    page = owner.page
    held = Held(page)
    held.on_the_way("**/mapping?*")
    page.get_by_label("Use column Amt as").select_option("Role")
    held.wait()
    page.get_by_label("Use column Pools as").select_option("Ignore")
    held.let_go()
    expect(page.get_by_text("No column holds the role yet.")).to_have_count(0)
    expect(page.get_by_label("Use column Pools as")).to_have_value("ignore")
    expect(page.get_by_label("Use column Amt as")).to_have_value("role")


def test_sheet_and_header_row_of_a_workbook(owner):
    staff = (("Kollegium", "2026"), ("Email", "Role"), ("ana@northfield.example", "Analyst"))
    guests = (("Email", "Role"), ("ben@northfield.example", "Remote"))
    page = owner.go("/users?invite=bulk")
    file = {"name": "staff.xlsx", "mimeType": "application/octet-stream", "buffer": xlsx({"Staff": staff, "Guests": guests})}
    page.set_input_files("#upload-file", file)
    page.wait_for_url("**/batches/*")
    expect(page.get_by_text("Several sheets could hold your users")).to_be_visible()
    owner.axe("the sheet picker")
    page.get_by_label("Sheet").focus()
    page.get_by_label("Sheet").select_option("Guests")
    expect(page.locator("td.samples").first).to_have_text("ben@northfield.example")
    expect(page.get_by_label("Sheet")).to_be_focused()
    page.get_by_label("Column names are in").select_option("0")
    expect(page.get_by_text("Column A", exact=True)).to_be_visible()
    page.get_by_label("Sheet").select_option("Staff")
    expect(page.get_by_label("Column names are in")).to_have_value("2")
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))


def test_discarding_instead_of_matching(owner):
    upload(owner, hr("Weg"))
    page = owner.page
    page.get_by_role("link", name="Discard upload").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard upload").click()
    expect(page.get_by_text("was discarded. Nothing was sent.")).to_be_visible()


def under_review(owner: Watched, word: str) -> Page:
    text = HR.replace("Lehrkraft", word).replace("Kennung", "Email").replace("Amt", "Role").replace("Pools", "Groups")
    upload(owner, text)
    return owner.page


def test_a_file_that_is_too_long_is_reviewed_as_two(owner):
    page = owner.go("/users?invite=bulk")
    text = "Email,Role,Groups\n" + "".join(f"split{n}@northfield.example,Analyst,\n" for n in (1, 2, 3, 4, 1, 6))
    choose_file(page, text)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This file has 6 users. The limit is 4 per file. Nothing was sent.")
    expect(alert).to_be_focused()
    owner.axe("too long")
    page.keyboard.press("Tab")
    assert named(page) == "Review it as 2 uploads"
    page.keyboard.press("Enter")
    page.wait_for_url("**/batches/*")
    expect(page.get_by_text("staff.csv, part 1 of 2").first).to_be_visible()
    owner.axe("part 1")
    page.get_by_role("link", name="Part 2", exact=True).click()
    expect(page.get_by_role("button", name="Send 2 invitations")).to_be_visible()
    expect(page.get_by_label("Email, row 6")).to_have_value("split1@northfield.example")


def test_pasting_a_table_by_keyboard_alone(owner):
    page = owner.go("/users?invite=bulk")
    summary = page.get_by_text("Paste from a spreadsheet")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Rows, with or without the header")).to_be_focused()
    owner.axe("pasting")
    page.keyboard.insert_text("Email\tRole\npasted@northfield.example\tAnalyst\n")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))
    expect(page.get_by_label("Email, row 2")).to_have_value("pasted@northfield.example")


def test_what_was_pasted_and_refused_is_still_there(owner):
    page = owner.go("/users?invite=bulk")
    page.get_by_text("Paste from a spreadsheet").click()
    page.get_by_label("Rows, with or without the header").fill("Email\tRole")
    page.get_by_role("button", name="Review pasted rows").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no email in what was pasted.")
    expect(page.get_by_label("Rows, with or without the header")).to_have_value("Email\tRole")
    owner.axe("a paste that was refused")


def test_another_file_in_its_place(owner):
    upload(owner, "Email,Role,Groups\nold1@northfield.example,Analyst,\nold2@northfield.example,Analyst,\n")
    page = owner.page
    for row in (2, 3):
        page.get_by_label(f"Role, row {row}").select_option("Remote")
        expect(page.locator("#edit-status")).to_contain_text(f"Row {row}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Replace file").click()
    expect(page.get_by_role("heading", name=re.compile("Replace"))).to_be_visible()
    owner.axe("replace file")
    choose_file(page, "Email,Role,Groups\nnew@northfield.example,Analyst,\nold1@northfield.example,Analyst,\n", "second.csv")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Replacing the file loses 1 of your 2 edits.")
    expect(alert).to_be_focused()
    owner.axe("what would be lost")
    page.get_by_role("button", name="Replace the file, lose 1 edit").click()
    expect(page.get_by_text("The file was replaced.")).to_be_visible()
    expect(page.get_by_label("Email, row 2")).to_have_value("new@northfield.example")
    expect(page.get_by_label("Role, row 3")).to_have_value("Remote")


def test_without_the_script_columns_are_matched_too(open_page, portal):
    watched = open_page(java_script_enabled=False)
    sign_in(watched, OWNER)
    page = watched.go("/invitations/new?invite=bulk")
    page.get_by_text("Paste from a spreadsheet").click()
    page.get_by_label("Rows, with or without the header").fill("ana@northfield.example\tAnalyst")
    page.get_by_role("button", name="Review pasted rows").click()
    expect(page.get_by_label("Use column Column A as")).to_have_value("email")
    page.get_by_label("Use column Column B as").select_option("Ignore")
    page.get_by_role("button", name="Continue to review").press("Enter")
    expect(page.get_by_text("No column holds the role yet.")).to_be_visible()
    page.get_by_label("Use column Column B as").select_option("Role")
    page.get_by_role("button", name="Continue to review").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Review .*"))


def test_on_a_phone_nothing_runs_over_the_edge(open_page, portal):
    watched = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    sign_in(watched, OWNER)
    upload(watched, hr("Telefon"))
    watched.axe("columns on a phone")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
    under_review(watched, "Pförtner")
    expect(watched.page.get_by_role("button", name="Tidy up")).to_be_visible()
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360

"""Names in the review: edited, pasted and walked to by keyboard as any cell, at both widths."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Watched, answered, upload

FILE = (
    "Email,Name,Role,Groups\n"
    "ana@northfield.example,Ana Silva,Analyst,Student Devices\n"
    "ben@northfield.example,,Remote,\n"
    f"cleo@northfield.example,{'Cleo Anastasia von und zu Hohenfels-Langenburg ' * 5},Analyst,\n"
)


def test_a_name_is_a_cell_like_the_others(owner: Watched) -> None:
    page = owner.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(owner, FILE)
    page.get_by_label("Email, row 3", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Name, row 3", exact=True)).to_be_focused()
    page.keyboard.type("Ben Doe")
    page.keyboard.press("Enter")
    answered(page)
    expect(page.locator("#edit-status")).to_contain_text("Row 3: No problem.")
    page.get_by_label("Email, row 2", exact=True).focus()
    page.evaluate(
        "navigator.clipboard.writeText('ana@northfield.example\\tAna S.\\tRemote\\nben@northfield.example\\tBen D.\\tRemote')"
    )
    page.keyboard.press("Control+v")
    answered(page)
    page.reload()
    for row, name in ((2, "Ana S."), (3, "Ben D.")):
        expect(page.get_by_label(f"Name, row {row}", exact=True)).to_have_value(name)
        expect(page.get_by_label(f"Role, row {row}", exact=True)).to_have_value("Remote")
    expect(page.get_by_text("Over 200 characters")).to_be_visible()
    owner.axe_at_both_widths("review with names")
    owner.go("/users?invite=single")
    page.get_by_label("Email", exact=True).first.fill("erin@northfield.example")
    page.locator("#invite-name").fill("Erin Bar")
    owner.axe_at_both_widths("single invite")
    page.locator("#single-send").click()
    expect(page.get_by_role("link", name="Erin Bar")).to_be_visible()

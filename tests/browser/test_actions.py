"""An action on many people and its revert, by keyboard alone, with axe on every page and state."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Watched, send, sign_in, upload


def begin(watched: Watched, **form: str) -> Page:
    """Post what the list of people posts; on to the review."""
    page = watched.go("/users")
    page.evaluate(
        """values => {
            const form = document.createElement("form");
            form.method = "post"; form.action = "/actions";
            values.csrf_token = document.querySelector("[name=csrf_token]").value;
            for (const [name, value] of Object.entries(values)) {
                const field = document.createElement("input");
                field.type = "hidden"; field.name = name; field.value = value; form.append(field);
            }
            document.body.append(form); form.submit();
        }""",
        form,
    )
    page.wait_for_url("**/batches/*")
    return page


def invited(watched: Watched, *names: str) -> str:
    """Upload these people and have them invited; the address of the report."""
    path = upload(watched, "Email,Role,Groups\n" + "".join(f"{n}@northfield.example,Analyst,Student Devices\n" for n in names))
    send(watched.page, f"Send {len(names)} invitations")
    expect(watched.page.locator(".page-head p")).to_contain_text(f"{len(names)} invited", timeout=180_000)
    return path


def people(page: Page, *names: str) -> str:
    """As the form names them, by the rows of the list."""
    ids = [page.locator("tr[id^=invitation-]", has_text=f"{name}@").get_attribute("id") or "" for name in names]
    return ",".join(ids)


def test_an_action_by_keyboard_and_its_revert(owner):
    report = invited(owner, "ana", "ben", "cleo")
    page = owner.go("/users")
    page = begin(owner, do="set_role", role=page.locator("#filter-role option", has_text="Remote").get_attribute("value") or "",
                 people=people(page, "ana", "ben", "cleo") + ",user-1")  # fmt: skip
    expect(page.get_by_role("heading", level=1)).to_have_text("Change the role of 4 people to Remote")
    owner.axe("the review of an action")
    expect(page.get_by_text("The Owner cannot be changed.")).to_be_visible()
    page.get_by_role("link", name="1 Left out").press("Enter")
    expect(page.get_by_text("ana@northfield.example")).to_be_hidden()
    owner.axe("the review, filtered")
    page.get_by_role("link", name="Everybody").press("Enter")

    page.get_by_role("button", name="Leave out cleo@northfield.example").press("Enter")
    back = page.get_by_role("button", name="Put cleo@northfield.example back")
    expect(back).to_be_focused()
    owner.axe("somebody left out")
    go = page.get_by_role("button", name="Change the role of 2 people to Remote")
    go.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_be_focused()
    owner.axe("the question before it is done")
    page.keyboard.press("Escape")
    expect(go).to_be_focused()
    go.press("Enter")
    expect(dialog.get_by_role("heading")).to_be_focused()
    dialog.get_by_role("button", name="Change the role of 2 people to Remote").press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("2 role changed", timeout=180_000)
    owner.axe("the report of an action")

    page.get_by_role("button", name="More").press("Enter")
    page.get_by_role("button", name="Revert").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Revert of “Change the role of 3 people to Remote”")
    owner.axe("the dry run of a revert")
    page.get_by_role("button", name="Restore 2 people").press("Enter")
    expect(dialog.get_by_role("heading")).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Restore 2 people").press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("2 reverted", timeout=180_000)
    owner.axe("the report of a revert")

    page = owner.go(report)
    page.get_by_role("button", name="More").press("Enter")
    page.get_by_role("button", name="Revert").press("Enter")
    page.get_by_role("button", name="Revoke 3 invitations").press("Enter")
    expect(dialog.get_by_role("heading")).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Revoke 3 invitations").press("Enter")
    expect(page.locator(".page-head p")).to_contain_text("3 reverted", timeout=180_000)
    page = owner.go(report)
    expect(page.get_by_text("This upload was reverted by")).to_be_visible()
    owner.axe("the report of what was reverted")
    page = owner.go("/batches?kind=revert")
    expect(page.get_by_role("row")).to_have_count(3)
    owner.axe("the list of reverts")


def test_on_a_phone_and_without_the_script(open_page: Callable[..., Watched], owner):
    invited(owner, "dana", "eli")
    page = owner.go("/users")
    review = begin(owner, do="revoke", people=people(page, "dana", "eli")).url
    phone = open_page(viewport={"width": 390, "height": 844})
    sign_in(phone, OWNER)
    page = phone.page
    page.goto(review)
    expect(page.get_by_role("button", name="Revoke the invitations of 2 people")).to_be_visible()
    phone.axe("the review on a phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    plain = open_page(java_script_enabled=False)
    sign_in(plain, OWNER)
    page = plain.page
    page.goto(review)
    page.get_by_role("button", name="Leave out eli@northfield.example").click()
    page.get_by_role("button", name="Revoke the invitation of 1 person").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Before it is done")
    page.get_by_role("button", name="Revoke the invitation of 1 person").click()
    page.wait_for_url(review)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Before it is done")

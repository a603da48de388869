"""The review grid by keyboard alone: every key of the map, what is copied and pasted, and where the focus is afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OWNER, Held, Watched, answered, sign_in, until, upload

PEOPLE = "".join(f"person{n}@northfield.example,Analyst,Student Devices\n" for n in range(14))
FILE = "Email,Role,Groups\n" + PEOPLE
UGLY = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analyst,Student Devices\n"
    "ben@northfield.example,Analsyt,Techer Laptops\n"
    "cleo@northfield,Remote,Chess Club\n"
    "dan@northfield.example,Remote,\n"
)


@pytest.fixture
def grid(owner: Watched) -> Watched:
    """A review of good rows, 2 to 15; the focus is in no cell yet."""
    owner.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(owner, FILE)
    return owner


@pytest.fixture
def ugly(owner: Watched) -> Watched:
    """A review with a mistake of each kind, rows 2 to 5."""
    upload(owner, UGLY)
    return owner


def at(page: Page, name: str) -> None:
    """The focus is on the control, or the cell, of this name."""
    control = "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.innerText.trim()"
    until(page, f"name => ({control}) === name", name)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def start(page: Page, name: str = "Email, row 2") -> None:
    page.get_by_label(name, exact=True).focus()


def is_editing(page: Page, yes: bool = True) -> None:
    expect(page.locator("#rows .cell[data-editing]")).to_have_count(int(yes))


def one_stop(page: Page) -> None:
    expect(page.locator("#rows [tabindex='0']")).to_have_count(1)


def selected(page: Page, cells: int) -> None:
    expect(page.locator("td[aria-selected=true]")).to_have_count(cells)


def heard(page: Page, text: str) -> None:
    expect(page.locator("#edit-status")).to_contain_text(text)


def stored(page: Page, name: str, value: str) -> None:
    """The server has it: it is there after a refresh."""
    page.reload()
    expect(page.get_by_label(name, exact=True)).to_have_value(value)


def groups_of(page: Page, row: int) -> str:
    return page.locator(f"tr:has(#line-{row}) input[name=value][type=hidden]").input_value()


def clipboard(page: Page, text: str) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", text)


class TestOneTabStop:
    def test_tab_comes_in_once_and_goes_out_again(self, grid):
        page = grid.page
        one_stop(page)
        start(page)
        press(page, "ArrowDown", "ArrowRight")
        at(page, "Role, row 3")
        press(page, "Tab")
        assert page.evaluate("!document.activeElement.closest('#rows')")
        press(page, "Shift+Tab")
        at(page, "Role, row 3")
        press(page, "Shift+Tab")
        assert page.evaluate("!document.activeElement.closest('#rows')")
        press(page, "Tab")
        at(page, "Role, row 3")

    def test_it_stays_one_after_answers_that_bring_new_controls(self, grid):
        page = grid.page
        start(page)
        page.keyboard.type("new@northfield.example")
        press(page, "Enter")
        heard(page, "Row 2: No problem.")
        press(page, "Control+Delete")
        expect(page.get_by_text("Row 3 removed")).to_be_visible()
        one_stop(page)
        expect(page.locator("#rows :is(input:not([type=hidden]), select, button, a):not([tabindex])")).to_have_count(0)


class TestNavigation:
    def test_arrows_move_one_cell_and_stop_at_the_edges(self, grid):
        page = grid.page
        start(page)
        for key, name in [
            ("ArrowDown", "Email, row 3"),
            ("ArrowRight", "Role, row 3"),
            ("ArrowRight", "Groups, row 3"),
            ("ArrowUp", "Groups, row 2"),
            ("ArrowRight", "New invite"),
            ("ArrowRight", "Remove row 2"),
            ("ArrowRight", "Remove row 2"),
            ("ArrowDown", "Remove row 3"),
        ]:
            press(page, key)
            at(page, name)
        press(page, *["ArrowLeft"] * 4)
        at(page, "Email, row 3")

    def test_arrows_never_change_a_role(self, grid):
        page = grid.page
        start(page, "Role, row 2")
        press(page, "ArrowDown", "ArrowUp", "ArrowDown")
        at(page, "Role, row 3")
        assert {s.input_value() for s in page.get_by_role("combobox").filter(has_text="Remote").all()} == {"Analyst"}

    def test_home_end_and_pages(self, grid):
        page = grid.page
        start(page, "Role, row 3")
        press(page, "End")
        at(page, "Remove row 3")
        press(page, "Control+End")
        at(page, "Remove row 15")
        press(page, "Control+Home")
        first = page.evaluate("document.activeElement.closest('td') === document.querySelector('#rows tbody [role=gridcell]')")
        assert first
        start(page, "Role, row 3")
        press(page, "Home")
        assert page.evaluate("document.activeElement.closest('td') === document.activeElement.closest('tr').querySelector('td')")
        start(page, "Role, row 3")
        press(page, "PageDown")
        at(page, "Role, row 13")
        press(page, "PageDown")
        at(page, "Role, row 15")
        press(page, "PageUp")
        at(page, "Role, row 5")
        press(page, "PageUp")
        at(page, "Role, row 2")

    def test_escape_goes_to_the_counts(self, grid):
        start(grid.page)
        press(grid.page, "Escape")
        expect(grid.page.get_by_role("link", name="All rows")).to_be_focused()

    def test_control_enter_goes_to_send_and_sends_nothing(self, grid):
        start(grid.page)
        press(grid.page, "Control+Enter")
        expect(grid.page.get_by_role("button", name="Send 14 invitations")).to_be_focused()

    def test_keys_of_undo_and_redo_press_their_buttons(self, grid):
        page = grid.page
        page.evaluate(
            """() => {
              for (const id of ["undo", "redo"]) {
                const button = document.getElementById(id) ?? document.body.appendChild(document.createElement("button"));
                button.id = id;
                button.disabled = false;
                button.removeAttribute("aria-disabled");
                button.addEventListener("click", (e) => {
                  e.preventDefault(); e.stopImmediatePropagation();
                  document.body.dataset.pressed = (document.body.dataset.pressed ?? "") + id + " ";
                }, true);
              }
            }"""
        )
        start(page)
        press(page, "Control+z", "Control+Shift+z", "Control+y")
        expect(page.locator("body")).to_have_attribute("data-pressed", "undo redo redo ")
        page.keyboard.type("abc")
        press(page, "Control+z")
        expect(page.locator("body")).to_have_attribute("data-pressed", "undo redo redo ")
        expect(page.get_by_label("Email, row 2")).not_to_have_value("abc")
        press(page, "Escape")

    def test_on_a_mac_it_is_cmd(self, open_page: Callable[..., Watched]):
        watched = open_page()
        watched.page.add_init_script("Object.defineProperty(Navigator.prototype, 'platform', { get: () => 'MacIntel' })")
        sign_in(watched, OWNER)
        upload(watched, FILE)
        start(watched.page, "Role, row 3")
        press(watched.page, "Control+End")
        assert watched.page.evaluate("document.activeElement.getAttribute('aria-label')") != "Remove row 15"
        press(watched.page, "Meta+End")
        at(watched.page, "Remove row 15")
        press(watched.page, "Meta+Backspace")
        expect(watched.page.get_by_text("Row 15 removed")).to_be_visible()


class TestEdit:
    @pytest.mark.parametrize("key", ["Enter", "F2"])
    def test_enter_and_f2_edit_what_is_there_then_save_and_go_down(self, grid, key):
        page = grid.page
        start(page)
        press(page, key)
        is_editing(page)
        press(page, "Home")
        page.keyboard.type("a.")
        press(page, key)
        at(page, "Email, row 3")
        is_editing(page, False)
        heard(page, "Row 2: No problem.")
        stored(page, "Email, row 2", "a.person0@northfield.example")

    def test_the_arrows_move_the_caret_while_editing(self, grid):
        page = grid.page
        start(page)
        press(page, "F2", "ArrowLeft", "ArrowLeft", "Home", "ArrowRight")
        page.keyboard.type("X")
        expect(page.get_by_label("Email, row 2")).to_have_value("pXerson0@northfield.example")
        at(page, "Email, row 2")
        press(page, "Escape")

    def test_typing_replaces_and_tab_saves_and_goes_right(self, grid):
        page = grid.page
        start(page)
        page.keyboard.type("typed@northfield.example")
        is_editing(page)
        press(page, "Tab")
        at(page, "Role, row 2")
        is_editing(page, False)
        heard(page, "Row 2: No problem.")
        stored(page, "Email, row 2", "typed@northfield.example")

    def test_tab_wraps_to_the_next_row_and_back(self, grid):
        page = grid.page
        start(page, "Role, row 2")
        page.keyboard.type("Rem")
        press(page, "Tab")
        at(page, "Groups, row 2")
        start(page, "Email, row 3")
        page.keyboard.type("third@northfield.example")
        press(page, "Shift+Tab")
        at(page, "Groups, row 2")
        heard(page, "Row 3: No problem.")
        stored(page, "Role, row 2", "Remote")
        expect(page.get_by_label("Email, row 3")).to_have_value("third@northfield.example")

    def test_escape_restores_and_nothing_is_sent(self, grid):
        page = grid.page
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        start(page)
        page.keyboard.type("half")
        press(page, "Escape")
        expect(page.get_by_label("Email, row 2")).to_have_value("person0@northfield.example")
        is_editing(page, False)
        press(page, "ArrowDown")
        at(page, "Email, row 3")
        assert "PATCH" not in sent

    def test_one_request_an_edit(self, grid):
        page = grid.page
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        start(page)
        page.keyboard.type("once@northfield.example")
        press(page, "Enter")
        heard(page, "Row 2")
        press(page, "ArrowUp", "Enter", "Enter", "ArrowUp", "F2", "Tab")
        page.wait_for_timeout(300)
        assert sent.count("PATCH") == 1

    def test_the_last_row_keeps_the_focus_after_enter(self, grid):
        page = grid.page
        start(page, "Email, row 15")
        page.keyboard.type("last@northfield.example")
        press(page, "Enter")
        heard(page, "Row 15: No problem.")
        at(page, "Email, row 15")
        is_editing(page, False)
        page.keyboard.type("no.address")
        press(page, "Control+Enter")
        expect(page.locator("#send")).to_be_focused()
        heard(page, "Row 15: No @ in email.")
        stored(page, "Email, row 15", "no.address")

    def test_delete_clears_a_cell_of_each_kind(self, grid):
        page = grid.page
        start(page)
        press(page, "Delete")
        heard(page, "Row 2: Email is missing.")
        at(page, "Email, row 2")
        press(page, "ArrowRight", "Delete")
        heard(page, "Role is missing.")
        at(page, "Role, row 2")
        press(page, "ArrowRight", "Delete")
        expect(page.get_by_label("Groups, row 2")).to_have_text("No groups")
        at(page, "Groups, row 2")
        page.reload()
        expect(page.get_by_label("Email, row 2")).to_have_value("")
        expect(page.get_by_label("Role, row 2")).to_have_value("")

    def test_a_role_is_chosen_from_its_list(self, grid):
        page = grid.page
        start(page, "Role, row 2")
        press(page, "Enter")
        press(page, "ArrowDown", "Enter")
        expect(page.get_by_label("Role, row 2")).not_to_have_value("Analyst")
        heard(page, "Row 2")
        at(page, "Role, row 2")
        is_editing(page, False)
        press(page, "ArrowDown")
        at(page, "Role, row 3")

    def test_letters_choose_a_role_and_escape_restores_it(self, grid):
        page = grid.page
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        start(page, "Role, row 2")
        page.keyboard.type("Bro")
        expect(page.get_by_label("Role, row 2")).to_have_value("Broadcaster")
        press(page, "Escape")
        expect(page.get_by_label("Role, row 2")).to_have_value("Analyst")
        assert "PATCH" not in sent
        page.wait_for_timeout(1500)  # until the browser takes letters for a new word
        page.keyboard.type("R")
        press(page, "Enter")
        at(page, "Role, row 3")
        heard(page, "Row 2")
        assert sent.count("PATCH") == 1
        stored(page, "Role, row 2", "Remote")

    def test_typing_on_groups_looks_for_them(self, grid):
        page = grid.page
        start(page, "Groups, row 2")
        page.keyboard.type("exam")
        expect(page.get_by_label("Find a group")).to_have_value("exam")
        press(page, "ArrowDown", "Space", "Enter")
        at(page, "Groups, row 2")
        expect(page.get_by_role("button", name="Groups, row 2")).to_contain_text("Exam Laptops")
        press(page, "F2")
        expect(page.get_by_label("Find a group")).to_be_focused()
        press(page, "Escape")
        at(page, "Groups, row 2")

    def test_a_click_puts_the_caret_and_edits(self, grid):
        page = grid.page
        page.get_by_label("Email, row 2").click()
        is_editing(page)
        press(page, "End")
        page.keyboard.type(".org")
        press(page, "Enter")
        heard(page, "Row 2")
        at(page, "Email, row 3")
        stored(page, "Email, row 2", "person0@northfield.example.org")

    def test_what_did_not_reach_the_server_is_sent_by_enter(self, grid):
        page = grid.page
        page.context.set_offline(True)
        start(page)
        page.keyboard.type("later@northfield.example")
        press(page, "Tab")
        expect(page.locator("#rows").get_by_text("Not saved.")).to_be_visible()
        page.context.set_offline(False)
        press(page, "ArrowLeft", "Enter", "Enter")
        heard(page, "Row 2: No problem.")
        grid.problems[:] = [p for p in grid.problems if "ERR_INTERNET_DISCONNECTED" not in p and "Failed to fetch" not in p]
        stored(page, "Email, row 2", "later@northfield.example")


class TestHalfTyped:
    def test_in_the_very_cell_that_the_answer_replaces(self, grid):
        page, held = grid.page, Held(grid.page)
        held.on_the_way("**/rows/*")
        start(page)
        page.keyboard.type("first@northfield.example")
        press(page, "Enter", "ArrowUp", "F2", "Home")
        page.keyboard.type("a.")
        held.let_go()
        heard(page, "Row 2: No problem.")
        expect(page.get_by_label("Email, row 2")).to_have_value("a.first@northfield.example")
        is_editing(page)
        page.keyboard.type("b.")
        press(page, "Enter")
        expect(page.get_by_label("Email, row 2")).to_have_value("a.b.first@northfield.example")
        answered(page)
        stored(page, "Email, row 2", "a.b.first@northfield.example")

    def test_navigation_goes_on_during_an_answer(self, grid):
        page, held = grid.page, Held(grid.page)
        held.on_the_way("**/rows/*")
        start(page)
        page.keyboard.type("first@northfield.example")
        press(page, "Enter", "ArrowRight", "ArrowDown")
        at(page, "Role, row 4")
        held.let_go()
        heard(page, "Row 2: No problem.")
        at(page, "Role, row 4")
        is_editing(page, False)


class TestProblems:
    def test_f8_goes_round_and_saves_what_is_typed(self, ugly):
        page = ugly.page
        for name in ("Role, row 3", "Groups, row 3", "Email, row 4", "Groups, row 4", "Role, row 3"):
            press(page, "F8")
            at(page, name)
        press(page, "Shift+F8")
        at(page, "Groups, row 4")
        start(page, "Email, row 4")
        page.keyboard.type("cleo@northfield.example")
        press(page, "F8")
        at(page, "Groups, row 4")
        heard(page, "Row 4: No such group.")
        stored(page, "Email, row 4", "cleo@northfield.example")

    def test_control_full_stop_accepts_the_suggestion_and_keeps_the_place(self, ugly):
        page = ugly.page
        press(page, "F8", "Control+.")
        expect(page.get_by_label("Role, row 3")).to_have_value("Analyst")
        at(page, "Role, row 3")
        press(page, "F8")
        at(page, "Groups, row 3")
        press(page, "Control+.")
        expect(page.get_by_label("Groups, row 3")).to_contain_text("Teacher Laptops")
        at(page, "Groups, row 3")
        press(page, "Control+.")
        heard(page, "There is no suggestion for this cell.")

    def test_create_group_is_reached_by_an_arrow(self, ugly):
        page = ugly.page
        start(page, "Groups, row 4")
        press(page, "ArrowRight")
        at(page, "Create group “Chess Club”, row 4")
        press(page, "Enter")
        expect(page.get_by_role("alertdialog")).to_contain_text("Create the group “Chess Club”?")
        press(page, "Escape")
        at(page, "Create group “Chess Club”, row 4")

    def test_no_problem_is_told(self, grid):
        press(grid.page, "F8")
        expect(grid.page.locator("#toasts").get_by_text("No problem on this page.")).to_be_visible()


class TestFocusIsNeverLost:
    def test_removing_goes_to_the_next_row_and_undo_comes_back_to_the_grid(self, grid):
        page = grid.page
        start(page, "Email, row 3")
        press(page, "Control+Delete")
        expect(page.get_by_text("Row 3 removed")).to_be_visible()
        at(page, "Email, row 4")
        page.locator("#toasts").get_by_role("button", name="Undo").focus()
        press(page, "Enter")
        expect(page.get_by_label("Email, row 3")).to_be_visible()
        expect(page.get_by_text("Undone:")).to_be_visible()
        until(page, "!!document.activeElement.closest('#rows')")

    def test_undo_and_redo_by_keys_of_an_edit_and_of_a_paste(self, grid):
        page = grid.page
        start(page)
        page.keyboard.type("new@northfield.example")
        press(page, "Enter")
        heard(page, "Row 2: No problem.")
        press(page, "Control+z")
        expect(page.get_by_label("Email, row 2")).to_have_value("person0@northfield.example")
        at(page, "Email, row 3")
        press(page, "Control+Shift+z")
        expect(page.get_by_label("Email, row 2")).to_have_value("new@northfield.example")
        at(page, "Email, row 3")
        clipboard(page, "p3@northfield.example\tRemote\np4@northfield.example\tRemote")
        press(page, "Control+v")
        heard(page, "4 cells changed.")
        press(page, "Control+z")
        expect(page.get_by_label("Email, row 4")).to_have_value("person2@northfield.example")
        expect(page.get_by_label("Role, row 3")).to_have_value("Analyst")
        at(page, "Email, row 3")
        press(page, "ArrowDown")
        at(page, "Email, row 4")

    def test_creating_a_group_comes_back_to_its_cell(self, ugly):
        page = ugly.page
        start(page, "Groups, row 4")
        press(page, "ArrowRight", "Enter")
        page.get_by_role("alertdialog").get_by_role("button", name="Create group").focus()
        press(page, "Enter")
        expect(page.get_by_label("Groups, row 4").first).not_to_have_attribute("aria-invalid", "true")
        at(page, "Groups, row 4")

    def test_the_last_row_removed_goes_up(self, grid):
        page = grid.page
        start(page, "Remove row 15")
        press(page, "Enter")
        expect(page.get_by_text("Row 15 removed")).to_be_visible()
        at(page, "Remove row 14")
        press(page, "ArrowDown")
        at(page, "Put row 15 back")
        press(page, "Enter")
        at(page, "Remove row 15")

    @pytest.mark.parametrize("words", ["All rows", "Need attention"])
    def test_a_filter_by_keyboard(self, ugly, words):
        page = ugly.page
        page.get_by_role("link", name=words).first.focus()
        press(page, "Enter")
        page.wait_for_load_state()
        expect(page.get_by_role("link", name=words).first).to_be_focused()

    def test_options_by_keyboard(self, owner):
        upload(owner, f"Email,Role\n{OWNER},Owner\nana@northfield.example,Analyst\n")
        page = owner.page
        page.locator("#mode").focus()
        press(page, "ArrowDown")
        expect(page.locator("#mode")).to_have_value("add")
        answered(page)
        expect(page.locator("#mode")).to_be_focused()
        one_stop(page)


class TestNames:
    def test_every_cell_has_a_name_and_the_grid_its_numbers(self, ugly):
        page = ugly.page
        names = page.evaluate(
            """() => [...document.querySelectorAll("#rows tbody [role=gridcell] :is(input:not([type=hidden]), select, button)")]
                       .map((c) => c.getAttribute("aria-label") ?? "")"""
        )
        assert len(names) >= 4 * 4
        assert [name for name in names if not re.search(r"\brow \d+\b", name)] == []
        for line in (2, 3, 4, 5):
            for column in ("Email", "Role", "Groups"):
                expect(page.get_by_label(f"{column}, row {line}", exact=True)).to_have_count(1)
        assert page.locator("#rows").get_attribute("aria-rowcount") == "5"
        indices = page.locator("#rows tr").evaluate_all("rows => rows.map((row) => row.ariaRowIndex)")
        assert indices == ["1", "2", "3", "4", "5"]

    def test_numbers_stay_right_when_a_row_is_replaced(self, grid):
        page = grid.page
        start(page, "Email, row 3")
        press(page, "Control+Delete")
        expect(page.get_by_text("Row 3 removed")).to_be_visible()
        answered(page)
        indices = page.locator("#rows tr").evaluate_all("rows => rows.map((row) => Number(row.ariaRowIndex))")
        assert indices == list(range(1, 16))

    def test_errors_are_tied_to_their_cell(self, ugly):
        role = ugly.page.get_by_label("Role, row 3")
        expect(role).to_have_attribute("aria-invalid", "true")
        expect(role).to_have_accessible_description(re.compile("Not a role"))


class TestCopyAndPaste:
    def test_one_cell_copied_and_pasted_as_a_plain_edit(self, grid):
        page = grid.page
        start(page)
        press(page, "Control+c")
        heard(page, "1 cell copied.")
        press(page, "ArrowDown", "Control+v")
        heard(page, "Row 3")
        expect(page.get_by_label("Email, row 3")).to_have_value("person0@northfield.example")
        at(page, "Email, row 3")
        start(page, "Role, row 4")
        clipboard(page, "remote")
        press(page, "Control+v")
        expect(page.get_by_label("Role, row 4")).to_have_value("Remote")
        start(page, "Groups, row 4")
        clipboard(page, "Exam Laptops, Admin Office")
        press(page, "Control+v")
        expect(page.get_by_label("Groups, row 4")).to_contain_text("Exam Laptops")
        at(page, "Groups, row 4")

    def test_a_block_is_selected_copied_and_pasted_elsewhere(self, grid):
        page = grid.page
        start(page)
        page.keyboard.type("head@northfield.example")
        press(page, "Tab")
        heard(page, "Row 2")
        page.keyboard.type("Rem")
        press(page, "Shift+Tab")
        answered(page)
        press(page, "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown")
        selected(page, 6)
        heard(page, "6 cells selected.")
        grid.axe("a selected block")
        press(page, "Control+c")
        assert page.evaluate("navigator.clipboard.readText()") == (
            "head@northfield.example\tRemote\tStudent Devices\nperson1@northfield.example\tAnalyst\tStudent Devices"
        )
        press(page, "Escape")
        selected(page, 0)
        start(page, "Email, row 6")
        press(page, "Control+v")
        heard(page, "3 cells changed")
        expect(page.get_by_label("Email, row 6")).to_have_value("head@northfield.example")
        expect(page.get_by_label("Role, row 6")).to_have_value("Remote")
        at(page, "Email, row 6")
        selected(page, 6)
        grid.axe("after a paste")

    def test_a_block_as_excel_puts_it_in_one_request(self, grid):
        page = grid.page
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        start(page, "Role, row 3")
        clipboard(page, 'Remote\t"Exam Laptops\nAdmin Office"\r\nNonsense\tLibrary Chromebooks\r\n')
        press(page, "Control+v")
        heard(page, "4 cells changed. 1 row of the block has a problem.")
        assert [line for line in sent if not line.startswith("GET")] == [s for s in sent if s.endswith("/blocks")]
        assert len([s for s in sent if s.endswith("/blocks")]) == 1
        at(page, "Role, row 3")
        expect(page.get_by_label("Role, row 3")).to_have_value("Remote")
        expect(page.get_by_label("Groups, row 3")).to_contain_text("Admin Office")
        expect(page.get_by_text("Not a role")).to_be_visible()
        page.reload()
        assert groups_of(page, 4) == "Library Chromebooks"

    def test_one_value_fills_a_selected_block_and_delete_clears_it(self, grid):
        page = grid.page
        start(page, "Role, row 2")
        clipboard(page, "Remote")
        press(page, "Shift+ArrowDown", "Shift+ArrowDown", "Control+v")
        heard(page, "3 cells changed")
        for line in (2, 3, 4):
            expect(page.get_by_label(f"Role, row {line}")).to_have_value("Remote")
        press(page, "Delete")
        heard(page, "3 cells changed. 3 rows of the block have a problem.")
        expect(page.get_by_text("Role is missing")).to_have_count(3)

    def test_more_lines_than_rows_are_offered_as_rows(self, grid):
        page = grid.page
        start(page, "Email, row 14")
        lines = [f"extra{n}@northfield.example\tAnalyst\tStudent Devices" for n in range(5)]
        clipboard(page, "\n".join(lines) + "\n")
        press(page, "Control+v")
        dialog = page.get_by_role("alertdialog")
        expect(dialog).to_contain_text("Add 3 rows?")
        expect(dialog).to_contain_text("3 pasted lines found no row to go into.")
        grid.axe("the offer of new rows")
        press(page, "Tab")
        expect(dialog.get_by_role("button", name="Add 3 rows")).to_be_focused()
        press(page, "Enter")
        expect(page.get_by_label("Email, row 18")).to_have_value("extra4@northfield.example")
        heard(page, "3 rows added below the last one.")
        until(page, "document.activeElement !== document.body")
        expect(page.get_by_role("button", name="Send 17 invitations")).to_be_visible()
        stored(page, "Email, row 16", "extra2@northfield.example")

    def test_the_offer_can_be_declined(self, grid):
        page = grid.page
        start(page, "Email, row 15")
        clipboard(page, "one@northfield.example\ntwo@northfield.example")
        press(page, "Control+v")
        expect(page.get_by_role("alertdialog")).to_contain_text("Add 1 row?")
        press(page, "Escape")
        at(page, "Email, row 15")
        page.reload()
        expect(page.get_by_label("Email, row 15")).to_have_value("one@northfield.example")
        expect(page.get_by_label("Email, row 16")).to_have_count(0)

    def test_while_editing_paste_and_copy_are_the_browsers(self, grid):
        page = grid.page
        clipboard(page, "x\ty")
        start(page)
        press(page, "F2", "Control+v")
        expect(page.get_by_label("Email, row 2")).to_have_value(re.compile("^person0@northfield.examplex"))
        press(page, "Escape")
        expect(page.get_by_label("Email, row 2")).to_have_value("person0@northfield.example")

    def test_a_block_pasted_where_one_has_clicked(self, grid):
        page = grid.page
        clipboard(page, "mouse@northfield.example\tRemote")
        page.get_by_label("Email, row 2").click()
        press(page, "Control+v")
        heard(page, "2 cells changed.")
        expect(page.get_by_label("Email, row 2")).to_have_value("mouse@northfield.example")
        expect(page.get_by_label("Role, row 2")).to_have_value("Remote")

    def test_what_does_not_fit_is_told(self, grid):
        page = grid.page
        start(page, "Groups, row 15")
        clipboard(page, "Exam Laptops\tmore\nAdmin Office\tmore")
        press(page, "Control+v")
        expect(page.get_by_text("1 column did not fit beside this one and was left out.")).to_be_visible()
        expect(page.get_by_text("1 line found no row and was left out.")).to_be_visible()
        press(page, "ArrowRight")
        clipboard(page, "a\tb")
        press(page, "Control+v")
        expect(page.get_by_text("Choose a cell of Email, Role or Groups, then paste.")).to_be_visible()

    def test_ones_own_edit_in_another_tab_is_not_in_the_way(self, grid):
        # The same account in two tabs is one person; a second person: tests/views/batches/test_blocks.py.
        page = grid.page
        other = page.context.new_page()
        other.goto(page.url)
        start(other, "Role, row 2")
        other.keyboard.type("Rem")
        press(other, "Enter")
        heard(other, "Row 2")
        clipboard(page, "Broadcaster\nBroadcaster")
        start(page, "Role, row 2")
        press(page, "Control+v")
        heard(page, "2 cells changed")
        expect(page.get_by_label("Role, row 2")).to_have_value("Broadcaster")


@pytest.mark.parametrize("mode", ["navigation", "edit", "picker"])
def test_axe_in_each_mode(ugly, mode):
    page = ugly.page
    start(page, "Groups, row 4" if mode == "picker" else "Email, row 4")
    press(page, *(() if mode == "navigation" else ("F2",)))
    ugly.axe(mode)


def test_where_nothing_can_be_changed_the_keys_still_move(ugly):
    page = ugly.page
    page.evaluate("document.querySelectorAll('#rows select, #rows button').forEach((c) => { c.disabled = true; })")
    page.evaluate("document.querySelectorAll('#rows input.cell').forEach((c) => { c.readOnly = true; })")
    page.evaluate("document.dispatchEvent(new CustomEvent('htmx:after:swap'))")
    start(page)
    press(page, "F2")
    is_editing(page, False)
    press(page, "Delete", "ArrowRight")
    assert page.evaluate("document.activeElement.matches('td.c-role')")
    expect(page.get_by_label("Email, row 2")).to_have_value("ana@northfield.example")


def test_touch_stays_touch(open_page: Callable[..., Watched]):
    phone = open_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    sign_in(phone, OWNER)
    upload(phone, UGLY)
    page = phone.page
    page.get_by_label("Email, row 4").tap()
    is_editing(page)
    press(page, "End")
    page.keyboard.type(".example")
    page.get_by_label("Email, row 4").blur()  # not a tap elsewhere: the page may scroll under it
    heard(page, "Row 4:")
    page.get_by_role("button", name="Replace “Analsyt” by “Analyst”, row 3").tap()
    expect(page.get_by_label("Role, row 3")).to_have_value("Analyst")
    phone.axe("the review on a phone")

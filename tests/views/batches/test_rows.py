"""Inline edit over HTTP: one cell a request, a partial back."""

from __future__ import annotations

import json

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch, Group, RowEdit
from webapp.services.directory import aliases

from tests.factories import make_group, make_user
from tests.steps import edit, rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Remote,Techer Laptops\n"
    "jonas@northfield,Remote,\n"
)


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def test_each_kind_of_mistake_has_its_sentence_and_one_click(admin, batch):
    page = admin.get(f"/batches/{batch.id}").page
    for said in ("Not a role", "No such group", "Incomplete domain"):
        assert said in page.text
    offered = [button["aria-label"] for button in page.all("button", class_="suggest")]
    assert offered == [
        "Replace “Analsyt” by “Analyst”, row 2",
        "Replace “Techer Laptops” by “Teacher Laptops”, row 3",
        "Use @northfield.example, row 4",
    ]


def test_a_group_by_another_name_is_found_and_picked_by_its_own(admin):
    aliases.add(Group, "Kiosk pads", "Student Devices", admin.user)
    batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,Kiosk pads\nben@northfield.example,Analyst,\n")
    page = admin.get(f"/batches/{batch.id}").page
    row = rows_of(batch)[0]
    [cell] = page.all("input", id=f"row-{row.id}-groups")
    assert cell["value"] == "Student Devices"
    assert json.loads(cell["hx-vals"]) == {"field": "groups", "seen": "Kiosk pads"}
    for words in ("student dev", "kiosk"):
        assert "1–1 of 1" in admin.get(f"/batches/{batch.id}?q={words}").page.text


def test_what_stands_around_an_address_or_between_groups_is_put_right_by_one_click(admin):
    make_group("Exam Laptops")
    lines = [
        "mailto:ana@northfield.example;Analyst;Teacher Laptops",
        '"ben@northfield.example;";Analyst;"Teacher Laptops; exam laptops"',
        '"cy@northfield.example;";Analyst;"Exam Laptops|Nowhere"',
    ]
    batch = stage(admin, "\n".join(["Email;Role;Groups", *lines]))
    page = admin.get(f"/batches/{batch.id}").page
    assert [button["aria-label"] for button in page.all("button", class_="suggest")] == [
        "Replace “mailto:ana@northfield.example” by “ana@northfield.example”, row 2",
        "Use @northfield.example, row 3",
        "Replace “Teacher Laptops; exam laptops” by “Teacher Laptops, Exam Laptops”, row 3",
        "Use @northfield.example, row 4",
    ]
    tidying = admin.get(f"/batches/{batch.id}/tidy-up").page.text
    assert "@northfield.example; @northfield.example rows 3, 4" in tidying, "in two rows: one fix for both"


class TestMisspeltDomains:
    """Valid, and probably not what was meant: said below the cell, and no problem."""

    @pytest.fixture
    def batch(self, admin) -> Batch:
        return stage(admin, "Email,Role\nana@gmial.com,Analyst\nBen <ben@outlok.com>,Remote\ncleo@gmail.com,Remote\n")

    def test_are_noted_with_one_click_and_hold_nothing_back(self, admin, batch):
        page = admin.get(f"/batches/{batch.id}").page
        assert page.text.count("Misspelt domain?") == 2
        assert "Create 3 invitations" in page.text
        assert not page.all("input", aria_invalid="true")
        offered = {button["aria-label"]: button["value"] for button in page.all("button", class_="suggest")}
        assert offered["Replace “@gmial.com” by “@gmail.com”, row 2"] == "ana@gmail.com"
        assert "ben@outlook.com" in offered["Replace “@outlok.com” by “@outlook.com”, row 3"]

    def test_one_click_answers_without_the_note(self, admin, batch):
        answer = edit(admin, batch, 2, "email", "ana@gmail.com")
        assert "Misspelt" not in answer.page.text
        assert rows_of(batch)[0].likely_domain is None

    def test_a_reader_of_the_screen_hears_it_after_an_edit(self, admin, batch):
        answer = edit(admin, batch, 4, "email", "cleo@hotmial.com", status=200)
        assert "Row 4: Misspelt domain? Perhaps it is hotmail.com. 0 rows need attention." in answer.page.text

    def test_a_near_miss_of_an_allowed_domain_is_helped_to_it(self, admin, change_settings):
        change_settings(allowed_domains=("northfield.example",))
        batch = stage(admin, "Email,Role\nana@norhtfield.example,Analyst\n")
        page = admin.get(f"/batches/{batch.id}").page
        assert "Domain not allowed here" in page.text
        assert page.all("button", aria_label="Replace “@norhtfield.example” by “@northfield.example”, row 2")

    def test_an_edit_costs_the_same_beside_one_and_many(self, admin, queries, change_settings):
        change_settings(max_rows=1500)
        counted = []
        for n in (3, 1500):
            many = stage(admin, "Email,Role\n" + "".join(f"u{i}@gmial.com,Analyst\n" for i in range(n)))
            queries.clear()
            edit(admin, many, 2, "email", "someone@northfield.example")
            counted.append(len(queries))
        assert counted[1] <= counted[0], queries


def test_a_good_edit_answers_with_the_cell_and_what_else_moved(admin, batch):
    answer = edit(admin, batch, 2, "role", "Analyst")
    assert answer.page.all("select", aria_label="Role, row 2")
    targets = [a["hx-target"] for a in answer.page.all("hx-partial")]
    assert f"#batch-{batch.id}-summary" in targets
    assert f"#batch-{batch.id}-send" in targets
    assert not any(t == f"#row-{rows_of(batch)[0].id}" for t in targets), "the whole row must never be sent"
    assert rows_of(batch)[0].plan is Plan.INVITE
    assert db.session.get(Batch, batch.id).counts == {"invite": 1, "attention": 2, "problem:email": 1, "problem:groups": 1}


def test_a_cell_that_is_still_wrong_says_so_and_keeps_what_was_typed(admin, batch):
    answer = edit(admin, batch, 2, "email", "nonsense", status=422)
    assert answer.page.values("value")[0] == "nonsense"
    assert "No @ in email." in answer.page.text
    assert rows_of(batch)[0].email == "nonsense"
    assert rows_of(batch)[0].read_email == "ana@northfield.example"


def test_the_edit_is_kept_as_an_event(admin, batch):
    edit(admin, batch, 2, "role", "Analyst")
    event = db.session.scalars(db.select(RowEdit)).one()
    assert (event.field, event.before, event.after, event.user_id) == ("role", "Analsyt", "Analyst", admin.user.id)


def test_a_line_break_of_the_file_is_seen_as_the_page_shows_it(admin, owner):
    batch = stage(admin, 'Email,Role,Groups\nana@x.org,Analyst,"Student Devices\r\nNowhere"\n')
    row = rows_of(batch)[0]
    edit(owner, batch, 2, "groups", "Student Devices\r\nElsewhere", status=None)
    edit(admin, batch, 2, "groups", "Student Devices", seen=rows_of(batch)[0].groups.replace("\r\n", "\n"))
    assert rows_of(batch)[0].groups == "Student Devices", row.groups


def test_somebody_elses_newer_value_is_shown_and_not_overwritten(admin, owner, batch):
    edit(owner, batch, 2, "role", "Remote", seen="Analsyt")
    answer = edit(admin, batch, 2, "role", "Analyst", seen="Analsyt", status=409)
    assert "Maren Okafor changed this cell. Showing the newer value." in answer.page.text
    assert rows_of(batch)[0].role == "Remote"
    edit(admin, batch, 2, "role", "Analyst", seen="Remote")
    assert rows_of(batch)[0].role == "Analyst"


def test_a_fast_typist_is_never_in_their_own_way(admin, batch):
    edit(admin, batch, 2, "email", "a@x.org", seen="ana@northfield.example", status=200)
    edit(admin, batch, 2, "email", "ab@x.org", seen="ana@northfield.example", status=200)
    assert rows_of(batch)[0].email == "ab@x.org"


def test_an_edit_costs_the_same_in_a_small_and_a_large_batch(admin, queries, change_settings):
    change_settings(max_rows=5000)
    counted = []
    for n in (3, 2000):
        lines = "".join(f"u{i}@northfield.example,Analyst,\n" for i in range(n))
        large = stage(admin, "Email,Role,Groups\n" + lines)
        row = rows_of(large)[0]
        queries.clear()
        admin.patch(f"/batches/{large.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        counted.append(len(queries))
    assert counted[0] == counted[1], queries


def test_every_answer_to_an_edit_has_the_same_parts_and_tidy_up_where_a_row_has_or_had_a_problem(admin):
    batch = stage(admin, "Email,Role,Groups\nana@x.org,Analyst,\nben@x.org,Analyst,\ncleo@x.org,Analsyt,\n")

    def parts(line: int, value: str) -> set[str]:
        row = next(row for row in rows_of(batch) if row.line == line)
        cell = {"field": "role", "value": value, "seen": row.role}
        answer = admin.patch(f"/batches/{batch.id}/rows/{row.id}", cell, htmx=True)
        targets = {part["hx-target"] for part in answer.page.all("hx-partial")}
        assert {f"#row-{row.id}-{cell}" for cell in ("email-td", "role-td", "groups-td", "result")} <= targets
        return {target for target in targets if not target.startswith("#row-")}

    plain = parts(2, "Remote")
    assert {f"#batch-{batch.id}-{part}" for part in ("summary", "send", "problems", "history")} <= plain
    assert parts(4, "Analyst") == plain | {f"#batch-{batch.id}-tidy-up"}


class TestTwins:
    TWICE = "Email,Role,Groups\nana@x.org,Analyst,\nana@x.org,Analyst,\n"

    def test_editing_one_frees_the_other(self, admin):
        batch = stage(admin, self.TWICE)
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.DUPLICATE]
        answer = edit(admin, batch, 2, "email", "ben@x.org")
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.INVITE]
        assert f"#row-{rows_of(batch)[1].id}-result" in [a["hx-target"] for a in answer.page.all("hx-partial")]

    def test_becoming_a_twin_with_another_role_blocks_both(self, admin):
        batch = stage(admin, "Email,Role,Groups\nana@x.org,Analyst,\nben@x.org,Remote,\n")
        edit(admin, batch, 3, "email", "ANA@x.org", status=422)
        assert [row.plan for row in rows_of(batch)] == [Plan.ATTENTION, Plan.ATTENTION]

    def test_removing_the_first_puts_the_next_in_its_place(self, admin):
        batch = stage(admin, self.TWICE)
        first = rows_of(batch)[0]
        answer = admin.post(f"/batches/{batch.id}/rows/{first.id}/removal", status=200, htmx=True)
        assert "Row 2 removed" in answer.page.text
        assert rows_of(batch)[1].plan is Plan.INVITE
        assert db.session.get(Batch, batch.id).counts == {"invite": 1}

    def test_putting_it_back_is_as_if_nothing_had_been(self, admin):
        batch = stage(admin, self.TWICE)
        before = dict(batch.counts)
        first = rows_of(batch)[0]
        admin.post(f"/batches/{batch.id}/rows/{first.id}/removal", status=200, htmx=True)
        admin.post(f"/batches/{batch.id}/rows/{first.id}/restoration", status=200, htmx=True)
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.DUPLICATE]
        assert db.session.get(Batch, batch.id).counts == before


def test_an_edit_of_a_removed_row_is_a_conflict(admin, batch):
    row = rows_of(batch)[0]
    admin.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
    answer = edit(admin, batch, 2, "role", "Analyst", status=409)
    assert "Row 2 was removed in the meantime." in answer.page.text


def test_an_unknown_column_changes_nothing(admin, batch):
    row = rows_of(batch)[0]
    admin.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "plan", "value": "invite", "seen": ""}, 404, htmx=True)


def test_who_may_only_look_gets_no_controls(admin, batch, sign_in):
    analyst = sign_in("Analyst")
    page = analyst.get(f"/batches/{batch.id}").page
    assert not page.all("button", class_="suggest")
    assert not page.all("button", id="send")
    row = rows_of(batch)[0]
    analyst.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Analyst"}, 403, htmx=True)


def test_the_uploader_cannot_change_their_own_role(admin):
    make_user("Other Admin", "Admin")
    batch = stage(admin, f"Email,Role,Groups\n{admin.user.email},Analyst,\n")
    assert "You cannot change your own role" in admin.get(f"/batches/{batch.id}").page.text

"""Your file back: what is on the review, and the other columns of the file that was uploaded."""

from __future__ import annotations

import csv
import io

import pytest
from webapp.db import db
from webapp.models import Batch
from webapp.services.directory import groups

from tests.factories import make_batch, make_group, make_user
from tests.steps import rows_of, stage

FILE = (
    "Name;E-Mail;Access level;Phone;Teams\n"
    "Zoe Lind;zoe@northfield.example;Remote;+49 30 1234;Student Devices\n"
    "Ana;ana@northfield.example;Analsyt;;Techer Laptops\n"
    "=cmd|' /C calc'!A0;bad;Analyst;555;\n"
    "Kim;kim@northfield.example;Analyst;'-1;Student Devices\n"
    'Two;zoe@northfield.example;Remote;"a;b";Student Devices\n'
)
SAID = ["Status", "Reason", "Suggestion"]


@pytest.fixture(autouse=True)
def directory(app):
    make_group("Student Devices")
    make_group("Teacher Laptops")


@pytest.fixture
def batch(admin) -> Batch:
    make_user("Kim Holm", email="kim@northfield.example", groups=("Student Devices",))
    return stage(admin, FILE)


def table(client, batch, query: str = "") -> list[list[str]]:
    answer = client.get(f"/batches/{batch.id}/rows.csv{query}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_the_cells_of_the_review_come_first_then_the_other_columns_and_what_muster_says(admin, batch):
    header, *lines = table(admin, batch)
    assert header == ["Email", "Name", "Role", "Groups", "Phone", *SAID]
    assert lines[0] == ["zoe@northfield.example", "Zoe Lind", "Remote", "Student Devices", "'+49 30 1234", "Invite", "", ""]
    assert lines[1][5:] == ["Attention", "Not a role. No such group.", "Role: Analyst; Groups: Teacher Laptops"]
    assert lines[3][5:] == ["Unchanged", "", ""]
    assert lines[4] == [
        "zoe@northfield.example",
        "Two",
        "Remote",
        "Student Devices",
        "a;b",
        "Duplicate",
        "Same email as row 2.",
        "",
    ]


def test_formulas_are_escaped_in_every_column(admin, batch):
    for line in table(admin, batch)[1:]:
        assert not [cell for cell in line if cell.startswith(("=", "+", "-", "@"))]
    assert table(admin, batch)[3][1] == "'=cmd|' /C calc'!A0"


def test_what_was_edited_stands_in_place_of_what_was_read(admin, batch):
    row = rows_of(batch)[1]
    path = f"/batches/{batch.id}/rows/{row.id}"
    for field, value in (
        ("role", "Analyst"),
        ("groups", "Teacher Laptops, Student Devices"),
        ("email", "anna@northfield.example"),
    ):
        admin.patch(path, {"field": field, "value": value, "seen": row.cell(field)}, htmx=True)
    assert table(admin, batch)[2] == [
        "anna@northfield.example", "Ana", "Analyst", "Teacher Laptops, Student Devices", "", "Invite", "", ""
    ]  # fmt: skip


def test_it_holds_what_the_page_shows_and_what_was_removed_is_gone(admin, batch):
    admin.post(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}/removal", status=200, htmx=True)
    ana, kim, zoe = (f"{name}@northfield.example" for name in ("ana", "kim", "zoe"))
    assert [line[0] for line in table(admin, batch)[1:]] == [ana, "bad", kim, zoe]
    assert [line[0] for line in table(admin, batch, "?plan=attention")[1:]] == ["ana@northfield.example", "bad"]
    assert [line[1] for line in table(admin, batch, "?q=NORTHFIELD&sort=-email")[1:]] == ["Two", "Kim", "Ana"]
    assert table(admin, batch, "?q=nobody") == [["Email", "Name", "Role", "Groups", "Phone", *SAID]]


def test_all_pages_are_in_it(admin, change_settings):
    change_settings(max_rows=2000)
    people = "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(1100))
    batch = stage(admin, "Email,Role,Groups\n" + people)
    assert len(table(admin, batch, "?page=3&sort=-line")) == 1101


def test_the_blocked_rows_have_a_link_and_a_name_of_their_own(admin, batch):
    page = admin.get(f"/batches/{batch.id}").page
    (blocked,) = page.all("a", id="download-blocked")
    answer = admin.get(blocked["href"])
    assert "staff-blocked-rows.csv" in answer.headers["Content-Disposition"]
    assert "blocked rows" in page.text
    (everything,) = page.all("a", id="download-rows")
    assert "staff-rows.csv" in admin.get(everything["href"]).headers["Content-Disposition"]
    clean = stage(admin, "Email,Role\nfine@northfield.example,Analyst\n")
    assert not admin.get(f"/batches/{clean.id}").page.all("a", id="download-blocked")


def test_skipped_rows_say_so(admin, batch):
    admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
    assert [line[5] for line in table(admin, batch)[1:]] == ["Invite", "Skipped", "Skipped", "Unchanged", "Duplicate"]


def test_plans_made_on_the_fly_are_in_it_too(admin, batch):
    groups.add_groups(["Techer Laptops"], admin.user)
    assert table(admin, batch)[2][5:] == ["Attention", "Not a role.", "Role: Analyst"]


def test_uploaded_again_it_plans_as_before(admin, batch):
    data = admin.get(f"/batches/{batch.id}/rows.csv").data
    again = stage(admin, data, name="staff-rows.csv")
    assert again.counts == db.session.get(Batch, batch.id).counts
    assert "downloaded from Muster before" in again.reading
    assert "“Status”, “Reason” and “Suggestion” ignored" in again.reading
    assert [(r.line, r.email, r.name, r.role, r.groups) for r in rows_of(again)] == [
        (r.line, r.email, r.name, r.role, r.groups) for r in rows_of(batch)
    ]
    assert table(admin, again) == table(admin, batch), "and has no Status twice"


def test_unquoted_groups_come_back_in_one_cell(admin):
    batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices,Teacher Laptops\n")
    assert table(admin, batch)[1][:3] == ["ana@northfield.example", "Analyst", "Student Devices, Teacher Laptops"]


def test_a_batch_whose_whole_lines_were_not_kept_has_the_three_columns(admin):
    batch = make_batch(admin.user, rows=2, directory_version=0)
    header, *lines = table(admin, batch)
    assert header[:2] == ["Email", "Role"]
    assert header[-3:] == SAID
    assert [line[0] for line in lines] == ["user1@northfield.example", "user2@northfield.example"]


def test_who_may_look_may_download_and_others_may_not(admin, sign_in, batch):
    assert table(sign_in("Analyst"), batch)
    sign_in("Remote").get(f"/batches/{batch.id}/rows.csv", 403)
    admin.get("/batches/999/rows.csv", 404)


def test_after_confirming_it_tells_the_outcome(admin):
    from webapp.services.batches import execute

    batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,\n")
    admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
    while execute.run_chunk(batch.id, 50):
        pass
    assert table(admin, batch)[1][3] == "Waiting"


def test_the_number_of_queries_does_not_grow_with_the_rows(admin, queries, change_settings):
    change_settings(max_rows=2000)
    counted = []
    for n in (2, 1200):
        batch = stage(admin, "Email,Role,Groups\n" + "".join(f"u{i}@northfield.example,Analyst,\n" for i in range(n)))
        queries.clear()
        admin.get(f"/batches/{batch.id}/rows.csv")
        counted.append(len(queries))
    assert counted[0] == counted[1], queries


@pytest.mark.parametrize("remember", [True, False])
def test_columns_that_a_person_chose_hold_what_was_edited(admin, remember):
    batch = stage(admin, "Person,Kind,Role\nana@northfield.example,Blue,Analyst\nben@northfield.example,Green,Remote\n")
    chosen = {"column-0": "email", "column-1": "", "column-2": "role"} | ({"remember": "yes"} if remember else {})
    admin.post(f"/batches/{batch.id}/mapping", chosen)
    row = rows_of(batch)[0]
    admin.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
    whole = table(admin, batch)
    assert whole[0] == ["Email", "Role", "Groups", "Kind", *SAID]
    assert whole[1][:4] == ["ana@northfield.example", "Remote", "", "Blue"]


class TestUploadedAgain:
    ODD = "Kennung,Job,Pool\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Analsyt,\n"

    def test_columns_that_were_matched_once_need_no_matching(self, admin):
        odd = stage(admin, self.ODD)
        admin.post(f"/batches/{odd.id}/mapping", {"header_row": "1", "column-0": "email", "column-1": "role"})
        data = admin.get(f"/batches/{odd.id}/rows.csv").data.decode("utf-8-sig")
        again = stage(admin, data, name="again.csv")
        assert again.state.value == "reviewing"
        assert [(row.email, row.role) for row in rows_of(again)] == [
            ("ana@northfield.example", "Analyst"),
            ("ben@northfield.example", "Analsyt"),
        ]
        assert "downloaded from Muster before" in admin.get(f"/batches/{again.id}").page.text

    def test_also_of_a_batch_that_was_sent_long_since(self, admin):
        odd = stage(admin, self.ODD)
        admin.post(
            f"/batches/{odd.id}/mapping", {"header_row": "1", "column-0": "email", "column-1": "role", "column-2": "groups"}
        )
        data = admin.get(f"/batches/{odd.id}/rows.csv").data.decode("utf-8-sig")
        admin.patch(f"/batches/{odd.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{odd.id}/confirmation", {"version": db.session.get(Batch, odd.id).version})
        again = stage(admin, data, name="again.csv")
        assert [row.groups for row in rows_of(again)] == ["Student Devices", ""]

    def test_a_file_that_only_looks_like_one_is_matched_by_a_person(self, admin):
        assert stage(admin, "Kennung,Job,Status,Reason,Suggestion\nx@x.org,A,,,\n").state.value == "mapping"

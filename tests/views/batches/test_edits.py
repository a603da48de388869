"""Undo, redo and changes of many rows over HTTP: what the answers carry, and what is shown to whom."""

from __future__ import annotations

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch

from tests.steps import edit, rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Analsyt,Techer Laptops\n"
    "carla@northfield.example,Remote,Techer Laptops\n"
    "dan@northfield.example,Remote,Student Devices\n"
    "dan@northfield.example,Remote,Teacher Laptops\n"
)


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def post(client, batch, what: str, data=None, status: int = 200, here: str = "", **more):
    headers = {"HX-Current-URL": f"http://localhost/batches/{batch.id}{here}"}
    return client.post(f"/batches/{batch.id}/{what}", data, status, htmx=True, headers=headers, **more)


def row_at(batch, line: int):
    return next(row for row in rows_of(batch) if row.line == line)


def targets(answer) -> list[str]:
    return [partial["hx-target"] for partial in answer.page.all("hx-partial")]


def disabled(page, id: str) -> bool:
    return page.all("button", id=id)[0].get("aria-disabled") == "true"


class TestUndo:
    def test_of_one_cell_answers_with_that_row(self, admin, batch):
        edit(admin, batch, 2, "role", "Analyst")
        answer = post(admin, batch, "undos")
        id = row_at(batch, 2).id
        assert f"#row-{id}-role-td" in targets(answer)
        assert f"#batch-{batch.id}-review" not in targets(answer)
        assert "Undone: changed Role in row 2" in answer.page.text
        assert row_at(batch, 2).role == "Analsyt"

    def test_of_more_answers_with_the_review_and_keeps_the_filter(self, admin, batch):
        post(admin, batch, "replacements", {"field": "role", "find": "Analsyt", "by": "Analyst"})
        answer = post(admin, batch, "undos", here="?plan=attention")
        assert f"#batch-{batch.id}-review" in targets(answer)
        assert "Undone: changed Role in 2 rows" in answer.page.text
        assert [a for a in answer.page.all("a", aria_current="true") if "plan=attention" in a["href"]]

    def test_the_buttons_say_whether_there_is_something(self, admin, batch):
        path = f"/batches/{batch.id}"
        page = admin.get(path).page
        assert (disabled(page, "undo"), disabled(page, "redo")) == (True, True)
        answer = edit(admin, batch, 2, "role", "Analyst")
        assert (disabled(answer.page, "undo"), disabled(answer.page, "redo")) == (False, True)
        answer = post(admin, batch, "undos")
        assert (disabled(answer.page, "undo"), disabled(answer.page, "redo")) == (True, False)
        page = admin.get(path).page
        assert (disabled(page, "undo"), disabled(page, "redo")) == (True, False), "it must work after a refresh"
        answer = post(admin, batch, "redos")
        assert "Redone: changed Role in row 2" in answer.page.text
        assert row_at(batch, 2).role == "Analyst"

    def test_is_a_sentence_where_somebody_changed_the_cell_since(self, admin, owner, batch):
        edit(admin, batch, 2, "role", "Analyst")
        edit(owner, batch, 2, "role", "Remote")
        answer = post(admin, batch, "undos", status=409)
        assert "Maren Okafor has since changed Role in row 2. Nothing was undone." in answer.page.text
        assert row_at(batch, 2).role == "Remote"

    def test_of_somebody_elses_step_from_the_list(self, admin, owner, batch):
        edit(owner, batch, 2, "role", "Analyst")
        page = admin.get(f"/batches/{batch.id}/steps", htmx=True).page
        assert "Maren Okafor changed Role in row 2 Analsyt to Analyst" in page.text
        assert "You changed Role in row 2 Analsyt to Analyst" in owner.get(f"/batches/{batch.id}/steps", htmx=True).page.text
        button = page.all("button", aria_label="Undo: Maren Okafor changed Role in row 2")[0]
        assert button["hx-post"] == f"/batches/{batch.id}/undos"
        version = db.session.get(Batch, batch.id).version
        assert f'"version": {version}' in button["hx-vals"]
        post(admin, batch, "undos", {"version": version})
        assert row_at(batch, 2).role == "Analsyt"

    def test_from_the_toast_of_a_removal(self, admin, batch):
        id = row_at(batch, 2).id
        answer = post(admin, batch, f"rows/{id}/removal")
        undo = next(b["hx-post"] for b in answer.page.all("button") if "/undos?" in b.get("hx-post", ""))
        answer = admin.post(undo, None, 200, htmx=True)
        assert "Undone: removed row 2" in answer.page.text
        assert row_at(batch, 2).removed_at is None

    def test_without_the_script_it_goes_back_to_the_review(self, admin, batch):
        edit(admin, batch, 2, "role", "Analyst")
        assert admin.post(f"/batches/{batch.id}/undos").location == f"/batches/{batch.id}"

    def test_an_edit_with_an_undo_costs_the_same_in_a_small_and_a_large_batch(self, admin, queries, change_settings):
        change_settings(max_rows=5000)
        counted = []
        for n in (3, 2000):
            large = stage(admin, "Email,Role,Groups\n" + "".join(f"u{i}@northfield.example,Analyst,\n" for i in range(n)))
            edit(admin, large, 2, "role", "Remote")
            queries.clear()
            post(admin, large, "undos")
            counted.append(len(queries))
        assert counted[0] == counted[1], queries


class TestReplace:
    def test_counts_first_then_replaces(self, admin, batch):
        asked = {"field": "email", "find": "northfield", "by": "southfield"}
        shown = admin.get(f"/batches/{batch.id}/replacements", htmx=True, query_string=asked).page
        assert "5 rows change." in shown.text
        assert "ana@southfield.example" in shown.text
        assert row_at(batch, 2).email == "ana@northfield.example"
        assert "Replaced in 5 rows" in post(admin, batch, "replacements", asked).page.text
        assert row_at(batch, 2).email == "ana@southfield.example"

    def test_nothing_to_find_says_so(self, admin, batch):
        shown = admin.get(f"/batches/{batch.id}/replacements?field=role&find=&by=x", htmx=True).page
        assert "Enter what to find" in shown.text
        post(admin, batch, "replacements", {"field": "role", "find": "", "by": "x"}, 422)

    def test_nothing_found_says_so(self, admin, batch):
        assert (
            "Nothing had to change." in post(admin, batch, "replacements", {"field": "role", "find": "zzz", "by": "x"}).page.text
        )


class TestSelected:
    def chosen(self, batch, *lines: int) -> str:
        return ",".join(str(row_at(batch, line).id) for line in lines)

    def test_a_role(self, admin, batch):
        answer = post(admin, batch, "changes", {"do": "role", "role": "Analyst", "rows": self.chosen(batch, 2, 3)})
        assert "Role changed in 2 rows" in answer.page.text
        assert [row.role for row in rows_of(batch)][:3] == ["Analyst", "Analyst", "Remote"]

    def test_groups(self, admin, batch):
        post(admin, batch, "changes", {"do": "set_groups", "groups": ["Student Devices"], "rows": self.chosen(batch, 3, 4)})
        data = {"do": "add_groups", "groups": ["Teacher Laptops"], "rows": self.chosen(batch, 3)}
        assert "Groups changed in 1 row" in post(admin, batch, "changes", data).page.text
        assert [row.groups for row in rows_of(batch)][1:3] == ["Student Devices, Teacher Laptops", "Student Devices"]
        data = {"do": "remove_groups", "groups": ["Student Devices"], "rows": self.chosen(batch, 3, 4)}
        assert "Groups changed in 2 rows" in post(admin, batch, "changes", data).page.text

    def test_without_a_group_it_says_so(self, admin, batch):
        answer = post(admin, batch, "changes", {"do": "add_groups", "rows": self.chosen(batch, 2)}, 422)
        assert "Choose at least one group." in answer.page.text

    def test_all_of_the_filter(self, admin, batch):
        answer = post(admin, batch, "changes", {"do": "remove", "all": "1"}, here="?plan=attention")
        assert "5 rows removed" in answer.page.text
        assert db.session.get(Batch, batch.id).size == 0

    def test_on_the_last_page_the_page_before_is_shown(self, admin, change_settings):
        change_settings(max_rows=500)
        lines = "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(102))
        batch = stage(admin, "Email,Role,Groups\n" + lines)
        data = {"do": "remove", "rows": self.chosen(batch, 102, 103)}
        assert "u0@northfield.example" in post(admin, batch, "changes", data, here="?page=2").page.values("value")


class TestRows:
    def test_one_more_takes_the_focus(self, admin, batch):
        answer = post(admin, batch, "rows")
        new = rows_of(batch)[-1]
        assert (new.line, new.email) == (7, "")
        assert "autofocus" in answer.page.all("input", aria_label="Email, row 7")[-1]
        assert len([i for i in answer.page.all("input") if "autofocus" in i]) == 1

    def test_one_more_on_another_page_leads_there(self, admin, change_settings):
        change_settings(max_rows=500)
        lines = "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(101))
        batch = stage(admin, "Email,Role,Groups\n" + lines)
        answer = post(admin, batch, "rows")
        assert answer.location == f"/batches/{batch.id}?page=2#row-{rows_of(batch)[-1].id}-email"

    def test_the_way_to_a_row_knows_its_page(self, admin, change_settings):
        change_settings(max_rows=500)
        lines = "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(101))
        batch = stage(admin, "Email,Role,Groups\n" + lines)
        anchor = f"row-{row_at(batch, 102).id}-email"
        assert admin.get(f"/batches/{batch.id}/lines/102", 303).location == f"/batches/{batch.id}?page=2#{anchor}"
        admin.get(f"/batches/{batch.id}/lines/900", 404)


class TestTwins:
    def test_are_named_and_can_be_merged_or_kept(self, admin, batch):
        page = admin.get(f"/batches/{batch.id}").page
        assert page.all("a", href=f"/batches/{batch.id}/lines/5")
        assert page.all("button", aria_label="Merge groups with row 6, row 5")
        assert page.all("button", aria_label="Keep this one and remove the others with its email, row 6")
        post(admin, batch, f"rows/{row_at(batch, 6).id}/merger")
        assert row_at(batch, 5).groups == "Student Devices, Teacher Laptops"
        assert row_at(batch, 5).plan is Plan.INVITE
        assert row_at(batch, 6).removed_at

    def test_kept_one(self, admin, batch):
        answer = post(admin, batch, f"rows/{row_at(batch, 6).id}/retention")
        assert "1 row removed" in answer.page.text
        assert row_at(batch, 5).removed_at

    def test_with_other_roles_are_not_offered_to_be_merged(self, admin):
        batch = stage(admin, "Email,Role,Groups\na@northfield.example,Analyst,\na@northfield.example,Remote,\n")
        page = admin.get(f"/batches/{batch.id}").page
        assert not [b for b in page.all("button") if b.get("aria-label", "").startswith("Merge groups")]
        answer = post(admin, batch, f"rows/{row_at(batch, 2).id}/merger", status=422)
        assert "Their roles differ" in answer.page.text


def test_who_may_only_look_sees_no_way_to_change(admin, batch, sign_in):
    analyst = sign_in("Analyst")
    page = analyst.get(f"/batches/{batch.id}").page
    for id in ("undo", "redo", "add-row", "replace-open"):
        assert not page.all("button", id=id)
    assert not page.all("div", id="selection")
    assert "Replace “" not in page.text
    for what in ("undos", "redos", "tidy-up", "replacements", "changes", "rows"):
        analyst.post(f"/batches/{batch.id}/{what}", {}, 403, htmx=True)
    analyst.get(f"/batches/{batch.id}/lines/2", 303)


class TestFetchedDialogs:
    """What a dialog holds is fetched when it is opened."""

    def test_find_and_replace_is_the_inside_of_its_dialog(self, admin, batch):
        (link,) = admin.get(f"/batches/{batch.id}").page.all("a", id="replace-open")
        part = admin.get(link["href"], htmx=True).page
        assert not part.whole
        assert part.all("input", id="replace-find")
        assert admin.get(link["href"], 303).location == f"/batches/{batch.id}"

    def test_groups_of_selected_rows_need_the_selection_and_so_the_script(self, admin, batch):
        path = f"/batches/{batch.id}/changes/new"
        assert admin.get(path, htmx=True).page.all("form", id="regroup-form")
        assert admin.get(path, 303).location == f"/batches/{batch.id}"

    def test_are_not_for_who_may_only_look_nor_of_what_was_confirmed(self, admin, batch, sign_in):
        looking = sign_in("Analyst")
        admin.post(f"/batches/{batch.id}/discard")
        for path in ("replacements/new", "changes/new"):
            looking.get(f"/batches/{batch.id}/{path}", 403, htmx=True)
            assert admin.get(f"/batches/{batch.id}/{path}", htmx=True).location == f"/batches/{batch.id}"

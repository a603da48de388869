"""Many rows changed at once: what is offered, what it does, and what it costs."""

from __future__ import annotations

import pytest
from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.lists.row_filter import Find
from webapp.core.plan.planner import Mode, Plan
from webapp.db import db
from webapp.models import Batch, RowEdit
from webapp.services.batches import bulk_edit, cell_edit, row_search, undo
from webapp.services.batches.bulk_edit import Chosen, Replacement

from tests.factories import make_group, make_persona
from tests.steps import cell, make_review, rows_now, state_of_batch

DOMAIN = "northfield.example"


@pytest.fixture
def admin(app):
    for name in ("Student Devices", "Teacher Laptops", "Exam Laptops"):
        make_group(name)
    make_persona("Owner")
    return make_persona("Admin")


def ids(batch, *wanted: int) -> Chosen:
    return Chosen(frozenset(row.id for row in rows_now(batch.id) if row.line in wanted))


class TestReplace:
    @pytest.mark.parametrize(
        ("replacement", "before", "after"),
        [
            (Replacement("role", "ana", "X"), "Analyst Ana", "Xlyst X"),
            (Replacement("role", "ana", "X", exactly=True), "Analyst ana", "Analyst X"),
            (Replacement("role", "analyst", "Remote", whole=True), "ANALYST", "Remote"),
            (Replacement("role", "analyst", "Remote", whole=True), "Analyst 2", "Analyst 2"),
            (Replacement("role", "analyst", "Remote", whole=True, exactly=True), "Analyst", "Analyst"),
            (Replacement("role", "", "Remote", whole=True), "", "Remote"),
            (Replacement("email", ".", r"\1"), "a.b@x.org", r"a\1b@x\1org"),
        ],
    )
    def test_what_becomes_of_a_cell(self, replacement, before, after):
        assert replacement.replace_in(before) == after

    def test_counts_and_shows_first_then_changes_all_rows_in_one_step(self, admin):
        batch = make_review(admin, [(f"u{n}@old.example", "Analyst", "") for n in range(30)])
        asked = Replacement("email", "@old.example", f"@{DOMAIN}")
        found = bulk_edit.propose_replacement(db.session.get(Batch, batch.id), None, asked).changes
        assert (found[0].before, found[0].after) == ("u0@old.example", f"u0@{DOMAIN}")
        assert len(found) == 30
        done = bulk_edit.replace(batch.id, admin, asked)
        assert done.count == 30
        assert {row.email.partition("@")[2] for row in rows_now(batch.id)} == {DOMAIN}
        undo.undo(batch.id, admin)
        assert {row.email.partition("@")[2] for row in rows_now(batch.id)} == {"old.example"}

    def test_nothing_found_is_no_step(self, admin):
        batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "")])
        version = batch.version
        assert bulk_edit.replace(batch.id, admin, Replacement("role", "Remote", "Analyst")).count == 0
        assert db.session.get(Batch, batch.id).version == version

    def test_nothing_to_find_is_refused(self, admin):
        batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "")])
        with pytest.raises(RuleViolationError, match="Enter what to find"):
            bulk_edit.replace(batch.id, admin, Replacement("role", "", "Analyst"))


class TestSelected:
    @pytest.fixture
    def batch(self, admin) -> Batch:
        return make_review(
            admin,
            [
                (f"a@{DOMAIN}", "Analyst", "Student Devices"),
                (f"b@{DOMAIN}", "Analsyt", "All groups"),
                (f"c@{DOMAIN}", "Remote", ""),
                (f"d@{DOMAIN}", "Analsyt", "student  devices, Exam Laptops"),
            ],
        )

    def test_a_role_for_them_alone(self, batch, admin):
        assert bulk_edit.set_role(batch.id, admin, ids(batch, 2, 3), "remote").count == 2
        assert [row.role for row in rows_now(batch.id)] == ["Remote", "Remote", "Remote", "Analsyt"]

    @pytest.mark.parametrize("role", ["Owner", "Nonsense", ""])
    def test_a_role_that_is_not_theirs_to_give_is_refused(self, batch, admin, role):
        with pytest.raises(RuleViolationError, match="Choose a role that you may grant"):
            bulk_edit.set_role(batch.id, admin, ids(batch, 2), role)

    def test_groups_added(self, batch, admin):
        assert (
            bulk_edit.change_groups(batch.id, admin, ids(batch, 2, 3, 4, 5), ["Student Devices", "Exam Laptops"], Mode.ADD).count
            == 2
        )
        assert [row.groups for row in rows_now(batch.id)] == [
            "Student Devices, Exam Laptops",
            "All groups",
            "Student Devices, Exam Laptops",
            "student  devices, Exam Laptops",
        ]

    def test_groups_removed_however_they_are_spelt(self, batch, admin):
        assert bulk_edit.change_groups(batch.id, admin, ids(batch, 2, 3, 4, 5), ["Student Devices"], Mode.REMOVE).count == 2
        assert [row.groups for row in rows_now(batch.id)] == ["", "All groups", "", "Exam Laptops"]

    def test_groups_set(self, batch, admin):
        bulk_edit.change_groups(batch.id, admin, ids(batch, 2, 3), ["Exam Laptops"], Mode.REPLACE)
        bulk_edit.change_groups(batch.id, admin, ids(batch, 4), ["All groups", "Exam Laptops"], Mode.REPLACE)
        assert [row.groups for row in rows_now(batch.id)][:3] == ["Exam Laptops", "Exam Laptops", "All groups"]

    def test_removed(self, batch, admin):
        assert bulk_edit.remove(batch.id, admin, ids(batch, 2, 3)).count == 2
        assert [row.line for row in rows_now(batch.id) if row.removed_at is None] == [4, 5]
        assert db.session.get(Batch, batch.id).size == 2

    def test_all_that_the_filter_finds(self, batch, admin):
        done = bulk_edit.set_role(batch.id, admin, Chosen(find=Find(plan=Plan.ATTENTION)), "Analyst")
        assert done.count == 2
        assert db.session.get(Batch, batch.id).counts.get("attention") is None
        assert bulk_edit.remove(batch.id, admin, Chosen(find=Find(text="exam laptops"))).count == 1
        assert bulk_edit.remove(batch.id, admin, Chosen(find=Find())).count == 3

    def test_rows_of_another_upload_are_left_alone(self, batch, admin):
        other = make_review(admin, [(f"z@{DOMAIN}", "Analyst", "")])
        with pytest.raises(RuleViolationError, match="Select rows again"):
            bulk_edit.remove(batch.id, admin, ids(other, 2))

    def test_each_is_one_step(self, batch, admin):
        before = state_of_batch(batch.id)
        bulk_edit.set_role(batch.id, admin, ids(batch, 2, 3), "Remote")
        bulk_edit.change_groups(batch.id, admin, ids(batch, 2, 4), ["Exam Laptops"], Mode.ADD)
        bulk_edit.remove(batch.id, admin, ids(batch, 2, 5))
        assert [undo.undo(batch.id, admin).name for _ in range(3)] == [
            "removed 2 rows",
            "changed Groups in 2 rows",
            "changed Role in 2 rows",
        ]
        assert state_of_batch(batch.id) == before


class TestTwins:
    TWINS = (
        (f"a@{DOMAIN}", "Analyst", "Student Devices"),
        (f"b@{DOMAIN}", "Analyst", ""),
        (f"A@{DOMAIN}", "analyst", "Exam Laptops, student devices"),
    )

    def test_merged_the_first_has_the_groups_of_all_and_the_others_go(self, admin):
        batch = make_review(admin, self.TWINS)
        before = state_of_batch(batch.id)
        bulk_edit.merge_duplicates(batch.id, admin, rows_now(batch.id)[2].id)
        assert cell(batch, 2, "groups") == "Student Devices, Exam Laptops"
        assert db.session.get(Batch, batch.id).counts == {"invite": 2}
        undo.undo(batch.id, admin)
        assert state_of_batch(batch.id) == before

    def test_all_groups_with_anything_are_all_groups(self, admin):
        batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "Student Devices"), (f"a@{DOMAIN}", "Analyst", "All groups")])
        bulk_edit.merge_duplicates(batch.id, admin, rows_now(batch.id)[0].id)
        assert cell(batch, 2, "groups") == "All groups"

    def test_with_other_roles_they_are_not_merged(self, admin):
        batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", ""), (f"a@{DOMAIN}", "Remote", "")])
        with pytest.raises(RuleViolationError, match="Their roles differ"):
            bulk_edit.merge_duplicates(batch.id, admin, rows_now(batch.id)[0].id)

    def test_kept_one_the_others_go(self, admin):
        batch = make_review(admin, self.TWINS)
        bulk_edit.keep_one(batch.id, admin, rows_now(batch.id)[2].id)
        assert [row.line for row in rows_now(batch.id) if row.removed_at is None] == [3, 4]
        assert db.session.get(Batch, batch.id).counts == {"invite": 2}

    def test_without_a_twin_nothing_is_done(self, admin):
        batch = make_review(admin, self.TWINS)
        with pytest.raises(ConflictError, match="No other row has this email any more"):
            bulk_edit.keep_one(batch.id, admin, rows_now(batch.id)[1].id)


def test_a_row_added_is_empty_below_the_last_one_and_can_be_taken_back(admin, change_settings):
    batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "")])
    before = state_of_batch(batch.id)
    added = cell_edit.add_rows(batch.id, admin, [{}]).rows[0]
    assert (added.line, added.email, added.read_email, added.plan) == (3, "", "", Plan.ATTENTION)
    assert undo.undo(batch.id, admin).name == "added row 3"
    assert state_of_batch(batch.id) == before
    change_settings(max_rows=1)
    with pytest.raises(ConflictError, match="The limit is 1"):
        cell_edit.add_rows(batch.id, admin, [{}])


def test_where_a_row_is_shown(admin):
    batch = make_review(admin, [(f"u{n}@{DOMAIN}", "Analyst", "") for n in range(250)])
    found = db.session.get(Batch, batch.id)
    first, last = f"row-{rows_now(batch.id)[0].id}-email", f"row-{rows_now(batch.id)[100].id}-email"

    def place_of(line: int) -> dict | None:
        return row_search.find_row(found, Find(), lambda row: row.line == line)

    assert place_of(2) == {"_anchor": first}
    assert place_of(102) == {"page": "2", "_anchor": last}
    cell_edit.remove(batch.id, rows_now(batch.id)[0].id, admin)
    assert place_of(102) == {"_anchor": last}
    assert place_of(2) is None


def test_a_step_notes_every_cell_that_it_changed(admin):
    batch = make_review(admin, [(f"u{n}@{DOMAIN}", "Analsyt", "") for n in range(3)])
    done = bulk_edit.replace(batch.id, admin, Replacement("role", "Analsyt", "Analyst"))
    noted = db.session.scalars(db.select(RowEdit).where(RowEdit.batch_id == batch.id)).all()
    assert [(edit.version, edit.field, edit.before, edit.after) for edit in noted] == [
        (done.version, "role", "Analsyt", "Analyst")
    ] * 3

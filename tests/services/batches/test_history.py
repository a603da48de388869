"""Undo and redo: any sequence of changes taken back gives the state before, and done again gives it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.lists.row_filter import Find
from webapp.core.plan.planner import Mode, Plan
from webapp.db import db
from webapp.models import Batch, Row, RowEdit
from webapp.services.batches import bulk_edit, cell_edit, changes, confirmation, planner, undo

from tests.factories import make_group, make_persona, make_user
from tests.properties import fewer
from tests.steps import cell, make_review, rows_now, state_of_batch, tidy


@pytest.fixture
def admin(app):
    for name in ("Student Devices", "Teacher Laptops"):
        make_group(name)
    make_persona("Owner")
    make_persona("Analyst")
    return make_persona("Admin")


@pytest.fixture
def batch(admin) -> Batch:
    return make_review(admin)


def standing(batch_id: int, n: int) -> int | None:
    found = [row.id for row in rows_now(batch_id) if row.removed_at is None]
    return found[n % len(found)] if found else None


EMAILS = ["ana@northfield.example", "ben@northfield.example", "new@northfield.example", "jonas@northfield", "nonsense", ""]
ROLES = ["Analyst", "Remote", "Admin", "Analsyt", "Owner", ""]
GROUPS = ["Student Devices", "Techer Laptops", "All groups", "Student Devices, Teacher Laptops", ""]
PLACE = st.integers(0, 9)
KINDS = ("spelling", "address", "twice")
"""Of fixes whose undo leaves nothing: groups that are created stay."""
EDIT = st.one_of(
    st.tuples(st.just("email"), st.sampled_from(EMAILS)),
    st.tuples(st.just("role"), st.sampled_from(ROLES)),
    st.tuples(st.just("groups"), st.sampled_from(GROUPS)),
)
ACTION = st.one_of(
    st.tuples(st.just("edit"), PLACE, EDIT),
    st.tuples(st.just("remove"), PLACE),
    st.tuples(st.just("restore"), PLACE),
    st.tuples(st.just("add")),
    st.tuples(st.just("mode"), st.sampled_from(list(Mode))),
    st.tuples(st.just("change_roles"), st.booleans()),
    st.tuples(st.just("skip_errors"), st.booleans()),
    st.tuples(st.just("fix"), PLACE),
    st.tuples(st.just("tidy")),
    st.tuples(st.just("replace"), st.sampled_from(["email", "role", "groups"]), st.sampled_from(["a", "northfield", "Analsyt"])),
    st.tuples(st.just("set_role"), st.sets(PLACE, min_size=1), st.sampled_from(["Analyst", "Remote"])),
    st.tuples(st.just("groups"), st.sampled_from(["add", "remove", "set"]), st.sets(PLACE), st.sampled_from(GROUPS[:3])),
    st.tuples(st.just("remove_all"), st.sets(PLACE, min_size=1)),
    st.tuples(st.just("merge"), PLACE),
    st.tuples(st.just("keep"), PLACE),
)


def act(batch_id: int, action: tuple, by) -> None:
    """Do it, or find that it cannot be done now."""
    kind, *what = action
    if kind in ("mode", "change_roles", "skip_errors"):
        changes.set_options(batch_id, by, **{kind: what[0]})
        return
    if kind == "add":
        cell_edit.add_rows(batch_id, by, [{}])
        return
    if kind == "restore":
        gone = [row.id for row in rows_now(batch_id) if row.removed_at is not None]
        if gone:
            cell_edit.remove(batch_id, gone[what[0] % len(gone)], by, restore=True)
        return
    if kind == "fix":
        tidy(batch_id, by, *KINDS, only=what[0])
        return
    if kind == "tidy":
        tidy(batch_id, by, *KINDS)
        return
    if kind == "replace":
        bulk_edit.replace(batch_id, by, bulk_edit.Replacement(what[0], what[1], "Remote"))
        return
    place = standing(batch_id, what[0]) if isinstance(what[0], int) else None
    places = next((p for p in what if isinstance(p, set)), set())
    chosen = bulk_edit.Chosen(frozenset(id for p in places if (id := standing(batch_id, p))))
    if places == set() and kind == "groups":
        chosen = bulk_edit.Chosen(find=Find(plan=Plan.ATTENTION))
    try:
        if kind == "edit" and place:
            cell_edit.edit(batch_id, place, *what[1], db.session.get(Row, place).cell(what[1][0]), by)
        elif kind == "remove" and place:
            cell_edit.remove(batch_id, place, by)
        elif kind == "set_role":
            bulk_edit.set_role(batch_id, by, chosen, what[1])
        elif kind == "groups":
            mode = {"add": Mode.ADD, "remove": Mode.REMOVE, "set": Mode.REPLACE}[what[0]]
            bulk_edit.change_groups(batch_id, by, chosen, [what[2]], mode)
        elif kind == "remove_all":
            bulk_edit.remove(batch_id, by, chosen)
        elif kind == "merge" and place:
            bulk_edit.merge_duplicates(batch_id, by, place)
        elif kind == "keep" and place:
            bulk_edit.keep_one(batch_id, by, place)
    except (ConflictError, RuleViolationError):
        db.session.rollback()


@pytest.mark.slow
@fewer()
@given(actions=st.lists(ACTION, min_size=1, max_size=8))
def test_undoing_everything_gives_the_state_before_and_redoing_gives_it_back(admin, actions):
    batch_id = make_review(admin).id
    states = [state_of_batch(batch_id)]
    for action in actions:
        before = db.session.get(Batch, batch_id).version
        act(batch_id, action, admin)
        now = state_of_batch(batch_id)
        standing_rows = planner.load(planner.select_rows(db.session.get(Batch, batch_id)))
        judged = planner.plan_stored_rows(db.session.get(Batch, batch_id), standing_rows)
        assert planner.find_changed(standing_rows, judged) == [], (
            "what a step leaves alone must be what judging everything would say"
        )
        if db.session.get(Batch, batch_id).version > before:
            states.append(now)
        else:
            assert now == states[-1], "what is no step must change nothing"
    for expected in reversed(states[:-1]):
        undo.undo(batch_id, admin)
        assert state_of_batch(batch_id) == expected
    with pytest.raises(RuleViolationError, match="nothing left to undo"):
        undo.undo(batch_id, admin)
    for expected in states[1:]:
        undo.redo(batch_id, admin)
        assert state_of_batch(batch_id) == expected
    with pytest.raises(RuleViolationError, match="nothing left to redo"):
        undo.redo(batch_id, admin)
    # The counts that are kept up are those that a count of the rows would give.
    fresh = db.session.get(Batch, batch_id)
    counted = [row.plan for row in rows_now(batch_id) if row.removed_at is None]
    assert {plan: fresh.counts.get(plan, 0) for plan in Plan} == {plan: counted.count(plan) for plan in Plan}


def edit(batch, line: int, field: str, value: str, by) -> None:
    row = next(row for row in rows_now(batch.id) if row.line == line)
    cell_edit.edit(batch.id, row.id, field, value, row.cell(field), by)


class TestUndo:
    def test_says_what_it_took_back(self, batch, admin):
        edit(batch, 2, "role", "Analyst", admin)
        assert undo.undo(batch.id, admin).name == "changed Role in row 2"
        assert cell(batch, 2, "role") == "Analsyt"

    def test_is_of_ones_own_last_edit(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 2, "role", "Analyst", admin)
        edit(batch, 3, "role", "Analyst", ana)
        undo.undo(batch.id, admin)
        assert (cell(batch, 2, "role"), cell(batch, 3, "role")) == ("Analsyt", "Analyst")

    def test_of_somebody_elses_step_by_its_number(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 3, "role", "Analyst", ana)
        step = undo.list_steps(db.session.get(Batch, batch.id), undo.IS_DONE)[0]
        assert (step.who, step.words) == ("Ana Silva", "changed Role in row 3")
        undo.undo(batch.id, admin, step.version)
        assert cell(batch, 3, "role") == "Remote"
        assert undo.list_steps(db.session.get(Batch, batch.id), undo.IS_DONE) == []

    def test_is_refused_where_somebody_changed_the_cell_since(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 2, "role", "Analyst", admin)
        edit(batch, 2, "role", "Remote", ana)
        before = state_of_batch(batch.id)
        with pytest.raises(ConflictError, match=r"^Ana Silva has since changed Role in row 2\. Nothing was undone\.$"):
            undo.undo(batch.id, admin)
        assert state_of_batch(batch.id) == before

    def test_of_a_bulk_step_is_refused_whole(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        tidy(batch.id, admin, "spelling")
        edit(batch, 6, "role", "Remote", ana)
        with pytest.raises(ConflictError, match="Ana Silva has since changed Role in row 6"):
            undo.undo(batch.id, admin)
        assert cell(batch, 2, "role") == "Analyst"

    def test_is_refused_where_the_row_was_removed_since(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 2, "role", "Analyst", admin)
        cell_edit.remove(batch.id, next(row.id for row in rows_now(batch.id) if row.line == 2), ana)
        with pytest.raises(ConflictError, match="Ana Silva has since removed row 2"):
            undo.undo(batch.id, admin)

    def test_of_an_added_row_that_somebody_filled_is_refused(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        cell_edit.add_rows(batch.id, admin, [{}])
        edit(batch, 8, "email", "zoe@northfield.example", ana)
        with pytest.raises(ConflictError, match="Ana Silva has since changed Email in row 8"):
            undo.undo(batch.id, admin)

    def test_twice_is_once(self, batch, admin):
        edit(batch, 2, "role", "Analyst", admin)
        version = db.session.get(Batch, batch.id).version
        undo.undo(batch.id, admin, version)
        with pytest.raises(RuleViolationError, match="nothing left to undo"):
            undo.undo(batch.id, admin, version)

    def test_a_new_edit_ends_what_can_be_redone(self, batch, admin):
        edit(batch, 2, "role", "Analyst", admin)
        undo.undo(batch.id, admin)
        assert undo.available(db.session.get(Batch, batch.id), admin) == {"undo": False, "redo": True}
        edit(batch, 3, "role", "Analyst", admin)
        assert undo.available(db.session.get(Batch, batch.id), admin) == {"undo": True, "redo": False}
        with pytest.raises(RuleViolationError):
            undo.redo(batch.id, admin)

    def test_somebody_elses_edit_does_not(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 2, "role", "Analyst", admin)
        undo.undo(batch.id, admin)
        edit(batch, 3, "role", "Analyst", ana)
        undo.redo(batch.id, admin)
        assert cell(batch, 2, "role") == "Analyst"

    def test_by_another_counts_as_an_edit_by_another_when_confirming(self, batch, admin):
        ana = make_user("Ana Silva", "Admin")
        edit(batch, 2, "role", "Analyst", admin)
        seen = db.session.get(Batch, batch.id).version
        undo.undo(batch.id, ana, seen)
        with pytest.raises(confirmation.PlansChangedError, match="What would happen has changed"):
            confirmation.confirm(batch.id, seen, admin)

    def test_comes_too_late_after_the_confirm(self, batch, admin):
        edit(batch, 2, "role", "Analyst", admin)
        changes.set_options(batch.id, admin, skip_errors=True)
        confirmation.confirm(batch.id, db.session.get(Batch, batch.id).version, admin)
        with pytest.raises(ConflictError, match="already confirmed"):
            undo.undo(batch.id, admin)


@pytest.mark.parametrize(
    ("field", "after", "count", "line", "said"),
    [
        ("role", "x", 1, 12, "changed Role in row 12"),
        ("groups", "x", 7, 2, "changed Groups in 7 rows"),
        ("removed", "removed", 1, 12, "removed row 12"),
        ("removed", "", 1, 12, "put row 12 back"),
        ("added", "added", 1, 12, "added row 12"),
        ("mode", "add", 0, None, "changed what happens to groups"),
        (None, "", 2, 3, "changed several cells in 2 rows"),
    ],
)
def test_a_step_in_words(field, after, count, line, said):
    assert undo.describe_step(field, after, count, line) == said


@pytest.mark.slow
def test_undo_and_redo_cost_the_same_for_two_rows_and_a_thousand(admin, queries):
    counted = []
    for n in (2, 1100):
        batch = make_review(admin, [(f"u{i}@northfield.example", "Analsyt", "") for i in range(n)])
        tidy(batch.id, admin, "spelling")
        spent = []
        for step in (undo.undo, undo.redo):
            queries.clear()
            step(batch.id, admin)
            spent.append(len(queries))
        counted.append(spent)
        assert db.session.scalar(db.select(db.func.count(RowEdit.id)).where(RowEdit.batch_id == batch.id)) == n + 3
    assert all(large <= small for small, large in zip(*counted, strict=True)), (counted, queries)

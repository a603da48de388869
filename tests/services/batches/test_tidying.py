"""Tidy up over any rows: its undo gives the state before, it keeps what it promises, and it costs the same for few and many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.plan.fixes import Kind
from webapp.db import db
from webapp.models import Batch
from webapp.services.batches import fixes, undo

from tests.factories import make_group, make_persona
from tests.properties import fewer
from tests.steps import make_review, rows_now, state_of_batch, tidy

EMAILS = [f"{name}@northfield.example" for name in ("ana", "ben", "cleo")] + [
    "ana@northfield",
    "ben (at) northfield.example",
    "n/a",
]
ROLES = ["Analyst", "Analsyt", "Remote", "Lehrer", ""]
GROUPS = ["Student Devices", "Studnet Devices", "Teacher Laptops; Student Devices", "All groups", "none", ""]
NEW = ["Kiosk", "Kiosk, Studnet Devices"]
ROW = st.tuples(st.sampled_from(EMAILS), st.sampled_from(ROLES), st.sampled_from(GROUPS))
NEW_ROW = st.tuples(st.sampled_from(EMAILS), st.sampled_from(ROLES), st.sampled_from(GROUPS + NEW))
EXACT = (Kind.SPELLING, Kind.ADDRESS, Kind.TWICE)
"""Kinds whose undo leaves nothing: groups that are created stay."""


@pytest.fixture
def admin(app):
    for name in ("Student Devices", "Teacher Laptops"):
        make_group(name)
    make_persona("Owner")
    return make_persona("Admin")


def cells(batch_id: int) -> list[tuple]:
    return [(row.line, row.email, row.name, row.role, row.groups, row.removed_at is None) for row in rows_now(batch_id)]


@fewer(2)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_tidy_up_then_undo_gives_the_state_before(admin, rows):
    batch_id = make_review(admin, rows).id
    before = state_of_batch(batch_id)
    if tidy(batch_id, admin, *EXACT).changes:
        undo.undo(batch_id, admin)
    assert state_of_batch(batch_id) == before


@fewer(2)
@given(rows=st.lists(NEW_ROW, min_size=1, max_size=8))
def test_with_groups_created_its_undo_gives_the_cells_before(admin, rows):
    batch_id = make_review(admin, rows).id
    before = cells(batch_id)
    if tidy(batch_id, admin, *Kind).changes:
        undo.undo(batch_id, admin)
    assert cells(batch_id) == before


@fewer(2)
@given(rows=st.lists(ROW, min_size=1, max_size=8, unique_by=lambda row: row[0].partition("@")[0].partition(" ")[0]))
def test_the_rows_that_are_said_to_need_a_person_are_those_that_do(admin, rows):
    batch_id = make_review(admin, rows).id
    found = fixes.find_fixes(db.session.get_one(Batch, batch_id))
    safe = {fix.id for fix in found.all if fix.is_safe}
    left = [row_id for row_id, needs in found.needs.items() if not needs <= safe]
    tidy(batch_id, admin, *EXACT)
    assert db.session.get_one(Batch, batch_id).counts.get("attention", 0) == len(left)


@pytest.mark.slow
def test_costs_the_same_statements_for_three_rows_and_a_thousand(admin, queries):
    counted = []
    for n in (3, 1100):
        rows = [(f"u{i}@gmial.com", "Analsyt", "Studnet Devices") for i in range(n)]
        batch = make_review(admin, rows)
        queries.clear()
        tidy(batch.id, admin, *EXACT)
        counted.append(len(queries))
    assert counted[1] <= counted[0], (counted, queries)

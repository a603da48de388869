"""The files of examples/ are what the documents say of them, in the school of `make demo`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from demo.fill import FILES, GROUPS
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import BatchState, User

from tests.factories import make_group
from tests.steps import carry_out, rows_of, stage

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def school(owner):
    """The Owner of a school with the demo's groups."""
    for name in GROUPS:
        make_group(name)
    user = db.session.get_one(User, owner.user.id)
    user.email = user.email_key = "margaret.doyle@hillcrest.sch.uk"
    db.session.commit()
    return owner


def plans(client, folder, name):
    batch = stage(client, (folder / name).read_bytes(), name=name)
    assert batch.state is BatchState.REVIEWING
    return batch, Counter(row.plan for row in rows_of(batch))


def test_staff_has_25_people_and_16_problems(school):
    batch, found = plans(school, EXAMPLES, "staff.csv")
    assert found == {Plan.ATTENTION: 16, Plan.INVITE: 8, Plan.DUPLICATE: 1}
    assert batch.counts["admin"] == 2
    assert batch.reading.startswith("semicolon-separated, Windows-1252")


def test_of_the_16_problems_of_staff_two_clicks_leave_those_that_take_a_person(school):
    batch, _ = plans(school, EXAMPLES, "staff.csv")
    panel = f"/batches/{batch.id}/tidy-up"
    page = school.get(panel).page
    ticked = [box["value"] for box in page.all("input", name="ids") if "checked" in box]
    school.post(panel, {"ids": ticked, "version": page.values("version")})
    assert "6 need attention" in school.get(f"/batches/{batch.id}").page.text
    left = [row for row in rows_of(batch) if row.plan is Plan.ATTENTION and not row.removed_at]
    assert [(row.email, row.role) for row in left] == [
        ("harriet.moss@hillcrest.sch.uk", "Teacher"),
        ("imran.aziz@hillcrest.sch.uk", "Teacher"),
        ("jo.whitfield@hillcrest.sch.uk", "Teacher"),
        ("", "Remote"),
        ("rosa.martinez@hillcrest.sch.uk", ""),
        ("ursula.king@hillcrest.sch.uk", "Owner"),
    ]


def test_new_starters_is_a_workbook_with_a_sheet_and_lines_above_the_header(school):
    _, found = plans(school, EXAMPLES, "new-starters.xlsx")
    assert found == {Plan.INVITE: 6, Plan.ATTENTION: 2}


def test_the_update_changes_groups_of_the_support_staff(school):
    batch, _ = plans(school, FILES, "support-staff.csv")
    carry_out(school, batch)
    _, found = plans(school, EXAMPLES, "support-staff-update.csv")
    assert found == {Plan.UPDATE: 6, Plan.UNCHANGED: 14, Plan.INVITE: 2}

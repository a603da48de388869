"""Blocks of cells over HTTP: pasted in one request, one step of the history, nobody overwritten silently."""

from __future__ import annotations

import json

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch, RowEdit

from tests.steps import rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(4))


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def cells(batch, values, seen=None):
    """values: {(line, field): value}. seen: as the rows stand, unless given."""
    rows = {row.line: row for row in rows_of(batch)}
    return [
        {"row_id": rows[line].id, "field": field, "value": value, "seen": rows[line].cell(field) if seen is None else seen}
        for (line, field), value in values.items()
    ]


def paste(client, batch, block, status=200, path=""):
    return client.post(f"/batches/{batch.id}/blocks{path}", {"block": json.dumps(block)}, status, htmx=True)


def targets(answer):
    return [partial["hx-target"] for partial in answer.page.all("hx-partial")]


def test_a_block_is_one_step_and_every_row_is_judged_again(admin, batch):
    before = db.session.get(Batch, batch.id).version
    block = {(2, "role"): "Remote", (3, "role"): "Nonsense", (3, "groups"): "Student Devices"}
    answer = paste(admin, batch, {"cells": cells(batch, block)})
    assert [row.role for row in rows_of(batch)] == ["Remote", "Nonsense", "Analyst", "Analyst"]
    assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.ATTENTION, Plan.INVITE, Plan.INVITE]
    assert db.session.get(Batch, batch.id).counts == {"invite": 3, "attention": 1, "problem:role": 1}
    edits = db.session.scalars(db.select(RowEdit)).all()
    assert {edit.version for edit in edits} == {before + 1}
    assert sorted((edit.field, edit.before, edit.after) for edit in edits) == [
        ("groups", "", "Student Devices"),
        ("role", "Analyst", "Nonsense"),
        ("role", "Analyst", "Remote"),
    ]
    assert "3 cells changed. 1 row of the block has a problem." in answer.page.text
    assert f"#batch-{batch.id}-summary" in targets(answer)
    assert f"#batch-{batch.id}-send" in targets(answer)


def test_it_is_undone_as_one(admin, batch):
    paste(admin, batch, {"cells": cells(batch, {(2, "role"): "Remote", (3, "email"): "else@northfield.example"})})
    admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
    assert [(row.email, row.role) for row in rows_of(batch)][:2] == [
        ("u0@northfield.example", "Analyst"),
        ("u1@northfield.example", "Analyst"),
    ]


def test_somebody_elses_newer_value_is_left_alone_and_told(admin, owner, batch):
    stale = cells(batch, {(2, "role"): "Remote", (3, "role"): "Remote"})
    paste(owner, batch, {"cells": cells(batch, {(2, "role"): "Investigator"})})
    answer = paste(admin, batch, {"cells": stale})
    assert [row.role for row in rows_of(batch)][:2] == ["Investigator", "Remote"]
    assert "Maren Okafor changed this cell. Showing the newer value." in answer.page.text
    assert "1 cell left alone. Someone else made newer changes there" in answer.page.text
    paste(admin, batch, {"cells": cells(batch, {(2, "role"): "Remote"})})
    assert rows_of(batch)[0].role == "Remote"


def test_ones_own_earlier_edit_is_never_in_the_way(admin, batch):
    stale = cells(batch, {(2, "role"): "Remote"})
    paste(admin, batch, {"cells": cells(batch, {(2, "role"): "Investigator"})})
    paste(admin, batch, {"cells": stale})
    assert rows_of(batch)[0].role == "Remote"


def test_a_row_that_was_removed_meanwhile_stays_as_it_is(admin, batch):
    block = cells(batch, {(2, "role"): "Remote", (3, "role"): "Remote"})
    admin.post(f"/batches/{batch.id}/rows/{block[0]['row_id']}/removal", status=200, htmx=True)
    answer = paste(admin, batch, {"cells": block})
    assert "1 row removed meanwhile" in answer.page.text
    assert [row.role for row in db.session.scalars(db.select(type(rows_of(batch)[0])).order_by("line"))][:2] == [
        "Analyst",
        "Remote",
    ]


def test_cells_are_cleaned_as_those_of_a_file(admin, batch):
    block = {(2, "email"): "\u200b ana@x.org\u00a0", (3, "email"): "'=ben@x.org", (4, "role"): "Re\0mote\ud800"}
    paste(admin, batch, {"cells": cells(batch, block)})
    assert [row.email for row in rows_of(batch)][:2] == ["ana@x.org", "=ben@x.org"]
    assert rows_of(batch)[2].role == "Remote"


def test_twins_outside_of_the_block_are_told(admin, batch):
    answer = paste(admin, batch, {"cells": cells(batch, {(2, "email"): "u3@northfield.example"})})
    assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.INVITE, Plan.INVITE, Plan.DUPLICATE]
    assert f"#row-{rows_of(batch)[3].id}-result" in targets(answer)


def test_a_block_costs_the_same_however_large(admin, queries, change_settings):
    change_settings(max_rows=500)
    counted = []
    for n in (2, 300):
        lines = "".join(f"p{i}@northfield.example,Analyst,\n" for i in range(n))
        large = stage(admin, "Email,Role,Groups\n" + lines)
        block = cells(large, {(line, "email"): f"q{line}@northfield.example" for line in range(2, n + 2)})
        queries.clear()
        paste(admin, large, {"cells": block})
        counted.append(len(queries))
    assert counted[0] == counted[1], queries


class TestLinesWithoutARow:
    LINES = ({"email": "new@x.org", "role": "Remote", "groups": "Student Devices"}, {"email": "u0@northfield.example"})

    def test_are_offered_and_not_added_yet(self, admin, batch):
        answer = paste(admin, batch, {"cells": cells(batch, {(5, "role"): "Remote"}), "lines": self.LINES})
        form = next(form for form in answer.page.all("form") if "hx-confirm" in form)
        assert form["hx-confirm"] == "Add 2 rows? 2 pasted lines found no row to go into."
        assert json.loads(answer.page.values("block")[0]) == {"lines": list(self.LINES)}
        assert len(rows_of(batch)) == 4

    def test_are_added_below_in_one_step_judged_with_their_twins(self, admin, batch):
        answer = paste(admin, batch, {"lines": self.LINES}, path="/rows")
        assert [(row.line, row.email, row.plan) for row in rows_of(batch)][4:] == [
            (6, "new@x.org", Plan.INVITE),
            (7, "u0@northfield.example", Plan.ATTENTION),
        ]
        assert "2 rows added below the last one." in answer.page.text
        assert "#rows tbody" in targets(answer)
        assert db.session.get(Batch, batch.id).size == 6
        admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
        assert db.session.get(Batch, batch.id).counts == {"invite": 4}

    def test_are_refused_beyond_the_limit(self, admin, batch, change_settings):
        change_settings(max_rows=5)
        answer = paste(admin, batch, {"lines": self.LINES}, 409, path="/rows")
        assert "That would make 6 rows. The limit is 5. Nothing was added" in answer.page.text
        assert len(rows_of(batch)) == 4


class TestRefused:
    @pytest.mark.parametrize(
        "sent",
        ["", "{", "[1]", "[" * 100_000, '{"cells": [{"row_id": 1e99, "field": "role", "value": "", "seen": ""}]}'],
    )
    def test_what_is_no_block(self, admin, batch, sent):
        answer = admin.post(f"/batches/{batch.id}/blocks", {"block": sent}, 422, htmx=True)
        assert "This block could not be read. Copy the cells again, then paste once more." in answer.page.text

    def test_an_unknown_column(self, admin, batch):
        block = cells(batch, {(2, "role"): "Remote"})
        paste(admin, batch, {"cells": [block[0] | {"field": "plan"}]}, 422)

    def test_a_row_of_another_batch(self, admin, batch):
        other = stage(admin, FILE.replace("u", "v"))
        paste(admin, batch, {"cells": cells(other, {(2, "role"): "Remote"})}, 404)
        assert rows_of(other)[0].role == "Analyst"

    def test_who_may_only_look(self, batch, sign_in):
        paste(sign_in("Analyst"), batch, {"cells": cells(batch, {(2, "role"): "Remote"})}, 403)

    def test_a_batch_that_was_discarded(self, admin, batch):
        block = cells(batch, {(2, "role"): "Remote"})
        admin.post(f"/batches/{batch.id}/discard", status=303)
        answer = paste(admin, batch, {"cells": block}, None)
        assert answer.location == f"/batches/{batch.id}"

"""A cell that is too long: one rule for what is typed, pasted, replaced and put together; and a file that holds one."""

from __future__ import annotations

import json

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import RowEdit

from tests.factories import make_group
from tests.steps import rows_of, stage

TOO_LONG = "x" * 2001
SENTENCE = "A cell holds at most 2,000 characters. Shorten it; nothing was changed."


@pytest.fixture
def batch(admin):
    make_group("Library")
    return stage(admin, "Email,Role,Groups\nana@x.org,Analyst,Library\nben@x.org,Nobody,Libary\nben@x.org,Nobody,Libary\n")


def every_way(batch) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Method, address and form of each way to put a text that is too long into a cell."""
    at, row = f"/batches/{batch.id}", rows_of(batch)[0]
    block = {"cells": [{"row_id": row.id, "field": "groups", "value": TOO_LONG, "seen": "Library"}]}
    whole = {"field": "groups", "find": "Library", "by": TOO_LONG, "whole": "1"}
    many_groups = {"do": "add_groups", "rows": str(row.id), "groups": TOO_LONG}
    return {
        "edit": ("PATCH", f"{at}/rows/{row.id}", {"field": "groups", "value": TOO_LONG, "seen": "Library"}),
        "paste": ("POST", f"{at}/blocks", {"block": json.dumps(block)}),
        "pasted rows": ("POST", f"{at}/blocks/rows", {"block": json.dumps({"lines": [{"email": TOO_LONG}]})}),
        "replace a whole cell": ("POST", f"{at}/replacements", whole),
        "replace a part": ("POST", f"{at}/replacements", {"field": "groups", "find": "r", "by": "r" * 1999}),
        "find": ("POST", f"{at}/replacements", {"field": "groups", "find": TOO_LONG, "by": "r"}),
        "add groups": ("POST", f"{at}/changes", many_groups),
        "set groups": ("POST", f"{at}/changes", many_groups | {"do": "set_groups"}),
    }


def test_no_way_of_editing_stores_or_cuts_a_cell_that_is_too_long(admin, batch):
    before = [(row.email, row.role, row.groups) for row in rows_of(batch)]
    for way, (method, address, form) in every_way(batch).items():
        answer = admin.send(method, address, 422, data=form, htmx=True)
        assert SENTENCE in answer.page.text, way
        assert [(row.email, row.role, row.groups) for row in rows_of(batch)] == before, way
        assert not db.session.scalars(db.select(RowEdit)).all(), way


def test_the_preview_of_a_replacement_says_the_same(admin, batch):
    address = f"/batches/{batch.id}/replacements?field=groups&find=r&by={'r' * 1999}"
    assert SENTENCE in admin.get(address, htmx=True).page.text


def test_a_cell_may_hold_two_thousand_characters(admin, batch):
    row = rows_of(batch)[0]
    form = {"field": "groups", "find": "Library", "by": "x" * 2000}
    admin.post(f"/batches/{batch.id}/replacements", form, status=200, htmx=True)
    assert rows_of(batch)[0].groups == "x" * 2000
    admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
    assert rows_of(batch)[0].groups == row.groups == "Library"


def test_a_replacement_of_many_places_builds_nothing_long(admin):
    batch = stage(admin, "Email,Role,Groups\n" + f"ana@x.org,Analyst,{'a' * 2000}\n")
    form = {"field": "groups", "find": "a", "by": "b" * 2000}
    answer = admin.post(f"/batches/{batch.id}/replacements", form, status=422, htmx=True)
    assert SENTENCE in answer.page.text


def test_merging_rows_is_held_to_the_same_rule(admin):
    lines = [f'ana@x.org,Analyst,"{", ".join(f"{side} {n} {chr(120) * 70}" for n in range(20))}"' for side in ("Left", "Right")]
    for side in ("Left", "Right"):
        for n in range(20):
            make_group(f"{side} {n} {'x' * 70}")
    batch = stage(admin, "Email,Role,Groups\n" + "\n".join(lines))
    row = rows_of(batch)[0]
    answer = admin.post(f"/batches/{batch.id}/rows/{row.id}/merger", status=422, htmx=True)
    assert SENTENCE in answer.page.text
    assert [row.removed_at for row in rows_of(batch)] == [None, None]


class TestOfAFile:
    @pytest.fixture(params=["characters", "names"])
    def long_cell(self, request) -> str:
        return "Library, " + ("Nowhere " * 400 if request.param == "characters" else ", ".join(f"n{n}" for n in range(120)))

    def test_is_one_issue_shown_clipped_and_kept_whole(self, admin, long_cell):
        make_group("Library")
        batch = stage(admin, f'Email,Role,Groups\nana@x.org,Analyst,"{long_cell}"\nben@x.org,Analyst,Library\n')
        row, other = rows_of(batch)
        assert (row.plan, other.plan) == (Plan.ATTENTION, Plan.INVITE)
        [issue] = row.issues
        assert row.problem.startswith("Too long: a cell holds at most ")
        assert "suggestion" not in issue
        page = admin.get(f"/batches/{batch.id}")
        assert "Too long" in page.page.text
        assert "Tidy up" not in page.page.text, "its words are not looked at"
        assert not page.page.all("button", class_="suggest")
        assert long_cell.strip()[-300:] not in page.page.text
        assert row.groups == row.read_groups == long_cell.strip()
        assert long_cell.strip() in admin.get(f"/batches/{batch.id}/rows.csv").text

    def test_one_of_131_kb_costs_no_more_than_its_letters(self, admin):
        """Whatever looks at it looks once at each letter: else this takes minutes."""
        batch = stage(admin, "Email,Role\nana@x.org,Analyst\n" + f"{'1' * 130_000} x,\n" * 5)
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, *[Plan.ATTENTION] * 5]

    @pytest.mark.parametrize("field", ["email", "role"])
    def test_so_is_one_in_the_other_columns(self, admin, field):
        cells = {"email": "ana@x.org", "role": "Analyst"} | {field: TOO_LONG}
        batch = stage(admin, f"Email,Role\n{cells['email']},{cells['role']}\n")
        page = admin.get(f"/batches/{batch.id}")
        assert "Too long: a cell holds at most 2,000 characters" in page.page.text
        assert TOO_LONG not in page.text

    def test_is_mended_by_typing_another_and_comes_back_by_undo(self, admin, owner, long_cell):
        make_group("Library")
        batch = stage(admin, f'Email,Role,Groups\nana@x.org,Analyst,"{long_cell}"\n')
        [row] = rows_of(batch)
        [cell] = admin.get(f"/batches/{batch.id}").page.all("input", id=f"row-{row.id}-groups")
        form = {"field": "groups", "value": "Library", "seen": json.loads(cell["hx-vals"])["seen"]}
        admin.patch(f"/batches/{batch.id}/rows/{row.id}", form, htmx=True)
        assert rows_of(batch)[0].plan is Plan.INVITE
        admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
        assert rows_of(batch)[0].groups == long_cell.strip()

    def test_the_beginning_that_is_shown_sent_back_changes_nothing(self, admin):
        batch = stage(admin, f"Email,Role\n{TOO_LONG},Analyst\n")
        [row] = rows_of(batch)
        shown = admin.get(f"/batches/{batch.id}").page.all("input", name="value")[0]["value"]
        admin.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "email", "value": shown, "seen": shown}, 422, htmx=True)
        assert rows_of(batch)[0].email == TOO_LONG


def test_long_cells_of_unknown_names_cost_no_more_than_short_ones(admin):
    """By the size of the answer and by ratio, as machines differ: what is too long is not looked at name by name."""
    for n in range(50):
        make_group(f"{n:02} {'Sciences and Languages of the Eastern Wing with the Workshop ' * 2}"[:78])
    names = [f"{n:02} {'Sciences and Languages of the Western Wing with a Workshop ' * 2}"[:78] for n in range(50, 330)]
    short = ["Email,Role,Groups\n" + "".join(f"a{n}@x.org,Analyst,Nowhere\n" for n in range(10))]
    many = ", ".join(f"u{n}" for n in range(14_000))
    hostile = [
        f'Email,Role,Groups\nana@x.org,Analyst,"{", ".join(names)}"\n',
        "Email,Role,Groups\n" + "".join(f'a{n}@x.org,Analyst,"{many}"\n' for n in range(10)),
    ]
    plain = stage(admin, short[0])
    size = len(admin.get(f"/batches/{plain.id}").data)
    for text in hostile:
        batch = stage(admin, text)
        assert len(admin.get(f"/batches/{batch.id}").data) < size + 20_000
        assert all(row.issues[0]["code"] in ("cell_long", "groups_many") for row in rows_of(batch))

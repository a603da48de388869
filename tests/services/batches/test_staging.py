"""What a long file leaves in the database: every row as it was read, and counts that are true."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from webapp.db import db
from webapp.models import Row
from webapp.services.batches import import_rows, planner, upload

from tests.factories import make_group, make_persona

ODD = ('=1+1 "quoted"', "two\nlines\tand a tab", "Zoë 😀 \\ \x1f end", "{}", "%s", "\\N")


@pytest.fixture
def by(app):
    return make_persona("Admin")


def test_a_line_is_kept_as_it_was_read_whatever_is_in_it(by):
    cells = ",".join('"' + cell.replace('"', '""') + '"' for cell in ODD)
    batch = upload.stage(f"Email,Role,A,B,C,D,E,F\nana@x.org,Analyst,{cells}\n".encode(), "staff.csv", by)
    row = db.session.scalars(select(Row).where(Row.batch_id == batch.id)).one()
    assert row.read_cells == ["ana@x.org", "Analyst", *ODD]
    assert (row.removed_at, row.outcome, row.reason) == (None, None, {})


def test_rows_of_every_plan_are_counted_across_pieces(by, change_settings, monkeypatch):
    """Each count is what the rows themselves say, and each plan what judging the stored row again says."""
    monkeypatch.setattr(import_rows, "PIECE", 7)
    change_settings(max_rows=100)
    make_group("Loans")
    make_persona("Analyst")
    known = make_persona("Remote").email
    lines = ["Email,Role,Groups", f"{known},Remote,Loans"]
    for n in range(40):
        email = f"p{n % 20}@{'gmial.com' if n % 6 == 0 else 'x.org'}" if n % 9 else f"p{n}"
        lines.append(
            f"{email},{('Analyst', 'Analsyt', 'Admin', 'Remote')[n % 4]},{('Loans', 'Lones', '', 'All groups')[n % 5 % 4]}"
        )
    batch = upload.stage("\n".join(lines).encode(), "staff.csv", by)
    rows = planner.load(planner.select_rows(batch))
    assert len(rows) == 41
    assert batch.counts == planner.count_rows(map(planner.row_values, rows))
    assert {"invite", "attention", "duplicate", "update", "admin", "problem:role", "misspelt"} <= batch.counts.keys()
    assert planner.find_changed(rows, planner.plan_stored_rows(batch, rows)) == []


def test_the_number_of_queries_is_that_of_a_short_file(by, queries, change_settings, monkeypatch):
    monkeypatch.setattr(import_rows, "PIECE", 100)
    change_settings(max_rows=1000)

    def asked(rows: int) -> int:
        lines = "".join(f"p{n}@x.org,Analyst\n" for n in range(rows))
        queries.clear()
        upload.stage(f"Email,Role\n{lines}".encode(), "staff.csv", by)
        return len(queries)

    asked(1)
    assert asked(300) <= asked(10) + 3  # a statement for each piece

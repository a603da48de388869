"""Reading again what was kept, words nobody knows, and rows with one e-mail in several parts: below HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from webapp.core.files.columns import Places
from webapp.core.files.fields import Field
from webapp.core.files.table import Line
from webapp.db import db
from webapp.models import BatchFile
from webapp.services.batches import mapping, upload
from webapp.services.batches.fixes import find_fixes
from webapp.services.directory import aliases

from tests.factories import make_persona
from tests.files.make_corpus import FILES
from tests.reading import read_pasted

CELL = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029"), max_size=12)


@pytest.fixture
def by(app):
    return make_persona("Admin")


def test_headers_are_the_same_without_regard_to_case_and_spaces(app):
    assert aliases.header_key(["E-Mail ", "Role"]) == aliases.header_key(["e-mail", " ROLE"])
    assert aliases.header_key(["A", "B"]) != aliases.header_key(["B", "A"])
    assert aliases.header_key(["A B"]) != aliases.header_key(["A", "B"])


@pytest.mark.parametrize(
    "text", ['ana@x.org\tAnalyst\t"Best school"', "Email,Role\nana@x.org,Analyst", "ana@x.org; ben@x.org", "a@x.org"]
)
def test_what_was_pasted_is_read_again_as_it_was(by, text):
    batch = upload.stage_pasted(text, by)
    [sheet] = upload.open_source(upload.load_source(batch))
    assert sheet.table() == read_pasted(text)


def test_what_was_pasted_is_also_read_where_it_was_kept_with_its_separator(app):
    """As it was in earlier versions."""
    [sheet] = upload.open_source(upload.Source(b"sep=\t\nEmail\tRole\nana@x.org\tAnalyst, so\n", upload.PASTED))
    table = sheet.table()
    assert (table.header, table.lines[0]) == (("Email", "Role"), Line(2, ("ana@x.org", "Analyst, so")))


def test_a_file_that_is_called_like_a_pasted_table_is_a_file(by):
    assert upload.stage((FILES / "plain.xlsx").read_bytes(), upload.PASTED, by).name == "upload.csv"


def test_a_batchs_file_is_read_again_as_it_was_chosen(by):
    batch = upload.stage(b"Kennung,Amt\nana@x.org,Analyst\n", "staff.csv", by)
    chosen = replace(upload.load_source(batch), header_row=1, columns=Places({0: Field.EMAIL, 1: Field.ROLE}))
    mapping.choose(batch.id, chosen, by)
    source = upload.load_source(batch)
    assert (source.header_row, source.columns) == (1, Places({0: Field.EMAIL, 1: Field.ROLE}))
    assert [person.role for person in upload.read(source).people] == ["Analyst"]


def test_a_split_file_is_kept_by_none_of_its_parts(by, change_settings):
    change_settings(max_rows=1)
    batch = upload.stage(b"Email,Role\na@x.org,Analyst\nb@x.org,Analyst\n", "staff.csv", by, split=True)
    assert db.session.scalars(db.select(BatchFile)).all() == []
    assert [part.part for part in upload.parts_of(batch)] == [1, 2]


def test_a_batch_without_such_a_problem_costs_no_query(by, queries):
    batch = upload.stage(b"Email,Role\nana@x.org,Analyst\n", "staff.csv", by)
    assert batch.counts == {"invite": 1}
    queries.clear()
    assert find_fixes(batch).all == []
    assert len(queries) == 0, queries

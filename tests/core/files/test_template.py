"""What Muster hands out as CSV opens well in Excel, runs nothing there, and can be uploaded again."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.files.cleaning import clean, escape
from webapp.core.files.columns import match_columns
from webapp.core.files.csv_writer import EXAMPLES, template, write_lines
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import extract_people

from tests.reading import read

ROLES = ("Admin", "Analyst", "Remote")
GROUPS = ("Student Devices", "Teacher Laptops", "Exam Laptops", "Loans")


def write(header, rows) -> bytes:
    return b"".join(write_lines(header, rows))


def test_the_template_shows_this_portals_own_roles_and_groups():
    assert b"".join(template(ROLES, GROUPS)).decode("utf-8") == (
        '\ufeff"Email","Name","Role","Groups"\r\n'
        '"example.one@example.com","Example One","Remote","Student Devices, Teacher Laptops"\r\n'
        '"example.two@example.com","Example Two","Remote","Student Devices"\r\n'
    )


@pytest.mark.parametrize(
    ("roles", "groups", "rows"),
    [
        (("Remote",), ("Loans",), [("Remote", "Loans"), ("Remote", "Loans")]),
        (("Remote",), (), [("Remote", ""), ("Remote", "")]),
        ((), ("A", "B"), [("", "A, B"), ("", "A")]),
        (("=Cmd",), ("Été",), [("=Cmd", "Été"), ("=Cmd", "Été")]),
    ],
)
def test_the_template_of_a_young_portal_is_whole_too(roles, groups, rows):
    table = read(b"".join(template(roles, groups)))
    assert [line.cells for line in table.lines] == [
        (address, name, *row) for address, name, row in zip(EXAMPLES, ("Example One", "Example Two"), rows, strict=True)
    ]


def test_users_put_below_the_examples_are_all_that_is_read():
    table = read(b"".join(template(ROLES, GROUPS)) + b"ana@x.org,Analyst,Loans\r\n")
    people, facts = extract_people(table, match_columns(table.header))
    assert [(cells.line, cells.email) for cells in people] == [(4, "ana@x.org")]
    assert {"code": "examples", "n": 2} in facts


def test_the_template_as_it_is_invites_nobody():
    table = read(b"".join(template(ROLES, GROUPS)))
    with pytest.raises(UnreadableFileError):
        extract_people(table, match_columns(table.header))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_a_formula_is_escaped(start):
    assert escape(start + "cmd|' /C calc'!A0") == "'" + start + "cmd|' /C calc'!A0"


@pytest.mark.parametrize("cell", ["", "ana@x.org", "a=b", " =1", "O'Hara"])
def test_other_cells_are_left_as_they_are(cell):
    assert escape(cell) == cell


def test_what_has_a_quote_before_a_formula_already_gets_another():
    assert escape("'=1") == "''=1"


def test_a_download_is_what_excel_reads():
    data = write(["Email", "=Reason"], [["ana@x.org", 'Said "no", twice\nand left'], ["-1", ""]])
    assert data == (b'\xef\xbb\xbf"Email","\'=Reason"\r\n"ana@x.org","Said ""no"", twice\nand left"\r\n"\'-1",""\r\n')


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
cells = texts | st.builds(str.__add__, st.sampled_from("=+-@\t\r'＝＋－＠ "), texts)
separated = st.lists(st.sampled_from(["x", "=cmd", ";", "\t", "\n", "\r", "|", '"', "'", " ", "@", "-1", ","]), max_size=8).map(
    "".join
)


@given(st.lists(st.tuples(cells, cells)))
def test_nothing_written_begins_like_a_formula(rows):
    text = write(["Email", "Role"], rows).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(tuple("=+-@\t\r＝＋－＠")) for cell in row)


@given(st.lists(st.tuples(separated, separated, separated), min_size=1), st.sampled_from(";\t|,"))
def test_nor_where_the_spreadsheet_separates_by_another_sign(rows, delimiter):
    text = write(["Email", "Role", "Groups"], rows).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        assert not any(cell.startswith(tuple("=+-@")) for cell in row), row


@given(separated)
def test_what_is_escaped_within_a_cell_comes_back(cell):
    assert clean(escape(clean(cell))) == clean(cell)


@given(st.lists(st.tuples(cells, cells), min_size=1))
def test_a_download_can_be_uploaded_again(rows):
    header = ("Email", "Role")
    # A reader drops what is invisible at the edges, and one ' before a formula: be it ours or another's.
    expected = [tuple(clean(escape(cell)) for cell in row) for row in rows]
    if any(any(row) for row in expected):
        table = read(write(header, rows))
        assert [line.cells for line in table.lines] == [row for row in expected if any(row)]


@given(cells.map(clean))
def test_a_cell_once_cleaned_comes_back_from_a_download_unchanged(cell):
    assert clean(escape(cell)) == cell

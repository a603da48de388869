"""An uploaded file is read as its owner meant it, or refused with a sentence."""

import codecs
import gzip
import itertools
import pickle
import random
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from webapp.core.files import table
from webapp.core.files.cleaning import clean
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import recognise
from webapp.core.files.source_file import open_file
from webapp.core.files.table import Line, Table, make_sheet

from tests.core.values import is_whole
from tests.reading import fact, read, read_pasted

FILES = Path(__file__).parents[2] / "files"
CANNOT_BE_READ = "The text in this file cannot be read. Save it as “CSV UTF-8” and try again."
CANNOT = (
    "cannot be read. It has a quote that is not closed, a quote in the middle of a quoted cell, or a very long cell. "
    "Fix that line and upload again."
)
EMPTY = "This file is empty. Add at least one user below the header row."
NOT_A_SPREADSHEET = (
    "This is not a spreadsheet. Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that."
)


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFileError) as refused:
        read(data)
    return str(refused.value)


def separation(table: Table) -> object:
    return fact(table, "separated").get("separation")


def encoding_of(table: Table) -> object:
    return fact(table, "encoding").get("encoding")


def rows(text: str, encoding="utf-8") -> list[tuple[int, tuple[str, ...]]]:
    return [(line.number, line.cells) for line in read(text.encode(encoding)).lines]


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding", "header", "lines"),
    [
        (
            "comma.csv",
            ",",
            "UTF-8",
            ("Email", "Role", "Groups"),
            [
                Line(2, ("ana.silva@northfield.org", "Analyst", "Student Devices, Teacher Laptops")),
                Line(3, ("bo.lind@northfield.org", "Remote", "Exam Laptops")),
                Line(4, ("cy.adams@northfield.org", "Broadcaster", "")),
            ],
        ),
        (
            "excel-utf8.csv",
            ",",
            "UTF-8 with BOM",
            ("Email", "Role", "Groups"),
            [
                Line(2, ("zoë.müller@northfield.org", "Analyst", "Student Devices, Bücherei-iPads")),
                Line(3, ("bo.lind@northfield.org", "Remote", "All groups")),
            ],
        ),
        (
            "excel-german.csv",
            ";",
            "Windows-1252",
            ("E-Mail-Adresse", "Rolle", "Gerätegruppen", "Telefon"),
            [
                Line(2, ("j.groß@northfield.org", "Analyst", "Lehrer-Geräte, Bücherei – oben", "0151 1")),
                Line(3, ("k.weiß@northfield.org", "Remote", "", "")),
            ],
        ),
        (
            "excel-unicode-text.csv",
            "\t",
            "UTF-16",
            ("Adresse e-mail", "Rôle", "Groupes"),
            [
                Line(2, ("élodie@northfield.org", "Analyst", "Portables, Tablettes")),
                Line(3, ("œuvre@northfield.org", "Remote", "")),
            ],
        ),
        (
            "pipe.csv",
            "|",
            "UTF-8",
            ("Correo electrónico", "Rol", "Grupos"),
            [Line(2, ("ana@northfield.org", "Analyst", "Uno, Dos"))],
        ),
        (
            "old-mac.csv",
            ",",
            "UTF-8",
            ("Email", "Role"),
            [Line(2, ("ana@northfield.org", "Analyst")), Line(3, ("bo@northfield.org", "Remote"))],
        ),
        (
            "sep-line.csv",
            ";",
            "UTF-8",
            ("Email", "Role", "Groups"),
            [Line(2, ("ana@northfield.org", "Analyst", "A, B"))],
        ),
        (
            "unquoted-groups.csv",
            ",",
            "UTF-8",
            ("Email", "Role", "Groups"),
            [
                Line(2, ("ana@northfield.org", "Analyst", "Student Devices", "Teacher Laptops", "Exam Laptops")),
                Line(3, ("bo@northfield.org", "Remote", "Exam Laptops")),
                Line(4, ("cy@northfield.org", "Remote", "Exam Laptops", "Loans")),
            ],
        ),
        (
            "unquoted-groups-saved-by-excel.csv",
            ",",
            "UTF-8",
            ("Email", "Role", "Groups"),
            [
                Line(2, ("ana@northfield.org", "Analyst", "Student Devices", "Teacher Laptops", "Exam Laptops")),
                Line(3, ("bo@northfield.org", "Remote", "Exam Laptops")),
            ],
        ),
        (
            "line-breaks-in-cells.csv",
            ",",
            "UTF-8",
            ("Email", "Role", "Groups\n(one a line)"),
            [
                Line(2, ("ana@northfield.org", "Analyst", "Student Devices\nTeacher Laptops")),
                Line(4, ("bo@northfield.org", "Remote", "Exam Laptops")),
            ],
        ),
        (
            "typed-by-hand.csv",
            ",",
            "UTF-8",
            ("Email", "Role", "Groups"),
            [
                Line(2, ("ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops")),
                Line(3, ("bo@northfield.org", "Remote", "Exam Laptops")),
            ],
        ),
        (
            "nameless-columns.csv",
            ",",
            "UTF-8",
            ("Email", "", "Role", "Groups", "Phone", ""),
            [
                Line(2, ("ana@northfield.org", "7", "Analyst", "A", "1", "2")),
                Line(3, ("bo@northfield.org", "", "Remote", "B", "1")),
                Line(4, ("cy@northfield.org", "", "", "", "")),
            ],
        ),
    ],
)
def test_a_file_is_read_as_its_owner_meant_it(name, delimiter, encoding, header, lines):
    table = read((FILES / name).read_bytes())
    assert (separation(table), encoding_of(table), table.header, table.lines) == (
        delimiter,
        encoding,
        header,
        lines,
    )


def test_an_untidy_file_is_tidied_and_the_tidying_counted():
    table = read((FILES / "untidy.csv").read_bytes())
    assert table.header == ("Email", "Role", "Groups", "Phone", "Notes")
    assert table.lines == [
        Line(2, ("ana@northfield.org", "Analyst", "Student Devices", "+44 20 1", "")),
        Line(5, ("bo@northfield.org", "Remote", "", "", "=later")),
    ]
    assert table.sheet.trimmed == 5  # three cells of row 2, two of row 5; none of the blank rows


@pytest.mark.parametrize(
    ("cell", "cleaned"),
    [
        ("plain", "plain"),
        (" \t both ends \r\n", "both ends"),
        ("in  side", "in  side"),
        ("\u00a0no-break\u202f", "no-break"),
        ("\u200bzero\u200d\u200c\u2060\ufeff", "zero"),
        ("\u202aana@x.org\u202c", "ana@x.org"),
        ("\x1a", ""),
        ("'=1+1", "=1+1"),
        ("'+44", "+44"),
        ("'-", "-"),
        ("'@here", "@here"),
        (" '=1", "=1"),
        ("''=1", "'=1"),
        ("'quoted'", "'quoted'"),
        ("O'Hara", "O'Hara"),
    ],
)
def test_a_cell_is_cleaned_at_its_edges(cell, cleaned):
    assert clean(cell) == cleaned


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("Email,Role,Groups", ","),
        ("Email;Role;Groups, separated by commas", ";"),
        ("Groups (one, two, three);Role;Mail", ";"),
        ("Email\tRole\tA,B,C,D", "\t"),
        ("Email|Role|Groups", "|"),
        ('"Email";"Role";"Groups"', ";"),
        ('"Full name, as in the register";Email;Role', ";"),
        ("Name;Phone", ";"),
        ("Foo,Bar,Baz;Bat", ","),
        ("Email", ","),
        ("\nEmail;Role", ";"),
        (";;;\nEmail;Role", ";"),
    ],
)
def test_the_separator_is_the_one_that_makes_sense_of_the_header(header, delimiter):
    assert separation(read(f"{header}\na,b;c|d\te".encode())) == delimiter


@pytest.mark.parametrize(
    ("first_line", "delimiter"),
    [
        ("sep=;", ";"),
        ("SEP=|", "|"),
        ('"sep=;"', ";"),
        ("sep=\t", "\t"),
        ("sep=:", ":"),
        ("sep=;,,", ";"),
        ("sep=", ","),
    ],
)
def test_a_sep_line_is_obeyed_and_does_not_count_as_a_row(first_line, delimiter):
    text = f"{first_line}\r\nEmail{delimiter}Role\r\nana@x.org{delimiter}Analyst\r\n"
    table = read(text.encode())
    assert (separation(table), table.lines) == (delimiter, [Line(2, ("ana@x.org", "Analyst"))])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_numbered_as_a_spreadsheet_shows_them(end):
    text = end.join(["", "Email,Groups", "a@x.org,A", "", ",", 'b@x.org,"B', 'C"', "c@x.org,D"])
    assert rows(text) == [
        (3, ("a@x.org", "A")),
        (6, ("b@x.org", f"B{end}C")),
        (7, ("c@x.org", "D")),
    ]


def test_separators_of_unicode_are_text_and_not_line_ends():
    assert rows("Email,Groups\na@x.org,A\u2028B\x0cC\x85D") == [(2, ("a@x.org", "A\u2028B\x0cC\x85D"))]


def test_windows_1252_that_looks_like_utf8_by_chance_is_read_as_what_it_is():
    by_chance = read("Email,Groups\na@x.org,“CAFÉ” für Élodie\n".encode("cp1252"))
    assert (encoding_of(by_chance), by_chance.lines[0].cells[1]) == ("Windows-1252", "“CAFÉ” für Élodie")


def test_a_file_put_behind_another_brings_no_mark_into_the_cells():
    text = '\ufeffName,Email\r\n"Silva, Ana",a@x.org\r\n\ufeff"Lind, Bo",b@x.org\r\n'
    assert rows(text) == [(2, ("Silva, Ana", "a@x.org")), (3, ("Lind, Bo", "b@x.org"))]


def test_a_line_that_was_quoted_as_a_whole_is_still_a_line():
    wrapped = '"Email,Role,Groups"\n"a@x.org,Analyst,""A, B"""\n"b@x.org,Remote,"\n'
    assert rows(wrapped) == [(2, ("a@x.org", "Analyst", "A, B")), (3, ("b@x.org", "Remote", ""))]
    only_where_needed = 'Email,Role,Groups\nb@x.org,Remote,C\n"a@x.org,Analyst,""A, B"""\n'
    assert rows(only_where_needed) == [(2, ("b@x.org", "Remote", "C")), (3, ("a@x.org", "Analyst", "A, B"))]


def test_a_name_with_a_comma_is_no_line_of_its_own():
    assert rows('Email\n"Silva, Ana <a@x.org>"\n') == [(2, ("Silva, Ana <a@x.org>",))]
    assert rows('Email,Role,Groups\n"Silva, Ana <a@x.org>"\n') == [(2, ("Silva, Ana <a@x.org>", "", ""))]
    assert rows('Email,Role,Groups\n"a@x.org, Analyst, A\nb@x.org"\n')[0][1] == ("a@x.org, Analyst, A\nb@x.org", "", "")


def test_a_quote_inside_an_unquoted_cell_is_text():
    assert rows('Email,Groups\na@x.org,15" screens') == [(2, ("a@x.org", '15" screens'))]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ((FILES / "unclosed-quote.csv").read_text(), 3),  # found at the next quote
        ('Email,Role\na@x.org,"Analyst', 2),  # at the end of the file
        ('"Email,Role\na@x.org,Analyst', 1),
        ('sep=;\nEmail;Role\n\na@x.org;"Analyst\n', 3),
        ('Email,Role\na@x.org,"Analyst\n' + "b@x.org,Remote\n" * 20_000, 2),  # at the longest cell
    ],
)
def test_an_unclosed_quote_is_named_by_the_line_where_it_opens(text, line):
    sentence = f"Line {line} {CANNOT}"
    assert refusal(text.encode()) == sentence


def test_a_quote_in_the_middle_of_a_quoted_cell_is_named():
    assert refusal(b'Email,Role\na@x.org,"An "old" role"\n') == ("Line 2 " + CANNOT)


def test_a_cell_beyond_all_measure_is_named():
    assert refusal(b"Email,Role\na@x.org," + b"a" * 200_000) == ("Line 2 " + CANNOT)


@pytest.mark.parametrize("text", ["Email" + ",x" * 256 + "\na@x.org", "Email,Groups\na@x.org" + ",x" * 256])
def test_a_file_wider_than_any_sheet_of_people_is_refused(text):
    assert "more than 100,000 rows, 256 columns or 2,000,000 cells" in refusal(text.encode())


def test_empty_cells_at_the_end_of_a_row_do_not_make_it_wide():
    assert rows("Email,Role" + "," * 5000 + "\na@x.org,Analyst" + "," * 5000) == [(2, ("a@x.org", "Analyst"))]


def test_a_file_of_too_many_cells_is_refused(monkeypatch):
    monkeypatch.setattr(table, "MOST_CELLS", 7)
    assert len(rows("Email,Role\na,b\nc,\nd,e\n")) == 3
    assert refusal(b"Email,Role\na,b\nc,d\ne,f\n") == (
        "This file has more than 100,000 rows, 256 columns or 7 cells. "
        "Remove the columns that Muster does not need, or split it into smaller files, and upload again."
    )


def test_a_file_longer_than_the_memory_set_aside_is_refused(monkeypatch):
    monkeypatch.setattr(table, "MOST_LINES", 3)
    assert len(rows("Email\n" + "a\n\n" * 2)) == 2
    with pytest.raises(UnreadableFileError):
        make_sheet(((n, ["a"]) for n in itertools.count()), [])  # it does not wait for the end
    assert refusal(b"Email\n" + b"a\n" * 4) == (
        "This file has more than 3 rows, 256 columns or 2,000,000 cells. "
        "Remove the columns that Muster does not need, or split it into smaller files, and upload again."
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        codecs.BOM_UTF8,
        codecs.BOM_UTF16_LE,
        b"\r\n\r\n",
        b",,,\n , \n",
        b"Email,Role,Groups",
        b"sep=;",
        b"sep=;\nEmail;Role\n",
        (FILES / "header-only.csv").read_bytes(),
    ],
)
def test_a_file_without_people_is_empty(data):
    assert refusal(data) == EMPTY


@pytest.mark.parametrize(
    "data",
    [
        (FILES / "no-header.csv").read_bytes(),
        b"ana@x.org,Analyst",
        b"Analyst;Ana Silva <ana@x.org>;A, B, C\nRemote;Bo <bo@x.org>;\n",
        b"ana@x.org;Analyst;A, B, C, D\n",
        b"ana@x.org,Role,Teams\nbo@x.org,Role,Teams\n",
    ],
)
def test_a_first_line_that_is_a_person_is_no_header(data):
    table = read(data)
    assert (table.header_row, table.header[0], table.lines[0].number) == (0, "Column A", 1)


def test_a_name_with_an_address_in_it_is_still_a_name():
    assert rows("Email (such as ana@example.com),Role\nana@x.org,Analyst") == [(2, ("ana@x.org", "Analyst"))]


def test_the_row_of_the_header_can_be_chosen():
    data = b"Email,Role\n\nWho,What\nana@x.org,Analyst\n"
    assert read(data).header_row == 1
    table = read(data, header_row=3)
    assert (table.header_row, table.header, table.lines) == (3, ("Who", "What"), [Line(4, ("ana@x.org", "Analyst"))])
    for row in (2, 9):
        with pytest.raises(UnreadableFileError) as refused:
            read(data, header_row=row)
        assert str(refused.value) == f"Row {row} is blank. Choose the row that holds the column names."


def test_a_file_may_be_said_to_have_no_header():
    table = read((FILES / "no-header.csv").read_bytes(), header_row=0)
    assert table.header_row == 0
    assert table.header == ("Column A", "Column B", "Column C")
    assert table.lines[0].number == 1
    assert table.lines[0].cells[0] == "ana@northfield.org"


def test_without_a_header_the_widest_row_says_how_many_columns_there_are():
    table = read(b"\na@x.org,A\n\nb@x.org,B,C" + b",x" * 24 + b"\n", header_row=0)
    assert table.header[25:] == ("Column Z", "Column AA")
    assert [(line.number, len(line.cells)) for line in table.lines] == [(2, 27), (4, 27)]


def test_a_header_deep_below_the_first_lines_is_not_looked_for():
    above = "".join(f"note {number},\n" for number in range(1, 20))
    assert read(f"{above}Email,Role\na@x.org,Analyst\n".encode()).header_row == 20
    assert read(f"{above}one more,\nEmail,Role\na@x.org,Analyst\n".encode()).header_row == 1


def test_the_first_of_two_headers_counts():
    assert read(b"Email,Role\na@x.org,Analyst\nEmail,Role\nb@x.org,Remote\n").header_row == 1


def test_no_header_is_looked_for_below_the_people_of_another():
    text = "Email,Role\na@x.org,Analyst\n\nEmail,Role,Groups\nb@x.org,Remote,A\n"
    table = read(text.encode())
    assert (table.header_row, [line.number for line in table.lines]) == (1, [2, 4, 5])


def test_a_remark_with_column_names_in_it_is_not_the_header():
    assert read(b"# Email, Role, and whatever you like\nEmail,Role\na@x.org,Analyst\n").header_row == 2


def test_an_unknown_header_is_found_below_titles():
    table = read(b"Staff\n\nWer;Was;Wo\na@x.org;A;B, C, D, E\n")
    assert (table.header_row, table.header) == (3, ("Wer", "Was", "Wo"))
    assert read(b"Staff\na@x.org,Analyst\n").header_row == 1
    assert read(b"Who\na@x.org\n").header_row == 1


def test_people_tell_the_separator_where_no_name_is_known():
    assert separation(read(b"Staff, as of May, by IT\nWer;Was;Wo\na@x.org;A;B, C, D, E\n")) == ";"
    blank = "\n" * 30
    assert separation(read(f"Staff, all\n{blank}Email;Role\na@x.org;A\n".encode())) == ";"


def test_columns_without_a_name_are_there_to_be_chosen():
    table = read(b"Email,,\na@x.org,Analyst\nb@x.org,Remote,A,B\n")
    assert table.header == ("Email", "", "", "")
    assert [[line.cell(place) for place in range(4)] for line in table.lines] == [
        ["a@x.org", "Analyst", "", ""],
        ["b@x.org", "Remote", "A", "B"],
    ]
    assert read(b"Email,Groups\na@x.org,A,B\n").header == ("Email", "Groups")


def test_a_header_with_two_known_names_is_found_below_a_note_with_an_address():
    assert read(b"it@x.org,Helpdesk\nEmail,Role\na@x.org,Analyst\n").header_row == 2


def test_the_sheets_of_a_workbook_are_those_with_data_that_are_shown():
    def found(name):
        return [(sheet.name, len(sheet.lines)) for sheet in open_file((FILES / name).read_bytes())]

    assert found("instructions-first.xlsx") == [("Read me", 2), ("People", 3), ("Lists", 2)]
    assert found("kinds-of-cells.xls") == [("Notes", 1), ("People", 3)]
    assert found("hidden-sheet.ods") == [("People", 4)]
    assert found("comma.csv") == [("", 4)]


def test_the_sheet_with_the_known_names_is_read_and_another_can_be_chosen():
    data = (FILES / "instructions-first.xlsx").read_bytes()
    table = read(data)
    assert (table.sheet.name, fact(table, "sheets_unread")["sheets"]) == ("People", ["Read me", "Lists"])
    table = read(data, sheet="Lists", header_row=0)
    assert (table.sheet.name, fact(table, "sheets_unread")["sheets"]) == ("Lists", ["Read me", "People"])
    assert table.lines == [Line(1, ("Role",)), Line(2, ("Analyst",))]
    for name in ("Empty", "Nowhere", "\0\ud800", "x" * 1_000_000):
        with pytest.raises(UnreadableFileError) as refused:
            read(data, sheet=name)
        assert refused.value.title == "The sheet that was chosen is not in this workbook, or holds nothing."


@pytest.mark.parametrize(
    ("text", "header_row", "header", "lines"),
    [
        (
            "Email\tRole\tGroups\r\na@x.org\tAnalyst\tA, B\r\n",
            1,
            ("Email", "Role", "Groups"),
            [Line(2, ("a@x.org", "Analyst", "A, B"))],
        ),
        ("a@x.org\tA\nb@x.org\t\n", 0, ("Column A", "Column B"), [Line(1, ("a@x.org", "A")), Line(2, ("b@x.org", ""))]),
        ("Wer\tWas\na@x.org\tA", 0, ("Column A", "Column B"), [Line(1, ("Wer", "Was")), Line(2, ("a@x.org", "A"))]),
        (
            'a@x.org\t"A\nB ""C"""\nb@x.org\tD',
            0,
            ("Column A", "Column B"),
            [Line(1, ("a@x.org", 'A\nB "C"')), Line(2, ("b@x.org", "D"))],
        ),
        ("a@x.org\nb@x.org\n", 0, ("Column A",), [Line(1, ("a@x.org",)), Line(2, ("b@x.org",))]),
        ("Email;Role\na@x.org;Analyst\n", 1, ("Email", "Role"), [Line(2, ("a@x.org", "Analyst"))]),
    ],
)  # fmt: skip
def test_a_pasted_table_is_read_with_or_without_its_header(text, header_row, header, lines):
    table = read_pasted(text)
    assert (table.header_row, table.header, table.lines) == (header_row, header, lines)


@pytest.mark.parametrize("text", ["", "\n\t\n", "\ufeff", "Email\tRole\n"])
def test_nothing_pasted_is_empty(text):
    with pytest.raises(UnreadableFileError) as refused:
        read_pasted(text)
    assert str(refused.value) == EMPTY


@given(st.text())
def test_whatever_is_pasted_the_answer_is_a_table_or_a_sentence(text):
    try:
        table = read_pasted(text)
    except UnreadableFileError:
        return
    assert is_whole(table)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"%PDF-1.7\n% text, and more text\n",
        gzip.compress(b"Email,Role\n", mtime=0),
        random.Random(1).randbytes(5000),
        bytes(1000),
        b'<?xml version="1.0"?><Workbook/>',
        b"{\\rtf1 Email}",
        b'[{"email": "ana@x.org"}]',
        b"<!DOCTYPE html><table><tr><td>Email</td></tr></table>",
    ],
)
def test_what_is_no_table_is_refused(data):
    assert refusal(data) == NOT_A_SPREADSHEET


@pytest.mark.parametrize(
    "data",
    [
        b"Email,Role\nana\x81@x.org,Analyst\n",  # 0x81 is nothing in Windows-1252
        b"Email,Role\nana@x.org,Ana\0lyst\n",
        codecs.BOM_UTF8 + b"Email,Role\nan\xe9@x.org,Analyst\n",
        "Email,Role\nana@x.org,Analyst\n".encode("utf-16")[:-1],
        codecs.BOM_UTF16_LE + "Email,Role\nana\ud800@x.org,A\n".encode("utf-16-le", "surrogatepass"),
        "Email,Role\nana@x.org,Analyst\n".encode("utf-32"),
    ],
)
def test_text_that_cannot_be_told_is_not_guessed(data):
    assert refusal(data) == CANNOT_BE_READ


def test_a_refusal_survives_the_way_to_another_process():
    refused = pickle.loads(pickle.dumps(UnreadableFileError("This is so.", "Do that.")))
    assert (refused.title, refused.advice, str(refused)) == (
        "This is so.",
        "Do that.",
        "This is so. Do that.",
    )


# Every character of Windows-1252 that a text can hold, the awkward ones often.
WINDOWS_1252 = "".join(
    character for character in bytes(set(range(0x20, 0x100)) - {0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D}).decode("cp1252")
)
AWKWARD = "\r\n\t '\"=+-@,;|\u00a0"
cells = st.text(st.sampled_from(AWKWARD) | st.sampled_from(WINDOWS_1252), max_size=12)
wide_cells = cells | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
}


@st.composite
def written_tables(draw):
    """Rows of three cells, and the bytes that some program might write for them."""
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    delimiter = draw(st.sampled_from(",;\t|"))
    always_quoted = draw(st.booleans())
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    cell = cells if encoding == "cp1252" else wide_cells
    people = draw(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=8))
    if encoding == "cp1252":
        people.append(("é " * 200, "", ""))  # otherwise it may be UTF-8 as well

    def quoted(text: str) -> str:
        must = always_quoted or any(special in text for special in f'"\r\n{delimiter}')
        return '"' + text.replace('"', '""') + '"' if must else text

    table = [("Email", "Role", "Groups"), *people]
    text = "".join(delimiter.join(map(quoted, row)) + end for row in table)
    return people, delimiter, encoding, text.encode(encoding)


@given(written_tables())
def test_whatever_wrote_it_a_table_is_read_back(written):
    people, delimiter, encoding, data = written
    cleaned = [(number, tuple(map(clean, row))) for number, row in enumerate(people, start=2)]
    expected = [Line(number, row) for number, row in cleaned if any(row)]
    if not expected:
        assert refusal(data) == EMPTY
        return
    table = read(data)
    assert table.header == ("Email", "Role", "Groups")
    assert table.lines == expected
    assert separation(table) == delimiter
    assert encoding_of(table) == ENCODINGS[encoding]


@given(st.lists(st.tuples(wide_cells, wide_cells, wide_cells), min_size=1, max_size=8), st.booleans())
def test_what_was_copied_from_a_spreadsheet_is_read_back(people, with_header):
    assume(with_header or not any(map(recognise, itertools.chain(*people))))  # a row of names would be the header
    table = [("Email", "Role", "Groups")] * with_header + people
    quoted = ("\t".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table)
    lines = [(number, tuple(map(clean, row))) for number, row in enumerate(table, start=1)][with_header:]
    text = "\r\n".join(quoted)
    if not (expected := [line for line in lines if any(line[1])]):
        with pytest.raises(UnreadableFileError):
            read_pasted(text)
        return
    found = read_pasted(text).lines
    width = max(len(line.cells) for line in found)  # without a header, columns that are empty everywhere are none
    assert [(line.number, line.cells) for line in found] == [(number, row[:width]) for number, row in expected]
    assert not any(any(row[width:]) for _, row in expected)


csv_like = st.lists(
    st.sampled_from(
        [
            "Email",
            "Role",
            "a@x.org",
            '"',
            ",",
            ";",
            "\t",
            "|",
            "\n",
            "\r",
            " ",
            "'",
            "sep=",
            "\ufeff",
            "é",
            "\0",
        ]
    )
).map("".join)


@given(st.binary() | csv_like.map(str.encode) | csv_like.map(lambda text: text.encode("utf-16")))
@example(b"sep=''\n'")
@example(b'"')
def test_whatever_the_bytes_the_answer_is_a_table_or_a_sentence(data):
    try:
        table = read(data)
    except UnreadableFileError as refused:
        sentences = (refused.title, refused.advice)
    else:
        sentences = ()
        assert is_whole(table)
        numbers = [table.header_row, *(line.number for line in table.lines)]
        assert numbers == sorted(set(numbers))
    assert all(sentence.endswith(".") for sentence in sentences)

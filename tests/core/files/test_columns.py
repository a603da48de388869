"""Columns are found by their names, whatever people and programs call them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.files.column_guesses import Guess, guess_columns
from webapp.core.files.columns import Field, Mapping, Places, UnmatchedColumnsError, map_chosen, match_columns
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells, extract_people
from webapp.core.files.fields import recognise
from webapp.core.files.reading_facts import find_reading_facts
from webapp.core.files.source_file import open_pasted
from webapp.core.files.table import Table
from webapp.core.text import batch_phrases
from webapp.core.text.phrases import CodedText

from tests.reading import read

FILES = Path(__file__).parents[2] / "files"


def table_of(name: str) -> Table:
    return read((FILES / name).read_bytes(), name)


def refusal(*header: str) -> str:
    with pytest.raises(UnmatchedColumnsError) as refused:
        match_columns(header)
    return str(refused.value)


def sentences(facts: list[CodedText]) -> list[str]:
    return [batch_phrases.describe_reading(fact) for fact in facts]


def facts(name: str) -> list[str]:
    table = table_of(name)
    mapping = match_columns(table.header)
    return sentences(find_reading_facts(table, mapping, extract_people(table, mapping)))


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (Field.EMAIL, "Email/E-mail/E-MAIL/e mail/E_Mail/Mail/Email address/e-mail-address/Primary Email"),
        (Field.EMAIL, "User principal name/userPrincipalName/UPN/User name [userPrincipalName] Required"),
        (Field.EMAIL, "Email Address [Required]/Email (work address)/Email*/E-Mail:/PrimarySmtpAddress"),
        (Field.EMAIL, "E-Mail-Adresse/Mailadresse/Adresse e-mail/Courriel/Adresse électronique"),
        (
            Field.EMAIL,
            "Correo electrónico/Dirección de correo electrónico/Correio eletrónico/Endereço de e-mail",
        ),
        (Field.ROLE, "Role/ROLES/User role/Access level/access-level/Permissions/Role [Required]"),
        (
            Field.ROLE,
            "Rolle/Berechtigung/Rôle/Niveau d’accès/Niveau d'accès/Rol/Nivel de acceso/Papel/Função",
        ),
        (
            Field.GROUPS,
            "Groups/Group/Device groups/DEVICE_GROUP/Teams/team/User Groups/Member of/Device pools",
        ),
        (
            Field.GROUPS,
            "Gruppen/Gerätegruppen/Geraetegruppe/Groupes/Équipes/Grupos/Equipos/Grupos de dispositivos",
        ),
    ],
)
def test_a_column_is_known_by_many_names(field, names):
    unknown = [name for name in names.split("/") if (known := recognise(name)) is None or known.field is not field]
    assert not unknown


@pytest.mark.parametrize(
    "header",
    [
        "Indirizzo e-mail/Ruolo/Gruppi",
        "E-mailadres/Rol/Groepen",
        "Adres e-mail/Rola użytkownika/Grupy",
        "E-posta adresi/Kullanıcı rolü/Gruplar",
        "E-post/Roll/Grupper",
        "Sähköposti/Rooli/Ryhmät",
        "Электронная почта/Роль/Группы",
        "メールアドレス/ロール/グループ",
        "电子邮件/角色/组",
        "이메일/역할/그룹",
    ],
)
def test_names_in_other_languages_and_scripts_are_known(header):
    assert [known and known.field for known in map(recognise, header.split("/"))] == list(Field)


@pytest.mark.parametrize("name", ["", "Name", "Phone", "Recovery Email", "Groups;Role", "Ro,le", "x" * 300])
def test_other_columns_are_not(name):
    assert recognise(name) is None


@given(st.sampled_from(["Email address", "Access level", "Device groups"]), st.data())
def test_case_spaces_hyphens_and_underscores_do_not_matter(name, data):
    spelt = "".join(
        data.draw(st.sampled_from([letter.upper(), letter.lower()])) if letter != " " else gap
        for letter, gap in zip(name, data.draw(st.lists(st.sampled_from(["", " ", "-", "_", "  "]), min_size=20)), strict=False)
    )
    assert recognise(spelt) == recognise(name)


@pytest.mark.parametrize(
    ("header", "mapping"),
    [
        (
            ("Email", "Role", "Groups"),
            Mapping(Places({Field.EMAIL: 0, Field.ROLE: 1, Field.GROUPS: 2}), (), overflow=True),
        ),
        (("Role", "Email"), Mapping(Places({Field.EMAIL: 1, Field.ROLE: 0}), (), overflow=False)),
        (
            ("Name", "Teams", "", "Mail", "Access level"),
            Mapping(Places({Field.EMAIL: 3, Field.ROLE: 4, Field.GROUPS: 1}), ("Name",), overflow=False),
        ),
        (
            ("User principal name", "Mail", "Role"),
            Mapping(Places({Field.EMAIL: 1, Field.ROLE: 2}), ("User principal name",), overflow=False),
        ),
        (("Login", "Profile"), Mapping(Places({Field.EMAIL: 0, Field.ROLE: 1}), (), overflow=False)),
    ],
)
def test_columns_are_matched_in_any_order(header, mapping):
    assert match_columns(header) == mapping


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            ("Email", "Name", "Phone"),
            "This file has no column called “Role”. Its columns are “Email”, “Name” and “Phone”. "
            "Rename the column that holds the roles to “Role” and upload again.",
        ),
        (
            ("Role", ""),
            "This file has no column called “Email”. Its only column is “Role”. "
            "Rename the column that holds the email addresses to “Email” and upload again.",
        ),
        (
            ("A", "B", "C", "D", "E", "F", "G", "a very long name\nof a column that goes on and on"),
            "This file has no columns called “Email” and “Role”. "
            "Its columns are “A”, “B”, “C”, “D”, “E”, “F” and 2 more. "
            "Rename the columns that hold the email addresses and roles to “Email” and “Role” "
            "and upload again.",
        ),
        (
            ("a very long name\nof a column that goes on and on",),
            "This file has no columns called “Email” and “Role”. "
            "Its only column is “a very long name of a column that goes…”. "
            "Rename the columns that hold the email addresses and roles to “Email” and “Role” "
            "and upload again.",
        ),
        (
            ("Email", "Role", "role"),
            "Two columns are called “Role”. Call the one that counts “Role”, rename or remove the rest, and upload again.",
        ),
        (
            ("Email", "Mail", "Role"),
            "Two columns could hold the email addresses: “Email” and “Mail”. "
            "Call the one that counts “Email”, rename or remove the rest, and upload again.",
        ),
    ],
)
def test_a_missing_or_doubled_column_is_named_with_what_to_do(header, sentence):
    assert refusal(*header) == sentence


def test_unmatched_columns_are_caught_as_an_unreadable_file():
    for name in ("no-role-column.csv", "two-role-columns.csv"):
        with pytest.raises(UnreadableFileError):
            match_columns(table_of(name).header)


def test_extra_cells_are_groups_where_groups_is_the_last_column():
    table = table_of("unquoted-groups.csv")
    found = extract_people(table, match_columns(table.header))
    assert found.cells == [
        Cells(2, "ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops, Exam Laptops"),
        Cells(3, "bo@northfield.org", "Remote", "Exam Laptops"),
        Cells(4, "cy@northfield.org", "Remote", "Exam Laptops, Loans"),
    ]
    assert found.overflowed == 2


def test_an_empty_groups_cell_before_extra_ones_leaves_no_comma():
    table = read(b"Email,Role,Groups\nana@x.org,Analyst,,A,,B\n", "people.csv")
    assert extract_people(table, match_columns(table.header)).cells == [Cells(2, "ana@x.org", "Analyst", "A, B")]


def test_cells_without_a_column_name_are_ignored_and_counted():
    table = table_of("nameless-columns.csv")
    found = extract_people(table, match_columns(table.header))
    assert found.cells == [
        Cells(2, "ana@northfield.org", "Analyst", "A"),
        Cells(3, "bo@northfield.org", "Remote", "B"),
        Cells(4, "cy@northfield.org", "", ""),
    ]
    assert (found.unnamed, found.overflowed) == (1, 0)


def test_a_column_without_a_name_can_be_chosen():
    table = read(b"Email,,\na@x.org\nb@x.org,Remote,A,B\n", "people.csv")
    chosen = map_chosen(Places({Field.EMAIL: 0, Field.ROLE: 1, Field.GROUPS: 2}), table.header)
    found = extract_people(table, chosen)
    assert found.cells == [Cells(2, "a@x.org", "", ""), Cells(3, "b@x.org", "Remote", "A, B")]
    assert (found.overflowed, found.unnamed) == (1, 0)


def test_groups_before_another_column_take_no_extra_cells():
    assert not map_chosen(Places({Field.EMAIL: 0, Field.ROLE: 2, Field.GROUPS: 1}), ("Email", "Wo", "Was", "")).overflow
    assert not map_chosen(Places({Field.EMAIL: 0, Field.ROLE: 1, Field.GROUPS: 2}), ("Email", "Was", "Wo", "", "Tel")).overflow


def test_a_row_without_an_address_is_kept_to_be_mended():
    table = read(b"Email,Role,Phone\n,,1\nana@x.org,Analyst,2\n", "people.csv")
    assert extract_people(table, match_columns(table.header)).cells == [
        Cells(2, "", "", ""),
        Cells(3, "ana@x.org", "Analyst", ""),
    ]


def test_the_rows_of_the_template_are_skipped_whatever_their_case():
    table = table_of("template-left-in.csv")
    found = extract_people(table, match_columns(table.header))
    assert found.cells == [Cells(4, "ana@northfield.org", "Analyst", "")]
    assert (found.examples, found.overflowed) == ((2, 3), 0)


def test_a_file_of_nothing_but_examples_is_refused():
    table = read(b"Email,Role\nexample.one@example.com,Remote\n", "people.csv")
    with pytest.raises(UnreadableFileError) as refused:
        extract_people(table, match_columns(table.header))
    assert str(refused.value) == (
        "This file holds only the example rows of the template. Put your users in their place and upload again."
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("comma.csv", ["comma-separated", "UTF-8"]),
        ("excel-german.csv", ["semicolon-separated", "Windows-1252", "column “Telefon” ignored"]),
        ("excel-unicode-text.csv", ["tab-separated", "UTF-16"]),
        ("pipe.csv", ["pipe-separated", "UTF-8"]),
        (
            "untidy.csv",
            [
                "semicolon-separated",
                "UTF-8 with BOM",
                "6 cells trimmed",
                "columns “Phone” and “Notes” ignored",
                "2 blank rows skipped",
            ],
        ),
        ("unquoted-groups.csv", ["comma-separated", "UTF-8", "extra cells of 2 rows were read as groups"]),
        (
            "unquoted-groups-saved-by-excel.csv",
            ["comma-separated", "UTF-8", "extra cells of 1 row were read as groups"],
        ),
        (
            "nameless-columns.csv",
            [
                "comma-separated",
                "UTF-8",
                "column “Phone” ignored",
                "cells without a column name ignored in 1 row",
            ],
        ),
        (
            "google-workspace.csv",
            [
                "comma-separated",
                "UTF-8",
                "columns “First Name [Required]”, “Last Name [Required]” and “Recovery Email” ignored",
            ],
        ),
        (
            "microsoft-entra.csv",
            ["comma-separated", "UTF-8", "columns “userPrincipalName”, “displayName” and “userType” ignored"],
        ),
        (
            "template-left-in.csv",
            ["comma-separated", "UTF-8 with BOM", "2 example rows from the template left out"],
        ),
    ],
)
def test_the_page_is_told_how_the_file_was_read(name, expected):
    assert facts(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.xlsx", ["Excel workbook, sheet “People”"]),
        ("hidden-sheet.ods", ["OpenDocument workbook, sheet “People”"]),
        ("kinds-of-cells.xls", ["Excel workbook, sheet “People”", "sheet “Notes” not read", "header found in row 2"]),
        ("instructions-first.xlsx", ["Excel workbook, sheet “People”", "sheets “Read me” and “Lists” not read"]),
        ("title-and-blank-lines.csv", ["comma-separated", "UTF-8", "header found in row 4"]),
    ],
)
def test_the_page_is_told_which_sheet_and_which_header_were_read(name, expected):
    assert facts(name)[: len(expected)] == expected


def test_the_page_is_told_of_what_was_pasted():
    table = open_pasted("a@x.org\tAnalyst\n").table()
    chosen = map_chosen(Places({Field.EMAIL: 0, Field.ROLE: 1}), table.header)
    assert sentences(find_reading_facts(table, chosen, extract_people(table, chosen))) == [
        "pasted",
        "tab-separated",
        "no header row",
    ]


ROLES, GROUPS = ("Analyst", "Remote"), ("Loans", "Student Devices")


@pytest.mark.parametrize(
    ("header", "samples", "expected"),
    [
        (
            ("Email", "", "Role"),
            [("a@x.org", "1", "Analyst"), ("b@x.org", "1", ""), ("c@x.org", "2", "Remote"), ("d@x.org", "3", "Remote")],
            [
                Guess(0, "Email", ("a@x.org", "b@x.org", "c@x.org"), Field.EMAIL, certain=True),
                Guess(1, "Column B", ("1", "2", "3"), None, certain=False),
                Guess(2, "Role", ("Analyst", "Remote"), Field.ROLE, certain=True),
            ],
        ),
        (
            ("Kontakt", "Zugang", "Wo", "Name"),
            [("a@x.org", "analyst", "Loans, Attic", "Ana"), ("b", "REMOTE", "all  groups", "Bo"), ("", "", "", "")],
            [
                Guess(0, "Kontakt", ("a@x.org", "b"), Field.EMAIL, certain=False),
                Guess(1, "Zugang", ("analyst", "REMOTE"), Field.ROLE, certain=False),
                Guess(2, "Wo", ("Loans, Attic", "all  groups"), Field.GROUPS, certain=False),
                Guess(3, "Name", ("Ana", "Bo"), None, certain=False),
            ],
        ),
        (
            ("Role", "Role", "Mail"),
            [("Teacher", "Analyst", "a@x.org")],
            [
                Guess(0, "Role", ("Teacher",), None, certain=False),
                Guess(1, "Role", ("Analyst",), Field.ROLE, certain=False),
                Guess(2, "Mail", ("a@x.org",), Field.EMAIL, certain=True),
            ],
        ),
        (
            ("Email", "Private"),
            [("", "a@x.org")],
            [
                Guess(0, "Email", (), Field.EMAIL, certain=True),
                Guess(1, "Private", ("a@x.org",), None, certain=False),
            ],
        ),
    ],
)
def test_columns_are_guessed_by_their_names_and_then_by_their_cells(header, samples, expected):
    assert guess_columns(header, samples, ROLES, GROUPS) == expected


def test_a_pasted_table_without_header_is_told_by_its_cells():
    table = open_pasted("Loans\tAnalyst\ta@x.org\n\tRemote\tb@x.org\n").table()
    guesses = guess_columns(table.header, [line.cells for line in table.lines], ROLES, GROUPS)
    chosen = map_chosen(Places({each.field: each.place for each in guesses if each.field}), table.header)
    assert extract_people(table, chosen).cells == [Cells(1, "a@x.org", "Analyst", "Loans"), Cells(2, "b@x.org", "Remote", "")]


def test_what_a_person_chose_is_the_mapping():
    header = ("Wer", "", "Zugang", "Wo")
    assert map_chosen(Places({Field.EMAIL: 1, Field.ROLE: 2, Field.GROUPS: 3}), header) == Mapping(
        Places({Field.EMAIL: 1, Field.ROLE: 2, Field.GROUPS: 3}), ("Wer",), overflow=True
    )
    table = read(b"Wer,,Zugang,Wo\nAna,a@x.org,Analyst,A,B\n", "people.csv")
    found = extract_people(table, map_chosen(Places({Field.EMAIL: 1, Field.ROLE: 2, Field.GROUPS: 3}), table.header))
    assert (found.cells, found.unnamed) == ([Cells(2, "a@x.org", "Analyst", "A, B")], 0)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({Field.ROLE: 0}, "No column is chosen for the email addresses. Choose one and go on."),
        ({Field.EMAIL: 0, Field.GROUPS: 1}, "No column is chosen for the roles. Choose one and go on."),
        (
            {Field.EMAIL: 0, Field.ROLE: 0},
            "“Wer” is chosen for both the email addresses and the roles. Choose a column of its own for each.",
        ),
        (
            {Field.EMAIL: 0, Field.ROLE: 1, Field.GROUPS: 1},
            "“Column B” is chosen for both the roles and the groups. Choose a column of its own for each.",
        ),
        ({Field.EMAIL: 0, Field.ROLE: 2}, "The column chosen for the roles is not in this file. Choose another one."),
        ({Field.EMAIL: -1, Field.ROLE: 1}, "The column chosen for the email addresses is not in this file. Choose another one."),
    ],
)
def test_a_choice_that_leaves_something_open_is_refused(columns, sentence):
    with pytest.raises(UnmatchedColumnsError) as refused:
        map_chosen(Places(columns), ("Wer", ""))
    assert str(refused.value) == sentence


def test_a_separator_without_a_name_is_shown_and_one_of_a_kind_is_singular():
    table = read(b"sep=:\nEmail:Role\n ana@x.org:Analyst\n\nexample.two@example.com:Remote\n", "people.csv")
    mapping = match_columns(table.header)
    assert sentences(find_reading_facts(table, mapping, extract_people(table, mapping))) == [
        "separated by “:”",
        "UTF-8",
        "1 cell trimmed",
        "1 blank row skipped",
        "1 example row from the template left out",
    ]


@pytest.mark.parametrize("ending", ["xlsx", "ods"])
def test_errors_of_a_spreadsheet_are_counted_where_the_format_tells_of_them(ending):
    assert "1 cell with an error of the spreadsheet, such as #N/A" in facts(f"saved-by-libreoffice.{ending}")


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#NAME?", "#DIV/0!", "#BEZUG!", "#¡VALOR!", "Err:508"])
def test_an_error_is_known_by_what_it_says(error):
    table = read(f'Email,Role,Groups\na@x.org,{error},"Alpha, {error}"\nb@x.org,#1 team!,#sales\n'.encode(), "people.csv")
    assert extract_people(table, match_columns(table.header)).errors == 2

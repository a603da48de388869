"""Columns are found by their names, whatever people and programs call them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.core.columns import Cells, Field, Mapping, UnmatchedColumns, describe, extract, match
from webapp.core.fields import recognise
from webapp.core.tables import Table, UnreadableFile, read

FILES = Path(__file__).parent.parent / "files"


def table_of(name: str) -> Table:
    return read((FILES / name).read_bytes(), name)


def refusal(*header: str) -> str:
    with pytest.raises(UnmatchedColumns) as refused:
        match(header)
    return str(refused.value)


def facts(name: str) -> list[str]:
    table = table_of(name)
    mapping = match(table.header)
    return describe(table, mapping, extract(table, mapping))


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
            Mapping({Field.EMAIL: 0, Field.ROLE: 1, Field.GROUPS: 2}, (), overflow=True),
        ),
        (("Role", "Email"), Mapping({Field.EMAIL: 1, Field.ROLE: 0}, (), overflow=False)),
        (
            ("Name", "Teams", "", "Mail", "Access level"),
            Mapping({Field.EMAIL: 3, Field.ROLE: 4, Field.GROUPS: 1}, ("Name",), overflow=False),
        ),
        (
            ("User principal name", "Mail", "Role"),
            Mapping({Field.EMAIL: 1, Field.ROLE: 2}, ("User principal name",), overflow=False),
        ),
        (("Login", "Profile"), Mapping({Field.EMAIL: 0, Field.ROLE: 1}, (), overflow=False)),
    ],
)
def test_columns_are_matched_in_any_order(header, mapping):
    assert match(header) == mapping


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            ("Email", "Name", "Phone"),
            "This file has no column called “Role”. Its first row has “Email”, “Name” and “Phone”. "
            "Rename the column that holds the roles to “Role” and upload again.",
        ),
        (
            ("Role", ""),
            "This file has no column called “Email”. Its first row has “Role”. "
            "Rename the column that holds the email addresses to “Email” and upload again.",
        ),
        (
            ("A", "B", "C", "D", "E", "F", "G", "a very long name\nof a column that goes on and on"),
            "This file has no columns called “Email” and “Role”. "
            "Its first row has “A”, “B”, “C”, “D”, “E”, “F” and 2 more. "
            "Rename the columns that hold the email addresses and roles to “Email” and “Role” "
            "and upload again.",
        ),
        (
            ("a very long name\nof a column that goes on and on",),
            "This file has no columns called “Email” and “Role”. "
            "Its first row has “a very long name of a column that goes…”. "
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
        (
            ("Email", "Role", "Group", "Teams", "Groups"),
            "3 columns could hold the groups: “Group”, “Teams” and “Groups”. "
            "Call the one that counts “Groups”, rename or remove the rest, and upload again.",
        ),
    ],
)
def test_a_missing_or_doubled_column_is_named_with_what_to_do(header, sentence):
    assert refusal(*header) == sentence


def test_unmatched_columns_are_caught_as_an_unreadable_file():
    for name in ("no-role-column.csv", "two-role-columns.csv"):
        with pytest.raises(UnreadableFile):
            match(table_of(name).header)


def test_extra_cells_are_groups_where_groups_is_the_last_column():
    table = table_of("unquoted-groups.csv")
    found = extract(table, match(table.header))
    assert found.cells == [
        Cells(2, "ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops, Exam Laptops"),
        Cells(3, "bo@northfield.org", "Remote", "Exam Laptops"),
        Cells(4, "cy@northfield.org", "Remote", "Exam Laptops, Loans"),
    ]
    assert found.overflowed == 2


def test_an_empty_groups_cell_before_extra_ones_leaves_no_comma():
    table = read(b"Email,Role,Groups\nana@x.org,Analyst,,A,,B\n", "people.csv")
    assert extract(table, match(table.header)).cells == [Cells(2, "ana@x.org", "Analyst", "A, B")]


def test_cells_without_a_column_name_are_ignored_and_counted():
    table = table_of("nameless-columns.csv")
    found = extract(table, match(table.header))
    assert found.cells == [
        Cells(2, "ana@northfield.org", "Analyst", "A"),
        Cells(3, "bo@northfield.org", "Remote", "B"),
        Cells(4, "cy@northfield.org", "", ""),
    ]
    assert (found.unnamed, found.overflowed) == (1, 0)


def test_a_row_without_an_address_is_kept_to_be_mended():
    table = read(b"Email,Role,Phone\n,,1\nana@x.org,Analyst,2\n", "people.csv")
    assert extract(table, match(table.header)).cells == [
        Cells(2, "", "", ""),
        Cells(3, "ana@x.org", "Analyst", ""),
    ]


def test_the_rows_of_the_template_are_skipped_whatever_their_case():
    table = table_of("template-left-in.csv")
    found = extract(table, match(table.header))
    assert found.cells == [Cells(4, "ana@northfield.org", "Analyst", "")]
    assert (found.examples, found.overflowed) == ((2, 3), 0)


def test_a_file_of_nothing_but_examples_is_refused():
    table = read(b"Email,Role\nexample.one@example.com,Remote\n", "people.csv")
    with pytest.raises(UnreadableFile) as refused:
        extract(table, match(table.header))
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


def test_a_separator_without_a_name_is_shown_and_one_of_a_kind_is_singular():
    table = read(b"sep=:\nEmail:Role\n ana@x.org:Analyst\n\nexample.two@example.com:Remote\n", "people.csv")
    mapping = match(table.header)
    assert describe(table, mapping, extract(table, mapping)) == [
        "separated by “:”",
        "UTF-8",
        "1 cell trimmed",
        "1 blank row skipped",
        "1 example row from the template left out",
    ]

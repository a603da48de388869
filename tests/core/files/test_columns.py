"""Columns are found by their names, whatever people and programs call them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.files.column_guesses import guess_columns
from webapp.core.files.columns import Places, match_columns
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.extract import Cells, extract_people
from webapp.core.files.fields import Field, recognise
from webapp.core.files.table import Table
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry
from webapp.core.text import batch_phrases
from webapp.core.text.phrases import CodedText

from tests.reading import read, read_pasted

FILES = Path(__file__).parents[2] / "files"


def table_of(name: str) -> Table:
    return read((FILES / name).read_bytes())


def sentences(facts: list[CodedText]) -> list[str]:
    return [batch_phrases.describe_reading(fact) for fact in facts]


def facts(name: str) -> list[str]:
    return facts_of(table_of(name))


def facts_of(table: Table) -> list[str]:
    return sentences(extract_people(table, places_of(table))[1])


def places_of(table: Table) -> Places:
    places = match_columns(table.header)
    assert places
    return places


def people_of(table: Table, places: Places | None = None) -> list[Cells]:
    return extract_people(table, places or places_of(table))[0]


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
        (Field.NAME, "Name/Full name/Display Name/First name/First Name [Required]/Given name/Forename/Last name/Surname"),
        (Field.NAME, "Vorname/Nachname/Nom/Prénom/Nom de famille/Nombre/Apellidos/Nome/Sobrenome/Cognome/Voornaam/Imię"),
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
    unknown = [name for name in names.split("/") if recognise(name) is not field]
    assert not unknown


@pytest.mark.parametrize(
    "header",
    [
        "Indirizzo e-mail/Cognome e nome/Ruolo/Gruppi",
        "E-mailadres/Volledige naam/Rol/Groepen",
        "Adres e-mail/Imię i nazwisko/Rola użytkownika/Grupy",
        "E-posta adresi/Ad Soyad/Kullanıcı rolü/Gruplar",
        "E-post/Namn/Roll/Grupper",
        "Sähköposti/Nimi/Rooli/Ryhmät",
        "Электронная почта/ФИО/Роль/Группы",
        "メールアドレス/氏名/ロール/グループ",
        "电子邮件/姓名/角色/组",
        "이메일/이름/역할/그룹",
    ],
)
def test_names_in_other_languages_and_scripts_are_known(header):
    assert list(map(recognise, header.split("/"))) == list(Field)


@pytest.mark.parametrize("name", ["", "Group of names", "Phone", "Recovery Email", "Groups;Role", "Ro,le", "x" * 300])
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
    ("header", "places", "end"),
    [
        (
            ("Email", "Role", "Groups"),
            Places({0: Field.EMAIL, 1: Field.ROLE, 2: Field.GROUPS}),
            3,
        ),
        (("Role", "Email"), Places({1: Field.EMAIL, 0: Field.ROLE}), None),
        (
            ("Name", "Teams", "", "Mail", "Access level"),
            Places({3: Field.EMAIL, 0: Field.NAME, 4: Field.ROLE, 1: Field.GROUPS}),
            None,
        ),
        (
            ("User principal name", "Mail", "Role"),
            Places({1: Field.EMAIL, 2: Field.ROLE}),
            None,
        ),
        (("Login", "Profile"), Places({0: Field.EMAIL, 1: Field.ROLE}), None),
    ],
)
def test_columns_are_matched_in_any_order(header, places, end):
    found = match_columns(header)
    assert found == places
    assert found.end(header) == end


def test_a_missing_or_doubled_column_leaves_the_columns_to_a_person():
    for name in ("no-role-column.csv", "two-role-columns.csv"):
        assert match_columns(table_of(name).header) is None


def test_extra_cells_are_groups_where_groups_is_the_last_column():
    table = table_of("unquoted-groups.csv")
    assert people_of(table) == [
        Cells(2, "ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops, Exam Laptops"),
        Cells(3, "bo@northfield.org", "Remote", "Exam Laptops"),
        Cells(4, "cy@northfield.org", "Remote", "Exam Laptops, Loans"),
    ]
    assert "extra cells of 2 rows were read as groups" in facts_of(table)


def test_an_empty_groups_cell_before_extra_ones_leaves_no_comma():
    table = read(b"Email,Role,Groups\nana@x.org,Analyst,,A,,B\n")
    assert people_of(table) == [Cells(2, "ana@x.org", "Analyst", "A, B")]


def test_columns_without_a_name_are_ignored_and_named_as_a_spreadsheet_does():
    table = table_of("nameless-columns.csv")
    assert people_of(table) == [
        Cells(2, "ana@northfield.org", "Analyst", "A"),
        Cells(3, "bo@northfield.org", "Remote", "B"),
        Cells(4, "cy@northfield.org", "", ""),
    ]
    assert "columns “Column B”, “Phone” and “Column F” ignored" in facts_of(table)


def test_a_column_without_a_name_can_be_chosen():
    table = read(b"Email,,\na@x.org\nb@x.org,Remote,A,B\n")
    chosen = Places({0: Field.EMAIL, 1: Field.ROLE, 2: Field.GROUPS})
    assert people_of(table, chosen) == [Cells(2, "a@x.org", "", ""), Cells(3, "b@x.org", "Remote", "A, B")]


def test_groups_before_another_column_take_no_extra_cells():
    assert Places({0: Field.EMAIL, 2: Field.ROLE, 1: Field.GROUPS}).end(("Email", "Wo", "Was", "")) is None
    assert Places({0: Field.EMAIL, 1: Field.ROLE, 2: Field.GROUPS}).end(("Email", "Was", "Wo", "", "Tel")) is None


def test_a_row_without_an_address_is_kept_to_be_mended():
    table = read(b"Email,Role,Phone\n,,1\nana@x.org,Analyst,2\n")
    assert people_of(table) == [
        Cells(2, "", "", ""),
        Cells(3, "ana@x.org", "Analyst", ""),
    ]


def test_the_rows_of_the_template_are_skipped_whatever_their_case():
    table = table_of("template-left-in.csv")
    assert people_of(table) == [Cells(4, "ana@northfield.org", "Analyst", "")]


def test_a_file_of_nothing_but_examples_is_refused():
    table = read(b"Email,Role\nexample.one@example.com,Remote\n")
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
                "5 cells trimmed",
                "columns “Phone” and “Notes” ignored",
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
                "columns “Column B”, “Phone” and “Column F” ignored",
            ],
        ),
        (
            "google-workspace.csv",
            [
                "comma-separated",
                "UTF-8",
                "columns “First Name [Required]” and “Last Name [Required]” joined as names",
                "column “Recovery Email” ignored",
            ],
        ),
        (
            "microsoft-entra.csv",
            ["comma-separated", "UTF-8", "columns “userPrincipalName” and “userType” ignored"],
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
    table = read_pasted("a@x.org\tAnalyst\n")
    chosen = Places({0: Field.EMAIL, 1: Field.ROLE})
    assert sentences(extract_people(table, chosen)[1]) == [
        "tab-separated",
        "pasted",
        "no header row",
    ]


REGISTRY = Registry(
    [RoleEntry(1, "Analyst", 50), RoleEntry(2, "Remote", 10)], [GroupEntry(1, "Loans"), GroupEntry(2, "Student Devices")]
)


@pytest.mark.parametrize(
    ("text", "uses", "certain"),
    [
        ("Email,,Role\na@x.org,1,Analyst\nb@x.org,1,\nc@x.org,2,Remote\n", {0: "email", 2: "role"}, [0, 2]),
        (
            'Kontakt,Zugang,Wo,Name\na@x.org,analyst,"Loans, Attic",Ana\nb,REMOTE,all  groups,Bo\n',
            {0: "email", 1: "role", 2: "groups", 3: "name"},
            [3],
        ),
        ("Role,Role,Mail\nTeacher,Analyst,a@x.org\n", {1: "role", 2: "email"}, [2]),
        ("Email,Private\n,a@x.org\n", {0: "email"}, [0]),
        ("Email,Loans\na@x.org,x\n", {0: "email", 1: "member"}, [0]),
    ],
)
def test_columns_are_guessed_by_their_names_and_then_by_their_cells(text, uses, certain):
    assert guess_columns(read(text.encode(), header_row=1), REGISTRY) == (uses, certain)


def test_a_pasted_table_without_header_is_told_by_its_cells():
    table = read_pasted("Loans\tAnalyst\ta@x.org\n\tRemote\tb@x.org\n")
    uses, _ = guess_columns(table, REGISTRY)
    chosen = Places(uses)
    assert people_of(table, chosen) == [Cells(1, "a@x.org", "Analyst", "Loans"), Cells(2, "b@x.org", "Remote", "")]


def test_a_separator_without_a_name_is_shown_and_one_of_a_kind_is_singular():
    table = read(b"sep=:\nEmail:Role\n ana@x.org:Analyst\n\nexample.two@example.com:Remote\n")
    assert facts_of(table) == [
        "separated by “:”",
        "UTF-8",
        "1 cell trimmed",
        "1 example row from the template left out",
    ]

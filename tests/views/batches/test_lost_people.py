"""No row of a file, and no person of a list, is lost without a word: over HTTP."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from webapp.db import db
from webapp.models import Batch, BatchFile, BatchState, Row

from tests.factories import make_group, make_invitation
from tests.files.writers import rows_xml, sheet_xml, xlsx
from tests.mail_fixtures import invitation_of
from tests.steps import match_columns, newest_batch, rows_of, selected_use, stage

pytestmark = [pytest.mark.any_database, pytest.mark.slow]

PEOPLE = ["ana@x.org", "ben@x.org", "cy@x.org"]


@pytest.fixture(autouse=True)
def known_groups(app):
    for name in ("Library", "Café", "Lab iPads", "Front Office"):
        make_group(name)


def pasted(client, text: str):
    client.post("/batches", {"pasted": text})
    return newest_batch()


def read_as(client, batch) -> str:
    """What the page says of how the file was read."""
    page = client.get(f"/batches/{batch.id}").page
    assert page.h1.startswith("Review"), page.h1
    return page.text[page.text.index("Read as ") :]


class TestRowsBelowThePeople:
    """Somebody dragged a role, or a default, down the sheet."""

    @pytest.mark.parametrize("rest", [",Analyst,", ",Analyst,Library", ",,FALSE", ",0,0", ",Analyst,0"])
    def test_are_skipped_and_named_and_do_not_count(self, admin, change_settings, rest):
        change_settings(max_rows=3)
        people = "".join(f"{email},Analyst,Library\n" for email in PEOPLE)
        batch = stage(admin, f"Email,Role,Groups\n{people}{(rest + chr(10)) * 500}")
        assert [row.email for row in rows_of(batch)] == PEOPLE
        assert "500 rows without an email below the last person skipped (rows 5 to 504)" in read_as(admin, batch)

    def test_of_a_sheet_with_check_boxes_in_another_column(self, admin):
        lines = [["Email", "Role", "Done"], *[[email, "Analyst", "FALSE"] for email in PEOPLE], *[["", "", "FALSE"]] * 50]
        batch = stage(admin, xlsx({"People": lines}), name="people.xlsx")
        assert len(rows_of(batch)) == 3
        assert "rows 5 to 54" in read_as(admin, batch)

    def test_a_blank_email_between_people_is_an_error_as_ever(self, admin):
        batch = stage(admin, "Email,Role\nana@x.org,Analyst\n,Analyst\nben@x.org,Analyst\n")
        assert [row.plan for row in rows_of(batch)] == ["invite", "attention", "invite"]

    def test_groups_that_go_on_with_the_person_above_stay(self, admin):
        batch = stage(admin, "Email,Role,Groups\nana@x.org,Analyst,Library\n,,Café\n,,Lab iPads\n")
        assert [row.groups for row in rows_of(batch)] == ["Library", "Café", "Lab iPads"]

    def test_somebody_whose_email_was_forgotten_stays(self, admin):
        batch = stage(admin, "Name,Email,Role\nAna,ana@x.org,Analyst\nErin Bar,,Analyst\n,,Analyst\n,,Analyst\n")
        assert [(row.line, row.plan) for row in rows_of(batch)] == [(2, "invite"), (3, "attention")]

    def test_a_file_without_any_email_is_shown_whole(self, admin):
        assert len(rows_of(stage(admin, "Email,Role\n,Analyst\n,Remote\n"))) == 2

    def test_the_columns_page_does_not_count_them_either(self, admin):
        batch = stage(admin, "Email,Job\nana@x.org,Analyst\n" + ",Analyst\n" * 20)
        assert "1 row to review" in admin.get(f"/batches/{batch.id}").page.text


class TestColumnNamesWithASeparatorOfTheirOwn:
    """A comma file, opened in a spreadsheet that separates by something else, and typed into."""

    @pytest.mark.parametrize(
        "file",
        [
            "Email,Role,Groups;;\nana@x.org;Analyst;Library\nben@x.org;Remote;Library, Café\n",
            "Email,Role,Groups\nana@x.org;Analyst;Library\nben@x.org;Remote;Library, Café\n",
            '"Email,Role,Groups";;\nana@x.org;Analyst;Library\nben@x.org;Remote;"Library, Café"\n',
            "Email;Role;Groups\nana@x.org,Analyst,Library\nben@x.org,Remote,Library,Café\n",
            "Email,Role,Groups\t\t\nana@x.org\tAnalyst\tLibrary\nben@x.org\tRemote\tLibrary, Café\n",
            "Staff of 2026;;\nEmail,Role,Groups;;\nana@x.org;Analyst;Library\nben@x.org;Remote;Library, Café\n",
        ],
    )
    def test_each_is_read_by_its_own(self, admin, file):
        batch = stage(admin, file)
        assert [(row.email, row.role, row.groups) for row in rows_of(batch)] == [
            ("ana@x.org", "Analyst", "Library"),
            ("ben@x.org", "Remote", "Library, Café"),
        ]
        assert "-separated" in read_as(admin, batch)

    def test_also_rows_that_were_left_as_they_came(self, admin):
        template = admin.get("/batches/template.csv").data.decode("utf-8-sig").splitlines()
        quoted = ['"' + line.replace('"', '""') + '";;' if '"' in line else f"{line};;" for line in template]
        batch = stage(admin, "\r\n".join([*quoted, "ana@x.org;;Analyst;Café", ""]).encode("cp1252"))
        assert [(row.email, row.groups) for row in rows_of(batch)] == [("ana@x.org", "Café")]
        assert "2 example rows from the template left out" in read_as(admin, batch)

    def test_in_a_workbook_and_pasted(self, admin):
        lines = [["Email,Role,Groups"], ["ana@x.org", "Analyst", "Library"]]
        batch = stage(admin, xlsx({"muster-template": lines}), name="muster-template.xlsx")
        assert [row.groups for row in rows_of(batch)] == ["Library"]
        assert len(rows_of(pasted(admin, "Email,Role,Groups\nana@x.org\tAnalyst\tLibrary\n"))) == 1

    def test_a_comma_file_with_semicolons_in_its_cells_is_one(self, admin):
        batch = stage(admin, "Email,Role,Groups\nana@x.org,Analyst,Library; Café\nben@x.org,Remote,Library;Café\n")
        assert [row.groups for row in rows_of(batch)] == ["Library; Café", "Library;Café"]
        assert "comma-separated" in read_as(admin, batch)
        batch = stage(admin, 'Email,Role,Groups\nana@x.org;,Analyst,Library\nben@x.org,Remote,\n"""cy@x.org""",Remote,\n')
        assert [row.email for row in rows_of(batch)] == ["ana@x.org;", "ben@x.org", '"cy@x.org"']


class TestListsOfAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            "ana@x.org, ben@x.org, cy@x.org",
            "ana@x.org; ben@x.org; Bar, Cy <cy@x.org>",
            "Hart, Ana <ana@x.org>; Doe, Ben (Extern) <ben@x.org>; 'cy@x.org' <cy@x.org>",
            '"Hart, Ana" <ana@x.org>, "Ben" <ben@x.org>,\n Cy <cy@x.org>',
            "Ana Hart <ana@x.org>\nDoe, Ben <ben@x.org>\nBar, Cy <cy@x.org>\n",
            "ana@x.org ben@x.org\ncy@x.org",
            "ana@x.org\tben@x.org\tcy@x.org",
            "<ana@x.org>; <mailto:ben@x.org>; cy@x.org",
            "'ana@x.org';'ben@x.org';'cy@x.org'",
            '"ana@x.org","ben@x.org","cy@x.org"',
        ],
    )
    @pytest.mark.parametrize("send", [pasted, stage])
    def test_are_one_person_each(self, admin, text, send):
        batch = send(admin, text)
        page = admin.get(f"/batches/{batch.id}").page
        assert batch.state is BatchState.MAPPING
        row = page.all("input", type="hidden", name="header_row")[0]["value"]
        assert selected_use(page, 0) == "email"
        match_columns(admin, batch, "email", header_row=row, role="Analyst")
        rows = rows_of(batch)
        assert [row.email_key for row in rows] == PEOPLE
        assert {row.plan for row in rows} == {"invite"}
        assert "a list of 3 addresses, each one person" in read_as(admin, batch)

    def test_the_name_beside_an_address_is_the_persons(self, admin):
        batch = pasted(admin, '"Bar, Erin" <cy@x.org>; Ben Doe <ben@x.org>')
        match_columns(admin, batch, "email", header_row="0", role="Analyst")
        assert [(row.email, row.name) for row in rows_of(batch)] == [("cy@x.org", "Bar, Erin"), ("ben@x.org", "Ben Doe")]

    def test_a_broken_address_costs_nobody_else_their_place(self, admin):
        batch = pasted(admin, 'Ana <ana@x.org>; "Bar, Erin" <cy@x.org>; half@; ben@x.org;\nDoe <doe@x.org>, "No Address" <>')
        match_columns(admin, batch, "email", header_row="0", role="Analyst")
        texts = [row.email for row in rows_of(batch)]
        assert texts == ["ana@x.org", "cy@x.org", "half@", "ben@x.org", "doe@x.org", '"No Address" <>']
        assert [row.plan for row in rows_of(batch)].count("invite") == 4

    @pytest.mark.parametrize(
        "text",
        ["ana@x.org;ben@x.org;Analyst", "ana@x.org,Analyst\nben@x.org,Remote", "Email,Role,Groups\nana@x.org,Analyst,Library"],
    )
    def test_a_table_is_none(self, admin, text):
        assert "list of" not in admin.get(f"/batches/{pasted(admin, text).id}").page.text


class TestSeveralColumnsOfGroups:
    @pytest.mark.parametrize(
        "header",
        [
            "Email,Role,Group 1,Group 2,Group 3",
            "Email,Role,groups,groups,groups",
            "Email,Role,Groups,Additional groups,Other group",
            "Email,Role,Primary group,Secondary Group,Weitere Gruppen",
            "Email,Role,Group,Team,Member of 2",
        ],
    )
    def test_are_joined(self, admin, header):
        batch = stage(admin, f"{header}\nana@x.org,Analyst,Library,Café,\nben@x.org,Remote,,,Lab iPads\n")
        assert batch.state is BatchState.REVIEWING
        assert [row.groups for row in rows_of(batch)] == ["Library, Café", "Lab iPads"]
        assert "joined as groups" in read_as(admin, batch)

    def test_also_as_chosen_and_as_remembered(self, admin):
        file = "Wer,Amt,Wo,Auch\nana@x.org,Analyst,Library,Café\n"
        batch = stage(admin, file)
        match_columns(admin, batch, "email", "role", "groups", "groups", remember="yes")
        assert [row.groups for row in rows_of(batch)] == ["Library, Café"]
        again = stage(admin, file)
        assert [row.groups for row in rows_of(again)] == ["Library, Café"]
        assert [selected_use(admin.get(f"/batches/{again.id}/mapping").page, n) for n in (2, 3)] == ["groups", "groups"]

    def test_a_download_says_each_group_once(self, admin):
        batch = stage(admin, "Email,Role,Group 1,Group 2\nana@x.org,Analyst,Library,Café\n")
        rows = admin.get(f"/batches/{batch.id}/rows.csv").data.decode("utf-8-sig").splitlines()
        assert rows[1].startswith('"ana@x.org","Analyst","Library, Café","Invite",')
        assert [row.groups for row in rows_of(stage(admin, "\n".join(rows)))] == ["Library, Café"]


class TestColumnsOfTicks:
    FILE = "Email,Role,library,Lab iPads,Phone\nana@x.org,Analyst,{0},,1\nben@x.org,Remote,,{0},2\ncy@x.org,Remote,{1},0,3\n"

    @pytest.mark.parametrize(
        ("yes", "no"), [("x", ""), ("X", "-"), ("✓", ""), ("1", "0"), ("yes", "no"), ("TRUE", "FALSE"), ("ja", "nein")]
    )
    def test_are_offered_as_membership(self, admin, yes, no):
        batch = stage(admin, self.FILE.format(yes, no))
        assert batch.state is BatchState.MAPPING
        page = admin.get(f"/batches/{batch.id}").page
        assert "Columns are named like groups" in page.text
        uses = [selected_use(page, place) for place in range(5)]
        assert uses == ["email", "role", "member", "member", "ignore"]
        match_columns(admin, batch, *uses)
        assert [row.groups for row in rows_of(batch)] == ["library", "Lab iPads", ""]
        assert "columns “library” and “Lab iPads” read as ticks for groups" in read_as(admin, batch)

    def test_may_be_ignored_and_that_is_remembered(self, admin):
        batch = stage(admin, self.FILE.format("x", ""))
        match_columns(admin, batch, "email", "role", "ignore", "ignore", "ignore", remember="yes")
        assert [row.groups for row in rows_of(batch)] == ["", "", ""]
        assert stage(admin, self.FILE.format("x", "")).state is BatchState.REVIEWING

    def test_are_remembered_as_chosen(self, admin):
        match_columns(
            admin, stage(admin, self.FILE.format("x", "")), "email", "role", "member", "member", "ignore", remember="yes"
        )
        assert [row.groups for row in rows_of(stage(admin, self.FILE.format("x", "")))] == ["library", "Lab iPads", ""]

    def test_a_tick_that_says_neither_yes_nor_no_waits_for_a_person(self, admin):
        batch = stage(admin, "Email,Role,Library\nana@x.org,Analyst,leader\nben@x.org,Analyst,x\n")
        match_columns(admin, batch, "email", "role", "member")
        assert [(row.groups, row.plan) for row in rows_of(batch)] == [("Library (leader)", "attention"), ("Library", "invite")]

    def test_beside_a_column_of_groups(self, admin):
        batch = stage(admin, "Email,Role,Groups,Café\nana@x.org,Analyst,Library,x\n")
        match_columns(admin, batch, "email", "role", "groups", "member")
        assert [row.groups for row in rows_of(batch)] == ["Library, Café"]

    def test_no_one_is_asked_where_nothing_is_ticked(self, admin):
        assert stage(admin, "Email,Role,Library\nana@x.org,Analyst,\nben@x.org,Analyst,0\n").state is BatchState.REVIEWING


class TestPeopleWhoAreSuspendedOrGone:
    FILE = "Email,Role,Status\nana@x.org,Analyst,Active\nben@x.org,Analyst,Suspended\ncy@x.org,Remote,deleted\n"

    def test_are_told_above_the_counts_and_removed_in_one_step(self, admin):
        batch = stage(admin, self.FILE)
        page = admin.get(f"/batches/{batch.id}").page
        assert "2 rows are of people who are suspended or gone by “Status”" in page.text
        (show,) = page.all("a", id="notice-gone-show")
        found = admin.get(show["href"]).page
        assert "2 of 3 rows" in found.text
        assert "It says “Suspended” and “deleted”." in found.text
        assert found.all("a", id="hint-gone", aria_current="true")
        admin.post(f"/batches/{batch.id}/changes", {"do": "remove", "hint": "gone"}, 200, htmx=True)
        assert [row.email for row in rows_of(batch) if row.removed_at is None] == ["ana@x.org"]
        assert "suspended or gone" not in admin.get(f"/batches/{batch.id}").page.text
        admin.post(f"/batches/{batch.id}/undos", {}, 200, htmx=True)
        assert "2 rows are of people" in admin.get(f"/batches/{batch.id}").page.text

    @pytest.mark.parametrize(
        ("name", "here", "gone"),
        [
            ("Status [READ ONLY]", "Active", "Suspended"),
            ("Account status", "enabled", "Disabled (2024)"),
            ("active", "TRUE", "FALSE"),
            ("accountEnabled", "true", "false"),
            ("Active?", "yes", "no"),
            ("Enabled", "1", "0"),
            ("Archived", "", "2025-07-31"),
            ("is_suspended", "0", "1"),
            ("Left", "", "x"),
            ("state", "NE", "inactive"),
            ("Status", "active", "Not active"),
            ("Status", "active, not suspended", "nicht aktiv"),
            ("Status", "aktiv", "gesperrt"),
            ("Statut", "actif", "désactivé"),
            ("Estado", "Activo", "Suspendido"),
            ("Aktiv", "ja", "nein"),
            ("Status", "not suspended", "suspended"),
            ("Status", "nicht gesperrt", "gesperrt"),
            ("Employment status", "employed", "Left 31.08.2025"),
        ],
    )
    def test_are_known_by_many_names_and_words(self, admin, name, here, gone):
        batch = stage(admin, f"Email,Role,{name}\nana@x.org,Analyst,{here}\nben@x.org,Analyst,{gone}\n")
        assert [row.hint for row in rows_of(batch)] == [None, "gone"]
        assert "1 row is of somebody who is suspended or gone" in admin.get(f"/batches/{batch.id}").page.text

    @pytest.mark.parametrize("column", ["State\nCA\nNE", "Note\ndeleted\nleft", "Phone\n0\n1", "Status\nActive\npending"])
    def test_others_are_not_mistaken_for_them(self, admin, column):
        name, *cells = column.split("\n")
        batch = stage(admin, f"Email,Role,{name}\n" + "".join(f"a{n}@x.org,Analyst,{cell}\n" for n, cell in enumerate(cells)))
        assert [row.hint for row in rows_of(batch)] == [None, None]

    def test_removing_one_by_hand_takes_them_off_the_count(self, admin):
        batch = stage(admin, self.FILE)
        part = admin.post(f"/batches/{batch.id}/rows/{rows_of(batch)[1].id}/removal", {}, 200, htmx=True)
        assert "1 row is of somebody who is suspended or gone" in part.page.text

    def test_a_person_who_only_looks_cannot_remove_them(self, admin, sign_in):
        batch = stage(admin, self.FILE)
        analyst = sign_in("Analyst")
        assert not analyst.get(f"/batches/{batch.id}").page.all("button", id="notice-gone-remove")
        analyst.post(f"/batches/{batch.id}/changes", {"do": "remove", "hint": "gone"}, 403)

    def test_a_kind_that_there_is_not(self, admin):
        admin.post(f"/batches/{stage(admin, self.FILE).id}/changes", {"do": "remove", "hint": "odd"}, 422)


def test_headings_and_footers_between_people_are_told_and_removed_together(admin):
    batch = stage(
        admin, "Email,Role,Groups\nLanguages,,\nana@x.org,Analyst,\nScience and Art,,\nben@x.org,Remote,\nTotal,2,\nerin.b,,\n"
    )
    page = admin.get(f"/batches/{batch.id}").page
    assert "3 rows have text in place of a person" in page.text
    admin.post(f"/batches/{batch.id}/changes", {"do": "remove", "hint": "text"}, 200, htmx=True)
    assert [row.email for row in rows_of(batch) if row.removed_at is None] == ["ana@x.org", "ben@x.org", "erin.b"]


class TestAddressesThatWereReplaced:
    def test_by_edit_email_are_not_a_second_person(self, admin):
        make_invitation("ana.wrogn@northfield.example")
        invitation = invitation_of("ana.wrogn@northfield.example")
        admin.post(f"/invitations/{invitation.id}/email", {"email": "ana.wrong@northfield.example"})
        batch = stage(admin, "Email,Role\nana.wrogn@northfield.example,Analyst\nben@northfield.example,Analyst\n")
        page = admin.get(f"/batches/{batch.id}").page
        assert "1 row has an email that was replaced by another one" in page.text
        assert "Replaced by ana.wrong@northfield.example" in page.text
        (button,) = page.all("button", class_="suggest")
        assert button["value"] == "ana.wrong@northfield.example"
        row = rows_of(batch)[0]
        edit = {"field": "email", "value": button["value"], "seen": row.email}
        part = admin.patch(f"/batches/{batch.id}/rows/{row.id}", edit, htmx=True)
        assert "Replaced by" not in part.page.text
        assert rows_of(batch)[0].plan == "unchanged"
        assert "was replaced" not in admin.get(f"/batches/{batch.id}").page.text

    def test_twice_leads_to_the_newest(self, admin):
        for old, new in (("a@northfield.example", "b@northfield.example"), ("b@northfield.example", "c@northfield.example")):
            if old.startswith("a"):
                make_invitation(old)
            admin.post(f"/invitations/{invitation_of(old).id}/email", {"email": new})
        batch = stage(admin, "Email,Role\na@northfield.example,Analyst\nb@northfield.example,Analyst\n")
        page = admin.get(f"/batches/{batch.id}?hint=replaced").page
        assert [button["value"] for button in page.all("button", class_="suggest")] == ["c@northfield.example"] * 2

    def test_there_and_back_again_is_no_replacement(self, admin):
        make_invitation("a@northfield.example")
        admin.post(f"/invitations/{invitation_of('a@northfield.example').id}/email", {"email": "b@northfield.example"})
        admin.post(f"/invitations/{invitation_of('b@northfield.example').id}/email", {"email": "a@northfield.example"})
        batch = stage(admin, "Email,Role\na@northfield.example,Analyst\n")
        assert "Replaced" not in admin.get(f"/batches/{batch.id}").page.text


class TestColumnsThatMusterDoesNotUse:
    FILE = (
        "Email,Born,Password,Role,Status\nana@x.org,2010-02-03,hunter2secret,Analyst,suspended in June\n"
        "ben@x.org,2011-04-05,tr0ub4dor-x,Remote,active\n"
    )
    FOREIGN = ("2010-02-03", "hunter2secret", "2011-04-05", "tr0ub4dor-x", "suspended in June")

    def kept(self, app) -> list[str]:
        """What of them can be found in the data folder and the database's files, or (on PostgreSQL) in the tables."""
        db.session.rollback()
        folder, database = app.extensions["muster_settings"].data_dir, db.engine.url.database
        files = [*folder.rglob("*"), *Path(database).parent.glob(f"{Path(database).name}*")]
        found = b"".join(path.read_bytes() for path in files if path.is_file())
        columns = Row.read_cells, BatchFile.data, Batch.notices
        cells = str([db.session.scalars(db.select(column)).all() for column in columns])
        db.session.rollback()
        return [text for text in self.FOREIGN if text.encode() in found or text in cells]

    def test_stay_while_a_file_is_under_review_and_no_longer(self, admin, app):
        batch = stage(admin, self.FILE)
        id, version = batch.id, batch.version
        assert self.kept(app) == list(self.FOREIGN)
        admin.post(f"/batches/{id}/confirmation", {"version": version})
        assert self.kept(app) == []
        assert [row.read_cells for row in rows_of(batch)] == [[], []]
        rows = admin.get(f"/batches/{id}/rows.csv").data.decode("utf-8-sig")
        assert '"ana@x.org","Analyst","","","' in rows

    def test_go_with_a_discarded_one(self, admin, app):
        id = stage(admin, self.FILE).id
        assert self.kept(app)
        admin.post(f"/batches/{id}/discard", {})
        assert self.kept(app) == []

    def test_go_from_each_part_of_a_long_file(self, admin, app, change_settings):
        change_settings(max_rows=1)
        file = {"file": (io.BytesIO(self.FILE.encode()), "staff.csv"), "split": "yes"}
        admin.post("/batches", file, content_type="multipart/form-data")
        for id in db.session.scalars(db.select(Batch.id)).all():
            db.session.rollback()  # who reads meanwhile holds up the emptying of SQLite's log
            admin.post(f"/batches/{id}/confirmation", {"version": 1})
        assert self.kept(app) == []

    def test_are_not_shown_where_their_name_says_password(self, admin):
        batch = stage(admin, self.FILE.replace("Role", "Job"))
        page = admin.get(f"/batches/{batch.id}")
        assert "2010-02-03" in page.text
        assert "hunter2" not in page.text
        assert "••••••" in page.text
        assert "hunter2" not in admin.get(f"/batches/{batch.id}/mapping?header_row=0").text
        chosen_for_role = {"header_row": "1", "column-0": "email", "column-2": "role"}
        assert "hunter2" not in admin.get(f"/batches/{batch.id}/mapping", query_string=chosen_for_role).text

    @pytest.mark.parametrize(
        "name", ["Passwort", "Initial password", "PWD", "Mot de passe", "Contraseña", "PIN", "Kennwort 1", "パスワード"]
    )
    def test_whatever_a_password_is_called(self, admin, name):
        batch = stage(admin, f"Email,Job,{name}\nana@x.org,Analyst,hunter2\nben@x.org,Remote,hunter2\n")
        assert "hunter2" not in admin.get(f"/batches/{batch.id}").text

    def test_they_are_not_proposed_as_the_role(self, admin):
        batch = stage(admin, "Email,Password\nana@x.org,hunter2\nben@x.org,hunter2\n")
        assert not admin.get(f"/batches/{batch.id}").page.all("button", id="column-1-use")

    def test_a_secretary_is_no_secret(self, admin):
        batch = stage(admin, "Email,Job,Secretary\nana@x.org,Analyst,Ms Wood\nben@x.org,Remote,Ms Wood\n")
        assert "Ms Wood" in admin.get(f"/batches/{batch.id}").text


def sheet_of(lines: str, after: str = "") -> str:
    """A sheet's XML from ready-made rows."""
    return sheet_xml(lines).replace("</worksheet>", f"{after}</worksheet>")


HEAD = rows_xml([["Email", "Role", "Groups"]])


class TestWhatASheetDoesNotShow:
    def test_formulas_without_a_stored_result_are_shown_as_text(self, admin):
        lines = HEAD + (
            '<row r="2"><c r="A2"><f>LOWER(D2)&amp;"@x.org"</f></c><c r="B2"><f>VLOOKUP(1,A:B,2)</f><v></v></c></row>'
            '<row r="3"><c r="A3"><f>D3</f><v/></c></row>'
            '<row r="4"><c r="A4" t="str"><f>D4</f><v>cy@x.org</v></c><c r="B4" t="inlineStr"><is><t>Analyst</t></is></c></row>'
            '<row r="5"><c r="A5" t="str"><f>IF(D5="","",D5)</f><v></v></c></row>'
        )
        batch = stage(admin, xlsx({"People": sheet_of(lines)}), name="people.xlsx")
        rows = rows_of(batch)
        assert [(row.line, row.plan) for row in rows] == [(2, "attention"), (3, "attention"), (4, "invite")]
        assert rows[0].email == '=LOWER(D2)&"@x.org"'

    def test_hidden_and_filtered_rows_are_told_and_removed_together(self, admin):
        lines = HEAD + rows_xml([["ana@x.org", "Analyst"]], top=2).replace('<row r="2"', '<row r="2" spans="1:3" hidden="1"')
        batch = stage(admin, xlsx({"R&D": sheet_of(lines + rows_xml([["ben@x.org", "Analyst"]], top=3))}), name="people.xlsx")
        assert "1 row of the sheet is hidden or filtered out" in admin.get(f"/batches/{batch.id}").page.text
        admin.post(f"/batches/{batch.id}/changes", {"do": "remove", "hint": "hidden"}, 200, htmx=True)
        assert [row.email for row in rows_of(batch) if row.removed_at is None] == ["ben@x.org"]

    def test_merged_cells_are_told(self, admin):
        lines = HEAD + rows_xml([["ana@x.org", "Analyst", "Library"], ["ben@x.org", "Remote"], ["cy@x.org", "Remote"]], top=2)
        merged = '<mergeCells count="1"><mergeCell ref="C2:C4"/></mergeCells>'
        batch = stage(admin, xlsx({"People": sheet_of(lines, merged)}), name="people.xlsx")
        page = admin.get(f"/batches/{batch.id}").page
        assert "Merged cells: 2 rows below the first are blank there" in page.text
        assert "Only the first row has what stands in such a cell." in admin.get(f"/batches/{batch.id}?hint=merged").page.text
        assert [row.hint for row in rows_of(batch)] == [None, "merged", "merged"]

    def test_ten_thousand_merged_cells_that_reach_to_the_end_cost_no_more_than_one(self, admin):
        """2 kB, and no work for each row of each of them."""
        lines = HEAD + rows_xml([["ana@x.org", "Analyst", "Library"], ["ben@x.org", "Remote"], ["cy@x.org", "Remote"]], top=2)
        merged = "<mergeCells>" + '<mergeCell ref="C3:C1048576"/>' * 10_000 + "</mergeCells>"
        batch = stage(admin, xlsx({"People": sheet_of(lines, merged)}), name="people.xlsx")
        assert [row.hint for row in rows_of(batch)] == [None, None, "merged"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x0bPat Example" + b" " * 43 + b"\x0b\0" + "Pat Example".ljust(54).encode("utf-16-le"),
        b"<html xmlns:x='urn:x'><body><table><tr><td>Email</td></tr></table></body></html>",
        b"\r\n<!-- x --><table border=1><tr><td>Email</td></tr></table>",
    ],
)
def test_what_is_no_workbook_is_refused(admin, data):
    """A lock file, and web pages that are called .xls."""
    file = {"file": (io.BytesIO(data), "~$staff.xlsx")}
    assert "This is not a spreadsheet." in admin.post("/batches", file, 422, content_type="multipart/form-data").page.text

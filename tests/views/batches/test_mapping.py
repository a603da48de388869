"""Matching columns and words, splitting a long file, pasting a table, replacing the file: over HTTP."""

from __future__ import annotations

import io

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import AuditEvent, Batch, BatchFile, BatchState, HeaderMapping, Row
from webapp.services.batches import execute

from tests.factories import make_invitation
from tests.files.writers import xlsx
from tests.steps import match_columns, newest_batch, rows_of, selected_use, stage, upload

pytestmark = pytest.mark.usefixtures("known_groups")

UNKNOWN = (
    "Person,Kennung,Device pools,Staff no.\n"
    "Ana,ana@northfield.example,Student Devices,1\n"
    "Ben,ben@northfield.example,Teacher Laptops,2\n"
)
"""No column is named for the role, and none looks like one."""
HR = "Login name;Job;Pools\nana@northfield.example;Analyst;Student Devices\nben@northfield.example;Remote;\n"
"""The e-mail by a name that only may mean it, the role by its cells."""


def events(action: str) -> list[AuditEvent]:
    return list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)))


@pytest.mark.any_database
class TestAFileWhoseColumnsAreNotRecognised:
    def test_is_no_refusal_but_a_page_at_the_batchs_address(self, admin):
        batch = stage(admin, UNKNOWN)
        assert (batch.state, rows_of(batch)) == (BatchState.MAPPING, [])
        page = admin.get(f"/batches/{batch.id}").page
        assert page.h1 == "Match your columns"
        assert "Tell us which column is which." in page.text
        assert "ana@northfield.example, ben@northfield.example" in page.text

    def test_names_what_is_missing_and_does_not_let_one_go_on(self, admin):
        batch = stage(admin, UNKNOWN)
        page = admin.get(f"/batches/{batch.id}").page
        assert "No column holds the role yet." in page.text
        assert "No column holds the email yet." not in page.text
        assert page.all("button", id="continue", aria_disabled="true")

    def test_a_field_without_a_column_is_named(self, admin):
        batch = stage(admin, "Person,Kennung\nAna,ana@x.org\nBen,ben@x.org\n")
        page = admin.get(f"/batches/{batch.id}").page
        assert page.text.count("No column holds the role yet.") == 1

    def test_guesses_by_the_cells_and_says_that_it_is_a_guess(self, admin):
        batch = stage(admin, HR)
        page = admin.get(f"/batches/{batch.id}").page
        assert [selected_use(page, place) for place in range(3)] == ["email", "role", "groups"]
        assert "Guess" in page.text
        assert not page.all("button", id="continue", aria_disabled="true")

    def test_once_matched_is_under_review_with_whole_lines_kept(self, admin):
        batch = stage(admin, HR)
        to = match_columns(admin, batch, "email", "role", "groups").location
        page = admin.get(to).page
        assert page.h1 == "Review staff.csv"
        assert "columns as you chose" in page.text
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.INVITE]
        assert rows_of(batch)[0].read_cells == ["ana@northfield.example", "Analyst", "Student Devices"]

    def test_a_refused_choice_is_kept_and_says_why(self, admin):
        batch = stage(admin, HR)
        page = match_columns(admin, batch, "ignore", "role", "ignore", status=422).page
        assert [selected_use(page, place) for place in range(3)] == ["ignore", "role", "ignore"]
        assert "One column has to hold the email addresses" in page.text
        assert "No column holds the email yet." in page.text
        assert not [a for a in page.all("input", id="remember") if "checked" in a]
        assert db.session.get(Batch, batch.id).state is BatchState.MAPPING

    def test_two_columns_for_one_field_ask_which_counts(self, admin):
        batch = stage(admin, HR)
        page = match_columns(admin, batch, "email", "role", "role", status=422).page
        assert "One column has to hold the email addresses, and one the roles." in page.text
        assert page.text.count("Which one counts?") == 2

    def test_another_choice_is_drawn_again_and_stands_in_the_address(self, admin):
        batch = stage(admin, HR)
        part = admin.get(f"/batches/{batch.id}/mapping?header_row=1&column-0=email&column-1=ignore&column-2=role", htmx=True)
        assert selected_use(part.page, 2) == "role"
        assert "No column holds" not in part.page.text
        assert "#mapping-bar" in [a["hx-target"] for a in part.page.all("hx-partial")]
        whole = admin.get(f"/batches/{batch.id}/mapping?header_row=1&column-0=email&column-1=ignore&column-2=role")
        assert selected_use(whole.page, 2) == "role"

    def test_doubled_names_lead_there_too(self, admin):
        batch = stage(admin, "Email,Role,Role\nana@northfield.example,x,Analyst\n")
        assert batch.state is BatchState.MAPPING
        assert [selected_use(admin.get(f"/batches/{batch.id}").page, place) for place in (1, 2)] == ["ignore", "role"]

    def test_a_file_without_a_header_has_columns_by_letters(self, admin):
        batch = stage(admin, "ana@northfield.example,Analyst\nben@northfield.example,Remote\n")
        page = admin.get(f"/batches/{batch.id}").page
        assert "Column A" in page.text
        assert not page.all("input", id="remember")
        match_columns(admin, batch, "email", "role", header_row="0")
        assert [(row.line, row.email) for row in rows_of(batch)] == [(1, "ana@northfield.example"), (2, "ben@northfield.example")]

    def test_columns_without_a_name_can_be_chosen_and_are_remembered(self, admin):
        file = "Email,,\nana@northfield.example,Analyst,Student Devices,Teacher Laptops\nben@northfield.example,Remote\n"
        batch = stage(admin, file)
        page = admin.get(f"/batches/{batch.id}").page
        assert "Column B" in page.text
        assert [selected_use(page, place) for place in range(4)] == ["email", "role", "groups", "ignore"]
        match_columns(admin, batch, "email", "role", "groups", "groups", header_row="1", remember="yes")
        assert [row.groups for row in rows_of(batch)] == ["Student Devices, Teacher Laptops", ""]
        assert events("batch.matched")[0].details["columns"]["Role"] == "Column B"
        again = stage(admin, "Email,,\ncy@northfield.example,Remote,Student Devices\n")
        assert [(row.role, row.groups) for row in rows_of(again)] == [("Remote", "Student Devices")]
        short = stage(admin, "Email\ncy@northfield.example\n")
        assert [row.plan for row in rows_of(short)] == [Plan.ATTENTION], "nothing stands in those columns"

    def test_the_header_may_stand_in_another_row(self, admin):
        batch = stage(admin, "Kollegium 2026\nKennung,Amt\nana@northfield.example,Analyst\n")
        page = admin.get(f"/batches/{batch.id}/mapping?header_row=2").page
        assert "Row 2: Kennung, Amt" in page.text
        match_columns(admin, batch, "email", "role", header_row="2")
        assert [(row.line, row.role) for row in rows_of(batch)] == [(3, "Analyst")]

    def test_a_row_that_cannot_be_the_header_is_no_dead_end(self, admin):
        batch = stage(admin, HR)
        page = admin.get(f"/batches/{batch.id}/mapping?header_row=99").page
        assert "Row 99 is blank." in page.text
        assert page.all("select", id="header-row")

    def test_can_be_discarded_from_there(self, admin):
        batch = stage(admin, UNKNOWN)
        assert admin.get(f"/batches/{batch.id}").page.all("a", href=f"/batches/{batch.id}/discard")
        admin.post(f"/batches/{batch.id}/discard")
        assert db.session.get(Batch, batch.id).state is BatchState.DISCARDED
        assert db.session.get(BatchFile, batch.id) is None

    def test_is_listed_among_what_is_unfinished(self, admin):
        stage(admin, UNKNOWN)
        assert "Its columns are to be matched" in admin.get("/").page.text
        listed = admin.get("/batches").page.text
        assert "Columns to match" in listed
        assert "Known once the columns are matched" in listed
        assert "None" not in listed

    def test_who_may_only_look_is_told_and_gets_no_controls(self, admin, sign_in):
        batch = stage(admin, UNKNOWN)
        page = sign_in("Analyst").get(f"/batches/{batch.id}").page
        assert "not matched yet" in page.text
        assert not page.all("select")

    def test_a_cells_markup_stays_text(self, admin):
        batch = stage(admin, "<script>x</script>,b\n<b>x</b>,ana@northfield.example\n")
        assert "<script>x" not in admin.get(f"/batches/{batch.id}").text

    def test_is_audited(self, admin):
        batch = stage(admin, HR)
        match_columns(admin, batch, "email", "role", "groups")
        (event,) = events("batch.matched")
        assert (event.subject_id, event.details["columns"]) == (
            batch.id,
            {"Email": "Login name", "Role": "Job", "Groups": "Pools"},
        )


class TestRemembering:
    def test_the_next_file_with_these_headers_is_read_the_same_and_says_so(self, admin):
        match_columns(admin, stage(admin, HR), "email", "role", "ignore", remember="yes")
        batch = stage(admin, HR.replace("ana@", "zoe@"))
        assert batch.state is BatchState.REVIEWING
        page = admin.get(f"/batches/{batch.id}").page
        assert "columns as remembered for files with these headers" in page.text
        assert page.all("a", id="change-columns")
        assert rows_of(batch)[0].groups == ""

    def test_of_before_there_were_names_the_names_are_read_too_and_it_says_so(self, admin):
        text = "Login name;Job;Name;Note\nana@northfield.example;Analyst;Ana Silva;x\n"
        said = "columns as remembered for files with these headers, and names, which are read now"
        match_columns(admin, stage(admin, text), "email", "role", "ignore", "ignore", remember="yes")
        batch = stage(admin, text)
        assert rows_of(batch)[0].name == "", "that is what was chosen"
        assert said not in admin.get(f"/batches/{batch.id}").page.text
        db.session.scalars(db.select(HeaderMapping)).one().is_before_names = True
        db.session.commit()
        batch = stage(admin, text)
        assert [(row.name, row.role) for row in rows_of(batch)] == [("Ana Silva", "Analyst")]
        assert said in admin.get(f"/batches/{batch.id}").page.text
        match_columns(admin, batch, "email", "role", "ignore", "ignore", remember="yes", version=str(batch.version))
        assert rows_of(stage(admin, text))[0].name == "", "chosen again"

    def test_a_remembered_header_is_found_below_other_lines(self, admin):
        match_columns(admin, stage(admin, HR), "email", "role", "groups", remember="yes")
        batch = stage(admin, "Kollegium;;\n\n" + HR)
        assert [(row.line, row.role) for row in rows_of(batch)] == [(4, "Analyst"), (5, "Remote")]

    def test_unticked_it_is_asked_again(self, admin):
        match_columns(admin, stage(admin, HR), "email", "role", "groups")
        assert stage(admin, HR).state is BatchState.MAPPING

    def test_unticked_later_it_is_forgotten(self, admin):
        match_columns(admin, stage(admin, HR), "email", "role", "groups", remember="yes")
        match_columns(admin, stage(admin, HR), "email", "role", "groups")
        assert db.session.scalars(db.select(HeaderMapping)).all() == []
        assert len(events("columns.remembered")) == len(events("columns.forgotten")) == 1

    def test_chosen_otherwise_the_newer_choice_counts(self, admin):
        match_columns(admin, stage(admin, HR), "email", "role", "groups", remember="yes")
        batch = stage(admin, HR)
        match_columns(admin, batch, "email", "role", "ignore", remember="yes", version=str(batch.version))
        (kept,) = db.session.scalars(db.select(HeaderMapping))
        assert kept.columns == {"0": "email", "1": "role"}


class TestChangingTheColumnsOfWhatIsUnderReview:
    def test_warns_of_the_edits_that_are_lost(self, admin):
        batch = stage(admin)
        assert "loses" not in admin.get(f"/batches/{batch.id}/mapping").page.text
        row = rows_of(batch)[0]
        admin.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        assert "Reading the file again loses 1 edit" in admin.get(f"/batches/{batch.id}/mapping").page.text

    def test_reads_the_file_again(self, admin):
        batch = stage(admin, "Email,Role,Groups,Team\nana@northfield.example,Analyst,Student Devices,Teacher Laptops\n")
        assert [row.groups for row in rows_of(batch)] == ["Student Devices, Teacher Laptops"]
        match_columns(admin, batch, "email", "role", "groups", "ignore")
        before = db.session.get(Batch, batch.id).version
        match_columns(admin, batch, "email", "role", "ignore", "groups", version=str(before))
        assert [row.groups for row in rows_of(batch)] == ["Teacher Laptops"]
        assert db.session.get(Batch, batch.id).counts == {"invite": 1}

    def test_what_somebody_edited_meanwhile_is_not_thrown_away_unseen(self, admin, owner):
        batch = stage(admin)
        seen = batch.version
        row = rows_of(batch)[0]
        owner.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        answer = match_columns(admin, batch, "email", "role", "groups", status=409, version=str(seen))
        assert "Somebody changed this upload in the meantime." in answer.page.text
        assert rows_of(batch)[0].role == "Remote"

    def test_a_page_from_before_cannot_be_confirmed(self, admin):
        batch = stage(admin)
        seen = batch.version
        match_columns(admin, batch, "email", "role", "ignore")
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING
        assert "Nothing was sent." in admin.get(f"/batches/{batch.id}").page.text

    def test_is_too_late_after_the_confirm_which_lets_the_file_go(self, admin):
        batch = stage(admin)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        assert db.session.get(BatchFile, batch.id) is None
        assert admin.get(f"/batches/{batch.id}/mapping", 303).location == f"/batches/{batch.id}"


class TestOneRoleForAllRows:
    """A file, or a paste, of nothing but e-mails."""

    ONLY = "ana@northfield.example\nben@northfield.example\n"

    @pytest.fixture
    def batch(self, admin) -> Batch:
        admin.post("/batches", {"pasted": self.ONLY})
        return newest_batch()

    def test_is_offered_where_no_column_holds_one(self, admin, batch):
        page = admin.get(f"/batches/{batch.id}").page
        assert "Or one role for all rows" in page.text
        assert page.all("button", id="continue", aria_disabled="true")
        answer = admin.get(f"/batches/{batch.id}/mapping?header_row=0&column-0=email&role=Remote", htmx=True)
        assert "Ready. 2 rows to review." in answer.page.text
        assert not answer.page.all("button", id="continue", aria_disabled="true")
        assert not answer.page.all("input", id="remember")

    def test_is_written_into_all_as_one_step(self, admin, batch):
        match_columns(admin, batch, "email", header_row="0", role="Remote")
        assert [(row.role, row.read_role, row.plan) for row in rows_of(batch)] == [("Remote", "", Plan.INVITE)] * 2
        admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
        assert [row.role for row in rows_of(batch)] == ["", ""]

    def test_must_be_one_that_one_may_grant(self, admin, batch):
        for role in ("Owner", "Nobody"):
            match_columns(admin, batch, "email", header_row="0", role=role, status=422)
        match_columns(admin, batch, "email", header_row="0", status=422)
        assert db.session.get(Batch, batch.id).state is BatchState.MAPPING

    def test_is_not_taken_where_a_column_holds_the_roles(self, admin):
        batch = stage(admin, UNKNOWN)
        match_columns(admin, batch, "ignore", "email", "groups", "role", role="Remote")
        assert [row.role for row in rows_of(batch)] == ["1", "2"]

    def test_is_in_every_part_of_a_long_file(self, admin, change_settings):
        change_settings(max_rows=1)
        admin.post("/batches", {"pasted": self.ONLY})
        match_columns(admin, newest_batch(), "email", header_row="0", role="Remote", split="yes")
        assert list(db.session.scalars(db.select(Row.role))) == ["Remote", "Remote"]

    def test_the_file_can_be_replaced(self, admin, batch):
        match_columns(admin, batch, "email", header_row="0", role="Remote")
        more = {"file": (io.BytesIO(f"{self.ONLY}eva@northfield.example\n".encode()), "more.csv")}
        admin.post(f"/batches/{batch.id}/file", more)
        assert sorted((row.email[:3], row.role) for row in rows_of(batch)) == [("ana", "Remote"), ("ben", "Remote"), ("eva", "")]


@pytest.mark.any_database
class TestWorkbooks:
    STAFF = (("Email", "Role"), ("ana@northfield.example", "Analyst"))
    GUESTS = (("Email", "Role"), ("ben@northfield.example", "Remote"), ("eva@northfield.example", "Remote"))
    NOTES = (("To do",), ("Ask Ben",))

    def test_the_only_sheet_with_known_columns_is_read_at_once(self, admin):
        batch = stage(admin, workbook(Notes=self.NOTES, Staff=self.STAFF), name="staff.xlsx")
        assert [row.email for row in rows_of(batch)] == ["ana@northfield.example"]
        assert "sheet “Staff”" in admin.get(f"/batches/{batch.id}").page.text

    def test_where_several_could_be_meant_one_is_asked(self, admin):
        batch = stage(admin, workbook(Staff=self.STAFF, Guests=self.GUESTS), name="staff.xlsx")
        assert batch.state is BatchState.MAPPING
        page = admin.get(f"/batches/{batch.id}").page
        assert "Several sheets could hold your users" in page.text
        assert [a["value"] for tag, a, w in page.tags if tag == "option" and w[-1][1].get("id") == "sheet"] == ["Staff", "Guests"]
        match_columns(admin, batch, "email", "role", sheet="Guests")
        assert [row.email for row in rows_of(batch)] == ["ben@northfield.example", "eva@northfield.example"]

    def test_another_sheet_is_shown_when_it_is_chosen(self, admin):
        batch = stage(admin, workbook(Staff=self.STAFF, Notes=self.NOTES), name="staff.xlsx")
        page = admin.get(f"/batches/{batch.id}/mapping?sheet=Notes").page
        assert "To do" in page.text
        assert "No column holds the email yet." in page.text

    def test_a_sheet_that_is_not_there_is_no_crash(self, admin):
        batch = stage(admin, workbook(Staff=self.STAFF), name="staff.xlsx")
        assert "Choose another one." in admin.get(f"/batches/{batch.id}/mapping?sheet=Nope").page.text
        match_columns(admin, batch, "email", "role", status=422, sheet="Nope")


def workbook(**sheets: tuple[tuple[str, ...], ...]) -> bytes:
    return xlsx(sheets)


class TestTooLong:
    FILE = "Email,Role,Groups\n" + "".join(f"u{i}@x.org,Analyst,\n" for i in range(5))

    @pytest.fixture(autouse=True)
    def limit(self, change_settings):
        change_settings(max_rows=2)

    def split(self, client, text: str | None = None) -> list[Batch]:
        data = {"file": (io.BytesIO((text or self.FILE).encode()), "staff.csv"), "split": "yes"}
        client.post("/batches", data, 303, content_type="multipart/form-data")
        return list(db.session.scalars(db.select(Batch).order_by(Batch.id)))

    def test_is_offered_as_several_uploads_and_nothing_is_stored(self, admin):
        page = upload(admin, self.FILE, status=422).page
        assert "This file has 5 users. The limit is 2 per file. Nothing was sent." in page.text
        assert "Review it as 3 uploads" in page.text
        assert db.session.scalar(db.select(Batch)) is None

    def test_accepted_becomes_parts_of_the_limit_in_order(self, admin):
        parts = self.split(admin)
        assert [part.name for part in parts] == [f"staff.csv, part {n} of 3" for n in (1, 2, 3)]
        assert [[row.line for row in rows_of(part)] for part in parts] == [[2, 3], [4, 5], [6]]
        assert len({part.parts_id for part in parts}) == 1
        assert [event.details["rows"] for event in events("batch.uploaded")] == [2, 2, 1]

    def test_each_links_to_the_others_and_is_not_taken_for_the_same_file(self, admin):
        first, second, third = self.split(admin)
        page = admin.get(f"/batches/{second.id}").page
        assert page.all("a", href=f"/batches/{first.id}")
        assert page.all("a", href=f"/batches/{third.id}")
        assert "in another upload already" not in page.text

    def test_splitting_asks_twice_a_part_who_exists(self, admin, queries):
        counted = []
        for n in (4, 60):
            text = "Email,Role,Groups\n" + "".join(f"v{n}u{i}@x.org,Analyst,\n" for i in range(n))
            queries.clear()
            self.split(admin, text)
            counted.append(len([query for query in queries if not query.startswith("INSERT")]))  # a batch and its event each
        assert counted[1] == counted[0] + 2 * 28, queries

    def test_columns_that_are_to_be_matched_are_asked_first(self, admin):
        long = HR + "eva@northfield.example;Remote;\n"
        batch = stage(admin, long)
        page = match_columns(admin, batch, "email", "role", "groups", status=422).page
        assert "Review it as 2 uploads" in page.text
        match_columns(admin, batch, "email", "role", "groups", split="yes")
        parts = list(db.session.scalars(db.select(Batch).order_by(Batch.id)))
        assert [(part.state, part.size) for part in parts] == [(BatchState.REVIEWING, 2), (BatchState.REVIEWING, 1)]


class TestOneEmailInSeveralParts:
    """Each part is an upload of its own."""

    @pytest.fixture(autouse=True)
    def limit(self, change_settings):
        change_settings(max_rows=2)

    def parts(self, client, *lines: str) -> list[Batch]:
        data = {"file": (io.BytesIO(("Email,Role,Groups\n" + "\n".join(lines) + "\n").encode()), "staff.csv"), "split": "yes"}
        client.post("/batches", data, 303, content_type="multipart/form-data")
        return list(db.session.scalars(db.select(Batch).order_by(Batch.id)))

    def confirm(self, client, part: Batch) -> list[str]:
        """Confirm and work off this part. -> the outcome of each row."""
        page = client.get(f"/batches/{part.id}").page
        client.post(f"/batches/{part.id}/confirmation", {"version": page.values("version")[-1]})
        while execute.run_chunk(part.id, 50):
            pass
        return [row.outcome.value for row in rows_of(part)]

    LINES = ("ana@x.org,Analyst,", "ben@x.org,Analyst,", "ana@x.org,{},")

    @pytest.mark.parametrize("role", ["Analyst", "Remote"])
    def test_each_part_plans_to_invite(self, admin, role):
        parts = self.parts(admin, *(line.format(role) for line in self.LINES))
        assert [[row.plan.value for row in rows_of(part)] for part in parts] == [["invite", "invite"], ["invite"]]

    def test_once_one_has_invited_the_other_finds_nothing_to_change(self, admin):
        first, second = self.parts(admin, *(line.format("Analyst") for line in self.LINES))
        assert self.confirm(admin, first) == ["waiting", "waiting"]
        page = admin.get(f"/batches/{second.id}").page
        assert [row.plan.value for row in rows_of(second)] == ["unchanged"]
        assert "Finish without sending" in page.text

    def test_a_row_that_says_something_else_becomes_an_update(self, admin):
        first, second = self.parts(admin, *(line.format("Remote") for line in self.LINES))
        self.confirm(admin, first)
        admin.get(f"/batches/{second.id}")
        assert [row.plan.value for row in rows_of(second)] == ["update"]

    def test_nobody_is_invited_twice_where_both_are_confirmed_before_either_is_worked_off(self, admin):
        first, second = self.parts(admin, *(line.format("Analyst") for line in self.LINES))
        for part in (first, second):
            admin.post(f"/batches/{part.id}/confirmation", {"version": part.version})
        for part in (first, second):
            while execute.run_chunk(part.id, 50):
                pass
        assert [row.outcome.value for row in rows_of(first)] == ["waiting", "waiting"]
        assert [row.outcome.value for row in rows_of(second)] == ["unchanged"]

    def test_an_edit_costs_the_same_however_many_parts_there_are(self, admin, queries):
        counted = []
        for n in (3, 40):
            part = self.parts(admin, *(f"p{n}u{i}@x.org,Analyst," for i in range(n)))[-1]
            row = rows_of(part)[0]
            data = {"field": "role", "value": "Remote", "seen": row.role}
            queries.clear()
            admin.send("PATCH", f"/batches/{part.id}/rows/{row.id}", None, data=data, htmx=True)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries


@pytest.mark.any_database
class TestPasting:
    def paste(self, client, text: str, status: int = 303, **more):
        return client.post("/batches", {"pasted": text, **more}, status)

    def test_a_table_with_its_header_goes_to_the_review(self, admin):
        to = self.paste(admin, "Email\tRole\tGroups\r\nana@x.org\tAnalyst\tStudent Devices, Teacher Laptops\r\n").location
        page = admin.get(to).page
        assert page.h1 == "Review Pasted table"
        assert "Pasted table" in page.text
        assert rows_of(newest_batch())[0].groups == "Student Devices, Teacher Laptops"

    def test_without_a_header_its_columns_are_guessed_and_asked(self, admin):
        to = self.paste(admin, "ana@x.org\tAnalyst\tStudent Devices\nben@x.org\tRemote\t\n").location
        page = admin.get(to).page
        assert [selected_use(page, place) for place in range(3)] == ["email", "role", "groups"]
        match_columns(admin, newest_batch(), "email", "role", "groups", header_row="0")
        assert [row.email for row in rows_of(newest_batch())] == ["ana@x.org", "ben@x.org"]

    def test_refused_it_keeps_what_was_pasted(self, admin):
        page = self.paste(admin, "Email\tRole\n", 422).page
        assert "There is no email in what was pasted." in page.text
        assert "Email Role" in page.text
        assert "None" not in page.text, "no file was sent"
        assert [a for a in page.all("details", id="paste") if "open" in a]

    def test_nothing_pasted_says_so(self, admin):
        assert "There is no email in what was pasted." in self.paste(admin, " ", 422).page.text

    def test_words_without_an_email_are_refused(self, admin):
        page = self.paste(admin, "hello world", 422).page
        assert "There is no email in what was pasted." in page.text
        assert "hello world" in page.text

    def test_too_long_can_be_split(self, admin, change_settings):
        change_settings(max_rows=2)
        text = "Email\tRole\n" + "".join(f"u{i}@x.org\tAnalyst\n" for i in range(3))
        page = self.paste(admin, text, 422).page
        assert page.all("button", id="split", form="paste-form")
        to = self.paste(admin, text, split="yes").location
        assert newest_batch().name == "Pasted table, part 2 of 2"
        assert "Each part is checked, reviewed and sent on its own." in admin.get(to).page.text


class TestReplacingTheFile:
    OLD = "Email,Role,Groups\nana@x.org,Analsyt,\nben@x.org,Remote,\neva@x.org,Remote,\n"

    def replace(self, client, batch, text: str, status: int = 303, **more):
        data = {"file": (io.BytesIO(text.encode()), "second.csv"), **more}
        return client.post(f"/batches/{batch.id}/file", data, status, content_type="multipart/form-data")

    def edit(self, client, batch, line: int, field: str, value: str):
        row = next(row for row in rows_of(batch) if row.line == line)
        data = {"field": field, "value": value, "seen": row.cell(field)}
        client.send("PATCH", f"/batches/{batch.id}/rows/{row.id}", 200, data=data, htmx=True)

    def test_keeps_the_edits_of_rows_that_are_the_same(self, admin):
        batch = stage(admin, self.OLD)
        self.edit(admin, batch, 2, "role", "Analyst")
        self.replace(admin, batch, "Email,Role,Groups\nzoe@x.org,Remote,\nben@x.org,Remote,\nana@x.org,Analsyt,\n")
        assert [(row.line, row.email, row.role) for row in rows_of(batch)] == [
            (2, "zoe@x.org", "Remote"),
            (3, "ben@x.org", "Remote"),
            (4, "ana@x.org", "Analyst"),
        ]
        batch = db.session.get(Batch, batch.id)
        assert (batch.name, batch.counts) == ("second.csv", {"invite": 3})

    def test_a_removed_row_stays_removed(self, admin):
        batch = stage(admin, self.OLD)
        row = rows_of(batch)[1]
        admin.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        self.replace(admin, batch, self.OLD)
        assert [row.line for row in rows_of(batch) if row.removed_at] == [3]
        assert db.session.get(Batch, batch.id).counts == {"invite": 1, "attention": 1, "problem:role": 1}

    def test_says_first_what_would_be_lost(self, admin):
        batch = stage(admin, self.OLD)
        self.edit(admin, batch, 2, "role", "Analyst")
        self.edit(admin, batch, 3, "role", "Analyst")
        self.edit(admin, batch, 4, "role", "Analyst")
        new = "Email,Role,Groups\nana@x.org,Analsyt,\n"
        page = self.replace(admin, batch, new, 422).page
        assert "Replacing the file loses 2 of your 3 edits." in page.text
        assert len(rows_of(batch)) == 3
        self.replace(admin, batch, new, lose="yes")
        assert [(row.email, row.role) for row in rows_of(batch)] == [("ana@x.org", "Analyst")]

    def test_a_row_added_by_hand_stays_below_the_others(self, admin):
        batch = stage(admin, self.OLD)
        admin.post(f"/batches/{batch.id}/rows", status=200, htmx=True)
        self.edit_any(admin, batch, 5, "email", "hand@x.org")
        self.replace(admin, batch, self.OLD + "last@x.org,Remote,\n")
        assert [(row.line, row.email) for row in rows_of(batch)][-2:] == [(5, "last@x.org"), (6, "hand@x.org")]

    def edit_any(self, client, batch, line: int, field: str, value: str):
        row = next(row for row in rows_of(batch) if row.line == line)
        data = {"field": field, "value": value, "seen": row.cell(field)}
        client.send("PATCH", f"/batches/{batch.id}/rows/{row.id}", None, data=data, htmx=True)

    def test_what_was_kept_can_still_be_undone(self, admin):
        batch = stage(admin, self.OLD)
        self.edit(admin, batch, 2, "role", "Analyst")
        self.replace(admin, batch, "Email,Role,Groups\nben@x.org,Remote,\nana@x.org,Analsyt,\n")
        admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True)
        assert [(row.line, row.role) for row in rows_of(batch)] == [(2, "Remote"), (3, "Analsyt")]

    def test_columns_that_were_matched_are_matched_the_same(self, admin):
        batch = stage(admin, HR)
        match_columns(admin, batch, "email", "role", "ignore")
        self.replace(admin, batch, HR + "eva@northfield.example;Remote;Teacher Laptops\n")
        assert [row.groups for row in rows_of(batch)] == ["", "", ""]

    def test_unknown_columns_change_nothing(self, admin):
        batch = stage(admin, self.OLD)
        assert "not recognised" in self.replace(admin, batch, UNKNOWN, 422).page.text
        assert len(rows_of(batch)) == 3

    def test_a_page_from_before_cannot_be_confirmed(self, admin):
        batch = stage(admin, FILE)
        seen = batch.version
        self.replace(admin, batch, FILE.replace("ben@", "zoe@"))
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

    def test_is_audited(self, admin):
        batch = stage(admin, self.OLD)
        self.replace(admin, batch, self.OLD)
        (event,) = events("batch.file_replaced")
        assert (event.subject, event.details["before"], event.details["lost_edits"]) == ("second.csv", "staff.csv", 0)


FILE = "Email,Role,Groups\nana@x.org,Analyst,\nben@x.org,Remote,\n"


def test_an_invitation_made_meanwhile_is_seen_after_matching(admin):
    batch = stage(admin, HR)
    make_invitation("ana@northfield.example", groups=("Student Devices",))
    match_columns(admin, batch, "email", "role", "groups")
    assert [row.plan for row in rows_of(batch)] == [Plan.UNCHANGED, Plan.INVITE]


def test_a_paste_is_still_called_one_after_its_columns_were_matched(admin):
    admin.post("/batches", {"pasted": "Kennung\tJob\nana@x.org\tAnalyst\n"})
    batch = newest_batch()
    match_columns(admin, batch, "email", "role")
    assert "Read as tab-separated, pasted" in admin.get(f"/batches/{batch.id}").page.text


def test_the_number_of_rows_follows_the_header_that_is_chosen(admin):
    batch = stage(admin, UNKNOWN)
    answer = admin.get(f"/batches/{batch.id}/mapping?header_row=0", htmx=True)
    assert "#mapping-rows" in [partial["hx-target"] for partial in answer.page.all("hx-partial")]

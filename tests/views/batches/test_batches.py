"""Uploads over HTTP: from a file to the queue."""

from __future__ import annotations

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.jobs import outbox
from webapp.models import AuditEvent, Batch, BatchState, Invitation, InvitationState, Outcome
from webapp.services.batches import execute
from webapp.services.directory import groups
from webapp.services.mail import claim

from tests.factories import make_batch, make_invitation, make_user
from tests.mail_fixtures import hold_up
from tests.steps import FILE, carry_out, rows_of, stage, upload

pytestmark = pytest.mark.usefixtures("known_groups")


class TestUpload:
    def test_leads_to_the_review_at_an_address_of_its_own(self, admin):
        to = upload(admin).location
        page = admin.get(to).page
        assert page.h1 == "Review staff.csv"
        assert "Nothing has been sent" in page.text
        assert "Create 2 invitations" in page.text

    def test_says_how_the_file_was_read(self, admin):
        text = "Email;Role;Phone\nana@x.org;Analyst;1\n"
        page = admin.get(upload(admin, text).location).page
        assert "semicolon-separated" in page.text
        assert "column “Phone” ignored" in page.text

    def test_answers_the_script_with_where_to_go(self, admin):
        answer = upload(admin, status=201, htmx=True)
        assert answer.location.startswith("/batches/")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "This file is empty"),
            (b"Email,Role\n", "This file is empty"),
            (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "not a spreadsheet"),
            (b'Email,Role\n"ana@x.org,Analyst\n', "quote"),
        ],
    )
    @pytest.mark.parametrize("htmx", [True, False])
    def test_refused_says_why_in_the_dialog_and_stages_nothing(self, admin, text, said, htmx):
        answer = upload(admin, text, status=422, htmx=htmx)
        assert said in answer.page.text
        assert answer.page.all("form", id="bulk-panel")
        assert db.session.scalar(db.select(db.func.count(Batch.id))) == 0

    def test_without_a_file_says_so(self, admin):
        assert "No file was chosen" in admin.post("/batches", {}, 422).page.text

    def test_too_many_rows_are_not_cut_silently(self, admin, change_settings):
        change_settings(max_rows=1)
        page = upload(admin, status=422).page
        assert "This file has 2 users. The limit is 1 per file." in page.text

    def test_the_same_file_twice_says_so_and_may_go_on(self, admin):
        first = upload(admin).location
        page = admin.get(upload(admin).location).page
        assert "This very file is in another upload already" in page.text
        assert page.all("a", href=first)

    def test_a_cells_markup_stays_text(self, admin):
        page = admin.get(upload(admin, 'Email,Role,Groups\n<b>x</b>@x.org,<script>,"<img src=x>"\n').location)
        assert "<script>alert" not in page.text
        assert "<b>x" not in page.text

    def test_is_audited(self, admin):
        batch = stage(admin)
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "batch.uploaded")).one()
        assert (event.subject, event.subject_id, event.actor_id) == ("staff.csv", batch.id, admin.user.id)


class TestTemplate:
    def test_is_made_from_this_portals_roles_and_groups(self, admin):
        answer = admin.get("/batches/template.csv")
        text = answer.data.decode("utf-8-sig")
        assert text.startswith('"Email","Name","Role","Groups"')
        assert "Student Devices" in text
        assert "Owner" not in text

    def test_left_unchanged_and_uploaded_is_empty(self, admin):
        template = admin.get("/batches/template.csv").data
        assert "example" in upload(admin, template, status=422).page.text


class TestReview:
    def test_counts_are_filters(self, admin):
        make_user("Ben Vogel", email="ben@northfield.example", role_name="Remote")
        batch = stage(admin, FILE + "bad,Analyst,\n")
        page = admin.get(f"/batches/{batch.id}?plan=attention").page
        assert [a for a in page.all("a", aria_current="true") if "plan=attention" in a["href"]]
        assert page.values("value") == ["bad", ""]
        assert batch.counts == {"invite": 1, "unchanged": 1, "existing": 1, "attention": 1, "problem:email": 1}

    def test_a_filter_without_rows_says_so(self, admin):
        batch = stage(admin)
        assert "No row is like that now" in admin.get(f"/batches/{batch.id}?plan=duplicate").page.text

    def test_shows_old_and_new_for_people_who_exist(self, admin):
        make_user("Ana Ruiz", email="ana@northfield.example", groups=("Teacher Laptops",))
        page = admin.get(upload(admin).location).page
        assert "Added: Student Devices" in page.text
        assert "Removed: Teacher Laptops" in page.text

    def test_the_number_of_queries_does_not_grow_with_the_rows(self, admin, queries, change_settings):
        change_settings(max_rows=1000)
        counted = []
        for n in (2, 90):
            lines = "".join(f"u{i}@northfield.example,Analyst,Student Devices\n" for i in range(n))
            to = upload(admin, "Email,Role,Groups\n" + lines).location
            queries.clear()
            admin.get(to)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries

    def test_staging_takes_as_many_queries_for_many_rows(self, admin, queries, change_settings):
        change_settings(max_rows=1000)
        counted = []
        for n in (2, 500):
            lines = "".join(f"u{i}@northfield.example,Analyst,Student Devices\n" for i in range(n))
            queries.clear()
            upload(admin, "Email,Role,Groups\n" + lines)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries

    def test_pages_of_a_hundred(self, admin, change_settings):
        change_settings(max_rows=1000)
        lines = "".join(f"u{i}@northfield.example,Analyst,\n" for i in range(150))
        to = upload(admin, "Email,Role,Groups\n" + lines).location
        assert "1–100 of 150" in admin.get(to).page.text
        assert "101–150 of 150" in admin.get(to + "?page=2").page.text

    def test_when_the_directory_has_moved_the_page_shows_it_at_once_and_stores_it_afterwards(self, admin):
        batch = stage(admin)
        make_invitation("ana@northfield.example", groups=("Student Devices",))
        groups.add_groups(["Exam Laptops"], admin.user)  # any change moves the directory
        assert db.session.get(Batch, batch.id).counts == {"invite": 2}
        page = admin.get(f"/batches/{batch.id}").page
        assert "Create 1 invitation" in page.text
        assert db.session.get(Batch, batch.id).counts == {"invite": 1, "unchanged": 1, "existing": 1}

    def test_a_get_of_fresh_plans_writes_nothing(self, admin, queries):
        batch = stage(admin)
        admin.get(f"/batches/{batch.id}")
        queries.clear()
        admin.get(f"/batches/{batch.id}")
        assert not [q for q in queries if q.startswith(("UPDATE", "INSERT", "DELETE"))], queries


class TestOptions:
    def test_the_mode_is_applied_at_once(self, admin):
        make_user("Ana Ruiz", email="ana@northfield.example", groups=("Teacher Laptops",))
        batch = stage(admin)
        answer = admin.patch(f"/batches/{batch.id}", {"mode": "add"}, htmx=True)
        assert "Added: Student Devices" in answer.page.text
        assert "Removed:" not in answer.page.text

    def test_roles_of_existing_users_change_only_where_ticked(self, admin):
        make_user("Ben Vogel", email="ben@northfield.example", role_name="Analyst")
        batch = stage(admin)
        assert "Stays Analyst" in admin.get(f"/batches/{batch.id}").page.text
        admin.patch(f"/batches/{batch.id}", {"change_roles": "true"}, htmx=True)
        assert rows_of(batch)[1].plan is Plan.UPDATE

    def test_skipping_lets_the_rest_be_sent(self, admin):
        batch = stage(admin, FILE + "bad,Analyst,\n")
        assert "Create 2 invitations" in admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True).page.text
        admin.post(f"/batches/{batch.id}/confirmation", {"version": db.session.get(Batch, batch.id).version})
        assert db.session.get(Batch, batch.id).state is BatchState.QUEUED

    def test_an_unknown_mode_changes_nothing(self, admin):
        batch = stage(admin)
        admin.patch(f"/batches/{batch.id}", {"mode": "explode"}, 422, htmx=True)
        assert db.session.get(Batch, batch.id).mode == "replace"


class TestConfirm:
    def test_queues_once_however_often_it_is_pressed(self, admin):
        batch = stage(admin)
        first = admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        second = admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        assert first.location == second.location == f"/batches/{batch.id}"
        assert "confirmed already" in admin.get(second.location).page.text
        events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "batch.confirmed")).all()
        assert len(events) == 1

    def test_is_refused_while_rows_need_attention(self, admin):
        batch = stage(admin, FILE + "bad,Analyst,\n")
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        assert "1 row needs attention" in admin.get(f"/batches/{batch.id}").page.text
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

    def test_what_another_admin_edited_meanwhile_is_told_first(self, admin, owner):
        batch = stage(admin)
        seen = batch.version
        row = rows_of(batch)[0]
        owner.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        page = admin.get(f"/batches/{batch.id}").page
        assert "Maren Okafor changed Role in row 2." in page.text
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

    def test_ones_own_edit_a_moment_ago_is_no_obstacle(self, admin):
        batch = stage(admin)
        seen = batch.version
        row = rows_of(batch)[0]
        admin.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        assert db.session.get(Batch, batch.id).state is BatchState.QUEUED

    def test_a_directory_that_moved_under_a_row_is_shown_first(self, admin):
        batch = stage(admin)
        make_invitation("ana@northfield.example", role_name="Remote")
        groups.add_groups(["Exam Laptops"], admin.user)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        assert "has changed in 1 row (2)" in admin.get(f"/batches/{batch.id}").page.text
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

    def test_nobody_below_confirms_what_the_owner_prepared(self, owner, admin):
        make_user("Xaver Holm", "Admin", email="ana@northfield.example")
        batch = stage(owner, "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\n")
        owner.patch(f"/batches/{batch.id}", {"change_roles": "true"}, htmx=True)
        make_user("Zoe Lind", "Analyst", email="zoe@northfield.example")
        assert db.session.get(Batch, batch.id).counts == {"update": 1, "existing": 1, "differing": 1}

    def test_finishing_without_sending(self, admin):
        make_user("Ana Ruiz", email="ana@northfield.example", groups=("Student Devices",))
        batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\n")
        assert "Finish without sending" in admin.get(f"/batches/{batch.id}").page.text
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        while execute.run_chunk(batch.id, 50):
            pass
        batch = db.session.get(Batch, batch.id)
        assert batch.state is BatchState.FINISHED
        assert "Nothing had to be sent" in admin.get(f"/batches/{batch.id}").page.text


class TestAfterConfirm:
    def confirmed(self, client, text: str = FILE) -> Batch:
        batch = stage(client, text)
        client.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        return db.session.get(Batch, batch.id)

    def test_without_a_queue_the_page_says_that_it_waits(self, admin):
        batch = self.confirmed(admin)
        assert "Waiting for the queue" in admin.get(f"/batches/{batch.id}").page.text

    def test_while_the_mail_server_is_away_no_time_is_guessed(self, admin):
        batch = self.confirmed(admin)
        execute.run_chunk(batch.id, 1)
        claim.claim("w1")
        hold_up("w1", {"code": "unreachable", "server": "The mail server", "cause": "connection refused"})
        text = admin.get(f"/batches/{batch.id}").page.text
        assert "waiting for the mail server" in text
        assert " left" not in text

    def test_pause_resume_cancel(self, admin):
        batch = self.confirmed(admin)
        admin.post(f"/batches/{batch.id}/pause")
        assert execute.run_chunk(batch.id, 1) is False
        for page in (admin.get(f"/batches/{batch.id}").page, admin.get(f"/batches/{batch.id}/progress", htmx=True).page):
            assert page.h1 == "Sending is paused"
            assert "Nothing more goes out until someone chooses Resume." in page.text
            assert "goes on" not in page.text
        admin.post(f"/batches/{batch.id}/resumption")
        assert execute.run_chunk(batch.id, 1) is True
        admin.post(f"/batches/{batch.id}/cancellation")
        outcomes = [row.outcome for row in rows_of(batch)]
        assert outcomes == [Outcome.SKIPPED, Outcome.SKIPPED]
        assert [row.why for row in rows_of(batch)] == ["Cancelled before its email went", "Cancelled before it was done"]
        assert db.session.scalars(db.select(Invitation)).one().state is InvitationState.REVOKED
        page = admin.get(f"/batches/{batch.id}").page
        assert page.h1 == "staff.csv"
        assert "Cancelled, today at" in page.text
        assert "Cancelled before it was done" in page.text

    def test_the_progress_part_is_polled_and_ends_with_the_batch(self, admin):
        batch = self.confirmed(admin)
        part = admin.get(f"/batches/{batch.id}/progress", htmx=True)
        assert part.page.all("div", hx_trigger="every 2s")
        admin.post(f"/batches/{batch.id}/cancellation")
        done = admin.get(f"/batches/{batch.id}/progress", htmx=True)
        assert done.headers["HX-Refresh"] == "true"

    def test_an_edit_or_a_discard_that_comes_too_late_leads_to_the_page_that_tells(self, admin):
        batch = self.confirmed(admin)
        row = rows_of(batch)[0]
        edit = {"field": "email", "value": "x@x.org", "seen": "ana@northfield.example"}
        assert admin.patch(f"/batches/{batch.id}/rows/{row.id}", edit, htmx=True).location == f"/batches/{batch.id}"
        assert admin.post(f"/batches/{batch.id}/discard").location == f"/batches/{batch.id}"
        assert "already confirmed by Devika Raman" in admin.get(f"/batches/{batch.id}").page.text
        assert rows_of(batch)[0].email == "ana@northfield.example"

    def test_pausing_what_is_over_is_no_error(self, admin):
        batch = self.confirmed(admin)
        admin.post(f"/batches/{batch.id}/cancellation")
        admin.post(f"/batches/{batch.id}/pause")
        assert "cancelled already" in admin.get(f"/batches/{batch.id}").page.text

    def test_the_report_totals_add_up_and_download_escapes_formulas(self, admin):
        batch = stage(admin, FILE + "=cmd@x.org,Nope,\n")
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": db.session.get(Batch, batch.id).version})
        while execute.run_chunk(batch.id, 50):
            pass
        answer = admin.get(f"/batches/{batch.id}/report.csv")
        text = answer.data.decode("utf-8-sig")
        assert "'=cmd@x.org" in text
        assert text.count("\n") == 4
        assert "attachment; filename=staff-results.csv" in answer.headers["Content-Disposition"]
        skipped = admin.get(f"/batches/{batch.id}/report.csv?outcome=skipped")
        assert "filename=staff-skipped.csv" in skipped.headers["Content-Disposition"]

    def test_the_title_of_the_tab_counts_on_with_the_page(self, admin):
        batch = stage(admin)
        carry_out(admin, batch)
        outbox.send()
        answer = admin.get(f"/batches/{batch.id}/joined", htmx=True)
        assert "<title>staff.csv: 0 of 2 joined · Muster</title>" in answer.text


class TestDiscard:
    def test_deletes_the_rows_and_says_that_nothing_was_sent(self, admin):
        batch = stage(admin)
        admin.post(f"/batches/{batch.id}/discard")
        assert rows_of(batch) == []
        assert "was discarded. Nothing was sent" in admin.get("/batches").page.text
        assert "This upload was discarded" in admin.get(f"/batches/{batch.id}").page.h1


class TestList:
    def test_shows_all_with_who_when_and_counts(self, admin):
        stage(admin)
        page = admin.get("/batches").page
        assert "staff.csv" in page.text
        assert "2 rows: 2 invitations" in page.text
        assert "0 updates" not in page.text
        assert "by Devika Raman" in page.text

    def test_an_empty_one_says_what_to_do(self, admin):
        assert "No uploads yet" in admin.get("/batches").page.text

    def test_queries_do_not_grow(self, admin, queries):
        counted = []
        for n in (1, 12):
            for _ in range(n):
                make_batch(admin.user)
            queries.clear()
            admin.get("/batches")
            counted.append(len(queries))
        assert counted[0] == counted[1], queries


def test_a_batch_that_is_not_there(admin):
    assert "There is no such upload" in admin.get("/batches/999", 404).page.text


def test_create_group_makes_the_rows_that_wait_for_it_good(admin):
    batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,Chess Club\n")
    assert "Create group" in admin.get(f"/batches/{batch.id}").page.text
    admin.post(f"/batches/{batch.id}/groups", {"name": "Chess Club"})
    assert "Create 1 invitation" in admin.get(f"/batches/{batch.id}").page.text
    assert db.session.scalar(db.select(db.func.count(Invitation.id))) == 0

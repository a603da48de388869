"""The question before sending: what it says, and that only who gives their password makes somebody an Admin."""

from __future__ import annotations

import pytest
from webapp.core.errors import RuleViolationError
from webapp.core.security.passwords import hash_password
from webapp.db import db
from webapp.models import AuditEvent, Batch, BatchState
from webapp.services.batches import confirmation
from webapp.services.directory import roles

from tests.client import Page
from tests.factories import PASSWORD, make_user
from tests.steps import rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

PEOPLE = "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Remote,\n"
ADMINS = PEOPLE + "dev@northfield.example,Admin,\n"


def state_of(batch) -> BatchState:
    return db.session.get(Batch, batch.id).state


def confirm(client, batch, status=303, **form):
    return client.post(f"/batches/{batch.id}/confirmation", {"version": batch.version, **form}, status)


@pytest.mark.any_database
def test_a_form_that_does_not_say_which_review_was_looked_at_sends_nothing(admin):
    batch = stage(admin, PEOPLE)
    for form in ({}, *({"version": version} for version in ("", "0", "-1", "1e3", "1.0", "0x1", "one", "9" * 30))):
        admin.post(f"/batches/{batch.id}/confirmation", form)
        assert "has changed since this page was loaded" in admin.get(f"/batches/{batch.id}").page.text
        assert state_of(batch) is BatchState.REVIEWING
    admin.get(f"/batches/{batch.id}")
    confirm(admin, batch)
    assert state_of(batch) is BatchState.QUEUED


def question(client, batch, version: int | None = None) -> Page:
    """What the dialog asks. version: the one that the page shows; without it, the present one."""
    shown = version or db.session.get(Batch, batch.id).version
    return client.get(f"/batches/{batch.id}/confirmation?version={shown}", htmx=True).page


class TestQuestion:
    def test_stands_in_the_page_with_all_that_matters(self, admin):
        make_user("Ben Vogel", email="ben@northfield.example", role_name="Remote", groups=("Student Devices",))
        text = (
            ADMINS + "ana@northfield.example,Analyst,Student Devices\nbad,Analyst,\nben2@northfield.example,Remote,All groups\n"
        )
        batch = stage(admin, text.replace("ben@northfield.example,Remote,", "ben@northfield.example,Remote,All groups"))
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true", "mode": "add", "change_roles": "true"}, htmx=True)
        admin.patch(f"/batches/{batch.id}/letter", {"valid_days": "3", "message": "See you on Monday."}, htmx=True)
        assert admin.get(f"/batches/{batch.id}").page.all("dialog", id="confirm")
        page = question(admin, batch)
        for said in (
            "Create 3 invitations and update 1?",
            "3 people get wide access dev@northfield.example Admin ben2@northfield.example All groups ben@northfield.example",
            "Left out 1 duplicate Skipped 1 row",
            "Links work for 3 days, until",
            "Personal message Yes",
            "Links handed over Stay good. Updates send no email.",
            "Your password because 1 becomes Admin",
        ):
            assert said in page.text

    def test_names_new_administrators_first_and_then_by_name(self, admin, owner):
        roles.save(None, "Warden", "", 53, ["users:manage"], owner.user)
        head = (
            "Email,Name,Role,Groups\na@northfield.example,Zoe Adams,Warden,\nb@northfield.example,Abe Young,Remote,All groups\n"
        )
        names = ("Eve", "Dan", "Cleo", "Ben", "")
        admins = [f"{9 - n}@northfield.example,{name},Admin,\n" for n, name in enumerate(names)]
        text = question(admin, stage(admin, head + "".join(admins))).text
        assert "7 people get wide access 5@northfield.example Admin B Ben 6@northfield.example Admin C Cleo" in text
        assert "E Eve 9@northfield.example Admin and 2 more" in text
        assert "Your password because 6 become administrators" in text

    def test_is_a_page_without_the_script(self, admin):
        batch = stage(admin)
        (form,) = admin.get(f"/batches/{batch.id}").page.all("form", id="confirmation")
        assert (form["method"], form["action"]) == ("get", f"/batches/{batch.id}/confirmation")
        page = admin.get(form["action"]).page
        assert page.h1 == "Before it is done"
        assert "Create 2 invitations?" in page.text
        assert page.values("version") == [str(batch.version)]
        assert not page.values("password")

    def test_of_a_batch_that_is_confirmed_leads_to_its_page(self, admin):
        batch = stage(admin)
        confirm(admin, batch)
        assert admin.get(f"/batches/{batch.id}/confirmation", 303).location == f"/batches/{batch.id}"

    def test_is_kept_true_by_every_edit(self, admin):
        batch = stage(admin)
        row = rows_of(batch)[0]
        edit = {"field": "role", "value": "Admin", "seen": "Analyst"}
        admin.patch(f"/batches/{batch.id}/rows/{row.id}", edit, htmx=True)
        page = question(admin, batch)
        assert "because 1 becomes Admin" in page.text
        assert page.all("input", id="confirm-password")
        assert page.values("version") == [str(db.session.get(Batch, batch.id).version)]
        admin.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        page = question(admin, batch)
        assert "Create 1 invitation?" in page.text
        assert not page.all("input", id="confirm-password")

    def test_is_about_what_the_page_showed_and_not_what_came_since(self, admin, owner):
        batch = stage(admin)
        row, shown = rows_of(batch)[0], batch.version
        owner.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        page = question(admin, batch, shown)
        assert page.values("version") == [str(shown)]
        confirm(admin, batch, version=page.values("version")[0])
        assert "changed Role in row 2." in admin.get(f"/batches/{batch.id}").page.text
        assert state_of(batch) is BatchState.REVIEWING

    def test_without_the_script_too(self, admin, owner):
        batch = stage(admin)
        page = admin.get(f"/batches/{batch.id}").page
        (seen,) = page.values("version")
        assert page.all("input", id="shown", form="confirmation")
        row = rows_of(batch)[0]
        owner.patch(f"/batches/{batch.id}/rows/{row.id}", {"field": "role", "value": "Remote", "seen": "Analyst"}, htmx=True)
        assert admin.get(f"/batches/{batch.id}/confirmation?version={seen}").page.values("version") == [seen]

    def test_says_while_rows_need_attention_that_nothing_can_be_sent(self, admin):
        batch = stage(admin, PEOPLE + "bad,Analyst,\n")
        assert "1 row needs attention" in admin.get(f"/batches/{batch.id}/confirmation").page.text

    def test_is_not_for_who_may_only_look(self, admin, sign_in):
        batch = stage(admin)
        looking = sign_in("Analyst")
        assert not looking.get(f"/batches/{batch.id}").page.all("dialog", id="confirm")
        looking.get(f"/batches/{batch.id}/confirmation", 403)


class TestPassword:
    def test_is_asked_only_where_somebody_becomes_admin(self, admin):
        batch = stage(admin)
        assert not question(admin, batch).all("input", name="password")
        confirm(admin, batch)
        assert state_of(batch) is BatchState.QUEUED

    def test_of_who_confirms_lets_it_go(self, admin):
        batch = stage(admin, ADMINS)
        assert question(admin, batch).all("input", name="password")
        confirm(admin, batch, password=PASSWORD)
        assert state_of(batch) is BatchState.QUEUED

    @pytest.mark.parametrize("form", [{}, {"password": ""}, {"proven": "1"}])
    def test_missing_queues_nothing_whatever_the_page_did(self, admin, form):
        batch = stage(admin, ADMINS)
        page = confirm(admin, batch, 422, **form).page
        assert "Type your password: somebody becomes an administrator." in page.text
        assert state_of(batch) is BatchState.REVIEWING

    @pytest.mark.parametrize("htmx", [True, False])
    def test_wrong_is_told_in_the_question_and_queues_nothing(self, admin, htmx):
        batch = stage(admin, ADMINS)
        form = {"version": batch.version, "password": "not my password"}
        answer = admin.post(f"/batches/{batch.id}/confirmation", form, 422, htmx=htmx)
        (field,) = answer.page.all("input", name="password")
        assert "This is not your password. Nothing was sent." in answer.page.text
        assert (field["aria-invalid"], field.get("value")) == ("true", None)
        assert answer.page.whole is not htmx
        assert state_of(batch) is BatchState.REVIEWING

    def test_wrong_is_counted_in_the_audit_log_without_the_password(self, admin):
        batch = stage(admin, ADMINS)
        confirm(admin, batch, 422, password="not my password")
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "password.refused")).one()
        assert (event.actor_id, event.address) == (admin.user.id, admin.peer)
        assert "not my password" not in f"{event.subject}{event.details}"

    def test_of_somebody_else_does_not_count(self, admin, owner):

        maren = owner.user
        maren.password_hash = hash_password("another one altogether")
        db.session.commit()
        batch = stage(admin, ADMINS)
        confirm(admin, batch, 422, password="another one altogether")
        confirm(admin, batch, password=PASSWORD)

    @pytest.mark.slow
    def test_tries_are_limited_as_at_the_sign_in(self, admin):
        batch = stage(admin, ADMINS)
        for n in range(10):
            confirm(admin, batch, 422, password=f"wrong {n}")
        page = confirm(admin, batch, 429, password=PASSWORD).page
        assert "Too many tries. Try again in 15 minutes." in page.text
        assert state_of(batch) is BatchState.REVIEWING

    @pytest.mark.slow
    def test_right_ones_do_not_count_as_tries(self, admin):
        for _ in range(11):
            batch = stage(admin, ADMINS)
            admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version, "password": PASSWORD})
            assert state_of(batch) is BatchState.QUEUED

    def test_of_an_admin_who_is_there_already_nobody_asks(self, admin):
        make_user("Dev Raman", "Admin", email="dev@northfield.example")
        batch = stage(admin, ADMINS)
        assert "admin" not in batch.counts
        confirm(admin, batch)
        assert state_of(batch) is BatchState.QUEUED

    def test_is_asked_by_the_command_itself(self, admin):
        batch = stage(admin, ADMINS)
        with pytest.raises(RuleViolationError):
            confirmation.confirm(batch.id, batch.version, admin.user)
        assert confirmation.confirm(batch.id, batch.version, admin.user, proven=True)

    def test_an_edit_in_another_tab_that_makes_an_admin_is_asked_about(self, admin):
        batch = stage(admin)
        seen = batch.version
        edit = {"field": "role", "value": "Admin", "seen": "Analyst"}
        admin.patch(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}", edit, htmx=True)
        answer = admin.post(f"/batches/{batch.id}/confirmation", {"version": seen}, 422, htmx=True)
        assert "because 1 becomes Admin" in answer.page.text
        assert answer.page.all("input", name="password")

    def test_what_somebody_else_changed_is_told_even_so(self, admin, owner):
        batch = stage(admin, ADMINS)
        seen = batch.version
        owner.patch(f"/batches/{batch.id}/letter", {"valid_days": "3", "message": ""}, htmx=True)
        confirm(admin, batch, version=seen, password=PASSWORD)
        assert "Maren Okafor changed how long the links work." in admin.get(f"/batches/{batch.id}").page.text
        assert state_of(batch) is BatchState.REVIEWING


def test_confirming_twice_is_one_confirm_also_with_a_password(admin):
    batch = stage(admin, ADMINS)
    confirm(admin, batch, password=PASSWORD)
    second = confirm(admin, batch, password=PASSWORD)
    assert "confirmed already" in admin.get(second.location).page.text
    asked = admin.get(f"/batches/{batch.id}/confirmation", status=303)
    assert "confirmed already" in admin.get(asked.location).page.text, "nor is it asked again"

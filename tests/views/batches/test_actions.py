"""Actions on many people: staged, reviewed as a dry run, confirmed, reported."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.core.errors import ForbiddenError, NotFoundError, RuleViolationError
from webapp.core.plan.actions import Action, Do
from webapp.db import db, utcnow
from webapp.jobs import batches as job
from webapp.models import (
    AuditEvent,
    Batch,
    BatchKind,
    BatchState,
    Invitation,
    InvitationState,
    Message,
    Row,
    Session,
    User,
    UserState,
)
from webapp.services.batches import actions
from webapp.services.mail import claim, results

from tests.factories import PASSWORD, make_group, make_invitation, make_persona, make_user, role
from tests.mail_fixtures import finish
from tests.steps import begin_action, carry_out, confirm, outcomes_of, refs, rows_of


def audited() -> list[str]:
    return list(db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)))


@pytest.fixture
def ana(app):
    return make_user("Ana Ruiz", "Analyst", ("Student Devices",), email="ana@northfield.example")


@pytest.fixture
def ben(app):
    return make_user("Ben Okri", "Remote", email="ben@northfield.example")


class TestTheReview:
    def test_says_what_will_happen_before_anything_does(self, admin, ana, ben):
        gone = make_user("Cleo Park", email="cleo@northfield.example", state=UserState.DEACTIVATED)
        batch = begin_action(admin, "deactivate", ana, ben, gone, make_invitation(), admin.user)
        assert (batch.kind, batch.state, batch.name) == (BatchKind.ACTION, BatchState.REVIEWING, "Deactivate 5 people")
        page = admin.get(f"/batches/{batch.id}").page
        assert "Deactivate 2 people. 1 is so already. 2 cannot be changed." in page.text
        assert "You cannot deactivate yourself." in page.text
        assert "Not a user yet: an invitation is revoked instead." in page.text
        assert db.session.get(User, ana.id).state is UserState.ACTIVE

    def test_shows_old_access_beside_the_new(self, admin, ana):
        group = make_group("Teacher Laptops")
        batch = begin_action(admin, "add_groups", ana, groups=[str(group.id)])
        page = admin.get(f"/batches/{batch.id}").page
        assert "Add “Teacher Laptops” to 1 person." in page.text
        assert "Student Devices Added: Teacher Laptops" in page.text
        other = begin_action(admin, "set_role", ana, role=role("Remote").id)
        assert "Remote was Analyst" in admin.get(f"/batches/{other.id}").page.text

    def test_its_counts_are_filters(self, admin, ana, ben):
        batch = begin_action(admin, "revoke", ana, make_invitation())
        everybody = admin.get(f"/batches/{batch.id}").page.text
        assert "ana@northfield.example" in everybody
        assert "Not an invitation." in everybody
        left = admin.get(f"/batches/{batch.id}?plan=update").page.text
        assert "ines.carvalho@northfield.example" in left
        assert "ana@northfield.example" not in left
        assert "No one matches here" in admin.get(f"/batches/{batch.id}?plan=unchanged").page.text

    def test_finds_people_by_what_is_typed(self, admin, ana, ben):
        batch = begin_action(admin, "deactivate", ana, ben)
        page = admin.get(f"/batches/{batch.id}?q=ana").page.text
        assert "ana@northfield.example" in page
        assert "ben@northfield.example" not in page

    def test_somebody_can_be_left_out_and_put_back(self, admin, ana, ben):
        batch = begin_action(admin, "deactivate", ana, ben)
        row = rows_of(batch)[0]
        path = f"/batches/{batch.id}/rows/{row.id}"
        assert admin.get(f"/batches/{batch.id}").page.all("form", action=f"{path}/removal")
        answer = admin.post(f"{path}/removal", status=200, htmx=True)
        assert answer.page.all("form", action=f"{path}/restoration")
        assert "Deactivate 1 person" in answer.page.text
        assert "1 Left out" in answer.page.text
        assert "Removed" not in answer.page.text
        assert answer.page.all("hx-partial", hx_target="h1")
        assert db.session.get(Batch, batch.id).name == "Deactivate 1 person"
        page = admin.get(f"/batches/{batch.id}?plan=attention").page
        assert page.h1 == "Deactivate 1 person"
        assert page.all("button", aria_label="Put ana@northfield.example back")
        assert admin.get(f"/batches/{batch.id}").page.all("button", aria_label="Leave out ben@northfield.example")
        version = db.session.get(Batch, batch.id).version
        again = admin.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        assert "Deactivate 1 person" in again.page.text
        assert db.session.get(Batch, batch.id).version == version, "left out already: no new step"
        answer = admin.post(f"/batches/{batch.id}/rows/{row.id}/restoration", status=200, htmx=True)
        assert "Deactivate 2 people" in answer.page.text
        admin.post(f"/batches/{batch.id}/rows/{row.id}/removal")
        carry_out(admin, db.session.get(Batch, batch.id))
        assert db.session.get(User, ana.id).state is UserState.ACTIVE
        assert db.session.get(User, ben.id).state is UserState.DEACTIVATED

    def test_everybody_whom_the_filter_finds(self, admin, ana, ben):
        for n in range(40):
            make_user(f"Remote {n}", "Remote", email=f"r{n}@northfield.example")
        to = admin.post(f"/actions?role={role('Remote').id}", {"do": "deactivate", "all": "1"}).location
        batch = db.session.get(Batch, int(to.rpartition("/")[2]))
        assert batch.counts == {"update": 41}

    def test_its_rows_cannot_be_edited(self, admin, ana):
        batch = begin_action(admin, "deactivate", ana)
        row = rows_of(batch)[0]
        answer = admin.patch(
            f"/batches/{batch.id}/rows/{row.id}", {"field": "email", "value": "x@y.org", "seen": row.email}, status=409, htmx=True
        )
        assert "cannot be edited" in answer.text
        admin.patch(f"/batches/{batch.id}", {"mode": "add"}, status=409, htmx=True)
        admin.post(f"/batches/{batch.id}/rows", status=409, htmx=True)

    def test_pages_of_uploads_never_break_on_it(self, admin, ana):
        batch = begin_action(admin, "deactivate", ana)
        pages = ("letter", "mapping", "file", "fixes", "replacements", "steps", "lines/1", "rows.csv", "report.csv")
        for path in (*pages, f"rows/{rows_of(batch)[0].id}"):
            assert admin.get(f"/batches/{batch.id}/{path}", status=None).status < 500, path

    def test_the_download_has_their_access(self, admin, ana):
        batch = begin_action(admin, "set_role", ana, role=role("Remote").id)
        assert '"ana@northfield.example","Remote","Student Devices","Update"' in admin.get(f"/batches/{batch.id}/rows.csv").text

    def test_discarded_nothing_was_done(self, admin, ana):
        batch = begin_action(admin, "deactivate", ana)
        admin.post(f"/batches/{batch.id}/discard")
        assert "This action was discarded" in admin.get(f"/batches/{batch.id}").page.text
        assert db.session.get(User, ana.id).state is UserState.ACTIVE

    def test_as_many_queries_for_fifty_as_for_two(self, admin, ana, ben, queries):
        few = begin_action(admin, "deactivate", ana, ben)
        many = begin_action(
            admin, "deactivate", *(make_user(f"U {n}", "Remote", ("A", "B"), email=f"u{n}@x.org") for n in range(50))
        )
        two, fifty = few.id, many.id
        for path in ("", "?plan=update", "?q=@"):
            queries.clear()
            admin.get(f"/batches/{two}{path}")
            wanted = len(queries)
            queries.clear()
            admin.get(f"/batches/{fifty}{path}")
            assert len(queries) == wanted, queries


class TestWhoMay:
    def test_nobody_acts_on_somebody_above_them_nor_on_the_owner(self, admin, ana, sign_in):
        owner = make_persona("Owner")
        batch = begin_action(admin, "set_groups", owner, ana)
        page = admin.get(f"/batches/{batch.id}").page.text
        assert "The Owner cannot be changed." in page
        assert batch.counts["update"] == 1

    @pytest.mark.parametrize("who", ["Investigator", "Analyst", "Remote"])
    def test_who_may_not_invite_begins_nothing(self, sign_in, who, ana):
        sign_in(who).post("/actions", {"do": "deactivate", "people": refs(ana)}, status=403)

    def test_who_may_invite_but_not_manage_people_only_resends_and_revokes(self, admin, ana):
        admin.user.role.permissions = ["users:see", "batches:see", "invitations:make"]
        db.session.commit()
        admin.post("/actions", {"do": "deactivate", "people": refs(ana)}, status=403)
        assert begin_action(admin, "revoke", make_invitation()).counts == {"update": 1}

    def test_who_confirms_must_be_allowed_what_it_does(self, owner, admin, ana):
        batch = begin_action(owner, "deactivate", ana)
        admin.user.role.permissions = ["users:see", "batches:see", "invitations:make"]
        db.session.commit()
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version}, status=403)
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

    def test_who_makes_an_admin_gives_the_password(self, admin, ana):
        batch = begin_action(admin, "set_role", ana, role=role("Admin").id)
        page = admin.get(f"/batches/{batch.id}").page
        assert "Ana Ruiz becomes Admin." in page.text
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version}, status=422)
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING
        assert carry_out(admin, batch, password=PASSWORD).state is BatchState.FINISHED
        assert db.session.get(User, ana.id).role.name == "Admin"


class TestOddRequests:
    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({}, "Choose what to do to these people."),
            ({"do": "promote", "people": "user-1"}, "Choose what to do to these people."),
            ({"do": "deactivate"}, "No one was chosen."),
            ({"do": "deactivate", "people": ""}, "No one was chosen."),
            ({"do": "deactivate", "people": "user-x"}, "No one was chosen."),
            ({"do": "deactivate", "people": "user-99999"}, "No one was chosen."),
            ({"do": "set_role", "people": "user-1"}, "Choose a role."),
            ({"do": "set_role", "role": "x", "people": "user-1"}, "Choose a role."),
            ({"do": "set_role", "role": "9999", "people": "user-1"}, "This role or group is not there any more."),
            ({"do": "add_groups", "people": "user-1"}, "Choose at least one group."),
            ({"do": "add_groups", "groups": ["9999"], "people": "user-1"}, "This role or group is not there any more."),
            ({"do": "add_groups", "groups": ["x"], "people": "user-1"}, "This role or group is not there any more."),
            ({"do": "set_groups", "groups": ["all", "1"], "people": "user-1"}, "Choose All groups, or single groups."),
        ],
    )
    def test_get_a_sentence(self, admin, form, said):
        assert said in admin.post("/actions", form, status=422).page.text
        assert db.session.scalars(db.select(Batch)).all() == []


class TestCarriedOut:
    def test_deactivating_ends_all_sessions(self, admin, sign_in, ana, ben):
        browser = sign_in(ana)
        browser.get("/")
        batch = carry_out(admin, begin_action(admin, "deactivate", ana, ben))
        assert batch.state is BatchState.FINISHED
        assert outcomes_of(batch) == {"ana": ("updated", "Deactivated"), "ben": ("updated", "Deactivated")}
        assert db.session.scalars(db.select(Session).where(Session.user_id == ana.id)).all() == []
        browser.get("/", status=303)
        event = db.session.scalars(
            db.select(AuditEvent).where(AuditEvent.action == "user.deactivated").order_by(AuditEvent.id)
        ).first()
        assert (event.subject, event.details["after"], event.details["sessions_ended"]) == (
            ana.email,
            {"state": "deactivated"},
            1,
        )
        page = admin.get(f"/batches/{batch.id}").page
        assert page.h1 == "Deactivate 2 people"
        assert "2 deactivated, today at" in page.text

    def test_reactivating(self, admin):
        gone = make_user("Cleo Park", email="cleo@northfield.example", state=UserState.DEACTIVATED)
        carry_out(admin, begin_action(admin, "reactivate", gone))
        assert db.session.get(User, gone.id).state is UserState.ACTIVE

    def test_resending_extends_the_time_and_keeps_the_link(self, admin):
        open_one, expired = make_invitation(), make_invitation("li@northfield.example", expires_in=timedelta(days=-2))
        hashes = open_one.token_hash, expired.token_hash
        batch = carry_out(admin, begin_action(admin, "resend", open_one, expired))
        assert [row.outcome.value for row in rows_of(batch)] == ["waiting", "waiting"]
        assert len(db.session.scalars(db.select(Message)).all()) == 2
        for invitation, old in zip((open_one, expired), hashes, strict=True):
            found = db.session.get(Invitation, invitation.id)
            assert found.token_hash == old
            assert found.expires_at > utcnow() + timedelta(days=6)

    def test_two_tabs_that_resend_to_the_same_people_send_once(self, admin):
        invitation = make_invitation()
        one, other = begin_action(admin, "resend", invitation), begin_action(admin, "resend", invitation)
        assert confirm(admin, one).state is BatchState.QUEUED
        assert confirm(admin, other).state is BatchState.QUEUED
        for batch in (one, other):
            job.process(batch.id)
        assert len(db.session.scalars(db.select(Message)).all()) == 1
        assert outcomes_of(other) == {"ines.carvalho": ("skipped", "Sent again since the review")}

    def test_resending_obeys_the_limit_of_three_an_hour(self, admin):
        invitation = make_invitation()
        for _ in range(4):
            actions.do_now("invitation", invitation.id, Action(Do.RESEND), admin.user)
        page = admin.get(f"/batches/{begin_action(admin, 'resend', invitation).id}").page.text
        assert "This invitation was sent 3 times again within an hour." in page
        with pytest.raises(RuleViolationError):
            actions.do_now("invitation", invitation.id, Action(Do.RESEND), admin.user)

    def test_revoking_takes_back_what_has_not_gone(self, admin):
        invitation = make_invitation()
        carry_out(admin, begin_action(admin, "resend", invitation))
        batch = carry_out(admin, begin_action(admin, "revoke", invitation))
        assert outcomes_of(batch) == {"ines.carvalho": ("updated", "Invitation revoked")}
        assert db.session.get(Invitation, invitation.id).state is InvitationState.REVOKED
        assert [m.state.value for m in db.session.scalars(db.select(Message))] == ["cancelled"]
        assert [row.why for row in db.session.scalars(db.select(Row).where(Row.batch_id != batch.id))] == [
            "The invitation was revoked before its email went"
        ]

    def test_who_changed_since_the_review_is_skipped_and_offered_again(self, admin, owner, ana, ben):
        batch = begin_action(admin, "set_role", ana, ben, role=role("Broadcaster").id)
        confirm(admin, batch)
        actions.do_now("user", ana.id, Action(Do.SET_ROLE, role=role("Investigator").id), owner.user)
        actions.do_now("user", ben.id, Action(Do.SET_ROLE, role=role("Broadcaster").id), owner.user)
        job.process(batch.id)
        assert outcomes_of(batch) == {"ana": ("skipped", "Changed since the review"), "ben": ("unchanged", "Already so")}
        to = admin.post(f"/batches/{batch.id}/changed-rows").location
        again = db.session.get(Batch, int(to.rpartition("/")[2]))
        assert (again.kind, again.counts) == (BatchKind.ACTION, {"update": 1})
        assert carry_out(admin, again).state is BatchState.FINISHED
        assert db.session.get(User, ana.id).role.name == "Broadcaster"

    def test_a_change_before_confirming_is_told_and_nothing_is_done(self, admin, owner, ana, ben):
        batch = begin_action(admin, "set_role", ana, ben, role=role("Broadcaster").id)
        actions.do_now("user", ana.id, Action(Do.SET_ROLE, role=role("Broadcaster").id), owner.user)
        assert confirm(admin, batch).state is BatchState.REVIEWING
        page = admin.get(f"/batches/{batch.id}").page.text
        assert "Nothing was done. What would happen has changed in 1 row (1)" in page
        assert "Change the role of 1 person to Broadcaster. 1 is so already." in page

    def test_nobody_left_to_do_it_to_is_not_confirmed(self, admin, ana):
        batch = begin_action(admin, "revoke", ana)
        assert confirm(admin, batch).state is BatchState.REVIEWING
        assert "No one is left for it" in admin.get(f"/batches/{batch.id}").page.text

    def test_who_confirmed_and_was_demoted_does_nothing_any_more(self, admin, owner, ana):
        batch = begin_action(admin, "deactivate", ana)
        confirm(admin, batch)
        actions.do_now("user", admin.user.id, Action(Do.SET_ROLE, role=role("Analyst").id), owner.user)
        job.process(batch.id)
        assert outcomes_of(batch) == {"ana": ("skipped", "Devika Raman may no longer do this")}

    def test_confirming_twice_is_one(self, admin, ana):
        batch = begin_action(admin, "deactivate", ana)
        confirm(admin, batch)
        to = admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version}).location
        assert "This action was confirmed already; it is done once." in admin.get(to).page.text

    def test_progress_pause_and_cancel_speak_of_an_action(self, admin, ana, ben):
        batch = confirm(admin, begin_action(admin, "deactivate", ana, ben))
        page = admin.get(f"/batches/{batch.id}").page
        assert page.h1 == "Deactivate 2 people"
        admin.post(f"/batches/{batch.id}/pause")
        admin.post(f"/batches/{batch.id}/resumption")
        admin.post(f"/batches/{batch.id}/cancellation")
        assert "This action is cancelled already" in admin.get(admin.post(f"/batches/{batch.id}/pause").location).page.text
        assert db.session.get(User, ana.id).state is UserState.ACTIVE
        assert (
            '"Row","Email","Name","Role","Groups","Outcome","Reason","Joined"'
            in admin.get(f"/batches/{batch.id}/report.csv").text
        )

    def test_the_list_of_uploads_shows_it_by_its_kind(self, admin, ana):
        begin_action(admin, "deactivate", ana)
        assert "Deactivate 1 person Action" in admin.get("/batches").page.text
        assert "Deactivate 1 person" in admin.get("/batches?kind=action").page.text
        assert "Deactivate 1 person" not in admin.get("/batches?kind=upload").page.text
        assert "There are none of these yet" in admin.get("/batches?kind=revert").page.text

    def test_everything_is_audited(self, admin, ana):
        carry_out(admin, begin_action(admin, "deactivate", ana))
        assert [a for a in audited() if a.startswith(("batch", "user"))] == [
            "batch.staged", "batch.confirmed", "user.deactivated", "batch.finished",
        ]  # fmt: skip


class TestOnePerson:
    def test_is_the_same_step_and_answers_with_a_sentence(self, admin, ana):
        do = lambda action: actions.do_now("user", ana.id, action, admin.user)  # noqa: E731
        assert do(Action(Do.SET_ROLE, role=role("Remote").id)) == "Ana Ruiz is Remote now."
        assert do(Action(Do.SET_GROUPS, everything=True)) == "The groups of Ana Ruiz were changed."
        assert do(Action(Do.DEACTIVATE)) == "Ana Ruiz was deactivated, and is signed out everywhere."
        assert do(Action(Do.DEACTIVATE)) == "Nothing to change for Ana Ruiz."
        with pytest.raises(RuleViolationError, match="Reactivate it first"):
            do(Action(Do.SET_GROUPS))
        assert do(Action(Do.REACTIVATE)) == "Ana Ruiz can sign in again."
        assert [a for a in audited() if a.startswith("user")] == [
            "user.changed", "user.changed", "user.deactivated", "user.reactivated",
        ]  # fmt: skip

    def test_an_invitation(self, admin):
        invitation = make_invitation()
        said = actions.do_now("invitation", invitation.id, Action(Do.REVOKE), admin.user)
        assert said == "The invitation to ines.carvalho@northfield.example was revoked. Its link no longer works."
        with pytest.raises(RuleViolationError, match="This invitation was revoked"):
            actions.do_now("invitation", invitation.id, Action(Do.RESEND), admin.user)

    def test_what_may_not_be_is_refused(self, admin, sign_in, ana):
        owner = make_persona("Owner")
        with pytest.raises(RuleViolationError, match="The Owner cannot be changed"):
            actions.do_now("user", owner.id, Action(Do.DEACTIVATE), admin.user)
        with pytest.raises(RuleViolationError, match="You cannot change your own role"):
            actions.do_now("user", admin.user.id, Action(Do.SET_ROLE, role=role("Analyst").id), admin.user)
        with pytest.raises(RuleViolationError, match="Owner cannot be assigned"):
            actions.do_now("user", ana.id, Action(Do.SET_ROLE, role=role("Owner").id), owner)
        with pytest.raises(ForbiddenError):
            actions.do_now("user", ana.id, Action(Do.DEACTIVATE), make_persona("Investigator"))
        with pytest.raises(NotFoundError):
            actions.do_now("user", 99999, Action(Do.DEACTIVATE), admin.user)


class TestRetryingAResend:
    def test_touches_only_those_that_failed(self, admin):
        gone, refused = make_invitation("gone@northfield.example"), make_invitation("refused@northfield.example")
        batch = carry_out(admin, begin_action(admin, "resend", gone, refused))
        for id in claim.claim("worker"):
            message = db.session.get(Message, id)
            if message.invitation_id == refused.id:
                finish(results.record_failed(id, "worker", {"code": "refused", "words": "550 No such user"}))
            else:
                finish(results.record_sent(id, "worker", {"code": "accepted", "words": "250 OK"}))
        assert outcomes_of(batch) == {
            "gone": ("invited", ""),
            "refused": ("failed", "Refused by the mail server (550 No such user)"),
        }
        assert "Retry failed" in admin.get(f"/batches/{batch.id}").page.text
        to = admin.post(f"/batches/{batch.id}/retries").location
        assert "1 email queued again." in admin.get(to).page.text
        assert outcomes_of(batch) == {"gone": ("invited", ""), "refused": ("waiting", "")}
        (again,) = claim.claim("worker")
        assert db.session.get(Message, again).invitation_id == refused.id
        finish(results.record_sent(again, "worker", {"code": "accepted", "words": "250 OK"}))
        assert outcomes_of(batch)["refused"] == ("invited", "")
        assert db.session.get(Batch, batch.id).state is BatchState.FINISHED
        assert len(db.session.scalars(db.select(Message)).all()) == 2

    def test_sends_nothing_once_the_invitation_is_revoked(self, admin):
        refused = make_invitation("refused@northfield.example")
        batch = carry_out(admin, begin_action(admin, "resend", refused))
        (id,) = claim.claim("worker")
        finish(results.record_failed(id, "worker", {"code": "refused", "words": "550 No such user"}))
        actions.do_now("invitation", refused.id, Action(Do.REVOKE), admin.user)
        page = admin.get(f"/batches/{batch.id}").page
        assert "This person got nothing." in page.text
        said = admin.get(admin.post(f"/batches/{batch.id}/retries").location).page.text
        assert "Nothing can be retried: those invitations are closed" in said

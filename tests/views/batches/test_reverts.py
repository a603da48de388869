"""Reverting what a finished upload or action did: a dry run, then a batch like any other."""

from __future__ import annotations

import re

import pytest
from webapp.core.plan.actions import Action, Do
from webapp.db import db
from webapp.jobs import batches as job
from webapp.jobs import outbox as outbox_job
from webapp.models import AuditEvent, Batch, BatchKind, BatchState, Invitation, InvitationState, Session, User, UserState
from webapp.models.directory import user_groups
from webapp.services.batches import actions, execute
from webapp.services.directory import lookup
from webapp.services.invitations import invitations

from tests.factories import make_group, make_invitation, make_user, role, token_of
from tests.steps import begin_action, carry_out, confirm, outcomes_of, rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

DATE = r"\d+ \w+ \d{4}, \d\d:\d\d"
NEW = "ines@northfield.example"


@pytest.fixture
def ana(app):
    return make_user("Ana Ruiz", "Analyst", ("Student Devices",), email="ana@northfield.example")


def uploaded(client, people: str, **options) -> Batch:
    """A finished upload; its e-mails are written as files."""
    batch = stage(client, "Email,Role,Groups\n" + people)
    if options:
        client.patch(f"/batches/{batch.id}", options, htmx=True)
    confirm(client, batch)
    job.process(batch.id)
    outbox_job.send()
    batch = db.session.get(Batch, batch.id)
    assert batch.state is BatchState.FINISHED
    return batch


def revert(client, batch: Batch) -> Batch:
    """The batch under review that would take it back."""
    to = client.post(f"/batches/{batch.id}/reversal").location
    return db.session.get(Batch, int(to.rpartition("/")[2]))


def plans(batch: Batch) -> dict[str, tuple[str, str]]:
    return {r.email.partition("@")[0]: (r.plan.value, r.problem) for r in rows_of(batch)}


def now(ana: User) -> tuple[str, set[str]]:
    db.session.rollback()
    found = db.session.get(User, ana.id)
    return found.role.name, {group.name for group in found.groups}


class TestTheDryRun:
    def test_says_what_would_be_taken_back_and_does_nothing(self, admin, ana):
        batch = uploaded(admin, f"{NEW},Analyst,\nana@northfield.example,Analyst,Teacher Laptops\n")
        assert "Revert" in admin.get(f"/batches/{batch.id}").page.text
        undo = revert(admin, batch)
        assert (undo.kind, undo.state, undo.name, undo.reverts_id) == (
            BatchKind.REVERT, BatchState.REVIEWING, "Revert of “staff.csv”", batch.id,
        )  # fmt: skip
        page = admin.get(f"/batches/{undo.id}").page
        assert "Revoke 1 invitation, restore 1 person." in page.text
        assert "Added: Student Devices Removed: Teacher Laptops" in page.text
        assert now(ana) == ("Analyst", {"Teacher Laptops"})
        assert [i.state for i in db.session.scalars(db.select(Invitation))] == [InvitationState.PENDING]

    def test_there_is_one_at_a_time(self, admin, ana):
        batch = uploaded(admin, f"{NEW},Analyst,\n")
        undo = revert(admin, batch)
        assert revert(admin, batch).id == undo.id
        page = admin.get(f"/batches/{batch.id}").page
        assert "A revert of this upload is under review." in page.text
        assert not page.all("button", id="revert")
        admin.post(f"/batches/{undo.id}/discard")
        assert revert(admin, batch).id != undo.id

    def test_is_not_offered_where_nothing_can_be_taken_back(self, admin, ana, sign_in):
        same = uploaded(admin, "ana@northfield.example,Analyst,Student Devices\n")
        assert not admin.get(f"/batches/{same.id}").page.all("button", id="revert")
        admin.post(f"/batches/{same.id}/reversal", status=409)
        revoked = carry_out(admin, begin_action(admin, "revoke", make_invitation()))
        assert not admin.get(f"/batches/{revoked.id}").page.all("button", id="revert")
        admin.post(f"/batches/{revoked.id}/reversal", status=409)
        under_review = begin_action(admin, "deactivate", ana)
        admin.post(f"/batches/{under_review.id}/reversal", status=409)
        done = uploaded(admin, f"{NEW},Analyst,\n")
        assert not sign_in("Analyst").get(f"/batches/{done.id}").page.all("button", id="revert")
        sign_in("Analyst").post(f"/batches/{done.id}/reversal", status=403)

    def test_names_exactly_what_it_keeps_and_why(self, admin, owner, ana):
        ben = make_user("Ben Okri", "Analyst", email="ben@northfield.example")
        make_user("Cleo Park", "Analyst", email="cleo@northfield.example")
        batch = uploaded(
            admin,
            "ana@northfield.example,Analyst,Teacher Laptops\nben@northfield.example,Analyst,Teacher Laptops\n"
            "cleo@northfield.example,Analyst,Teacher Laptops\naccepted@northfield.example,Analyst,\n"
            "again@northfield.example,Analyst,\nrevoked@northfield.example,Analyst,\nother@northfield.example,Analyst,\n"
            "open@northfield.example,Analyst,\n",
        )
        made = {i.email.partition("@")[0]: i for i in db.session.scalars(db.select(Invitation))}
        actions.do_now("user", ana.id, Action(Do.SET_GROUPS), owner.user)
        actions.do_now("user", ben.id, Action(Do.DEACTIVATE), owner.user)
        invitations.accept(token_of(made["accepted"]), "Li Wei", "correct horse battery")
        actions.do_now("invitation", made["again"].id, Action(Do.RESEND), owner.user)
        actions.do_now("invitation", made["revoked"].id, Action(Do.REVOKE), owner.user)
        actions.do_now("invitation", made["other"].id, Action(Do.SET_ROLE, role=role("Remote").id), owner.user)
        undo = revert(admin, batch)
        found = plans(undo)
        assert found["ana"][1] == "Changed since."
        assert found["ben"][1] == "Changed since."
        assert found["accepted"][1] == "Accepted since."
        assert found["again"][1] == "Sent again since."
        assert found["other"][1] == "Changed since."
        assert {name: plan for name, (plan, _) in found.items()} == {
            "ana": "attention", "ben": "attention", "cleo": "update", "accepted": "attention", "again": "attention",
            "revoked": "unchanged", "other": "attention", "open": "update",
        }  # fmt: skip

    @pytest.mark.slow
    def test_as_many_queries_for_fifty_as_for_two(self, admin, queries):
        few = uploaded(admin, f"{NEW},Analyst,\nli@northfield.example,Analyst,\n")
        many = uploaded(admin, "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(50)))
        ids = [(batch.id, revert(admin, batch).id) for batch in (few, many)]
        found = []
        for batch_id, undo_id in ids:
            for path in (f"/batches/{undo_id}", f"/batches/{batch_id}"):
                lookup.bump_version()
                db.session.commit()
                queries.clear()
                admin.get(path)
                found.append(len(queries))
        assert found[:2] == found[2:]

    def test_offers_no_undo_for_there_are_no_edits(self, admin, ana):
        batch = uploaded(admin, "ana@northfield.example,Analyst,Teacher Laptops\n")
        undo = revert(admin, batch)
        assert not admin.get(f"/batches/{undo.id}").page.all("button", id="undo")
        admin.post(f"/batches/{undo.id}/undos", {"version": undo.version}, status=409)


class TestReverted:
    def test_invitations_are_revoked_and_access_is_restored(self, admin, ana):
        batch = uploaded(admin, f"{NEW},Analyst,\nana@northfield.example,Remote,Teacher Laptops\n", change_roles="true")
        assert now(ana) == ("Remote", {"Teacher Laptops"})
        undo = carry_out(admin, revert(admin, batch))
        assert outcomes_of(undo) == {
            "ines": ("updated", "Invitation revoked"),
            "ana": ("updated", "Role Remote to Analyst; added Student Devices; removed Teacher Laptops"),
        }
        assert now(ana) == ("Analyst", {"Student Devices"})
        assert [i.state for i in db.session.scalars(db.select(Invitation))] == [InvitationState.REVOKED]
        page = admin.get(f"/batches/{batch.id}").page
        assert db.session.get(Batch, batch.id).state is BatchState.REVERTED
        assert re.search(f"This upload was reverted by Devika Raman on {DATE}.", page.text)
        assert f"/batches/{undo.id}" in [a["href"] for a in page.all("a")]
        assert not page.all("button", id="revert")
        report = admin.get(f"/batches/{undo.id}").page
        assert report.h1 == "Revert of “staff.csv”"
        assert "2 reverted, today at" in report.text
        assert "This revert takes back staff.csv" in report.text
        admin.post(f"/batches/{batch.id}/reversal", status=409)
        admin.post(f"/batches/{undo.id}/reversal", status=409)
        assert "Reverted" in admin.get("/batches").page.text
        events = list(db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)))
        assert events[-6:] == [
            "batch.staged", "batch.confirmed", "invitation.revoked", "user.changed", "batch.finished", "batch.reverted",
        ]  # fmt: skip

    def test_uploading_the_file_again_plans_it_all_again(self, admin, ana):
        people = f"{NEW},Analyst,\nana@northfield.example,Analyst,Teacher Laptops\n"
        carry_out(admin, revert(admin, uploaded(admin, people)))
        assert stage(admin, "Email,Role,Groups\n" + people).counts == {"invite": 1, "update": 1, "existing": 1}

    def test_an_invitation_that_was_changed_gets_its_access_back(self, admin):
        old = make_invitation(NEW, "Remote", ("Student Devices",))
        batch = uploaded(admin, f"{NEW},Analyst,Teacher Laptops\n")
        carry_out(admin, revert(admin, batch))
        found = db.session.get(Invitation, old.id)
        assert (found.state, found.role.name, [g.name for g in found.groups]) == (
            InvitationState.PENDING, "Remote", ["Student Devices"],
        )  # fmt: skip

    @pytest.mark.parametrize("do", ["deactivate", "reactivate"])
    def test_an_action_is_undone_too(self, admin, do):
        before = UserState.ACTIVE if do == "deactivate" else UserState.DEACTIVATED
        cleo = make_user("Cleo Park", email="cleo@northfield.example", state=before)
        batch = carry_out(admin, begin_action(admin, do, cleo))
        assert db.session.get(User, cleo.id).state is not before
        undo = revert(admin, batch)
        assert "Restore 1 person." in admin.get(f"/batches/{undo.id}").page.text
        carry_out(admin, undo)
        assert db.session.get(User, cleo.id).state is before
        assert db.session.scalars(db.select(Session).where(Session.user_id == cleo.id)).all() == []

    def test_who_was_touched_after_the_dry_run_is_kept_and_offered_again(self, admin, owner, ana):
        batch = uploaded(admin, f"{NEW},Analyst,\nana@northfield.example,Analyst,Teacher Laptops\n")
        undo = revert(admin, batch)
        confirm(admin, undo)
        actions.do_now("user", ana.id, Action(Do.SET_GROUPS), owner.user)
        job.process(undo.id)
        assert outcomes_of(undo)["ana"] == ("skipped", "Changed since the review")
        assert now(ana) == ("Analyst", set())
        to = admin.post(f"/batches/{undo.id}/changed-rows").location
        assert "Changed since." in admin.get(to).page.text

    def test_groups_that_were_deleted_since_are_left_out(self, admin, ana):
        batch = uploaded(admin, "ana@northfield.example,Analyst,Teacher Laptops\n")
        group = make_group("Student Devices")
        db.session.delete(group)
        lookup.bump_version()
        db.session.commit()
        carry_out(admin, revert(admin, batch))
        assert now(ana) == ("Analyst", set())

    def test_nobody_above_oneself_is_restored(self, owner, admin, sign_in):
        boss = make_user("Dana Cruz", "Admin", email="dana@northfield.example")
        batch = carry_out(owner, begin_action(owner, "set_role", boss, role=role("Analyst").id))
        admin.user.role.rank = 70
        db.session.commit()
        dana = make_user("Eli Stone", "Analyst", email="eli@northfield.example")
        db.session.execute(db.update(User).where(User.id == dana.id).values(role_id=role("Investigator").id))
        db.session.commit()
        assert plans(revert(owner, batch)) == {"dana": ("update", "")}

    def test_making_somebody_admin_again_asks_for_the_password(self, owner):
        boss = make_user("Dana Cruz", "Admin", email="dana@northfield.example")
        batch = carry_out(owner, begin_action(owner, "set_role", boss, role=role("Analyst").id))
        undo = revert(owner, batch)
        owner.post(f"/batches/{undo.id}/confirmation", {"version": undo.version}, status=422)
        carry_out(owner, undo, password="correct horse battery")
        assert db.session.get(User, boss.id).role.name == "Admin"

    def test_a_cancelled_upload_is_reverted_as_far_as_it_came(self, admin, ana):
        batch = stage(admin, f"Email,Role,Groups\nana@northfield.example,Analyst,Teacher Laptops\n{NEW},Analyst,\n")
        confirm(admin, batch)
        execute.run_chunk(batch.id, 1)
        admin.post(f"/batches/{batch.id}/cancellation")
        undo = revert(admin, batch)
        assert plans(undo) == {"ana": ("update", "")}
        carry_out(admin, undo)
        assert now(ana) == ("Analyst", {"Student Devices"})
        assert db.session.get(Batch, batch.id).state is BatchState.REVERTED

    def test_where_everything_is_kept_the_upload_stays_as_it_is(self, admin, owner, ana):
        batch = uploaded(admin, "ana@northfield.example,Analyst,Teacher Laptops\n")
        db.session.execute(user_groups.delete().where(user_groups.c.user_id == ana.id))
        lookup.bump_version()
        db.session.commit()
        undo = revert(admin, batch)
        assert plans(undo) == {"ana": ("attention", "Changed since.")}
        assert confirm(admin, undo).state is BatchState.REVIEWING
        assert "No one is left for this action" in admin.get(f"/batches/{undo.id}").page.text
        assert db.session.get(Batch, batch.id).state is BatchState.FINISHED

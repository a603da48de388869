"""The worker's half of a batch: what was seen is what is done."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import delete, update
from webapp.core.security import tokens
from webapp.db import begin_write, db
from webapp.jobs import batches as job
from webapp.models import (
    AuditEvent,
    Batch,
    BatchState,
    Group,
    Invitation,
    InvitationState,
    Message,
    MessageState,
    Outcome,
    Row,
    User,
    UserState,
)
from webapp.models.directory import user_groups
from webapp.services.batches import execute
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.links import invitation_links
from webapp.services.mail import claim, outbox, results

from tests.factories import make_invitation, make_user, role
from tests.mail_fixtures import finish
from tests.steps import rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")


def confirmed(client, people: str, **options) -> Batch:
    batch = stage(client, "Email,Role,Groups\n" + people)
    if options:
        client.patch(f"/batches/{batch.id}", options, htmx=True)
    client.post(f"/batches/{batch.id}/confirmation", {"version": db.session.get(Batch, batch.id).version})
    batch = db.session.get(Batch, batch.id)
    assert batch.state is BatchState.QUEUED
    return batch


def outcomes_of(batch) -> list[tuple[str, str]]:
    return [(row.outcome.value, row.why) for row in rows_of(batch)]


def all_of(model):
    return list(db.session.scalars(db.select(model).order_by(model.id)))


class TestAnInvitation:
    def test_row_message_and_audit_event_come_together(self, admin):
        batch = confirmed(admin, 'ana@northfield.example,Analyst,"Student Devices, Teacher Laptops"\n')
        job.process(batch.id)
        [invitation], [message] = all_of(Invitation), all_of(Message)
        assert (invitation.email, invitation.role.name) == ("ana@northfield.example", "Analyst")
        assert [group.name for group in invitation.groups] == ["Student Devices", "Teacher Laptops"]
        assert (message.state, message.invitation_id, message.row_id) == (
            MessageState.QUEUED,
            invitation.id,
            rows_of(batch)[0].id,
        )
        assert outcomes_of(batch) == [("waiting", "")]
        events = [event.action for event in all_of(AuditEvent)]
        assert events.count("invitation.created") == 1

    def test_its_time_to_accept_starts_with_the_first_hand_over(self, admin):
        job.process(confirmed(admin, "ana@northfield.example,Analyst,\n").id)
        assert all_of(Invitation)[0].expires_at is None

    def test_only_a_hash_of_its_token_is_stored(self, admin):
        job.process(confirmed(admin, "ana@northfield.example,Analyst,\n").id)
        invitation = all_of(Invitation)[0]
        assert invitation.token_hash == tokens.hash_token(invitation_links.token(invitation))
        assert len(invitation_links.token(invitation)) == 43

    def test_name_and_mail_is_read_as_mail(self, admin):
        job.process(confirmed(admin, "Ana Ruiz <Ana@Northfield.example>,Analyst,\n").id)
        assert all_of(Invitation)[0].email == "Ana@Northfield.example"

    def test_an_expired_one_is_closed_in_the_same_transaction(self, admin):
        from datetime import timedelta

        old = make_invitation("ana@northfield.example", expires_in=timedelta(days=-1))
        job.process(confirmed(admin, "ana@northfield.example,Analyst,\n").id)
        states = [(i.id == old.id, i.state) for i in all_of(Invitation)]
        assert states == [(True, InvitationState.REVOKED), (False, InvitationState.PENDING)]

    def test_another_role_for_a_pending_one_keeps_its_link_and_sends_nothing(self, admin):
        old = make_invitation("ana@northfield.example")
        old_hash = old.token_hash
        batch = confirmed(admin, "ana@northfield.example,Remote,Teacher Laptops\n")
        job.process(batch.id)
        [invitation] = all_of(Invitation)
        assert (invitation.role.name, invitation.token_hash) == ("Remote", old_hash)
        assert [g.name for g in invitation.groups] == ["Teacher Laptops"]
        assert all_of(Message) == []
        assert outcomes_of(batch) == [("updated", "Role Analyst to Remote; added Teacher Laptops")]


class TestAUser:
    def test_groups_change_without_an_email(self, admin):
        ana = make_user("Ana Ruiz", email="ana@northfield.example", groups=("Teacher Laptops",))
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        job.process(batch.id)
        assert [g.name for g in db.session.get(User, ana.id).groups] == ["Student Devices"]
        assert outcomes_of(batch) == [("updated", "Added Student Devices; removed Teacher Laptops")]
        assert all_of(Message) == []
        event = next(e for e in all_of(AuditEvent) if e.action == "user.changed")
        assert event.details["before"] == {"role": "Analyst", "groups": ["Teacher Laptops"]}
        assert event.details["after"] == {"role": "Analyst", "groups": ["Student Devices"]}

    def test_the_batch_is_finished_when_no_row_waits(self, admin):
        make_user("Ana Ruiz", email="ana@northfield.example")
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        job.process(batch.id)
        assert db.session.get(Batch, batch.id).state is BatchState.FINISHED


class TestSinceTheReview:
    """The worker applies a row only while the person still is as the review showed."""

    def change(self, *statements) -> None:
        begin_write()
        for statement in statements:
            db.session.execute(statement)
        lookup.bump_version()
        db.session.commit()

    def test_somebody_who_changed_is_skipped_and_offered_again(self, admin):
        ana = make_user("Ana Ruiz", email="ana@northfield.example", groups=("Teacher Laptops",))
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        self.change(delete(user_groups).where(user_groups.c.user_id == ana.id))
        job.process(batch.id)
        assert outcomes_of(batch) == [("skipped", "Changed since the review")]
        assert db.session.get(User, ana.id).groups == []
        to = admin.post(f"/batches/{batch.id}/changed-rows").location
        assert admin.get(to).page.h1.startswith("Review ")

    def test_asking_twice_makes_one_review_until_that_is_done(self, admin):
        ana = make_user("Ana Ruiz", email="ana@northfield.example", groups=("Teacher Laptops",))
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        self.change(delete(user_groups).where(user_groups.c.user_id == ana.id))
        job.process(batch.id)
        first = admin.post(f"/batches/{batch.id}/changed-rows").location
        assert admin.post(f"/batches/{batch.id}/changed-rows").location == first
        admin.post(f"{first}/discard")
        assert admin.post(f"/batches/{batch.id}/changed-rows").location != first

    def test_somebody_who_is_as_the_file_wants_already_is_unchanged(self, admin):
        ana = make_user("Ana Ruiz", email="ana@northfield.example")
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        group = db.session.scalars(db.select(Group).where(Group.name == "Student Devices")).one()
        self.change(user_groups.insert().values(user_id=ana.id, group_id=group.id))
        job.process(batch.id)
        assert outcomes_of(batch) == [("unchanged", "Already as the file wants")]

    def test_somebody_invited_in_between_is_not_invited_twice(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\nben@northfield.example,Analyst,\n")
        make_invitation("ana@northfield.example")
        make_invitation("ben@northfield.example", role_name="Remote")
        job.process(batch.id)
        assert outcomes_of(batch) == [("unchanged", "Already as the file wants"), ("skipped", "Changed since the review")]
        assert all_of(Message) == []

    def test_a_deactivated_user_is_not_touched(self, admin):
        ana = make_user("Ana Ruiz", email="ana@northfield.example")
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        self.change(update(User).where(User.id == ana.id).values(state=UserState.DEACTIVATED))
        job.process(batch.id)
        assert outcomes_of(batch) == [("skipped", "Changed since the review")]

    def test_who_confirmed_and_was_demoted_grants_nothing_any_more(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\n")
        self.change(update(User).where(User.id == admin.user.id).values(role_id=role("Analyst").id))
        job.process(batch.id)
        assert outcomes_of(batch) == [("skipped", "Devika Raman may no longer invite")]
        assert all_of(Invitation) == []

    def test_a_group_deleted_in_between_skips_the_row(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,Student Devices\n")
        self.change(delete(Group).where(Group.name == "Student Devices"))
        job.process(batch.id)
        assert outcomes_of(batch) == [("skipped", "Changed since the review")]


class TestClaims:
    def test_two_workers_at_once_do_each_row_once(self, app, admin, change_settings):
        change_settings(max_rows=1000)
        batch = confirmed(admin, "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(150)))
        batch_id = batch.id
        db.session.rollback()

        def work() -> None:
            with app.app_context():
                job.process(batch_id)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.session.scalar(db.select(db.func.count(Invitation.id))) == 150
        assert db.session.scalar(db.select(db.func.count(Message.id))) == 150

    def test_a_crash_midway_gives_the_whole_chunk_back(self, admin, monkeypatch):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\nben@northfield.example,Analyst,\n")

        def dies(*args, **values):
            raise KeyboardInterrupt  # as a killed worker: nothing is caught, nothing is committed

        with monkeypatch.context() as patched:
            patched.setattr(outbox, "add_messages", dies)
            with pytest.raises(KeyboardInterrupt):
                execute.run_chunk(batch.id, 50)
        db.session.rollback()
        assert all_of(Invitation) == all_of(Message) == []
        job.process(batch.id)
        assert len(all_of(Invitation)) == len(all_of(Message)) == 2

    def test_running_it_again_does_nothing(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\n")
        job.process(batch.id)
        job.process(batch.id)
        assert len(all_of(Message)) == 1

    def test_uploading_the_finished_file_again_changes_nothing(self, admin):
        make_user("Cleo Park", email="cleo@northfield.example")
        people = "ana@northfield.example,Analyst,Student Devices\ncleo@northfield.example,Analyst,Teacher Laptops\n"
        job.process(confirmed(admin, people).id)
        again = stage(admin, "Email,Role,Groups\n" + people)
        assert again.counts == {"unchanged": 2, "existing": 2}

    def test_rows_left_out_are_reported_with_their_reason(self, admin):
        people = "ana@northfield.example,Analyst,\nANA@northfield.example,Analyst,\nbad,Analyst,\n"
        batch = confirmed(admin, people, skip_errors="true")
        job.process(batch.id)
        assert outcomes_of(batch) == [("waiting", ""), ("skipped", "Same email as row 2."), ("skipped", "No @ in email.")]
        assert db.session.scalar(db.select(db.func.count(Row.id)).where(Row.outcome == Outcome.WAITING)) == 1


class TestPauseAndCancel:
    def test_nothing_of_a_paused_batch_is_sent_until_it_goes_on(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\n")
        job.process(batch.id)
        execute.pause(batch.id, admin.user)
        assert not claim.oldest_due()
        assert claim.claim("w1") == []
        execute.resume(batch.id, admin.user)
        assert len(claim.claim("w1")) == 1

    def test_a_paused_batch_whose_last_message_goes_is_finished(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\n")
        job.process(batch.id)
        [message] = claim.claim("w1")
        execute.pause(batch.id, admin.user)
        finish(results.record_sent(message, "w1", {"code": "accepted", "words": "250 OK"}))
        assert db.session.get(Batch, batch.id).state is BatchState.FINISHED

    def test_cancel_lets_the_message_in_flight_go_and_stops_the_rest(self, admin):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\nben@northfield.example,Analyst,\n")
        job.process(batch.id)
        [first] = claim.claim("w1", 1)
        execute.cancel(batch.id, admin.user)
        finish(results.record_sent(first, "w1", {"code": "accepted", "words": "250 OK"}))
        assert outcomes_of(batch) == [("invited", ""), ("skipped", "Cancelled before its email went")]
        assert [i.state for i in all_of(Invitation)] == [InvitationState.PENDING, InvitationState.REVOKED]


class TestTrouble:
    def test_a_row_that_cannot_be_carried_out_never_holds_up_the_others(self, admin, monkeypatch):
        batch = confirmed(admin, "ana@northfield.example,Analyst,\nben@northfield.example,Analyst,\n")
        real = invitations.add_invitations

        def breaks_for_ana(people, *args, **values):
            if any(address.key.startswith("ana@") for address, *_ in people):
                raise RuntimeError("a fault of ours")
            return real(people, *args, **values)

        monkeypatch.setattr(invitations, "add_invitations", breaks_for_ana)
        job.process(batch.id)
        assert [outcome for outcome, _ in outcomes_of(batch)] == ["failed", "waiting"]

    def test_a_domain_that_was_allowed_at_the_review_is_no_obstacle_later(self, admin, change_settings):
        change_settings(allowed_domains=("school.local",))
        batch = confirmed(admin, "ana@school.local,Analyst,\n")
        change_settings(allowed_domains=())
        job.process(batch.id)
        assert outcomes_of(batch) == [("waiting", "")]

    def test_an_invitation_that_expires_between_review_and_confirm_is_seen_first(self, admin):
        from datetime import timedelta

        from webapp.db import utcnow

        make_invitation("ana@northfield.example")
        batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,\n")
        assert batch.counts == {"unchanged": 1, "existing": 1}
        db.session.execute(update(Invitation).values(expires_at=utcnow() - timedelta(hours=1)))
        db.session.commit()
        admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
        batch = db.session.get(Batch, batch.id)
        assert (batch.state, batch.counts) == (BatchState.REVIEWING, {"invite": 1})

    def test_a_page_older_than_the_plans_does_not_confirm_them(self, admin, owner):
        batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,\n")
        seen = batch.version
        make_invitation("ana@northfield.example", role_name="Remote")
        begin_write()
        lookup.bump_version()
        db.session.commit()
        owner.get(f"/batches/{batch.id}")  # a colleague looks, and the new plans are stored
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        assert db.session.get(Batch, batch.id).state is BatchState.REVIEWING

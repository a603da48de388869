"""Reminders: who is reminded, once, whatever the workers do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.jobs import maintenance
from webapp.models import AuditEvent, InvitationState, Message, MessageKind, MessageState
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.mail import claim, outbox, results

from tests.at_once import at_once
from tests.factories import make_invitation, token_of
from tests.mail_fixtures import due_emails, invitation_of, make_message, message_to

INES = "ines.carvalho@northfield.example"


def went(email: str = INES, days_left: float = 1, state: MessageState = MessageState.SENT, **invitation) -> Message:
    """An invitation whose e-mail came to this, and that expires in so many days."""
    message = make_message(email, **{"expires_in": timedelta(days=days_left), **invitation})
    message.state, message.handed_at, message.tried_at = state, utcnow() - timedelta(days=6), utcnow() - timedelta(days=6)
    db.session.commit()
    return message


def reminded() -> list[str]:
    db.session.rollback()
    found = db.select(Message.recipient).where(Message.kind == MessageKind.REMINDER).order_by(Message.recipient)
    return list(db.session.scalars(found))


@pytest.fixture
def two_days(change_settings):
    change_settings(reminder_days=2)


def test_off_at_first_with_no_query_except_for_the_settings(app, queries, settings):
    went()
    queries.clear()
    assert settings.reminder_days == 0
    assert invitations.send_reminders() == 0
    assert len(queries) <= 1, queries


class TestWho:
    pytestmark = pytest.mark.usefixtures("app", "two_days")

    def test_who_was_invited_and_has_two_days_left_once(self):
        went("soon@northfield.example", 1.9)
        went("later@northfield.example", 2.1)
        assert [invitations.send_reminders(), invitations.send_reminders()] == [1, 0]
        assert reminded() == ["soon@northfield.example"]
        assert invitation_of("soon@northfield.example").reminded_at
        assert invitation_of("later@northfield.example").reminded_at is None

    def test_plans_of_open_reviews_stay_as_they_are(self):
        went()
        before = lookup.directory_version()
        assert invitations.send_reminders() == 1
        assert lookup.directory_version() == before

    def test_where_delivery_was_uncertain_too(self):
        went(state=MessageState.UNCERTAIN)
        assert invitations.send_reminders() == 1

    @pytest.mark.parametrize("state", [MessageState.FAILED, MessageState.QUEUED, MessageState.SENDING, MessageState.CANCELLED])
    def test_never_one_whose_email_did_not_go(self, state):
        went(state=state)
        assert invitations.send_reminders() == 0

    def test_never_one_without_an_email(self):
        make_invitation(expires_in=timedelta(days=1))
        make_invitation("never@northfield.example", expires_in=None)
        assert invitations.send_reminders() == 0

    @pytest.mark.parametrize("state", [InvitationState.ACCEPTED, InvitationState.REVOKED])
    def test_never_a_closed_one(self, state):
        went()
        invitation = invitation_of(INES)
        invitation.state, invitation.closed_at = state, utcnow()
        db.session.commit()
        assert invitations.send_reminders() == 0

    def test_never_an_expired_one(self):
        went(days_left=-1)
        assert invitations.send_reminders() == 0

    def test_not_where_the_link_is_good_for_no_longer_anyway(self):
        went()
        invitation_of(INES).valid_days = 2
        db.session.commit()
        assert invitations.send_reminders() == 0

    def test_not_while_it_was_sent_again_and_that_failed(self):
        message = went()
        again = outbox.add_message(MessageKind.INVITATION, INES, invitation_id=invitation_of(INES).id, priority=2)
        again.state = MessageState.FAILED
        db.session.commit()
        assert message.id < again.id
        assert invitations.send_reminders() == 0


class TestTheEmail:
    def test_has_the_same_link_and_a_message_id_of_its_own(self, app, two_days):
        first = went().message_id
        invitations.send_reminders()
        (letter,) = due_emails()
        assert message_to(INES).message_id != first
        assert letter.subject.startswith("Reminder: Devika Raman invited you to ")
        assert token_of(invitation_of(INES)) in letter.text
        assert "within 1 day" in letter.text

    def test_does_not_go_once_its_invitation_is_closed(self, app, two_days):
        went()
        invitations.send_reminders()
        invitation_of(INES).state = InvitationState.REVOKED
        db.session.commit()
        ids = claim.claim("worker")
        assert claim.render_claimed(ids, "worker") == []
        assert message_to(INES).state is MessageState.CANCELLED

    def test_leaves_the_expiry_as_it_is(self, app, two_days):
        went()
        before = invitation_of(INES).expires_at
        invitations.send_reminders()
        (id,) = claim.claim("worker")
        results.record_sent(id, "worker", {"code": "accepted", "words": "250 OK"})
        assert invitation_of(INES).expires_at == before

    def test_is_audited_and_told(self, admin, two_days):
        went()
        invitations.send_reminders()
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "invitation.reminded")).one()
        assert (event.subject, event.actor_id) == (INES, None)
        id = invitation_of(INES).id
        assert outbox.find_deliveries([id])[id].is_reminder
        assert "Reminder queued" in admin.get("/users").page.text
        assert "Reminded Today at" in admin.get(f"/invitations/{id}/details").page.text.replace("Yesterday", "Today")


class TestTheSweep:
    def test_sends_it(self, app, two_days, settings):
        went()
        maintenance.tick("worker-1")
        assert message_to(INES).kind is MessageKind.REMINDER
        assert message_to(INES).state is MessageState.WRITTEN

    def test_many_in_a_fixed_number_of_statements(self, app, two_days, queries):
        counts = []
        for n in (3, 30):
            for i in range(n):
                went(f"p{i}-of-{n}@northfield.example")
            db.session.rollback()
            queries.clear()
            assert invitations.send_reminders() == n
            counts.append(len(queries))
        assert counts[0] == counts[1], "\n".join(q[:90] for q in queries[:10])

    def test_two_workers_at_once_send_one(self, app, two_days):
        for n in range(5):
            went(f"p{n}@northfield.example")
        db.session.rollback()
        assert at_once(app, invitations.send_reminders, invitations.send_reminders, invitations.send_reminders) == []
        assert reminded() == [f"p{n}@northfield.example" for n in range(5)]

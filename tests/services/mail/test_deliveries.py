"""What became of an invitation's e-mail, and where it is told: the list, the invitation's page, the report."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import InvitationState, Message, MessageState, Outcome, Row
from webapp.services.mail import claim, outbox, results
from webapp.services.mail.outbox import Delivery

from tests.factories import make_invitation
from tests.mail_fixtures import finish, make_message, make_sending_batch, message_to, pass_time

INES = "ines.carvalho@northfield.example"
W = "worker"


def delivery_of(message: Message) -> Delivery:
    db.session.rollback()
    assert message.invitation_id
    return outbox.find_deliveries([message.invitation_id])[message.invitation_id]


@pytest.fixture
def message(app) -> Message:
    return make_message(INES)


@pytest.fixture
def claimed(message) -> Message:
    assert claim.claim(W) == [message.id]
    return message


class TestTheTruth:
    def test_nothing_was_sent(self, app):
        never, copied = make_invitation(expires_in=None), make_invitation("jonas@northfield.example")
        found = outbox.find_deliveries([never.id, copied.id])
        assert found[never.id].stage == "not_sent"
        assert found[copied.id].stage == "link"

    def test_queued(self, message):
        found = delivery_of(message)
        assert found.stage == "queued"
        assert found.invitation.expires_at is None
        assert found.invitation.valid_days == 7

    def test_sending(self, claimed):
        assert delivery_of(claimed).stage == "sending"

    def test_handed_to_the_mail_server_and_when(self, claimed):
        results.record_sent(claimed.id, W, {"code": "accepted", "words": "250 OK"})
        found = delivery_of(claimed)
        assert found.stage == "sent"
        assert found.at == message_to(INES).handed_at
        assert found.invitation.expires_at
        assert found.invitation.status == "invited"

    def test_written_as_a_file_where_there_is_no_mail_server(self, claimed):
        results.record_sent(claimed.id, W, {"code": "file", "name": "12.eml"}, is_file=True)
        assert delivery_of(claimed).stage == "written"

    def test_failed_with_the_servers_words(self, claimed):
        results.record_failed(claimed.id, W, {"code": "refused", "words": "550 5.1.1 No such user here"})
        found = delivery_of(claimed)
        assert (found.stage, found.answer) == ("failed", "Refused by the mail server (550 5.1.1 No such user here)")

    def test_put_off_and_the_next_try(self, claimed):
        results.defer(claimed.id, W, {"code": "deferred", "words": "451 Greylisted"})
        found = delivery_of(claimed)
        assert (found.stage, found.answer) == ("put_off", "451 Greylisted")
        assert found.next_try
        assert timedelta() < found.next_try - utcnow() <= timedelta(minutes=1)

    def test_uncertain(self, claimed):
        claim.begin_data(claimed.id, W)
        results.record_uncertain(claimed.id, W, {"code": "text", "text": "The connection broke"})
        assert claim.claim("another") == [claimed.id]
        results.record_sent(claimed.id, "another", {"code": "accepted", "words": "250 OK"})
        assert delivery_of(claimed).stage == "uncertain"

    @pytest.mark.parametrize("state", [InvitationState.ACCEPTED, InvitationState.REVOKED])
    def test_closed_since_when(self, app, state):
        invitation = make_invitation(state=state)
        found = outbox.find_deliveries([invitation.id])[invitation.id]
        assert found.stage == state.value
        assert found.at == invitation.closed_at
        assert found.invitation.status == state.value

    def test_the_newest_email_counts(self, claimed):
        results.record_failed(claimed.id, W, {"code": "refused", "words": "550 No"})
        invitation = db.session.get(outbox.Invitation, claimed.invitation_id)
        outbox.add_message(claimed.kind, INES, invitation_id=invitation.id, priority=2)
        db.session.commit()
        assert delivery_of(claimed).stage == "queued"

    def test_two_queries_however_many(self, app, queries):
        ids = [make_message(f"p{n}@northfield.example").invitation_id for n in range(30)]
        db.session.rollback()
        queries.clear()
        found = outbox.find_deliveries(ids)
        assert len(queries) == 2, queries
        assert {each.stage for each in found.values()} == {"queued"}


class TestWhereItIsTold:
    def test_the_list_and_the_invitations_page(self, admin, claimed):
        results.record_failed(claimed.id, W, {"code": "refused", "words": "550 5.1.1 No such user here"})
        for path in ("/users", f"/invitations/{claimed.invitation_id}/details"):
            page = admin.get(path).page
            when = " today at" if path != "/users" else ""  # the list is told it briefly
            assert f"Email failed{when}" in page.text or "Email failed yesterday at" in page.text
            assert "550 5.1.1 No such user here" in page.text

    def test_expiry_in_the_list(self, admin):
        make_invitation("a@northfield.example", expires_in=None)
        make_invitation("b@northfield.example", expires_in=timedelta(days=9))
        make_invitation("c@northfield.example", expires_in=timedelta(days=-9))
        page = admin.get("/users").page
        for words in ("Link works 7 days once sent", "Link works until", "Expired"):
            assert words in page.text

    def test_the_report_tells_each_row_in_a_fixed_number_of_queries(self, admin, queries):
        def report(n: int, start: int) -> int:
            batch = make_sending_batch(*(f"p{i}@northfield.example" for i in range(start, start + n)))
            for id in claim.claim(W, 50):
                results.record_sent(id, W, {"code": "accepted", "words": "250 OK"})
            results.finish_done()
            path = f"/batches/{batch.id}?show=pending"
            admin.get(path)
            queries.clear()
            page = admin.get(path).page
            assert page.text.count("Sent today at") == n
            return len(queries)

        few = report(2, 0)
        pass_time(minutes=2)
        assert report(20, 100) == few, queries

    def test_a_failed_row_tells_what_happened_since(self, admin):
        batch = make_sending_batch(INES)
        claim.claim(W)
        finish(results.record_failed(message_to(INES).id, W, {"code": "refused", "words": "550 No such user"}))
        assert db.session.scalars(db.select(Row)).one().outcome is Outcome.FAILED
        admin.post(f"/invitations/{message_to(INES).invitation_id}/messages")
        page = admin.get(f"/batches/{batch.id}").page
        assert "550 No such user" in page.text
        assert "Since then: Queued" in page.text


def test_a_cancelled_email_says_why(admin, message):
    message.state = MessageState.CANCELLED
    message.result = {"code": "expired_unsent"}
    db.session.commit()
    found = delivery_of(message)
    assert found.stage == "cancelled"
    assert "Email not sent" in admin.get("/users").page.text

"""The outbox: claims, leases, throttle, the circuit breaker, and every result of a message."""

from __future__ import annotations

import email.policy
import threading
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, cast

import pytest
from flask import Flask
from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.plan.actions import Action, Do
from webapp.db import db, utcnow
from webapp.mail.mime import MimeMessage
from webapp.models import AuditEvent, Batch, BatchState, InvitationState, Message, MessageKind, MessageState, Outcome, Phase, Row
from webapp.services.batches import actions
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.links import invitation_links
from webapp.services.mail import claim, outbox, results, throttle

from tests.factories import make_batch, make_persona, token_of
from tests.mail_fixtures import (
    die,
    finish,
    hold_up,
    invitation_of,
    make_message,
    make_sending_batch,
    message_to,
    pass_time,
    row_of,
)

INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))

pytestmark = pytest.mark.usefixtures("app")


def parts_of(mail: MimeMessage) -> tuple[EmailMessage, str]:
    """The e-mail as a mail program reads it, and its plain text."""
    read = cast(EmailMessage, message_from_bytes(mail.data, policy=email.policy.default))
    body = read.get_body(("plain",))
    assert body
    return read, body.get_content().replace("\r\n", "\n")


def claimed(worker: str = "w1", limit: int = 20) -> list[str]:
    """Claim; -> the recipients, in order."""
    return [db.session.get_one(Message, id).recipient for id in claim.claim(worker, limit)]


def events(action: str) -> list[AuditEvent]:
    db.session.rollback()
    return list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)))


# Queued


def test_each_message_has_a_message_id_of_its_own(change_settings: Callable[..., Any]) -> None:
    change_settings(mail_from="Müster <muster@schüle.example>")
    first, second = make_message(INES), make_message(JONAS)
    assert first.message_id != second.message_id
    assert first.message_id.startswith("<")
    assert first.message_id.endswith("@xn--schle-mva.example>")


# Claimed


def test_the_most_urgent_is_claimed_first() -> None:
    make_message(INES, priority=3)
    make_message(JONAS, priority=2)
    make_message(LENA, priority=3)
    assert claimed(limit=2) == [JONAS, INES]
    assert claimed("w2") == [LENA]


def test_what_is_claimed_is_not_claimed_again_and_what_is_not_due_waits() -> None:
    make_message(INES)
    make_message(JONAS).due_at = utcnow() + timedelta(minutes=1)
    db.session.commit()
    assert claim.oldest_due()
    assert claimed() == [INES]
    assert claimed("w2") == []
    assert not claim.oldest_due()


def test_two_workers_never_claim_the_same(app: Flask) -> None:
    for n in range(40):
        make_message(f"user{n}@northfield.example")
    got: list[int] = []

    def work(name: str) -> None:
        with app.app_context():
            while ids := claim.claim(name, 3):
                got.extend(ids)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 40


def test_a_worker_that_dies_before_data_leaves_the_message_as_it_was() -> None:
    make_message(INES)
    claimed("w1")
    die("w1")
    assert claim.oldest_due()
    assert claimed("w2") == [INES]
    assert not message_to(INES).maybe_sent


def test_a_worker_that_dies_after_data_leaves_it_uncertain() -> None:
    make_message(INES)
    (id,) = claim.claim("w1")
    claim.begin_data(id, "w1")
    die("w1")
    assert claimed("w2") == [INES]
    claim.begin_data(id, "w2")
    results.record_sent(id, "w2", {"code": "accepted", "words": "250 OK"})
    message = message_to(INES)
    assert (message.state, message.attempts) == (MessageState.UNCERTAIN, 1)


def test_what_is_refused_after_an_interruption_may_have_arrived_before() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    claim.begin_data(id, "w1")
    die("w1")
    assert claim.claim("w2") == [id]
    finish(results.record_failed(id, "w2", {"code": "refused", "words": "550 5.1.1 No such user."}))
    said = (
        "Refused by the mail server (550 5.1.1 No such user.). An earlier try broke off during the hand-over: it may have arrived"
    )
    assert (row_of(INES).outcome, row_of(INES).why) == (Outcome.FAILED, said)


def test_a_worker_whose_lease_ran_out_may_neither_send_nor_tell() -> None:
    make_message(INES)
    (id,) = claim.claim("w1")
    die("w1")
    with pytest.raises(ConflictError):
        claim.begin_data(id, "w1")
    assert claimed("w2") == [INES]
    results.record_failed(id, "w1", {"code": "text", "text": "Refused"})
    assert message_to(INES).state is MessageState.SENDING
    with pytest.raises(ConflictError):
        claim.begin_data(id, "w1")


def test_the_lease_begins_again_with_data() -> None:
    make_message(INES)
    (id,) = claim.claim("w1")
    pass_time(seconds=30)
    claim.begin_data(id, "w1")
    pass_time(seconds=30)
    assert claimed("w2") == []
    assert message_to(INES).phase is Phase.DATA


def test_a_worker_that_lives_keeps_its_leases_however_long_the_server_takes() -> None:
    make_message(INES)
    make_message(JONAS)
    first, second = claim.claim("w1")
    claim.begin_data(first, "w1")
    for _ in range(5):
        pass_time(seconds=30)
        claim.renew("w1")
    assert claimed("w2") == []
    claim.begin_data(second, "w1")
    results.record_sent(first, "w1", {"code": "accepted", "words": "250 OK"})
    assert message_to(INES).state is MessageState.SENT


def test_what_another_has_taken_over_is_not_renewed() -> None:
    make_message(INES)
    (id,) = claim.claim("w1")
    die("w1")
    assert claim.claim("w2") == [id]
    die("w2")
    claim.renew("w1")
    assert claim.oldest_due(), "the lease of w2 is over, whatever w1 says"


def test_what_is_given_back_is_due_at_once() -> None:
    make_message(INES)
    make_message(JONAS)
    first, _ = claim.claim("w1")
    claim.begin_data(first, "w1")
    claim.release("w1")
    assert claimed("w2") == [INES, JONAS]
    assert (message_to(INES).maybe_sent, message_to(JONAS).maybe_sent) == (True, False)


def test_the_throttle_counts_for_the_whole_installation(change_settings: Callable[..., Any]) -> None:
    change_settings(mail_rate=3)
    for n in range(5):
        make_message(f"user{n}@northfield.example")
    first, _second = claim.claim("w1", 2)
    assert len(claim.claim("w2")) == 1, "two are on their way"
    results.record_sent(first, "w1", {"code": "accepted", "words": "250 OK"})
    assert claim.claim("w3") == [], "one was sent within the minute"
    pass_time(seconds=61)
    claim.renew("w1")
    claim.renew("w2")
    assert len(claim.claim("w3")) == 1, "what is on its way counts until it is done"


# Written


def test_a_letter_carries_the_link_and_the_message_id() -> None:
    message = make_message(INES, groups=("Student Devices", "Exam Laptops"))
    invitation = invitation_of(INES)
    ((_, mail),) = claim.render_claimed(claim.claim("w1"), "w1")
    assert mail.message_id == message.message_id
    read, text = parts_of(mail)
    assert f"/invitations/{token_of(invitation)}\n" in text
    assert read["Subject"] == "Devika Raman invited you to Muster"
    assert "Exam Laptops, Student Devices" in text
    assert "within 7 days" in text


def test_letters_come_in_the_order_of_their_claim_and_in_few_queries(queries: list[str]) -> None:
    def cost(n: int) -> int:
        for i in range(n):
            make_message(f"user{n}-{i}@northfield.example", groups=("Student Devices",), priority=3 - i % 2)
        ids = claim.claim(f"w{n}")
        queries.clear()
        assert [id for id, _ in claim.render_claimed(ids, f"w{n}")] == ids
        return len(queries)

    assert cost(2) == cost(19), queries


def test_after_the_servers_key_was_changed_the_letter_carries_a_link_that_works(change_settings: Callable[..., Any]) -> None:
    make_message(INES)
    old = invitation_of(INES).token_hash
    change_settings(secret_key="a new key that is long enough for this")
    ((_, mail),) = claim.render_claimed(claim.claim("w1"), "w1")
    invitation = invitation_of(INES)
    assert invitation.token_hash != old
    assert invitation.version == 2
    assert invitation_links.link_url(invitation) in parts_of(mail)[1]
    assert invitations.find_by_token(token_of(invitation)).id == invitation.id


def test_days_left_are_those_of_an_invitation_that_runs_already() -> None:
    make_message(INES, expires_in=timedelta(days=2, hours=5))
    ((_, mail),) = claim.render_claimed(claim.claim("w1"), "w1")
    assert "within 3 days" in parts_of(mail)[1]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (InvitationState.REVOKED, "The invitation was revoked before its email went"),
        (InvitationState.ACCEPTED, "The invitation was accepted before its email went"),
    ],
)
def test_the_e_mail_of_a_closed_invitation_is_not_written(state: InvitationState, reason: str) -> None:
    batch = make_sending_batch(INES, JONAS)
    ids = claim.claim("w1")
    invitation_of(INES).state = state
    db.session.commit()
    assert [mail.recipient for _, mail in claim.render_claimed(ids, "w1")] == [JONAS]
    assert message_to(INES).state is MessageState.CANCELLED
    assert (row_of(INES).outcome, row_of(INES).why) == (Outcome.SKIPPED, reason)
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING


def test_a_batch_whose_last_invitation_was_revoked_is_finished() -> None:
    batch = make_sending_batch(INES)
    ids = claim.claim("w1")
    invitation_of(INES).state = InvitationState.REVOKED
    db.session.commit()
    assert claim.render_claimed(ids, "w1") == []
    finish()
    assert db.session.get_one(Batch, batch.id).state is BatchState.FINISHED


def test_an_invitation_revoked_while_the_server_is_asked_is_not_sent() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    invitation_of(INES).state = InvitationState.REVOKED
    db.session.commit()
    with pytest.raises(ConflictError):
        claim.begin_data(id, "w1")
    claim.release("w1")
    assert claim.render_claimed(claim.claim("w1"), "w1") == []
    assert message_to(INES).state is MessageState.CANCELLED
    assert row_of(INES).outcome is Outcome.SKIPPED


def test_a_dead_link_is_not_sent() -> None:
    make_message(INES, expires_in=timedelta(days=-1))
    assert claim.render_claimed(claim.claim("w1"), "w1") == []
    assert message_to(INES).result == {"code": "expired_unsent"}


# Outcomes


def test_sent_starts_the_days_and_ends_the_row_and_the_batch() -> None:
    batch = make_sending_batch(INES)
    (id,) = claim.claim("w1")
    claim.begin_data(id, "w1")
    finish(results.record_sent(id, "w1", {"code": "accepted", "words": "250 2.0.0 queued as 4711"}))
    message, row, invitation = message_to(INES), row_of(INES), invitation_of(INES)
    assert (message.state, message.result_text, message.attempts) == (MessageState.SENT, "250 2.0.0 queued as 4711", 1)
    assert message.handed_at
    assert invitation.expires_at == message.handed_at + timedelta(days=7)
    assert (row.outcome, row.why) == (Outcome.INVITED, "")
    assert row.done_at
    found = db.session.get_one(Batch, batch.id)
    assert found.state is BatchState.FINISHED
    assert found.finished_at
    (event,) = events("batch.finished")
    assert event.details == {"outcomes": {"invited": 1}}


def test_a_row_that_has_its_outcome_keeps_it() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    row = row_of(INES)
    row.outcome, row.reason = Outcome.SKIPPED, {"code": "cancelled"}
    db.session.commit()
    results.record_sent(id, "w1", {"code": "accepted", "words": "250 OK"})
    assert (row_of(INES).outcome, row_of(INES).why) == (Outcome.SKIPPED, "Cancelled before it was done")


def test_a_resend_does_not_move_the_end_of_the_days() -> None:
    make_message(INES, expires_in=timedelta(days=3))
    until = invitation_of(INES).expires_at
    (id,) = claim.claim("w1")
    results.record_sent(id, "w1", {"code": "accepted", "words": "250 OK"})
    assert invitation_of(INES).expires_at == until


def test_a_refusal_fails_the_row_with_the_servers_words_and_is_audited() -> None:
    batch = make_sending_batch(INES, JONAS)
    version = lookup.directory_version()
    first, second = claim.claim("w1")
    finish(results.record_failed(first, "w1", {"code": "refused", "words": "552 5.2.2"}))
    message, row = message_to(INES), row_of(INES)
    assert (message.state, message.result_text) == (MessageState.FAILED, "Refused by the mail server (552 5.2.2)")
    assert (row.outcome, row.why) == (Outcome.FAILED, "Refused by the mail server (552 5.2.2)")
    (event,) = events("message.failed")
    assert (event.subject, event.details["reason"]) == (INES, "Refused by the mail server (552 5.2.2)")
    assert invitation_of(INES).expires_at is None
    assert lookup.directory_version() > version, "the next upload plans to send it again"
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING
    finish(results.record_sent(second, "w1", {"code": "accepted", "words": "250 OK"}))
    assert db.session.get_one(Batch, batch.id).state is BatchState.FINISHED


def test_put_off_is_due_after_1_5_15_60_60_minutes() -> None:
    batch = make_sending_batch(INES)
    for minutes in (1, 5, 15, 60, 60):
        (id,) = claim.claim("w1")
        before = utcnow()
        results.defer(id, "w1", {"code": "deferred", "words": "451 4.7.1 Greylisted"})
        message, row = message_to(INES), row_of(INES)
        assert message.state is MessageState.QUEUED
        assert timedelta(0) <= message.due_at - before - timedelta(minutes=minutes) < timedelta(seconds=30)
        assert row.outcome is Outcome.WAITING
        assert row.why == f"Due again at {message.due_at:%H:%M}: 451 4.7.1 Greylisted"
        assert claim.claim("w1") == []
        pass_time(minutes=minutes)
    assert message_to(INES).attempts == 5
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING


def test_after_a_day_of_being_put_off_it_fails() -> None:
    make_sending_batch(INES)
    pass_time(hours=23, minutes=59, seconds=30)
    (id,) = claim.claim("w1")
    results.defer(id, "w1", {"code": "deferred", "words": "451 4.7.1 Greylisted"})
    assert message_to(INES).state is MessageState.FAILED
    assert row_of(INES).why == "Put off by the mail server for a day (451 4.7.1 Greylisted)"


def test_an_interruption_repeats_the_message_once_and_marks_it() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    claim.begin_data(id, "w1")
    results.record_uncertain(id, "w1", {"code": "text", "text": "broke off"})
    assert claim.claim("w1") == [id]
    results.record_sent(id, "w1", {"code": "accepted", "words": "250 OK"})
    assert (message_to(INES).state, message_to(INES).attempts) == (MessageState.UNCERTAIN, 2)
    assert (row_of(INES).outcome, row_of(INES).why) == (
        Outcome.INVITED,
        "Delivery uncertain: sent again after an interruption",
    )


def test_what_is_revoked_after_an_interruption_may_have_arrived_before() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    claim.begin_data(id, "w1")
    die("w1")
    actions.do_now("invitation", invitation_of(INES).id, Action(Do.REVOKE), make_persona("Owner"))
    assert claim.render_claimed(claim.claim("w2"), "w2") == []
    assert message_to(INES).state is MessageState.CANCELLED
    assert row_of(INES).why.endswith("An earlier try broke off during the hand-over: it may have arrived")


def test_a_second_interruption_is_left_to_a_person() -> None:
    make_sending_batch(INES)
    for _ in range(2):
        (id,) = claim.claim("w1")
        claim.begin_data(id, "w1")
        results.record_uncertain(id, "w1", {"code": "text", "text": "broke off"})
    assert claim.claim("w1") == []
    assert row_of(INES).outcome is Outcome.FAILED
    assert "may have arrived" in row_of(INES).why


def test_an_outcome_is_told_once() -> None:
    make_sending_batch(INES)
    (id,) = claim.claim("w1")
    results.record_sent(id, "w1", {"code": "accepted", "words": "250 OK"})
    results.record_failed(id, "w1", {"code": "text", "text": "Refused"})
    results.defer(id, "w1", {"code": "deferred", "words": "451"})
    assert message_to(INES).state is MessageState.SENT
    assert row_of(INES).outcome is Outcome.INVITED


# The circuit breaker


def test_a_server_that_is_away_holds_everything_up_and_costs_no_try() -> None:
    batch = make_sending_batch(INES, JONAS)
    ids = claim.claim("w1")
    claim.begin_data(ids[0], "w1")
    hold_up(
        "w1",
        {
            "code": "unreachable",
            "server": "The mail server mail.northfield.example:587",
            "cause": "connection refused",
        },
    )
    alarm = throttle.alarm()
    assert alarm
    assert alarm.paused_at
    assert alarm.retry_at == alarm.paused_at + timedelta(seconds=30)
    assert "connection refused" in alarm.cause_text
    for address in (INES, JONAS):
        message = message_to(address)
        assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 0, False)
        assert row_of(address).outcome is Outcome.WAITING
    assert claim.claim("w2") == []
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING


def test_every_30_seconds_one_message_goes_to_see() -> None:
    make_sending_batch(INES, JONAS)
    claim.claim("w1")
    hold_up("w1", {"code": "text", "text": "Away."})
    since = throttle.alarm()
    assert since
    paused_at = since.paused_at
    pass_time(seconds=31)
    assert len(claim.claim("w1")) == 1
    assert claim.claim("w2") == [], "one probe at a time"
    hold_up("w1", {"code": "text", "text": "Still away."})
    alarm = throttle.alarm()
    assert alarm
    assert alarm.cause_text == "Still away."
    assert paused_at
    assert alarm.paused_at == paused_at - timedelta(seconds=31), "it is one alarm, since the beginning"


@pytest.mark.parametrize("answer", ["record_sent", "record_failed", "defer"])
def test_any_answer_of_the_server_ends_the_alarm(answer: str) -> None:
    make_sending_batch(INES, JONAS)
    claim.claim("w1")
    hold_up("w1", {"code": "text", "text": "Away."})
    pass_time(seconds=31)
    (id,) = claim.claim("w1")
    getattr(results, answer)(id, "w1", {"code": "deferred", "words": "words"})
    assert throttle.alarm() is None
    assert claimed("w1") == [JONAS]


# Batches


@pytest.mark.parametrize("open_outcome", [None, Outcome.WAITING])
def test_a_batch_with_a_row_left_is_not_finished(open_outcome: Outcome | None) -> None:
    by = make_persona("Admin")
    batch = make_batch(by, rows=2, planned_for_id=by.id, state=BatchState.PROCESSING)
    first, second = db.session.scalars(db.select(Row).order_by(Row.line)).all()
    first.outcome, second.outcome = Outcome.UPDATED, open_outcome
    db.session.commit()
    results.finish_done()
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING
    second.removed_at = utcnow()
    db.session.commit()
    results.finish_done()
    assert db.session.get_one(Batch, batch.id).state is BatchState.FINISHED, "a removed row is nobody's work"
    results.finish_done()
    assert len(events("batch.finished")) == 1


@pytest.mark.parametrize("state", [BatchState.CANCELLED, BatchState.REVIEWING])
def test_only_a_batch_at_work_is_finished(state: BatchState) -> None:
    batch = make_sending_batch(state=state)
    results.finish_done()
    assert db.session.get_one(Batch, batch.id).state is state


# Retry failed


def test_retry_sends_the_failed_ones_again_and_never_those_sent() -> None:
    batch = make_sending_batch(INES, JONAS)
    first, second = claim.claim("w1")
    results.record_failed(first, "w1", {"code": "refused", "words": "552 5.2.2"})
    finish(results.record_sent(second, "w1", {"code": "accepted", "words": "250 OK"}))
    before = message_to(INES).message_id
    pass_time(days=3)
    by = make_persona("Admin")
    assert outbox.retry_failed(db.session.get_one(Batch, batch.id), by) == 1
    message, row = message_to(INES), row_of(INES)
    assert (message.message_id, message.state, message.attempts) == (before, MessageState.QUEUED, 0)
    assert (row.outcome, row.why, row.done_at) == (Outcome.WAITING, "", None)
    assert db.session.get_one(Batch, batch.id).state is BatchState.PROCESSING
    assert message_to(JONAS).state is MessageState.SENT
    (event,) = events("messages.retried")
    assert (event.actor, event.details) == (by.email, {"messages": 1})
    (id,) = claim.claim("w1")
    results.defer(id, "w1", {"code": "deferred", "words": "451 Later"})
    assert message_to(INES).state is MessageState.QUEUED, "its day begins again"
    pass_time(minutes=1)
    finish(results.record_sent(*claim.claim("w1"), "w1", {"code": "accepted", "words": "250 OK"}))  # type: ignore[call-arg]
    assert db.session.get_one(Batch, batch.id).state is BatchState.FINISHED
    assert outbox.retry_failed(db.session.get_one(Batch, batch.id), by) == 0


def test_retry_leaves_out_closed_invitations_and_those_sent_again_by_hand() -> None:
    batch = make_sending_batch(INES, JONAS)
    for id in claim.claim("w1"):
        finish(results.record_failed(id, "w1", {"code": "refused", "words": "552 5.2.2"}))
    invitation_of(INES).state = InvitationState.REVOKED
    db.session.commit()
    actions.do_now("invitation", invitation_of(JONAS).id, Action(Do.RESEND), make_persona("Admin"))
    assert outbox.retry_failed(db.session.get_one(Batch, batch.id), make_persona("Admin")) == 0
    assert db.session.get_one(Batch, batch.id).state is BatchState.FINISHED


def test_retry_never_gives_what_one_may_not_grant() -> None:
    batch = make_sending_batch(INES)
    (id,) = claim.claim("w1")
    finish(results.record_failed(id, "w1", {"code": "refused", "words": "552 5.2.2"}))
    assert outbox.retry_failed(db.session.get_one(Batch, batch.id), make_persona("Remote")) == 0


# Questions


def test_the_list_holds_only_what_one_may_see() -> None:
    make_message(INES, role_name="Remote")
    make_message(JONAS, role_name="Admin")
    outbox.add_message(MessageKind.RESET, LENA, priority=0)
    db.session.commit()
    assert [message.recipient for message, _ in outbox.list_messages(make_persona("Admin"))] == [JONAS, INES]
    assert [message.recipient for message, _ in outbox.list_messages(make_persona("Investigator"))] == [INES]
    counts = outbox.count_by_kind(make_persona("Investigator"))
    assert counts == {"waiting": 1, "sent": 0, "files": 0, "failed": 0, "cancelled": 0}
    with pytest.raises(NotFoundError):
        outbox.get_message(message_to(JONAS).id, make_persona("Investigator"))
    with pytest.raises(NotFoundError):
        outbox.get_message(message_to(LENA).id, make_persona("Owner"))


def test_pages_go_on_where_the_last_one_ended() -> None:
    for n in range(outbox.PAGE + 2):
        make_message(f"user{n}@northfield.example")
    viewer = make_persona("Admin")
    first = outbox.list_messages(viewer)
    rest = outbox.list_messages(viewer, before_id=first[-1][0].id)
    assert [message.recipient.partition("@")[0] for message, _ in rest] == ["user1", "user0"]


def test_a_fresh_database_is_silent() -> None:
    assert throttle.alarm() is None
    assert not claim.oldest_due()
    assert claim.claim("w1") == []
    assert outbox.list_messages(make_persona("Admin")) == []

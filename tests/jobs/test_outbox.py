"""The jobs against a real mail server: what is due goes out, whatever the server does meanwhile, and the sweep."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue, SimpleWorker
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.jobs import batches as batch_jobs
from webapp.jobs import maintenance, stopping
from webapp.jobs import outbox as jobs
from webapp.models import Batch, BatchState, InvitationState, MessageState, Outcome, Row, Worker
from webapp.queue import QUEUE
from webapp.services.mail import claim, outbox, throttle
from webapp.services.operations import heartbeats
from webapp.settings.settings import Settings

from tests.factories import make_batch, make_persona, token_of
from tests.mail_fixtures import die, invitation_of, make_message, make_sending_batch, message_to, pass_time, row_of
from tests.smtp_sink import CUT, HANG, Received, Sink

INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))


def outcomes(batch: Batch) -> dict[str, str]:
    """Each row's outcome and reason, by the first part of its e-mail."""
    db.session.rollback()
    rows = db.session.scalars(db.select(Row).where(Row.batch_id == batch.id).order_by(Row.line)).all()
    return {row.email.partition("@")[0]: f"{row.outcome}: {row.why}".removesuffix(": ") for row in rows}


def state_of(batch: Batch) -> BatchState:
    db.session.rollback()
    return db.session.get_one(Batch, batch.id).state


# Sending


def test_a_batch_goes_out_over_one_connection_and_is_finished(sink: Sink) -> None:
    emails = [f"user{n}@northfield.example" for n in range(45)]
    batch = make_sending_batch(*emails)
    jobs.send()
    assert sink.recipients == emails
    assert sink.connections == 1
    assert set(outcomes(batch).values()) == {"invited"}
    assert state_of(batch) is BatchState.FINISHED


def test_what_arrives_is_the_invitation_with_its_link_and_message_id(sink: Sink) -> None:
    queued = make_message(INES).message_id
    jobs.send()
    (received,) = sink.messages
    assert received.sender == "muster@northfield.example"
    assert received.mime["Message-ID"] == queued
    assert token_of(invitation_of(INES)) in received.text
    assert message_to(INES).result == {"code": "accepted", "words": "250 2.0.0 OK"}


def test_each_answer_becomes_its_rows_outcome_and_none_stops_the_others(sink: Sink) -> None:
    zoe = "zoë@northfield.example"
    sink.answer(INES, "550 5.1.1 No such user")
    sink.answer(JONAS, "451 4.7.1 Greylisted")
    batch = make_sending_batch(INES, JONAS, LENA, zoe)
    jobs.send()
    assert sink.recipients == [LENA, zoe]
    assert outcomes(batch) == {
        "ines": "failed: Refused by the mail server (550 5.1.1 No such user)",
        "jonas": f"waiting: Due again at {message_to(JONAS).due_at:%H:%M}: 451 4.7.1 Greylisted",
        "lena": "invited",
        "zoë": "invited",
    }
    assert state_of(batch) is BatchState.PROCESSING
    sink.answer(JONAS, "250 OK", times=0)
    pass_time(minutes=1)
    jobs.send()
    assert outcomes(batch)["jonas"] == "invited"
    assert state_of(batch) is BatchState.FINISHED


def test_a_message_id_stays_through_all_attempts(sink: Sink) -> None:
    make_message(INES)
    sink.answer(INES, CUT, at="data", times=1)
    jobs.send()
    assert sink.recipients == [INES, INES], "sent once more by itself"
    assert len({received.mime["Message-ID"] for received in sink.messages}) == 1
    assert len({received.text for received in sink.messages}) == 1, "with the same link"
    assert message_to(INES).state is MessageState.UNCERTAIN


def test_a_server_that_always_breaks_off_gets_each_message_twice_at_most(sink: Sink) -> None:
    batch = make_sending_batch(INES, JONAS)
    for email in (INES, JONAS):
        sink.answer(email, CUT, at="data")
    jobs.send()
    assert sorted(sink.recipients) == [INES, INES, JONAS, JONAS]
    assert {outcome.partition(":")[0] for outcome in outcomes(batch).values()} == {"failed"}
    assert state_of(batch) is BatchState.FINISHED


def test_a_server_that_is_away_holds_sending_up_until_it_is_back(sink: Sink) -> None:
    batch = make_sending_batch(INES, JONAS)
    sink.stop()
    jobs.send()
    alarm = throttle.alarm()
    assert alarm
    assert "cannot be used" in alarm.cause_text
    assert outcomes(batch) == {"ines": "waiting", "jonas": "waiting"}
    sink.start()
    jobs.send()
    assert sink.messages == [], "it is tried again every 30 s"
    pass_time(seconds=31)
    jobs.send()
    assert sink.recipients == [INES, JONAS]
    assert throttle.alarm() is None
    assert (message_to(INES).attempts, message_to(JONAS).attempts) == (1, 1)


def test_a_server_that_goes_away_in_the_middle_loses_nothing(sink: Sink) -> None:
    batch = make_sending_batch(INES, JONAS, LENA)
    for email in (JONAS, LENA):
        sink.answer(email, "421 4.3.2 Shutting down")
    jobs.send()
    assert sink.recipients == [INES]
    assert {name: outcome.partition(":")[0] for name, outcome in outcomes(batch).items()} == {
        "ines": "invited",
        "jonas": "waiting",
        "lena": "waiting",
    }
    assert throttle.alarm()
    for email in (JONAS, LENA):
        sink.answer(email, "250 OK", times=0)
    pass_time(minutes=1)
    jobs.send()
    assert sorted(sink.recipients) == [INES, JONAS, LENA]
    assert throttle.alarm() is None


def test_no_transaction_is_open_while_the_server_is_busy(sink: Sink) -> None:
    make_message(INES)
    make_message(JONAS)
    pool, in_use = db.engine.pool, []
    sink.on_message = lambda _: in_use.append(pool.checkedout())
    jobs.send()
    assert in_use == [0, 0], "connections to the database while the server has not answered"


def test_an_invitation_revoked_during_the_run_is_not_sent(sink: Sink, app: Flask) -> None:
    batch = make_sending_batch(INES, JONAS)

    def revoke(received: Received) -> None:
        with app.app_context():
            invitation_of(JONAS).state = InvitationState.REVOKED
            db.session.commit()

    sink.on_message = revoke
    jobs.send()
    assert sink.recipients == [INES]
    assert outcomes(batch) == {"ines": "invited", "jonas": "skipped: The invitation was revoked before its email went"}
    assert state_of(batch) is BatchState.FINISHED


def test_a_stop_ends_after_the_message_in_flight_and_gives_the_rest_back(sink: Sink, stop_asked: Callable[[], None]) -> None:
    batch = make_sending_batch(INES, JONAS, LENA)
    sink.on_message = lambda _: stop_asked()
    jobs.send()
    assert sink.recipients == [INES]
    assert outcomes(batch) == {"ines": "invited", "jonas": "waiting", "lena": "waiting"}
    stopping.clear()
    assert claim.claim("w2") != [], "at once, not when a lease has run out"


@pytest.mark.slow
def test_a_worker_cut_off_in_the_middle_leaves_that_one_uncertain(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second stop comes as SystemExit while the server has the message and has not answered."""
    make_message(INES)
    make_message(JONAS)
    send = smtplib.SMTP.send
    monkeypatch.setattr(smtplib.SMTP, "send", lambda self, said: _exit() if said[-3:] == b".\r\n" else send(self, said))
    with pytest.raises(SystemExit):
        jobs.send()
    monkeypatch.undo()
    assert (message_to(INES).state, message_to(INES).maybe_sent) == (MessageState.QUEUED, True)
    assert not message_to(JONAS).maybe_sent


def _exit(*_: Any) -> None:
    raise SystemExit(1)


@pytest.mark.slow
def test_two_workers_together_send_each_message_once(sink: Sink, app: Flask) -> None:
    emails = [f"user{n}@northfield.example" for n in range(60)]
    batch = make_sending_batch(*emails)

    def work() -> None:
        with app.app_context():
            jobs.send()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sink.recipients) == sorted(emails)
    assert state_of(batch) is BatchState.FINISHED


def test_a_killed_worker_repeats_at_most_the_message_in_flight(sink: Sink) -> None:
    batch = make_sending_batch(INES, JONAS)
    first, _second = claim.claim("killed")
    claim.begin_data(first, "killed")
    die("killed")
    jobs.send()
    assert sink.recipients == [INES, JONAS]
    assert outcomes(batch) == {"ines": "invited: Delivery uncertain: sent again after an interruption", "jonas": "invited"}


def test_a_worker_cut_off_while_it_writes_a_file_leaves_nothing_uncertain(
    app: Flask, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """No mail server is set: nobody was e-mailed, and nobody may have been."""
    batch = make_sending_batch(INES, JONAS)
    monkeypatch.setattr("webapp.run.data_folder.sync_folder", _exit)
    with pytest.raises(SystemExit):
        jobs.send()
    monkeypatch.undo()
    assert (message_to(INES).state, message_to(INES).maybe_sent) == (MessageState.QUEUED, False)
    first, _second = claim.claim("killed")
    claim.begin_data(first, "killed", is_file=True)
    die("killed")
    jobs.send()
    assert {message_to(email).state for email in (INES, JONAS)} == {MessageState.WRITTEN}
    assert outcomes(batch) == {"ines": "invited", "jonas": "invited"}
    assert len(list((settings.data_dir / "outbox").glob("*.eml"))) == 2


@pytest.mark.slow
def test_kill_minus_9_while_the_server_thinks(sink: Sink, settings: Settings) -> None:
    batch = make_sending_batch(INES, JONAS)
    sink.answer(INES, HANG, at="data", times=1)
    environ = {
        "MUSTER_DATA_DIR": str(settings.data_dir),
        "MUSTER_DATABASE_URL": settings.database_url,
        "MUSTER_MAIL_URL": sink.url,
        "MUSTER_TIME_ZONE": "UTC",
    }
    code = "from webapp.app import create_app\nfrom webapp.jobs.outbox import send\nwith create_app().app_context(): send()"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    worker = subprocess.Popen([sys.executable, "-c", code], env=inherited | environ)
    deadline = time.monotonic() + 60
    while not sink.messages:
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    jobs.send()
    assert sink.recipients == [INES], "what the dead worker claimed is its own for a little while"
    pass_time(seconds=40)
    jobs.send()
    assert sink.recipients == [INES, INES, JONAS]
    assert len({received.mime["Message-ID"] for received in sink.messages}) == 2
    assert outcomes(batch) == {"ines": "invited: Delivery uncertain: sent again after an interruption", "jonas": "invited"}


def test_a_turn_that_is_over_leaves_the_rest_due(sink: Sink) -> None:
    make_message(INES)
    jobs.send(turn=0)
    assert sink.messages == []
    assert claim.oldest_due()


def test_without_a_mail_server_messages_become_files(app: Flask, settings: Settings) -> None:
    batch = make_sending_batch(INES, JONAS)
    jobs.send()
    assert len(list((settings.data_dir / "outbox").glob("*.eml"))) == 2
    assert outcomes(batch) == {"ines": "invited", "jonas": "invited"}
    assert message_to(INES).result["code"] == "file"


# The sweep


def names(queue: str) -> list[str]:
    """The jobs that were rung for."""
    with Redis.from_url(queue) as server:
        return sorted(id.rpartition("-")[0] for id in Queue(QUEUE, connection=server, serializer="json").job_ids)


def test_the_sweep_beats_and_forgets_workers_unseen_for_an_hour(app: Flask) -> None:
    maintenance.tick("worker 1")
    maintenance.tick("worker 1")
    maintenance.tick("worker 2")
    assert heartbeats.alive() == 2
    db.session.execute(db.text("UPDATE workers SET seen_at = '2026-01-01 00:00:00' WHERE name = 'worker 1'"))
    db.session.commit()
    assert heartbeats.alive() == 1
    maintenance.tick("worker 2")
    assert [worker.name for worker in db.session.scalars(db.select(Worker))] == ["worker 2"]


def test_the_sweep_rings_for_what_is_due(sink: Sink, queue: str) -> None:
    by = make_persona("Admin")
    waiting = make_sending_batch(INES, by=by)
    begun = make_sending_batch(JONAS, by=by)
    row_of(JONAS).outcome = None
    confirmed = make_sending_batch(by=by, state=BatchState.QUEUED)
    make_sending_batch(LENA, by=by, state=BatchState.PAUSED)
    db.session.commit()
    maintenance.tick("worker 1")
    assert names(queue) == sorted(["outbox", f"batch-{begun.id}", f"batch-{confirmed.id}"])
    assert state_of(waiting) is BatchState.PROCESSING
    assert sink.messages == [], "the queue does it"


def test_where_much_is_due_other_workers_are_rung_for(sink: Sink, queue: str) -> None:
    rung: list[list[str]] = []
    sink.on_message = lambda _: rung.append(names(queue))
    make_sending_batch(*(f"user{n}@northfield.example" for n in range(jobs.CLAIM + 1)))
    jobs.send()
    assert rung[0] == ["outbox"], "while the first of them goes"


def test_where_many_rows_are_left_other_workers_are_rung_for(app: Flask, queue: str) -> None:
    by = make_persona("Admin")
    rows = batch_jobs.CHUNK + 1
    batch = make_batch(by, rows=rows, planned_for_id=by.id, confirmed_by_id=by.id, state=BatchState.PROCESSING)
    for row in db.session.scalars(db.select(Row)):
        row.plan, row.email_key = Plan.INVITE, row.email
        row.change_dict = {"after": {"role": by.role_id, "groups": [], "everything": False}}
    db.session.commit()
    batch_jobs.process(batch.id)
    assert f"batch-{batch.id}" in names(queue)


def test_the_sweep_rings_for_nothing_when_nothing_is_due(app: Flask, queue: str) -> None:
    maintenance.tick("worker 1")
    assert names(queue) == []


def test_the_sweep_finishes_what_a_crash_left_unfinished(app: Flask, queue: str) -> None:
    batch = make_sending_batch(INES)
    row_of(INES).outcome = Outcome.INVITED
    db.session.commit()
    maintenance.tick("worker 1")
    assert state_of(batch) is BatchState.FINISHED


def test_the_sweep_does_it_itself_while_the_queue_is_away(sink: Sink) -> None:
    batch = make_sending_batch(INES)
    claim.claim("killed")
    die("killed")
    maintenance.tick("worker 1")
    assert sink.recipients == [INES]
    assert state_of(batch) is BatchState.FINISHED


def test_the_sweep_works_off_batches_itself_while_the_queue_is_away(app: Flask) -> None:
    by = make_persona("Admin")
    batch = make_batch(by, rows=3, planned_for_id=by.id, confirmed_by_id=by.id, state=BatchState.QUEUED)
    for row in db.session.scalars(db.select(Row)):
        row.plan = Plan.UNCHANGED
    db.session.commit()
    maintenance.tick("worker 1")
    assert set(outcomes(batch).values()) == {"unchanged"}
    assert state_of(batch) is BatchState.FINISHED


@pytest.fixture
def run_jobs(app: Flask, queue: str) -> Callable[[], None]:
    """`run_jobs()`: a real worker runs what was rung for, until nothing is left."""

    def run() -> None:
        with Redis.from_url(queue) as server:
            SimpleWorker([Queue(QUEUE, connection=server, serializer="json")], connection=server, serializer="json").work(
                burst=True
            )
        db.session.rollback()

    return run


def test_a_retry_rings_and_a_worker_sends(sink: Sink, run_jobs: Callable[[], None]) -> None:
    sink.answer(INES, "552 5.2.2 Over quota", times=1)
    batch = make_sending_batch(INES, JONAS)
    jobs.send()
    assert outcomes(batch)["ines"] == "failed: Refused by the mail server (552 5.2.2 Over quota)"
    assert outbox.retry_failed(db.session.get_one(Batch, batch.id), make_persona("Admin")) == 1
    run_jobs()
    assert sink.recipients == [JONAS, INES]
    assert outcomes(batch) == {"ines": "invited", "jonas": "invited"}
    assert state_of(batch) is BatchState.FINISHED

"""GET /healthz and /metrics, for monitors."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from webapp import queue as bell
from webapp.app import create_app
from webapp.db import db, utcnow
from webapp.mail import transports
from webapp.mail.errors import MailServerUnavailableError
from webapp.models import BatchState, Message, MessageState, Worker
from webapp.run import data_folder
from webapp.settings.settings import Settings
from webapp.views.operations import health

from tests.factories import make_batch, make_invitation, make_persona, token_of
from tests.mail_fixtures import hold_up, make_message, pass_time

TOKEN = "a-token-for-the-monitor"


@pytest.fixture
def workers(app):
    """Two workers whose hearts beat, and two that are gone: for an hour, and just now."""
    gone = {"gone": timedelta(hours=1), "late": timedelta(seconds=31)}
    db.session.add_all([Worker(name="one"), Worker(name="two")])
    db.session.add_all(Worker(name=name, seen_at=utcnow() - ago) for name, ago in gone.items())
    db.session.commit()


@pytest.fixture
def frozen_database(tmp_path, monkeypatch):
    """An app whose database takes connections and never answers."""
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://muster:hunter2@127.0.0.1:{server.getsockname()[1]}/muster"
        yield create_app(
            Settings.from_environment(
                {
                    "MUSTER_DATA_DIR": str(tmp_path / "data"),
                    "MUSTER_DATABASE_URL": url,
                    "MUSTER_METRICS_TOKEN": TOKEN,
                }
            )
        )


def away(*_):
    raise OperationalError("SELECT 1", {}, Exception("no such server"))


# /healthz


def test_all_is_well(client, workers, queue):
    assert client.get("/healthz").json == {
        "status": "ok", "wrong": [], "database": "ok", "queue": "ok", "workers": 2, "workers_expected": 2, "mail": "ok",
        "oldest_due_seconds": 0,
    }  # fmt: skip


def test_without_a_queue_server_it_says_so(client, workers):
    answer = client.get("/healthz", status=503).json
    assert (answer["status"], answer["wrong"], answer["queue"], answer["workers"]) == ("not ok", ["queue"], "away", 2)


def test_a_frozen_queue_server_counts_as_away(client, workers, frozen_queue):
    assert client.get("/healthz", status=503).json["queue"] == "away"


def test_without_workers_it_says_so(client, queue):
    answer = client.get("/healthz", status=503).json
    assert (answer["wrong"], answer["workers"]) == (["workers"], 0)


def test_with_fewer_workers_than_there_should_be_it_says_so(client, workers, queue, change_settings):
    change_settings(workers=3)
    answer = client.get("/healthz", status=503).json
    assert (answer["wrong"], answer["workers"], answer["workers_expected"]) == (["workers"], 2, 3)


def test_without_a_database_it_says_so_to_a_monitor_that_carries_a_cookie(owner, queue, monkeypatch):
    monkeypatch.setattr(db.engine.dialect, "do_execute", away)
    monkeypatch.setattr(db.engine.dialect, "do_execute_no_params", away)
    answer = owner.get("/healthz", status=503).json
    assert (answer["database"], answer["queue"], answer["wrong"]) == ("away", "ok", ["database", "workers"])


def test_while_the_database_is_frozen_it_answers_all_the_same(frozen_database):
    asker, began = frozen_database.test_client(), time.monotonic()
    assert asker.get("/healthz").json["database"] == "away"
    assert time.monotonic() - began < 30
    assert [asker.get("/healthz").status_code for _ in range(5)] == [503] * 5
    assert asker.get("/healthz/live").json == {"status": "ok"}


def test_the_web_lives_whatever_is_away(client, monkeypatch):
    monkeypatch.setattr(db.engine.dialect, "do_execute", away)
    assert client.get("/healthz/live").json == {"status": "ok"}


def test_it_says_that_email_is_held_up_without_names(client, workers, queue, change_settings):
    changed = change_settings(mail_url="smtp://nobody.invalid")
    with pytest.raises(MailServerUnavailableError) as refused, transports.connect(changed):
        pass
    hold_up("a worker", refused.value.answer)
    answer = client.get("/healthz", status=503)
    assert (answer.json["wrong"], answer.json["mail"]) == (["mail"], "held up")
    assert "nobody" not in answer.text


def test_it_says_for_how_long_something_has_been_due(client, workers, queue):
    make_message()
    pass_time(minutes=3)
    assert 180 <= client.get("/healthz").json["oldest_due_seconds"] < 240


# /metrics


def figures(client, **headers):
    """Every figure: its name with its labels -> its value."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", **headers})
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.fixture
def token(change_settings):
    change_settings(metrics_token=TOKEN)


def test_nobody_reads_the_figures_by_default(client, owner):
    client.get("/metrics", status=404)
    owner.get("/metrics", status=404, headers={"Authorization": "Bearer "})


@pytest.mark.parametrize("shown", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}é", ""])
def test_who_does_not_show_the_token_finds_no_such_page(client, token, shown):
    client.get("/metrics", status=404, headers={"Authorization": shown} if shown else {})


def test_the_figures_of_the_database(client, token, workers, queue):
    admin = make_persona("Admin")
    now = utcnow()
    for state, seconds in ((BatchState.FINISHED, 3), (BatchState.FINISHED, 90), (BatchState.REVERTED, 20)):
        make_batch(admin, state=state, confirmed_at=now - timedelta(seconds=seconds), finished_at=now)
    make_batch(admin, state=BatchState.PROCESSING, confirmed_at=now)
    make_message()
    pass_time(minutes=2)
    sent = make_message("sent@northfield.example")
    db.session.get_one(Message, sent.id).state = MessageState.SENT
    db.session.commit()
    found = figures(client)
    assert found["muster_workers_alive",] == found["muster_workers_expected",] == 2
    assert (found["muster_database_up",], found["muster_queue_up",], found["muster_queue_depth",]) == (1, 1, 0)
    assert (found["muster_outbox_messages", "queued"], found["muster_outbox_messages", "sent"]) == (1, 1)
    assert 120 <= found["muster_outbox_oldest_due_seconds",] < 180
    assert (found["muster_batches", "finished"], found["muster_batches", "processing"]) == (2, 1)


def test_the_figures_of_the_machine(app, client, token):
    folder = app.extensions["muster_settings"].data_dir
    make_invitation()
    make_invitation("late@northfield.example", expires_in=timedelta(days=-1))
    found = figures(client)
    assert found["muster_last_backup_timestamp_seconds",] == 0
    assert found["muster_data_free_bytes",] > 0
    assert found["muster_database_bytes",] > 0
    assert found["muster_invitations_pending",] == 2
    assert found["process_resident_memory_bytes",] > 0
    data_folder.note_backup(folder)
    try:
        assert abs(figures(client)["muster_last_backup_timestamp_seconds",] - time.time()) < 60
    finally:
        (folder / "last_backup").unlink()


def test_jobs_that_wait_are_counted(client, token, queue):

    assert bell.enqueue_send()
    assert figures(client)["muster_queue_depth",] == 1


def test_requests_are_counted_by_view_and_never_by_what_is_in_their_path(app, client, token, owner):

    invited = make_invitation()
    batch = make_batch(make_persona("Owner"), state=BatchState.FINISHED)
    owner.get(f"/batches/{batch.id}")
    client.get(f"/invitations/{token_of(invited)}")
    client.get("/invitations/such-a-token/longer", status=404)
    client.send("FROBNICATE", "/users", 405, csrf=False)
    text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    found = figures(client)
    assert found["muster_request_seconds_count", "batches.show", "2xx"] >= 1
    assert found["muster_request_seconds_count", "invitations.show", "2xx"] >= 1
    assert found["muster_request_seconds_count", "none", "4xx"] >= 2
    assert token_of(invited) not in text
    assert "such-a-token" not in text


def test_figures_cost_the_same_however_much_there_is(client, token, queries):
    def asked():
        queries.clear()
        figures(client)
        return len(queries)

    few = asked()
    admin = make_persona("Admin")
    for n in range(20):
        make_batch(admin, state=BatchState.FINISHED, confirmed_at=utcnow(), finished_at=utcnow())
        make_message(f"somebody{n}@northfield.example")
    assert asked() == few


def test_while_the_database_is_frozen_the_rest_is_told(frozen_database):
    answer = frozen_database.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert "muster_database_up 0.0" in answer.text
    assert "muster_workers_alive" not in answer.text

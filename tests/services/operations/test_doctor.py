"""`muster doctor` on installations that are well, and on broken ones."""

from __future__ import annotations

import contextvars
import os
import socket
import time

import pytest
from webapp.db import db
from webapp.models import Worker
from webapp.run import data_folder, valkey
from webapp.services.audit import chain, events

from tests.services.conftest import within
from tests.smtp_sink import Sink


def examine(app):
    """What the doctor says: its exit code and, by what it is about, the lines."""
    result = contextvars.Context().run(app.test_cli_runner().invoke, args=["muster", "doctor"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    lines = result.output.splitlines()
    assert all(line[:8].strip() in ("ok", "warning", "wrong") for line in lines), result.output
    assert "hunter2" not in result.output
    told: dict[str, str] = {}
    for line in lines:
        about = line[9:21].strip()
        told[about] = f"{told.get(about, '')}{line[:8].strip()}: {line[22:]}\n"
    return result.exit_code, told


def test_an_installation_that_runs_is_well(install):
    with Sink(user="user", password="hunter2", tls=None) as sink:
        app = install(MAIL_URL=sink.url, PUBLIC_URL="https://muster.example.org", TRUSTED_PROXIES="1")
        settings = app.extensions["muster_settings"]
        within(app, lambda: db.session.add_all([Worker(name="one"), Worker(name="two")]))
        data_folder.note_backup(settings.data_dir)
        server = valkey.start(settings, valkey.find_server())
        try:
            with data_folder.lock(settings.data_dir):
                while not valkey.answers(settings):
                    time.sleep(0.02)
                code, told = examine(app)
        finally:
            server.terminate()
            server.wait(60)
        assert not sink.messages
    assert code == 0, told
    assert {line.partition(":")[0] for lines in told.values() for line in lines.splitlines()} == {"ok"}
    assert told["mail"] == "ok: The mail server answers.\n"


def test_one_that_does_not_run(install):
    code, told = examine(install())
    assert code == 1
    assert "start Muster" in told["queue"]
    assert "start Muster" in told["workers"]
    assert told["mail"].startswith("warning: No mail server is set")
    assert told["backup"].startswith("warning: None was made here so far")


def test_where_secrets_come_from_and_never_what_they_are(install, tmp_path):
    assert examine(install())[1]["secrets"] == "ok: None is set: the key is in the data folder.\n"
    (tmp_path / "url").write_text("smtp://user:hunter2@localhost:1\n")
    app = install(MAIL_URL_FILE=str(tmp_path / "url"), METRICS_TOKEN="hunter2" * 3)
    told = examine(app)[1]["secrets"]
    assert told == f"ok: MUSTER_MAIL_URL: {tmp_path}/url; MUSTER_METRICS_TOKEN: environment.\n"


def test_a_backup_that_is_old(install, tmp_path):
    app, note = install(), tmp_path / "data" / "last_backup"
    data_folder.note_backup(tmp_path / "data")
    os.utime(note, (86400, 86400))
    told = examine(app)[1]["backup"]
    assert told.startswith("warning: The last one was made on 1970-01-02")
    assert "muster-backup.timer" in told


def test_fewer_workers_than_there_should_be(install):
    app = install(WORKERS="3")
    within(app, lambda: db.session.add(Worker(name="one")))
    with data_folder.lock(app.extensions["muster_settings"].data_dir):
        told = examine(app)[1]["workers"]
    assert told.startswith("warning: 1 worker seen within 30 seconds, where MUSTER_WORKERS says 3: ")


def test_without_the_queue_server_and_workers_it_should_have(install):
    app = install()
    with data_folder.lock(app.extensions["muster_settings"].data_dir):
        code, told = examine(app)
    assert code == 1
    assert told["queue"].startswith("wrong: The server does not answer")
    assert told["workers"].startswith("wrong: 0 workers seen within 30 seconds")


def test_a_database_that_is_not_migrated(install):
    code, told = examine(install(migrated=False))
    assert code == 1
    assert "wrong: It has the tables of another version: run “muster prepare --upgrade”" in told["database"]
    assert set(told) == {"data folder", "backup", "database", "queue", "address", "secrets"}


def test_a_database_of_a_newer_version(install):
    app = install()
    within(app, lambda: db.session.execute(db.text("UPDATE alembic_version SET version_num = '9999'")))
    assert "start the newer Muster that made them" in examine(app)[1]["database"]


def test_a_database_that_is_damaged(install, tmp_path):
    app = install()
    with app.app_context():
        db.session.execute(db.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        db.engine.dispose()
    file = tmp_path / "data" / "muster.db"
    with file.open("r+b") as database:
        database.seek(4096 * 5)
        database.write(os.urandom(4096 * 10))
    code, told = examine(app)
    assert code == 1
    assert "wrong: It is damaged" in told["database"] or "does not answer" in told["database"]
    file.write_bytes(b"this is no database" * 1000)
    assert "does not answer (file is not a database)" in examine(install(migrated=False))[1]["database"]


def test_a_database_server_that_is_away_or_frozen(install, monkeypatch):
    monkeypatch.setattr("webapp.services.operations.doctor.DATABASE_TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        url = f"postgresql://muster:hunter2@127.0.0.1:{frozen.getsockname()[1]}/muster"
        code, told = examine(install(migrated=False, DATABASE_URL=url))
        assert code == 1
        assert "wrong: It does not answer (no answer in time)" in told["database"]
    code, told = examine(install(migrated=False, DATABASE_URL=url))
    assert "Connection refused" in told["database"]
    assert "workers" not in told


@pytest.mark.parametrize(
    ("url", "tls", "words"),
    [
        ("smtp://user:hunter2@localhost:{port}", None, "cannot be used (535"),
        ("smtp+starttls://localhost:{port}", None, "STARTTLS extension not supported"),
        ("smtps://localhost:{port}", "smtps", "certificate verify failed"),
        ("smtp://user:hunter2@nobody.invalid", None, "travels unencrypted"),
    ],
)
def test_a_mail_server_that_does_not_do(install, url, tls, words):
    with Sink(user="user", password="another", tls=tls) as sink:
        code, told = examine(install(MAIL_URL=url.format(port=sink.port)))
    assert code == 1
    assert words in told["mail"]


def told_wrong(app, about):
    code, told = examine(app)
    assert code == 1, told
    return told[about]


def test_a_disk_that_is_nearly_full(install, monkeypatch):
    monkeypatch.setattr("webapp.services.operations.doctor.GB", 2**61)
    assert "make room" in examine(install())[1]["data folder"]


def test_addresses_worth_a_warning(install):
    assert "is not https" in examine(install(PUBLIC_URL="http://muster.example.org"))[1]["address"]
    told = examine(install(PUBLIC_URL="https://muster.example.org"))[1]["address"]
    assert "set MUSTER_TRUSTED_PROXIES=1" in told


def test_an_audit_log_that_somebody_changed(install):
    app = install()

    def record():
        events.record(None, "audit.pruned", events=1)

    within(app, record)
    within(app, chain.seal)
    assert "are unchanged" in examine(app)[1]["audit log"]

    def tamper():
        with events.unlock():
            db.session.execute(db.text("UPDATE audit_events SET actor = 'somebody'"))

    within(app, tamper)
    told = told_wrong(app, "audit log")
    assert "wrong: It was changed" in told
    assert "muster audit verify" in told

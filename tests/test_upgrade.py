"""An upgrade from version 0.1: what was under review, being sent, failed or promised there goes on here."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from webapp import cli
from webapp.app import create_app
from webapp.db import db
from webapp.jobs import maintenance
from webapp.models import User
from webapp.services.operations import first_run
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade

from tests.client import Client
from tests.factories import PASSWORD
from tests.smtp_sink import Sink

pytestmark = pytest.mark.slow

OLD = Path(__file__).parent / "data_of_0_1"
FINISHED, REVERT, DEACTIVATION, RUNNING, PAUSED, REVIEW, PART_1, PART_2, WORDS = range(1, 10)


@pytest.fixture
def mail() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def app(tmp_path: Path, mail: Sink) -> Iterator[Flask]:
    """The app of today, on a copy of the old data folder."""
    for name in ("secret_key", "audit_head"):
        shutil.copy(OLD / name, tmp_path)
    old = sqlite3.connect(tmp_path / "muster.db")
    old.executescript((OLD / "muster.sql").read_text(encoding="utf-8"))
    old.execute("UPDATE invitations SET expires_at = datetime('now', '+7 days') WHERE expires_at IS NOT NULL")
    old.commit()
    old.close()
    given = {
        "MUSTER_DATA_DIR": str(tmp_path),
        "MUSTER_MAIL_URL": mail.url,
        "MUSTER_MAIL_FROM": "muster@northfield.example",
        "MUSTER_REDIS_URL": "redis://127.0.0.1:1/0",
        "MUSTER_MAX_ROWS": "8",
    }
    app = create_app(Settings.from_environment(given))
    cli.register(app)
    app.testing = True
    with app.app_context():
        upgrade()
        first_run.prepare()
        yield app
        db.session.rollback()
        db.engine.dispose()


@pytest.fixture
def admin(app: Flask) -> Client:
    """Devika Raman, who signs in with the password of then."""
    browser = Client(app)
    browser.post("/sign-in", {"email": "devika.raman@northfield.example", "password": PASSWORD})
    return browser


def work() -> None:
    """What a worker does without its queue: everything that is due."""
    for _ in range(3):
        maintenance.tick("worker")
        db.session.expire_all()
        db.session.rollback()


def confirm(browser: Client, batch_id: int) -> None:
    browser.get(f"/batches/{batch_id}")
    page = browser.get(f"/batches/{batch_id}/confirmation").page
    form = {"version": page.values("version")[0], "password": PASSWORD}
    assert browser.post(f"/batches/{batch_id}/confirmation", form).location.endswith(f"/batches/{batch_id}")


def test_a_review_shows_its_mistakes_and_takes_back_what_was_changed_then(admin):
    page = admin.get(f"/batches/{REVIEW}").page.text
    mistakes = "No @ in email", "Same email as row 4", "Same email as row 3", "The Owner cannot be changed"
    for said in (*mistakes, "Stays Analyst"):
        assert said in page
    assert "x5@northfield.example" not in page
    admin.post(f"/batches/{REVIEW}/undos", {}, None, htmx=True)
    assert "x5@northfield.example" in admin.get(f"/batches/{REVIEW}").text


def test_parts_of_a_split_file_and_words_to_be_matched_are_there(admin):
    for batch_id in (PART_1, PART_2):
        assert "split0@northfield.example" in admin.get(f"/batches/{batch_id}").text
    assert "Boss" in admin.get(f"/batches/{WORDS}/mapping").page.text


def test_what_was_being_sent_is_finished_once_and_the_alarm_ends(admin, mail):
    assert "refuses the sender muster@northfield.example (550 5.7.60 Not this sender)" in admin.get("/messages").page.text
    db.session.execute(db.text("UPDATE messages SET due_at = datetime('now') WHERE state = 'queued'"))
    db.session.execute(db.text("UPDATE mail_circuit SET retry_at = datetime('now')"))
    db.session.commit()
    work()
    new = [f"run{n}@northfield.example" for n in range(1, 6)]  # run0 had its e-mail
    assert sorted(mail.recipients) == [*new, "waiting@northfield.example"]
    assert "refuses the sender" not in admin.get("/messages").page.text
    assert admin.get(f"/batches/{RUNNING}/report.csv").text.count("Invited") == 6


def test_a_paused_batch_is_resumed(admin, mail):
    admin.post(f"/batches/{PAUSED}/resumption", {})
    db.session.execute(db.text("UPDATE mail_circuit SET retry_at = datetime('now')"))
    db.session.commit()
    work()
    assert {"paused@northfield.example", "paused2@northfield.example"} <= set(mail.recipients)


def test_a_failed_message_says_why_and_is_sent_again(admin, mail):
    assert "Mailbox full (552 5.2.2)" in admin.get(f"/batches/{FINISHED}").page.text
    admin.post(f"/batches/{FINISHED}/retries", {})
    db.session.execute(db.text("UPDATE mail_circuit SET retry_at = datetime('now')"))
    db.session.commit()
    work()
    assert "full@northfield.example" in mail.recipients


def test_a_link_that_was_mailed_then_lets_its_person_in(app):
    token = (OLD / "link").read_text(encoding="utf-8").strip()
    form = {"name": "Pia Endo", "password": "a very long password 77", "password_again": "a very long password 77"}
    Client(app).post(f"/invitations/{token}", form)
    assert db.session.scalar(db.select(User.name).where(User.email == "pending@northfield.example")) == "Pia Endo"


def test_a_revert_and_an_action_are_carried_out(admin):
    for batch_id in (REVERT, DEACTIVATION):
        confirm(admin, batch_id)
    work()
    states = dict(db.session.execute(db.select(User.name, User.state)).all())
    assert states["Old Colleague"] == "deactivated"
    amelia = db.session.scalars(db.select(User).where(User.name == "Amelia Hart")).one()
    assert [group.name for group in amelia.groups] == ["Student Devices"]
    text = admin.get(f"/batches/{DEACTIVATION}").page.text
    assert "Deactivate 1 person" in text


def test_the_audit_log_holds(app):
    for _ in range(3):
        maintenance.tick("worker")
    answer = app.test_cli_runner().invoke(args=["muster", "audit", "verify"])
    assert answer.exit_code == 0, answer.output

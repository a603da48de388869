"""Fixtures for everybody: one app a test process, real commits, everything emptied after each test."""

from __future__ import annotations

import contextvars
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from tests.client import Client
from tests.factories import make_persona
from webapp import create_app, valkey
from webapp.config import Settings
from webapp.db import Base, db, utcnow
from webapp.models import User
from webapp.services import audit, second_factors, sessions, setup


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Settings with a data folder of their own: SQLite, .eml files, and a queue that is away (see `queue`).

    MUSTER_TEST_DATABASE_URL runs everything on another, empty database.
    """
    folder = Path(tempfile.mkdtemp(prefix="muster-"))
    given = {
        "MUSTER_DATA_DIR": str(folder / "data"),
        "MUSTER_TIME_ZONE": "UTC",
        "MUSTER_ALLOWED_DOMAINS": "",
        "MUSTER_DATABASE_URL": os.environ.get("MUSTER_TEST_DATABASE_URL", ""),
        "XDG_RUNTIME_DIR": str(folder),
    }
    yield Settings.from_environment(given)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def muster(settings: Settings) -> Iterator[Flask]:
    """The app of this test process, with its tables. Tests take `app`."""
    app = create_app(settings)
    app.testing = True
    with app.app_context():
        db.drop_all()
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(muster: Flask) -> Iterator[Flask]:
    """The app, prepared as by a first start, with an app context for the test. Afterwards everything is emptied."""
    with muster.app_context():
        setup.prepare()
        yield muster
        db.session.rollback()
        with audit.unlocked():
            db.session.execute(Base.metadata.tables["audit_events"].delete())
        for table in reversed(Base.metadata.sorted_tables):
            db.session.execute(table.delete())
        db.session.commit()
    _forget_queue(muster)
    (muster.extensions["muster_settings"].data_dir / "audit_head").unlink(missing_ok=True)
    for name in ("outbox", "uploads"):
        shutil.rmtree(muster.extensions["muster_settings"].data_dir / name, ignore_errors=True)


@pytest.fixture
def change_settings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """`change_settings(max_rows=3)`: for this test."""

    def change(**values: Any) -> Settings:
        changed = replace(app.extensions["muster_settings"], **values)
        monkeypatch.setitem(app.extensions, "muster_settings", changed)
        return changed

    return change


class Clock:
    """What time it is for codes of the second step."""

    def __init__(self) -> None:
        self.at = utcnow()

    def pass_(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """`now.at`, and `now.pass_(30)`: no test waits for the next code."""
    clock = Clock()
    monkeypatch.setattr(second_factors, "utcnow", lambda: clock.at)
    return clock


@pytest.fixture
def client(app: Flask) -> Client:
    """A browser that nobody is signed in with."""
    return Client(app)


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., Client]:
    """`sign_in("Admin")`: a browser in which the persona of that role (or a given user) is signed in.

    There is an Owner then, too. `client.user` is who is signed in.
    """

    def sign(who: str | User = "Owner") -> Client:
        make_persona("Owner")
        user = make_persona(who) if isinstance(who, str) else who
        browser = Client(app)
        user_id = user.id
        token = contextvars.Context().run(_start_session, app, user_id)
        db.session.rollback()
        browser.set_cookie(sid=token)
        browser.user = db.session.get_one(User, user_id)
        return browser

    return sign


def _start_session(app: Flask, user_id: int) -> str:
    with app.app_context():
        return sessions.start(db.session.get_one(User, user_id), "192.0.2.1", "pytest")


@pytest.fixture
def owner(sign_in: Callable[..., Client]) -> Client:
    """The Owner, Maren Okafor, signed in."""
    return sign_in("Owner")


@pytest.fixture
def admin(sign_in: Callable[..., Client]) -> Client:
    """The Admin, Devika Raman, signed in."""
    return sign_in("Admin")


class Queries(list[str]):
    """The statements sent to the database since `clear()`."""

    def __repr__(self) -> str:
        return f"{len(self)} queries:\n" + "\n".join(" ".join(each.split())[:150] for each in self)


@pytest.fixture
def queries(app: Flask) -> Iterator[Queries]:
    """`queries.clear(); client.get(…); assert len(queries) == n, queries`."""
    seen = Queries()

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "SELECT pg_advisory")):
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture(scope="session")
def valkey_server(settings: Settings) -> Iterator[Path]:
    """A queue server for this test process, on a socket that the app does not look at; see `queue`."""
    apart = replace(settings, data_dir=Path(tempfile.mkdtemp(prefix="muster-queue-")))
    child = valkey.start(apart, valkey.find_server())
    deadline = time.monotonic() + 10
    while not valkey.answers(apart):
        if child.poll() is not None or time.monotonic() > deadline:
            pytest.fail((apart.data_dir / "valkey.log").read_text())
        time.sleep(0.02)
    yield apart.queue_socket
    child.terminate()
    child.wait(5)
    shutil.rmtree(apart.data_dir, ignore_errors=True)


@pytest.fixture
def queue(app: Flask, settings: Settings, valkey_server: Path) -> Iterator[str]:
    """An empty queue server that this test's app finds; its address."""
    settings.queue_socket.symlink_to(valkey_server)
    with valkey.connect(settings.queue_url, 1) as server:
        server.flushall()
    _forget_queue(app)
    yield settings.queue_url
    settings.queue_socket.unlink(missing_ok=True)
    _forget_queue(app)


def _forget_queue(app: Flask) -> None:
    """The app's connections to the queue, and what it counted in memory."""
    app.extensions.pop("muster_bell", None)
    app.extensions.pop("muster_limits", None)

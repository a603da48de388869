"""Fixtures for everybody: one app a test process, real commits, everything emptied after each test."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import event
from webapp import cli
from webapp import queue as queue_module
from webapp.app import create_app
from webapp.core.security import passwords
from webapp.core.security.tokens import hash_token
from webapp.db import Base, db, utcnow
from webapp.models import Session, User
from webapp.run.processes import end, tune_gc
from webapp.services.accounts import two_factor
from webapp.services.operations import first_run
from webapp.services.settings import in_force
from webapp.settings.settings import Settings

from tests import properties, servers
from tests import triggers as triggers
from tests.client import Client
from tests.factories import make_group, make_persona
from tests.faults.seed import pytest_terminal_summary as pytest_terminal_summary
from tests.ports import free_port
from tests.provider import Provider

properties.register_profiles()

passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1024)  # argon2 is slow on purpose

ON_POSTGRES = "MUSTER_TEST_DATABASE_URL"
"""Names a PostgreSQL server, on which each test process makes databases of its own. Unset: SQLite."""


SECONDS, SECONDS_SLOW = 0.1, 3.0
"""What a test takes, roughly; those in a browser count as slow."""


def _server() -> str:
    return os.environ.get(ON_POSTGRES, "")


def pytest_addoption(parser: pytest.Parser) -> None:
    said = "run what touches the database or the queue, on PostgreSQL (started by the tests) and a queue server over TCP"
    parser.addoption("--postgres", action="store_true", help=said)


def pytest_configure(config: pytest.Config) -> None:
    """`--postgres`: one server for all test processes, which find it where one of your own would be named."""
    if config.getoption("--postgres") and not _server():
        server = servers.PostgreSQL()
        config.add_cleanup(server.clean_up)
        config.add_cleanup(lambda: os.environ.__delitem__(ON_POSTGRES))
        os.environ[ON_POSTGRES] = server.url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the other database runs, and put the files that take longest first: none is left for one process at the end.

    On PostgreSQL, what touches neither database nor queue is left out, and what needs a database but is the same on any.
    """
    left_out = [item for item in items if not (_runs_on_postgres(item) if _server() else _runs_on_sqlite(item))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    seconds: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        seconds[item.path] += SECONDS_SLOW if item.get_closest_marker("slow") or "browser" in item.path.parts else SECONDS
    items.sort(key=lambda item: -seconds[item.path])


def _runs_on_sqlite(item: pytest.Item) -> bool:
    return not item.get_closest_marker("postgres")


def _runs_on_postgres(item: pytest.Item) -> bool:
    if item.get_closest_marker("any_database"):
        return False
    touches = {"whole_app", "elsewhere", "new_database"} & set(getattr(item, "fixturenames", ()))
    return bool(touches or item.get_closest_marker("postgres"))


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """`new_database()`: the address of an empty one, on SQLite or PostgreSQL. It goes with the test process."""
    names: list[str] = []
    folder = tmp_path_factory.mktemp("databases")

    def make() -> str:
        names.append(f"muster_test_{os.getpid()}_{len(names)}")
        return servers.create_database(_server(), names[-1]) if _server() else f"sqlite:///{folder / names[-1]}.db"

    yield make
    for name in names if _server() else ():
        servers.drop_database(_server(), name)


@pytest.fixture(scope="session")
def settings(new_database: Callable[[], str]) -> Iterator[Settings]:
    """Settings with a data folder of their own: an empty database, .eml files, and a queue that is away (see `queue`)."""
    folder = Path(tempfile.mkdtemp(prefix="muster-"))
    given = {
        "MUSTER_DATA_DIR": str(folder / "data"),
        "MUSTER_TIME_ZONE": "UTC",
        "MUSTER_ALLOWED_DOMAINS": "",
        "MUSTER_DATABASE_URL": new_database(),
        "MUSTER_REDIS_URL": "redis://127.0.0.1:1/0" if _server() else "",
    }
    yield Settings.from_environment(given)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Iterator[Flask]:
    """The app of this test process, prepared as by a first start. Tests take `app`."""
    app = create_app(settings)
    cli.register(app)
    app.testing = True
    with app.app_context():
        db.create_all()
        first_run.prepare()
        app.extensions["prepared_rows"] = {
            table: rows
            for table in Base.metadata.sorted_tables
            if (rows := [dict(row) for row in db.session.execute(table.select()).mappings()])
        }
        db.session.rollback()
    tune_gc()
    yield app
    with app.app_context():
        db.session.rollback()
        db.engine.dispose()


@pytest.fixture
def app(whole_app: Flask) -> Iterator[Flask]:
    """The app, prepared, with an app context for the test. Afterwards everything is again as it was."""
    with whole_app.app_context():
        yield whole_app
        db.session.rollback()
        _reset_database(whole_app)
    _forget_queue(whole_app)
    data_dir = whole_app.extensions["muster_settings"].data_dir
    (data_dir / "audit_head").unlink(missing_ok=True)
    shutil.rmtree(data_dir / "outbox", ignore_errors=True)


def _reset_database(app: Flask) -> None:
    """Every table empty except what `setup.prepare` made."""
    tables = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name != "audit_events"]
    statements = ["UPDATE audit_chain SET unlocked = true", *(f"DELETE FROM {name}" for name in ("audit_events", *tables))]
    with db.engine.connect().execution_options(write=True) as connection, connection.begin():
        for statement in ["; ".join(statements)] if _server() else statements:
            connection.exec_driver_sql(statement)
        for table, rows in app.extensions["prepared_rows"].items():
            connection.execute(table.insert(), rows)


@pytest.fixture
def change_settings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """`change_settings(max_rows=3)`: for this test."""

    def change(**values: Any) -> Settings:
        changed = replace(app.extensions["muster_settings"], **values)
        monkeypatch.setitem(app.extensions, "muster_settings", changed)
        in_force.forget()
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
    monkeypatch.setattr(two_factor, "utcnow", lambda: clock.at)
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
        token, user_id = secrets.token_urlsafe(32), user.id
        rows = db.session.connection()
        rows.execute(db.insert(Session.__table__).values(token_hash=hash_token(token), user_id=user_id, user_agent="pytest"))
        rows.execute(db.update(User.__table__).where(User.id == user_id).values(seen_at=utcnow()))
        db.session.commit()
        browser = Client(app)
        browser.set_cookie(sid=token)
        browser.user = user
        return browser

    return sign


@pytest.fixture
def known_groups(app: Flask) -> None:
    """The groups Student Devices and Teacher Laptops."""
    make_group("Student Devices")
    make_group("Teacher Laptops")


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
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "SELECT set_config")):
            assert not re.search(r"OUTER JOIN \((?!SELECT)", statement), (
                f"SQLite makes a table of all that is within the brackets first: {statement}"
            )
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """The address of a queue server for this test process, embedded or over TCP; the app looks there with `queue` only."""
    with tempfile.TemporaryDirectory(prefix="muster-queue-") as folder:
        url = f"redis://127.0.0.1:{free_port()}/0" if _server() else ""
        settings = Settings.from_environment({"MUSTER_DATA_DIR": folder, "MUSTER_REDIS_URL": url})
        child = servers.start_valkey(settings)
        yield settings.queue_url
        end([child], 5)


@pytest.fixture
def queue(app: Flask, valkey_server: str, change_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty queue server that this test's app finds, and gives time; its address."""
    monkeypatch.setattr("webapp.queue.TIMEOUT", 10)
    with queue_module.connect(valkey_server, 60) as server:
        server.flushall()
    change_settings(redis_url=valkey_server)
    _forget_queue(app)
    return valkey_server


@pytest.fixture(scope="session")
def provider_process() -> Iterator[Provider]:
    """The provider of this test process; started by the first test that asks. Tests take `provider`."""
    process = Provider()
    yield process
    process.stop()


@pytest.fixture
def provider(provider_process: Provider, app: Flask, change_settings: Callable[..., Settings]) -> Iterator[Provider]:
    """A provider of single sign-on that this test's app uses; more settings: `provider.settings(oidc_only="yes")`."""
    change_settings(**provider_process.settings())
    yield provider_process
    app.extensions.pop("muster_oidc", None)


@pytest.fixture
def frozen_queue(app: Flask, change_settings: Callable[..., Settings]) -> Iterator[None]:
    """A queue server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        change_settings(redis_url=f"redis://127.0.0.1:{frozen.getsockname()[1]}/0")
        _forget_queue(app)
        yield


@pytest.fixture
def elsewhere(new_database: Callable[[], str], valkey_server: str) -> dict[str, str]:
    """What real processes need in their environment to run on PostgreSQL and a queue over TCP; nothing otherwise."""
    if not _server():
        return {}
    with queue_module.connect(valkey_server, 60) as server:
        server.flushall()
    return {"MUSTER_DATABASE_URL": new_database(), "MUSTER_REDIS_URL": valkey_server}


def _forget_queue(app: Flask) -> None:
    """The app's connections to the queue, and what it counted in memory."""
    app.extensions.pop("muster_queue", None)
    app.extensions.pop("muster_limits", None)

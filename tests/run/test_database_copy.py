"""An installation on SQLite, with something in every table, goes on on PostgreSQL."""

from __future__ import annotations

import contextvars
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Text, cast, select, text
from webapp import cli
from webapp.app import create_app
from webapp.db import Base, binary_order, db, utcnow
from webapp.models import (
    AccountLink,
    Alias,
    ApiToken,
    AuditEvent,
    Endpoint,
    Group,
    HeaderMapping,
    Identity,
    RecoveryCode,
    ReplacedAddress,
)
from webapp.run import data_folder
from webapp.services.audit import chain
from webapp.services.operations import first_run
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade

from tests.factories import PASSWORD
from tests.faults.portal import Browser
from tests.run.conftest import Muster

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

OLD = Path(__file__).parents[1] / "data_of_0_1"
ADMIN = "devika.raman@northfield.example"


def make_app(folder: Path, **settings: str) -> Flask:
    given = {"MUSTER_DATA_DIR": str(folder), "MUSTER_TIME_ZONE": "UTC"}
    app = create_app(Settings.from_environment(given | settings))
    cli.register(app)
    return app


def within(app: Flask, step: Callable[[], Any]) -> Any:
    def run() -> Any:
        with app.app_context():
            try:
                return step()
            finally:
                db.session.remove()
                db.engine.dispose()

    return contextvars.Context().run(run)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation with something in every table."""
    folder = tmp_path_factory.mktemp("filled")
    for name in ("secret_key", "audit_head"):
        shutil.copy(OLD / name, folder)
    with sqlite3.connect(folder / "muster.db") as old:
        old.executescript((OLD / "muster.sql").read_text(encoding="utf-8"))
    old.close()
    within(make_app(folder), fill)
    return folder


def fill() -> None:
    upgrade()
    first_run.prepare()
    soon = utcnow()
    db.session.add_all(
        [
            HeaderMapping(key="f" * 64, columns={"email": 0}),
            ReplacedAddress(old_key="old@northfield.example", email=ADMIN, email_key=ADMIN),
            Alias(kind="role", word="Analytiker ☃ 𝒜", key="analytiker", role_id=2),
            Identity(user_id=1, issuer="https://id.northfield.example", subject="42"),
            ApiToken(
                user_id=1, token_hash="c" * 64, name="nightly", permissions=["users:see"], may_make_admins=False, expires_at=soon
            ),
            Endpoint(url="https://tickets.northfield.example", types=["user.changed"], nonce="a" * 32, cursor=1, answers=[]),
            RecoveryCode(user_id=1, code_hash="e" * 64),
            AccountLink(user_id=1, purpose="reset", token_hash="d" * 64, nonce="n", email="", email_key="", expires_at=soon),
        ]
    )
    last = Group(name="Gone", key="gone")
    db.session.add(last)
    db.session.flush()
    db.session.delete(last)
    for id, action in ((1, "'null'"), (2, "NULL")):
        db.session.execute(text(f"UPDATE batches SET action = {action} WHERE id = {id}"))
    db.session.commit()
    while chain.seal():
        pass


@pytest.fixture
def here(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "data"))


@pytest.fixture
def postgresql(new_database: Callable[[], str]) -> Iterator[str]:
    return new_database()


def copied(folder: Path, url: str, file: Path | None = None) -> tuple[int, str]:
    """-> the exit code of the command, and what it prints."""
    app = make_app(folder, MUSTER_DATABASE_URL=url)
    argv = ["muster", "copy-database", str(file or folder / "muster.db")]
    result = contextvars.Context().run(app.test_cli_runner().invoke, args=argv)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    within(app, lambda: None)
    return result.exit_code, result.output


def contents() -> dict[str, list[Any]]:
    """Every row of every table; JSON as text."""
    found = {}
    for table in Base.metadata.sorted_tables:
        columns = [cast(column, Text) if "JSON" in str(column.type) else column for column in table.c]
        keys = [binary_order(key) if isinstance(key.type, Text) or "CHAR" in str(key.type) else key for key in table.primary_key]
        found[table.name] = [tuple(row) for row in db.session.execute(select(*columns).order_by(*keys))]
    return found


def test_all_of_it_is_there_and_one_goes_on(here: Path, postgresql: str) -> None:
    before = within(make_app(here), contents)
    assert [name for name, rows in before.items() if not rows] == [], "there is something in every table"
    code, said = copied(here, postgresql)
    assert code == 0, said
    assert f"Copied {sum(map(len, before.values()))} rows of {len(before)} tables from {here}/muster.db." in said
    assert "nothing was changed." in said
    there = make_app(here, MUSTER_DATABASE_URL=postgresql)
    after = within(there, contents)
    for name, rows in before.items():
        assert after[name] == rows, name

    def go_on() -> None:
        nothing = db.session.scalars(text("SELECT action::text FROM batches WHERE id IN (1, 2) ORDER BY id")).all()
        assert nothing == ["null", None]
        made = Group(name="New", key="new")
        db.session.add(made)
        db.session.flush()
        assert made.id == max(row[0] for row in before["groups"]) + 2, "the id of the group that was deleted is given to nobody"
        with pytest.raises(Exception, match="only appended"):
            db.session.execute(AuditEvent.__table__.delete())
        db.session.rollback()

    within(there, go_on)
    muster = Muster(here, MUSTER_DATABASE_URL=postgresql)
    try:
        muster.started()
        assert "Set up Muster" not in muster.output()
        browser = Browser(muster.port).sign_in(ADMIN, PASSWORD)
        assert "x5@northfield.example" not in browser.get("/batches/6")
        assert browser.post("/batches/6/undos")[0] == 303
        assert "x5@northfield.example" in browser.get("/batches/6")
        assert muster.stop() == 0
    finally:
        muster.clean_up()


def test_the_foreign_keys_are_those_of_a_new_installation(here: Path, postgresql: str, new_database: Callable[[], str]) -> None:
    def keys() -> list[Any]:
        query = "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2"
        return list(map(tuple, db.session.execute(text(query))))

    assert copied(here, postgresql)[0] == 0
    new = make_app(here, MUSTER_DATABASE_URL=new_database())
    within(new, upgrade)
    assert within(make_app(here, MUSTER_DATABASE_URL=postgresql), keys) == within(new, keys)


def test_a_database_that_holds_something_is_not_added_to(here: Path, postgresql: str) -> None:
    there = make_app(here, MUSTER_DATABASE_URL=postgresql)
    within(there, upgrade)
    within(there, first_run.prepare)
    before = within(there, contents)
    code, said = copied(here, postgresql)
    assert code == 1
    assert "holds something already (in " in said
    assert within(there, contents) == before


def test_a_database_of_something_else_is_left_alone(here: Path, postgresql: str) -> None:
    within(make_app(here, MUSTER_DATABASE_URL=postgresql), make_foreign_table)
    code, said = copied(here, postgresql)
    assert (code, "has tables already: name an empty one." in said) == (1, True)


def make_foreign_table() -> None:
    db.session.execute(text("CREATE TABLE theirs (id integer)"))
    db.session.commit()


def test_what_fails_in_the_midst_copies_nothing_and_can_be_done_again(here: Path, postgresql: str) -> None:
    with sqlite3.connect(here / "muster.db") as database:
        database.execute("UPDATE rows SET name = 'a' || char(0) || 'b' WHERE id = 1")
    database.close()
    code, said = copied(here, postgresql)
    assert code == 1
    assert "The table rows cannot be copied (" in said
    assert "Nothing was copied." in said
    assert "Traceback" not in said
    there = make_app(here, MUSTER_DATABASE_URL=postgresql)
    assert not any(within(there, contents).values())
    with sqlite3.connect(here / "muster.db") as database:
        database.execute("UPDATE rows SET name = 'ab' WHERE id = 1")
    database.close()
    assert copied(here, postgresql)[0] == 0


def test_a_row_that_points_to_nothing_is_refused(here: Path, postgresql: str) -> None:
    with sqlite3.connect(here / "muster.db") as database:  # without PRAGMA foreign_keys
        database.execute("UPDATE sessions SET user_id = 4711")
    database.close()
    code, said = copied(here, postgresql)
    assert code == 1
    assert "sessions" in said
    assert "Nothing was copied." in said


def test_while_muster_runs_nothing_is_copied(here: Path, postgresql: str, tmp_path: Path) -> None:
    with data_folder.lock(here):
        code, said = copied(here, postgresql)
        assert (code, "Muster runs already on the data folder" in said) == (1, True)
        elsewhere = tmp_path / "elsewhere"
        code, said = copied(elsewhere, postgresql, here / "muster.db")
        assert (code, "Muster runs already on the data folder" in said) == (1, True)


def test_another_key_is_told_after_the_copy(here: Path, postgresql: str, tmp_path: Path) -> None:
    code, said = copied(tmp_path / "without-the-key", postgresql, here / "muster.db")
    assert code == 1
    assert "If MUSTER_SECRET_KEY was changed" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE alembic_version SET version_num = '0030'", "has the tables of another version: start this Muster on it once"),
        ("DROP TABLE alembic_version", "cannot be read as a database of Muster (no such table"),
    ],
)
def test_a_file_of_another_version_or_program_is_refused(here: Path, postgresql: str, change: str, words: str) -> None:
    with sqlite3.connect(here / "muster.db") as database:
        database.execute(change)
    database.close()
    code, said = copied(here, postgresql)
    assert (code, words in said) == (1, True), said


def test_a_file_that_is_no_database_is_refused(here: Path, postgresql: str, tmp_path: Path) -> None:
    (tmp_path / "no database").write_bytes(os.urandom(4096))
    code, said = copied(here, postgresql, tmp_path / "no database")
    assert (code, "cannot be read as a database of Muster (file is not a database)" in said) == (1, True), said


def test_the_target_must_be_postgresql(here: Path, tmp_path: Path) -> None:
    code, said = copied(here, f"sqlite:///{tmp_path}/other.db")
    assert (code, "MUSTER_DATABASE_URL must name the PostgreSQL database" in said) == (1, True)

"""The database itself: in use by others, gone and back, and the order that texts stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select, text
from webapp import db as database
from webapp.core.lists.people_filter import Filter
from webapp.db import db
from webapp.models import Organisation, User
from webapp.services.directory import people_list

from tests.factories import make_group, make_user
from tests.servers import hang_up


@pytest.fixture
def short_patience(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who waits for a lock gives up after a fifth of a second instead of ten."""
    monkeypatch.setattr(database, "MAX_BUSY_MS", 200)
    db.session.rollback()
    db.engine.dispose()
    yield
    db.session.rollback()
    db.engine.dispose()


@pytest.fixture
def lose_connections(app: Flask) -> Callable[[], None]:
    """As when the database server was restarted: all connections that are kept are dead. With SQLite there are none to lose."""

    def lose() -> None:
        db.session.rollback()
        url = app.extensions["muster_settings"].database_url
        if url.startswith("postgresql"):
            hang_up(url)

    return lose


def test_while_others_hold_a_lock_a_sentence_says_so(admin, short_patience) -> None:
    with db.engine.connect().execution_options(write=True) as other:
        other.execute(select(Organisation.id).with_for_update())
        page = admin.post("/groups", {"names": "Science Lab iPads"}, status=503).page
        assert "Muster is busy" in page.text
        assert "Nothing was lost" in page.text
        other.rollback()
    admin.post("/groups", {"names": "Science Lab iPads"})


def test_a_database_that_was_restarted_costs_nobody_an_error(admin, lose_connections) -> None:
    for _ in range(2):
        lose_connections()
        admin.get("/groups")
    lose_connections()
    admin.post("/groups", {"names": "Science Lab iPads"})


def test_texts_stand_by_code_point_whatever_the_language_of_the_database(app) -> None:
    for name in ("Éloi", "zoë", "Adam", "_ben", "adele"):
        make_user(name, email=f"{len(name)}{name[-2:]}@northfield.example".replace("ë", "e"))
    names = [person.name for person in people_list.list_people(Filter()).page.rows]
    assert names == ["_ben", "Adam", "adele", "zoë", "Éloi"]
    for name in ("éclair", "Zebra", "_x", "apple"):
        make_group(name)
    user = make_user("Jun-ho Park", groups=("éclair", "Zebra", "_x", "apple"))
    db.session.expire_all()
    assert [group.name for group in db.session.get_one(User, user.id).groups] == ["_x", "apple", "Zebra", "éclair"]


def test_what_a_frozen_process_holds_is_let_go(app) -> None:
    limits = {
        "sqlite": ("PRAGMA busy_timeout", database.MAX_BUSY_MS),
        "postgresql": ("SHOW idle_in_transaction_session_timeout", f"{database.MAX_IDLE_MS // 1000}s"),
    }
    question, answer = limits[db.engine.dialect.name]
    assert db.session.scalar(text(question)) == answer

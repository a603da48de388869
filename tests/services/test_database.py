"""The database's limits: nobody waits for ever for a process that is frozen or gone."""

from __future__ import annotations

from sqlalchemy import text

from webapp.db import FROZEN_SECONDS, MAX_BUSY_MS, db, engine_options

LIMITS = {
    "sqlite": ("PRAGMA busy_timeout", MAX_BUSY_MS),
    "postgresql": ("SHOW idle_in_transaction_session_timeout", f"{FROZEN_SECONDS}s"),
}


def test_what_a_frozen_process_holds_is_let_go(app) -> None:
    question, answer = LIMITS[db.engine.dialect.name]
    assert db.session.scalar(text(question)) == answer


def test_a_connection_that_a_restart_of_postgresql_broke_is_noticed_before_it_is_used() -> None:
    options = engine_options("postgresql+psycopg://muster@db.northfield.example/muster")
    assert options["pool_pre_ping"]
    assert options["connect_args"]["connect_timeout"] == 10
    assert set(engine_options("sqlite:////muster.sqlite")) == {"hide_parameters"}

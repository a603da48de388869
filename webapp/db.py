"""The database: the session, the base of all models, SQLite's tuning, and the one way to begin a write."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, DateTime, Engine, Enum, Integer, MetaData, Text, Update, cast, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute
from sqlalchemy.types import TypeDecorator

MAX_BUSY_MS = 10_000
TURN_MS = 8
"""At most so long between two looks of who waits for SQLite's write lock. SQLite itself looks ever less often, up to 100 ms,
and a worker lets go of the lock for a few milliseconds only: a person would wait for seconds."""


class Base(DeclarativeBase):
    """Base of every model; the naming convention keeps constraint names the same on each database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept as naive UTC: SQLite drops the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


def utcnow() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def choice(enum: type) -> Enum:
    """A column type for a StrEnum: its values as text, so that a new member needs no migration."""
    return Enum(enum, native_enum=False, create_constraint=False, length=32, values_callable=lambda e: [m.value for m in e])


def tune_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and BEGIN under our own control, for the engine of one app."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, see _begin
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={MAX_BUSY_MS}"):
            connection.execute("PRAGMA " + pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        if not connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN")
            return
        patience = time.monotonic() + MAX_BUSY_MS / 1000
        driver = connection.connection.dbapi_connection
        driver.execute(f"PRAGMA busy_timeout={TURN_MS}")
        try:
            while True:
                try:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    break
                except OperationalError:
                    if time.monotonic() > patience:
                        raise
        finally:
            driver.execute(f"PRAGMA busy_timeout={MAX_BUSY_MS}")


FROZEN_SECONDS = 40
"""After so long a transaction whose process is frozen or out of reach is rolled back, and others go on with its rows."""


def engine_options(url: str) -> dict[str, Any]:
    """For create_engine. On PostgreSQL neither side waits for ever for one that is gone, and a restart of it is got over."""
    options: dict[str, Any] = {"hide_parameters": True}  # addresses and hashes stay out of the log
    if url.startswith("postgresql"):
        reach = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
        options |= {"pool_pre_ping": True, "connect_args": {**reach, "tcp_user_timeout": 30_000}}
    return options


def tune_postgresql(engine: Engine) -> None:
    """Limits of each session, for the engine of one app."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:
        for limit in (
            f"idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'",
            "tcp_keepalives_idle = 10",
            "tcp_keepalives_interval = 5",
            "tcp_keepalives_count = 3",
        ):
            connection.execute("SET " + limit)
        connection.commit()


def begin_write() -> None:
    """Begin the writing part of a command, after all that is slow.

    Ends the reading snapshot (what was loaded is read again on its next touch) and takes SQLite's write lock
    at once, so that read-modify-write cannot lose an update. Harmless on PostgreSQL.
    """
    db.session.rollback()
    db.session.connection(execution_options={"write": True})


def in_database(statement: Update, values: Mapping[str, Any] | None = None) -> Any:
    """Part of a command: an UPDATE of many, without bringing what the session has loaded up to date."""
    return db.session.execute(statement, values, execution_options={"synchronize_session": False})


def upsert(table: type[Any]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say `on_conflict_do_update` or `on_conflict_do_nothing`: of the database in use."""
    return sqlite.insert(table) if db.engine.dialect.name == "sqlite" else postgresql.insert(table)


def among(column: QueryableAttribute[Any] | ColumnElement[Any], values: Iterable[str] | Iterable[int]) -> ColumnElement[bool]:
    """`column IN values` with one bound parameter, however many values there are."""
    payload = json.dumps(list(values))
    if db.engine.dialect.name == "sqlite":
        each = func.json_each(payload).table_valued("value")
        return column.in_(select(each.c.value))
    texts = func.jsonb_array_elements_text(cast(cast(payload, Text), postgresql.JSONB))
    return column.in_(select(cast(texts, Integer) if isinstance(column.type, Integer) else texts))

"""The database: the session, the base of all models, tuning, and the one way to begin a write."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Delete,
    Engine,
    Enum,
    Integer,
    MetaData,
    String,
    Text,
    Update,
    cast,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute, registry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

MAX_BUSY_MS = 10_000
"""How long a command waits for another, on either database."""
MAX_IDLE_MS = 40_000
"""How long a transaction of PostgreSQL may wait for its next statement: one of a frozen process is rolled back then."""
OTHER_THREADS = 9
"""Of a web process: for files to be saved and for monitors."""
TURN_MS = 8
"""At most so long between two looks of who waits for SQLite's write lock. SQLite itself looks ever less often, up to 100 ms,
and a worker lets go of the lock for a few milliseconds only: a person would wait for seconds."""
MAX_IDLE_WRITING_MS = 8_000
"""The same while it has the write lock: less than others wait for it, so that a frozen process costs nobody an error."""
WRITE_LOCK = 0x4D757374
"""The advisory lock of PostgreSQL that a writing command holds until its commit."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept as naive UTC: SQLite drops the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value else None


def utcnow() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of every model; the naming convention keeps constraint names the same on each database."""

    registry = registry(
        type_annotation_map={
            datetime: UTCDateTime,
            str: Text,
            # its values as text, so that a new member needs no migration
            StrEnum: Enum(
                StrEnum,
                native_enum=False,
                create_constraint=False,
                length=32,
                values_callable=lambda e: [m.value for m in e],
            ),
        },
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
    )


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    import psycopg

    Model = Base
else:
    Model = db.Model


def tune(engine: Engine) -> None:
    """What every connection of this app's engine begins with."""
    if engine.dialect.name == "sqlite":
        tune_sqlite(engine)
    else:
        tune_postgresql(engine)


PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is written over: files hold more than Muster uses
    f"busy_timeout={MAX_BUSY_MS}",
)


def tune_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and BEGIN under our own control, for the engine of one app."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, see _begin
        for pragma in PRAGMAS:
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


def tune_postgresql(engine: Engine) -> None:
    """Time-outs for PostgreSQL, so that no page waits forever and a hung process blocks others only briefly."""

    @event.listens_for(engine, "connect")
    def _connect(connection: psycopg.Connection, _: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {MAX_BUSY_MS}")
        connection.execute(f"SET idle_in_transaction_session_timeout = {MAX_IDLE_MS}")
        connection.autocommit = False


def engine_options(url: str, threads: int) -> dict[str, Any]:
    """How connections are made and kept. Addresses and hashes stay out of the log.

    A process keeps as many as the web server has threads for pages; in need one for each of its threads (see `server.Threads`).
    """
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": threads,
        "max_overflow": threads + OTHER_THREADS,
    }
    if url.startswith("postgresql"):
        options |= {
            "pool_pre_ping": True,  # a server that was restarted in between costs nobody an error
            "connect_args": {
                "connect_timeout": 5,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,
            },
        }
    return options


def begin_write(*, shared: bool = False) -> None:
    """Begin the writing part of a command, after everything that is slow. One command writes at a time, on both databases.

    Ends the reading snapshot: what was loaded is read again when it is used next. So what a command reads after this
    stays as it is until its commit.

    shared: only for the two commands that run for every e-mail. They change one message, which their worker has claimed, and
    on PostgreSQL they run side by side with each other, but never with any other command. So two workers there send 1.8 times
    as many e-mails as one; without it, 1.4 to 1.6 times.
    """
    db.session.rollback()
    connection = db.session.connection(execution_options={"write": True})
    if connection.dialect.name == "postgresql":
        lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(
            text(
                f"SELECT set_config('idle_in_transaction_session_timeout', '{MAX_IDLE_WRITING_MS}', true), {lock}({WRITE_LOCK})"
            )
        )


def truncate_wal() -> None:
    """After a commit that deleted what must not stay: SQLite's write-ahead log has it still, until that is emptied.

    Where others read just now, that is left to a later time: the log is written over again and again.
    """
    if db.engine.dialect.name != "sqlite":
        return
    with closing(sqlite3.connect(db.engine.url.database or "", timeout=0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def bulk_execute(statement: Update | Delete) -> Any:
    """Part of a command: an UPDATE of many, without bringing what the session has loaded up to date."""
    return db.session.execute(statement, execution_options={"synchronize_session": False})


def commit_and_keep() -> None:
    """Commit a command whose answer shows what it read and wrote itself: nothing of that is read again for the answer."""
    session = db.session()
    session.expire_on_commit = False
    try:
        session.commit()
    finally:
        session.expire_on_commit = True


class binary_order(FunctionElement[str]):
    """Order a text by code points on both databases, whatever language PostgreSQL sorts by."""

    inherit_cache = True
    type = String()


@compiles(binary_order)
def _as_it_is(element: binary_order, compiler: SQLCompiler, **more: Any) -> str:
    return compiler.process(element.clauses, **more)


@compiles(binary_order, "postgresql")
def _without_language(element: binary_order, compiler: SQLCompiler, **more: Any) -> str:
    return f'{compiler.process(element.clauses, **more)} COLLATE "C"'


def count_by(column: Any, *which: ColumnElement[bool]) -> Counter[Any]:
    """How many rows that meet the conditions have each value of a column; one query."""
    counted = select(column, func.count()).where(*which).group_by(column)
    return Counter(dict(db.session.execute(counted).all()))


def in_json(
    column: QueryableAttribute[Any] | ColumnElement[Any], values: Iterable[str] | Iterable[int]
) -> ColumnElement[bool]:
    """`column IN values` with one bound parameter, however many values there are."""
    wanted = list(values)
    if len(wanted) == 1:
        return column == wanted[0]
    payload = json.dumps(wanted)
    if db.engine.dialect.name == "sqlite":
        each = func.json_each(payload).table_valued("value")
        return column.in_(select(each.c.value))
    texts = func.jsonb_array_elements_text(cast(cast(payload, Text), postgresql.JSONB))
    return column.in_(select(cast(texts, Integer) if isinstance(column.type, Integer) else texts))

"""The database: the session, the base of all models, SQLite's tuning, and the one way to begin a write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, DateTime, Engine, Enum, Integer, MetaData, Text, cast, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute
from sqlalchemy.types import TypeDecorator

MAX_BUSY_MS = 10_000


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
        write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def begin_write() -> None:
    """Begin the writing part of a command, after all that is slow.

    Ends the reading snapshot (what was loaded is read again on its next touch) and takes SQLite's write lock
    at once, so that read-modify-write cannot lose an update. Harmless on PostgreSQL.
    """
    db.session.rollback()
    db.session.connection(execution_options={"write": True})


def commit_and_keep() -> None:
    """Commit a command whose answer shows what it read and wrote itself: nothing of that is read again for the answer."""
    session = db.session()
    session.expire_on_commit = False
    session.info[KEEPING] = True
    try:
        session.commit()
    finally:
        session.expire_on_commit = True
        del session.info[KEEPING]


KEEPING = "keeping"
"""In `Session.info` while `commit_and_keep` commits: what is kept a transaction outlives this one."""


def upsert(table: type[Any]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say `on_conflict_do_update` or `on_conflict_do_nothing`: of the database in use."""
    return sqlite.insert(table) if db.engine.dialect.name == "sqlite" else postgresql.insert(table)


def among(column: QueryableAttribute[Any] | ColumnElement[Any], values: Iterable[str] | Iterable[int]) -> ColumnElement[bool]:
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

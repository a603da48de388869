"""The database: the session, the base of all models, tuning, and the one way to begin a write.

The one order in which commands hold rows; docs/decisions/0016 says why, and what runs alone instead:

| | What | How |
|---|---|---|
| 1 | The audit chain | only by the workers' sweep, who pass on where another has it |
| 2 | Batches | `batches.locked`: of a split file first its first part, which stands for all; workers share theirs |
| 3 | Rows that no worker has claimed | passing by those that another has |
| 4 | Users, then what is theirs: sessions, links, recovery codes | by id; `do_now` also who acts |
| 5 | Invitations | by id |
| 6 | Messages, then the rows that wait for them | by id |
| 7 | The mail gate | |
| 8 | The organisation's row | `directory.moved`, last |
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, DateTime, Engine, Enum, Integer, MetaData, Text, cast, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute
from sqlalchemy.types import TypeDecorator

P = ParamSpec("P")
T = TypeVar("T")

MAX_BUSY_MS = 10_000
"""How long a command waits for another, on either database."""
WRITING = 0x4D757374
"""The lock that commands share on PostgreSQL, so that one can run alone."""
LOST_ITS_TURN = ("40P01", "40001", "55P03")
"""SQLSTATE of a transaction that PostgreSQL gave up for another's sake: a deadlock, one that cannot be put in a row, or one
that waited too long."""


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


def tune_postgresql(engine: Engine) -> None:
    """Nobody waits for another command longer than on SQLite."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {MAX_BUSY_MS}")
        connection.commit()


def begin_write(*, alone: bool = False) -> None:
    """Begin the writing part of a command, after all that is slow.

    Ends the reading snapshot (what was loaded is read again on its next touch) and takes SQLite's write lock
    at once, so that read-modify-write cannot lose an update. On PostgreSQL commands run side by side, and hold rows in the
    order above.

    alone: no other command runs until the commit, as ever on SQLite. For rare ones that touch whoever there is, such as
    everybody in a group, and so could not keep to any order.
    """
    db.session.rollback()
    connection = db.session.connection(execution_options={"write": True})
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{'' if alone else '_shared'}({WRITING})")


def hold(model: type[Any] | None = None, **more: Any) -> dict[str, Any]:
    """How a command holds rows, as arguments of `with_for_update`: nobody else changes them until the commit.

    Others may go on referring to them. That is weaker than FOR UPDATE, under which an audit event of somebody would wait
    for whoever holds that person. model: whose rows are meant, where the query joins others.
    """
    return {"key_share": True, **({"of": model} if model else {}), **more}


def begun_again(command: Callable[P, T]) -> Callable[P, T]:
    """A command, or a request, that is begun once more where the database gave up its transaction for another's sake."""

    @wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in LOST_ITS_TURN:
                raise
            db.session.rollback()
            return command(*args, **kwargs)

    return call


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

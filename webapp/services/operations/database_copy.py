"""Everything of an SQLite database, copied to PostgreSQL: an installation that has grown goes on there.

The copy is one transaction: it is whole, or nothing was copied. The SQLite file is only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Insert,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import SQLAlchemyError

from webapp import upgrade
from webapp.core.errors import ConflictError
from webapp.core.text.formatting import plural
from webapp.db import Base, begin_write, db
from webapp.run import data_folder
from webapp.services.settings import in_force

CHUNK = 1000
"""Rows that are in memory at once; of uploaded files one."""
FOREIGN_KEYS = text(
    "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
)


def copy_from(file: Path) -> list[str]:
    """Copy an SQLite database into the empty PostgreSQL database of MUSTER_DATABASE_URL. -> lines to print.

    Muster must not run. Raises ConflictError, and then nothing was copied.
    """
    if db.engine.dialect.name != "postgresql":
        raise ConflictError(
            "MUSTER_DATABASE_URL must name the PostgreSQL database into which all is copied."
        )
    with _nobody_writes(file), _open(file) as source:
        _check_source(file, source)
        _make_tables()
        begin_write()
        try:
            counts = _copy(source, db.session.connection())
            db.session.commit()
        except SQLAlchemyError as error:
            db.session.rollback()
            raise ConflictError(
                f"It cannot be copied ({_first_line(error)}). Nothing was copied."
            ) from error
    total = sum(counts.values())
    return [
        f"Copied {plural(total, 'row')} of {plural(len(counts), 'table')} from {file}.",
        "Keep MUSTER_DATABASE_URL as it is now, and start Muster. The file stays as it was: delete it when all is well.",
    ]


@contextmanager
def _nobody_writes(file: Path) -> Iterator[None]:
    """Hold the data folder, and the one that the file is in. Raises ConfigError where Muster runs."""
    data_dir = in_force.environment().data_dir
    with ExitStack() as held:
        held.enter_context(data_folder.lock(data_dir))
        if file.parent != data_dir and (file.parent / data_folder.LOCK).exists():
            held.enter_context(data_folder.lock(file.parent))
        yield


@contextmanager
def _open(file: Path) -> Iterator[Connection]:
    """A connection that only reads, and sees one moment of the file."""
    engine = create_engine(f"sqlite:///file:{quote(str(file))}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
    finally:
        engine.dispose()


def _check_source(file: Path, source: Connection) -> None:
    """Raises ConflictError where the file is no sound database of this version."""
    try:
        revision = source.scalar(text("SELECT version_num FROM alembic_version"))
        is_sound = source.scalar(text("PRAGMA quick_check(1)")) == "ok"
    except SQLAlchemyError as error:
        raise ConflictError(
            f"{file} cannot be read as a database of Muster ({_first_line(error)})."
        ) from error
    if not is_sound:
        raise ConflictError(f"{file} is damaged: restore a backup first.")
    if revision != upgrade.revisions()[0]:
        raise ConflictError(
            f"{file} has the tables of another version: start this Muster on it once, stop it, and copy then."
        )


def _make_tables() -> None:
    """Give the target this version's tables. Raises ConflictError where something is in it already."""
    found = inspect(db.engine).get_table_names()
    if found and "alembic_version" not in found:
        raise ConflictError(
            "The database of MUSTER_DATABASE_URL has tables already: name an empty one."
        )
    upgrade.upgrade()
    for table in Base.metadata.sorted_tables:
        if db.session.execute(select(table).limit(1)).first():
            raise ConflictError(
                f"The database of MUSTER_DATABASE_URL holds something already (in {table.name}): name an empty one."
            )


def _copy(source: Connection, target: Connection) -> dict[str, int]:
    """Copy every table, without foreign keys, which are checked in the end. -> how many rows each has. Does not commit."""
    keys = target.execute(FOREIGN_KEYS).all()
    for table_name, key, _ in keys:
        target.execute(text(f"ALTER TABLE {table_name} DROP CONSTRAINT {key}"))
    counts = {
        table.name: _copy_table(table, source, target) for table in Base.metadata.sorted_tables
    }
    for table_name, key, definition in keys:
        target.execute(text(f"ALTER TABLE {table_name} ADD CONSTRAINT {key} {definition}"))
    return counts


def _copy_table(table: Table, source: Connection, target: Connection) -> int:
    """Copy one table, and count on both sides. -> how many rows it has."""
    has_files = any(isinstance(column.type, LargeBinary) for column in table.c)
    insert = _insert(table)
    try:
        rows = source.execute(_select(table)).mappings()
        for part in rows.partitions(1 if has_files else CHUNK):
            target.execute(insert, [dict(row) for row in part])
        _move_sequence(table, source, target)
    except SQLAlchemyError as error:
        raise ConflictError(
            f"The table {table.name} cannot be copied ({_first_line(error)}). Nothing was copied."
        ) from error
    count = select(func.count()).select_from(table)
    here, there = source.scalar(count) or 0, target.scalar(count) or 0
    if here != there:
        raise ConflictError(
            f"Of the {here} rows of {table.name}, {there} arrived. Nothing was copied."
        )
    return there


def _select(table: Table) -> Select[Any]:
    """All of it, by the names of the columns."""
    return select(*(_as_stored(column).label(column.name) for column in table.c))


def _insert(table: Table) -> Insert:
    """As it was read, by the same names."""
    values = {}
    for column in table.c:
        value = bindparam(column.name, type_=_as_stored(column).type)
        values[column] = cast(value, JSON) if isinstance(column.type, JSON) else value
    return table.insert().values(values)


def _as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """JSON as the text that it is, so that null and nothing stay different things."""
    return type_coerce(column, Text) if isinstance(column.type, JSON) else column


def _move_sequence(table: Table, source: Connection, target: Connection) -> None:
    """No id is given out twice: go on after the last one that SQLite has given out, also where its row is gone."""
    if "id" not in table.c:
        return
    given = source.scalar(
        text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
    )
    last = max(given or 0, source.scalar(select(func.max(table.c.id))) or 0)
    if last:
        move = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        target.execute(move, {"name": table.name, "last": last})


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0].strip().rstrip(".")

"""Runs the migrations on the app's own database, all in one transaction: `flask db upgrade`."""

from typing import Any

from alembic import context as alembic
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection, Enum, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeDecorator

from webapp.db import MAX_BUSY_MS, db


def render_item(kind: str, item: object, _: object) -> str | bool:
    """Types of ours as the plain types they are stored as: a migration imports nothing that may change or go."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


def switch_foreign_keys(connection: Connection, on: bool) -> None:
    """SQLite rebuilds a table to change it, and dropping the old one must not cascade. Outside of a transaction only."""
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def write_no_empty_file(context: MigrationContext, revision: object, directives: list[Any]) -> None:
    """No file for a migration without a change."""
    if (
        context.config
        and getattr(context.config.cmd_opts, "autogenerate", False)
        and directives[0].upgrade_ops.is_empty()
    ):
        directives[:] = []


def refuse_newer(context: MigrationContext) -> None:
    """A database that a newer version has migrated: this one would not know what is in it."""
    known = alembic.script
    for revision in context.get_current_heads():
        if revision not in {each.revision for each in known.walk_revisions()}:
            raise CommandError(
                f"The database was made ready by a newer version of Muster (its revision is {revision}, the newest known here is "
                f"{known.get_current_head()}). Start that version, or restore the backup from before the update."
            )


def reachable() -> Connection:
    """A connection to the database. SQLAlchemy's own words say which driver failed where; what matters is the first line."""
    try:
        return db.engine.connect().execution_options(write=True)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise CommandError(
            f"The database cannot be reached: {reason}. Check MUSTER_DATABASE_URL, and that it runs."
        ) from error


def check_what_was_put_off(*, ctx: MigrationContext, **_: Any) -> None:
    """After each migration, deferred constraints are checked: PostgreSQL changes no table that still waits for that."""
    if ctx.connection and ctx.dialect.name == "postgresql":
        for when in ("IMMEDIATE", "DEFERRED"):
            ctx.connection.exec_driver_sql(f"SET CONSTRAINTS ALL {when}")


def wait_for_others(connection: Connection) -> None:
    """On PostgreSQL, of processes that start together one migrates; it waits for the other, however long."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('muster migrate', 0))"))
    connection.execute(text(f"SET LOCAL lock_timeout = {MAX_BUSY_MS}"))


arguments = {
    "process_revision_directives": write_no_empty_file,
    **current_app.extensions["migrate"].configure_args,
}
with reachable() as connection:
    switch_foreign_keys(connection, on=False)
    try:
        hooks = {"render_item": render_item, "on_version_apply": check_what_was_put_off}
        alembic.configure(connection=connection, target_metadata=db.metadata, **hooks, **arguments)
        with alembic.begin_transaction():
            if connection.dialect.name == "postgresql":
                wait_for_others(connection)
            refuse_newer(alembic.get_context())
            alembic.run_migrations()
    finally:
        connection.rollback()
        switch_foreign_keys(connection, on=True)

"""Runs the migrations on the app's own database, all in one transaction: `flask db upgrade`."""

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection, Enum
from sqlalchemy.types import TypeDecorator

from webapp.db import db


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
    if context.config and getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


arguments = {"process_revision_directives": write_no_empty_file, **current_app.extensions["migrate"].configure_args}
with db.engine.connect().execution_options(write=True) as connection:
    switch_foreign_keys(connection, on=False)
    try:
        context.configure(connection=connection, target_metadata=db.metadata, render_item=render_item, **arguments)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        switch_foreign_keys(connection, on=True)

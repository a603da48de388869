"""Bringing the database to this version's tables, by Alembic. Imported only by what does that: it takes a third of a second."""

from __future__ import annotations

import flask_migrate
from alembic.script import ScriptDirectory
from flask import Flask, current_app

from webapp.db import db
from webapp.layout import TOP

FOLDER = TOP / "migrations"


def register(app: Flask) -> None:
    """Have the app know its migrations: for `flask db …`."""
    flask_migrate.Migrate(render_as_batch=True).init_app(app, db, directory=str(FOLDER))


def upgrade(revision: str = "head") -> None:
    """Run what migrations are missing, in one transaction. Ends the program with one line where the database is not reached, or
    is of a newer version."""
    register(current_app._get_current_object())  # type: ignore[attr-defined]
    flask_migrate.upgrade(revision=revision)


def revisions() -> list[str]:
    """The migrations there are, the newest first."""
    scripts = ScriptDirectory(str(FOLDER))
    return [script.revision for script in scripts.walk_revisions()]

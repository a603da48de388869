"""Installations of their own: a data folder, a database that was migrated, settings by name."""

from __future__ import annotations

import contextvars
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from webapp import cli
from webapp.app import create_app
from webapp.db import db
from webapp.services.operations import first_run
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade


@pytest.fixture(scope="module")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database that is migrated and prepared, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    within(create_app(Settings.from_environment({"MUSTER_DATA_DIR": str(folder)})), _prepare)
    return folder / "muster.db"


def _prepare() -> None:
    upgrade()
    first_run.prepare()
    db.session.execute(db.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    db.session.remove()
    db.engine.dispose()


def within(app: Flask, step: Callable[[], object]) -> object:
    """What `step` answers in an app context of its own, committed."""

    def run() -> object:
        with app.app_context():
            found = step()
            db.session.commit()
            return found

    return contextvars.Context().run(run)


@pytest.fixture
def install(tmp_path: Path, migrated_database: Path) -> Callable[..., Flask]:
    """`install(MAIL_URL=…)`: an app with its own data folder, migrated and prepared. folder: its name below tmp_path."""

    def make(*, folder: str = "data", migrated: bool = True, **settings: str) -> Flask:
        data_dir = tmp_path / folder
        if migrated:
            data_dir.mkdir(0o700, exist_ok=True)
            shutil.copy(migrated_database, data_dir)
        given = {"MUSTER_DATA_DIR": str(data_dir)}
        app = create_app(Settings.from_environment(given | {f"MUSTER_{name}": value for name, value in settings.items()}))
        cli.register(app)
        return app

    return make

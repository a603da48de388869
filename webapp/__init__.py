"""Muster: invite many people at once from a spreadsheet. `webapp.app` is the wiring; nothing heavy is imported here, since the
supervisor starts from this package too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.settings.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI app. settings: from the environment unless given. Raises ConfigError on a wrong one."""
    from webapp import app

    return app.create_app(settings)

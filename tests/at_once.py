"""Commands run at once, as two people do."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from flask import Flask
from webapp.db import db


def at_once(app: Flask, *commands: Callable[[], object]) -> list[Exception]:
    """Run commands at once, each in a session of its own. -> what they raised."""
    raised: list[Exception] = []
    together = threading.Barrier(len(commands))

    def run(command: Callable[[], object]) -> None:
        with app.app_context():
            together.wait()
            try:
                command()
            except Exception as error:
                raised.append(error)
                db.session.rollback()

    threads = [threading.Thread(target=contextvars.Context().run, args=(run, each)) for each in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    db.session.expire_all()
    return raised

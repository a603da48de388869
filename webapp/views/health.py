"""Whether Muster works, for a monitor."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue
from webapp.db import db
from webapp.services import workers
from webapp.web import PUBLIC, allow

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@allow(PUBLIC)
def show() -> tuple[dict[str, Any], int]:
    """200 while all is well; 503 with what is wrong. Waits a third of a second for the queue, no more."""
    found: dict[str, Any] = {"database": "ok", "queue": "ok" if queue.ping() else "away", "workers": 0}
    try:
        db.session.execute(text("SELECT 1"))
        found["workers"] = workers.alive()
    except SQLAlchemyError as error:
        current_app.logger.error("the database does not answer: %s", error)
        found["database"] = "away"
    well = found["database"] == found["queue"] == "ok" and found["workers"] > 0
    return {"status": "ok" if well else "not ok", **found}, 200 if well else 503

"""Whether Muster works, for a monitor; and its figures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue
from webapp.http import metrics
from webapp.http.web import PUBLIC, require
from webapp.services.operations import status
from webapp.services.settings import in_force
from webapp.timeout import run_with_timeout
from webapp.version import version

bp = Blueprint("health", __name__)

PATIENCE = 2.0
"""Seconds that a monitor waits for the database."""


@bp.get("/healthz/live")
@require(PUBLIC)
def live() -> dict[str, str]:
    """200 as long as the web answers, whatever else is away: for who decides whether to start it again."""
    return {"status": "ok"}


@bp.get("/healthz")
@require(PUBLIC)
def show() -> tuple[dict[str, Any], int]:
    """200 while all is well; 503 with what is wrong. Waits two seconds for the database and a third for the queue, no more."""
    here = _from_database(status.monitor_status)
    found: dict[str, Any] = {
        "database": "ok" if here else "away",
        "queue": "ok" if queue.ping() else "away",
        "workers": 0,
        "workers_expected": in_force.environment().workers,
        **here,
    }
    wrong = [name for name, value in found.items() if value in ("away", "held up")]
    if found["workers"] < found["workers_expected"]:
        wrong.append("workers")
    return {"status": "not ok" if wrong else "ok", "wrong": wrong, **found}, 503 if wrong else 200


@bp.get("/metrics")
@require(PUBLIC)
def figures() -> Response:
    """Figures for a client with `MUSTER_METRICS_TOKEN`; for any other there is no such page."""
    token = in_force.environment().metrics_token
    shown = request.headers.get("Authorization", "")
    if not token or not compare_digest(shown.encode(), f"Bearer {token}".encode()):
        abort(404)
    here = _from_database(status.figures)
    waiting_jobs = queue.depth()
    found = {
        "database_up": bool(here),
        "queue_up": waiting_jobs is not None,
        **status.machine(),
        **here,
    }
    if waiting_jobs is not None:
        found["queue_depth"] = waiting_jobs
    text = metrics.render(version(), found)
    return Response(text, content_type=metrics.CONTENT_TYPE)


def _from_database(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or {} where the database gives none in time; which is logged."""
    try:
        return run_with_timeout(question, PATIENCE)
    except (SQLAlchemyError, TimeoutError) as error:
        current_app.logger.error("the database does not answer a monitor: %s", error)
        return {}

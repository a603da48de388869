"""GET /healthz, for a monitor."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from webapp.db import db, utcnow
from webapp.models import Worker


@pytest.fixture
def workers(app):
    """Two workers whose hearts beat, and one that is gone."""
    db.session.add_all([Worker(name="one"), Worker(name="two"), Worker(name="gone", seen_at=utcnow() - timedelta(hours=1))])
    db.session.commit()


def test_all_is_well(client, workers, queue):
    assert client.get("/healthz").json == {"status": "ok", "database": "ok", "queue": "ok", "workers": 2}


def test_without_a_queue_server_it_says_so(client, workers):
    assert client.get("/healthz", status=503).json == {"status": "not ok", "database": "ok", "queue": "away", "workers": 2}


def test_a_frozen_queue_server_counts_as_away(client, workers, frozen_queue):
    assert client.get("/healthz", status=503).json["queue"] == "away"


def test_without_workers_it_says_so(client, queue):
    assert client.get("/healthz", status=503).json["workers"] == 0


def test_without_a_database_it_says_so_to_a_monitor_that_carries_a_cookie(owner, queue, monkeypatch):
    def away(*_):
        raise OperationalError("SELECT 1", {}, Exception("no such server"))

    monkeypatch.setattr(db.engine.dialect, "do_execute", away)
    monkeypatch.setattr(db.engine.dialect, "do_execute_no_params", away)
    answer = owner.get("/healthz", status=503).json
    assert (answer["database"], answer["queue"]) == ("away", "ok")

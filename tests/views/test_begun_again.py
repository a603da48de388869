"""A request whose transaction the database gave up for another's sake: it is begun again, and what it does is done once."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event, text

from tests.steps import rows_of, stage
from webapp.core.plan.planner import Mode
from webapp.db import begin_write, db, hold
from webapp.models import AuditEvent, Batch, BatchFile, Row, RowEdit
from webapp.services.audit.events import AuditAction

FILE = "Email,Role\nana@northfield.example,Analyst\nben@northfield.example,Analyst\n"
PATIENCE = 8.0

_WAITS_FOR_US = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
_THE_OTHER_IS_GIVEN_UP = text("SET LOCAL deadlock_timeout = '60s'")


@pytest.fixture
def given_up(app) -> Iterator[list[str]]:
    """The SQLSTATE of each statement that PostgreSQL refused."""
    states: list[str] = []

    def note(context) -> None:
        if state := getattr(context.original_exception, "sqlstate", None):
            states.append(state)

    event.listen(db.engine, "handle_error", note)
    yield states
    event.remove(db.engine, "handle_error", note)


@pytest.fixture
def in_the_way(app) -> Iterator[Callable[[Batch], None]]:
    """Somebody who keeps no order: holds a row of the batch and, as soon as a request waits for it, wants the batch itself,
    which that request holds. PostgreSQL then gives up the request. On SQLite writers take turns: the request waits."""
    threads: list[threading.Thread] = []
    failed: list[BaseException] = []

    def arrange(batch: Batch) -> None:
        batch_id, row_id, holds = batch.id, rows_of(batch)[-1].id, threading.Event()
        db.session.rollback()

        def work() -> None:
            try:
                with app.app_context():
                    _want_the_batch(batch_id, row_id, holds)
            except BaseException as error:
                failed.append(error)
                holds.set()

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        assert holds.wait(PATIENCE)

    yield arrange
    for thread in threads:
        thread.join()
    assert not failed


def _want_the_batch(batch_id: int, row_id: int, holds: threading.Event) -> None:
    on_postgres = db.engine.dialect.name == "postgresql"
    begin_write()
    if on_postgres:
        db.session.execute(_THE_OTHER_IS_GIVEN_UP)
    db.session.scalars(db.select(Row).where(Row.id == row_id).with_for_update(**hold())).one()
    holds.set()
    until = time.monotonic() + (PATIENCE if on_postgres else 0.2)
    while time.monotonic() < until and not (on_postgres and db.session.scalar(_WAITS_FOR_US)):
        time.sleep(0.02)
    db.session.execute(db.update(Batch).where(Batch.id == batch_id).values(name=Batch.name))
    db.session.commit()


def was_given_up(states: list[str]) -> bool:
    """Whether the request fell victim to a deadlock, exactly once; on SQLite it never does."""
    return states == ([] if db.engine.dialect.name == "sqlite" else ["40P01"])


def told(batch: Batch, action: AuditAction) -> int:
    events = db.select(db.func.count(AuditEvent.id)).where(AuditEvent.action == action)
    return db.session.scalar(events.where(AuditEvent.subject_id == batch.id))


def test_another_mode_is_set_once(admin, in_the_way, given_up):
    batch = stage(admin, FILE)
    version = batch.version
    in_the_way(batch)
    answer = admin.patch(f"/batches/{batch.id}", {"mode": "remove"}, htmx=True)
    assert was_given_up(given_up), given_up
    assert "Nobody to remove from." in answer.text
    found = db.session.get(Batch, batch.id)
    assert (found.mode, found.version, found.counts["attention"]) == (Mode.REMOVE, version + 1, 2)
    assert db.session.scalars(db.select(RowEdit.field).where(RowEdit.batch_id == batch.id)).all() == ["mode"]
    assert told(batch, AuditAction.BATCH_CHANGED) == 1


def test_a_file_that_was_read_already_is_read_again_and_whole(admin, in_the_way, given_up):
    batch = stage(admin, FILE)
    in_the_way(batch)
    other = b"Email,Role\nzoe@northfield.example,Remote\n"
    data = {"file": (io.BytesIO(other), "second.csv")}
    admin.post(f"/batches/{batch.id}/file", data, content_type="multipart/form-data")
    assert was_given_up(given_up), given_up
    assert [(row.email, row.role) for row in rows_of(batch)] == [("zoe@northfield.example", "Remote")]
    assert db.session.scalars(db.select(BatchFile.data).where(BatchFile.batch_id == batch.id)).all() == [other]
    assert told(batch, AuditAction.BATCH_FILE_REPLACED) == 1

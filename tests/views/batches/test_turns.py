"""Files that take long to read hold up nobody but who sent them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from webapp.core.files import workbook
from webapp.db import begin_write, db
from webapp.models import Batch, BatchState
from webapp.services.batches import turns

from tests.factories import make_user
from tests.files.make_corpus import FILES
from tests.served import Served, served
from tests.steps import FILE, upload, wait_for

pytestmark = pytest.mark.any_database

PEOPLE = (FILES / "plain.xlsx").read_bytes()
STILL = "Muster is still reading another file of yours."


@pytest.fixture
def server(app) -> Iterator[Served]:
    with served(app, threads=4) as started:
        yield started


def count_reading() -> int:
    return sum(lock.locked() for lock in turns._locks.values())


def with_one_token(*browsers) -> None:
    """Another one for each request would end the transaction of the test."""
    for browser in browsers:
        token = browser.token()
        browser.token = lambda token=token: token


@contextmanager
def waiting(server: Served, browser) -> Iterator[list[int]]:
    """An upload that is read and cannot be written yet. -> its answer."""
    answers: list[int] = []
    body = f"pasted={FILE.replace(chr(10), '%0A')}"
    asker = threading.Thread(target=lambda: answers.append(server.ask("/batches", browser, "POST", body)[0]))
    asker.start()
    try:
        yield answers
    finally:
        db.session.rollback()
        asker.join()


def test_one_person_has_one_file_read_at_a_time(server, admin, owner):
    with_one_token(admin, owner)
    begin_write()
    with waiting(server, admin) as answers:
        wait_for(lambda: turns._locks[admin.user.id].locked(), "the first is read")
        status, _, body = server.ask("/batches", admin, "POST", f"pasted={FILE}")
        assert (status, STILL in body.decode()) == (422, True)
        assert "/batches" in body.decode(), "the dialog is there again, with what to do"
        with waiting(server, owner) as others:
            wait_for(lambda: count_reading() == 2, "somebody else's is read meanwhile")
    assert (answers, others) == ([303], [303])
    assert upload(admin).status == 303, "and afterwards theirs, too"


def test_uploads_wait_for_each_other_and_pages_do_not(server, sign_in, owner):
    """More people than there are threads upload at once. All are served in the end, and pages meanwhile."""
    people = [sign_in(make_user(f"Person {number}", "Admin")) for number in range(6)]
    with_one_token(*people)
    begin_write()
    with ExitStack() as stack:
        answers = [stack.enter_context(waiting(server, person)) for person in people]
        wait_for(lambda: count_reading() == 2, "two are read")
        wait_for(lambda: len(server.server.task_dispatcher.slow.queue) == 4, "the others wait")
        for page in ("/batches", "/users", "/groups", "/batches/template.csv"):
            assert server.ask(page, owner)[0] == 200
        db.session.rollback()
    assert answers == [[303]] * 6


@pytest.fixture
def soon(monkeypatch) -> None:
    """A request that waits for a turn waits a short time only."""
    monkeypatch.setattr(workbook, "WAIT", 0.1)


@contextmanager
def no_turn() -> Iterator[None]:
    """Other workbooks are being read, as many as may be at once."""
    for _ in range(workbook.MOST_AT_ONCE):
        workbook._turns.acquire()
    try:
        yield
    finally:
        for _ in range(workbook.MOST_AT_ONCE):
            workbook._turns.release()


@pytest.fixture
def runs(monkeypatch) -> list[str]:
    """How often a workbook was opened."""
    seen: list[str] = []
    run: Callable[..., None] = workbook._run

    def count(data):
        seen.append(data)
        return run(data)

    monkeypatch.setattr(workbook, "_run", count)
    return seen


@pytest.mark.usefixtures("soon")
def test_a_workbook_that_gets_no_turn_is_refused_with_what_to_do(admin):
    with no_turn():
        page = upload(admin, PEOPLE, "people.xlsx", status=422).page
    assert "Muster is reading other workbooks. Upload this one again in a minute." in page.text
    upload(admin, PEOPLE, "people.xlsx")


@pytest.mark.usefixtures("soon")
def test_the_columns_of_a_workbook_that_gets_no_turn_are_shown_a_minute_later(admin):
    upload(admin, PEOPLE, "people.xlsx")
    batch = db.session.scalar(db.select(Batch))
    with no_turn():
        assert "Muster is reading other workbooks." in admin.get(f"/batches/{batch.id}/mapping").page.text
    assert "Email" in admin.get(f"/batches/{batch.id}/mapping").page.text
    batch.state = BatchState.MAPPING
    db.session.commit()
    assert "Email" in admin.get(f"/batches/{batch.id}").page.text


@pytest.mark.parametrize(
    ("file", "limit"),
    [("cut-off.xlsx", {}), ("claims-four-gigabytes.xlsx", {}), ("plain.xlsx", {"output": 10})],
    ids=["damaged", "large", "large by its answer"],
)
def test_a_workbook_that_cannot_be_opened_is_not_opened_again(admin, runs, monkeypatch, file, limit):
    for name, value in limit.items():
        monkeypatch.setitem(workbook.LIMITS, name, value)
    upload(admin, (FILES / file).read_bytes(), "people.xlsx", status=422)
    assert len(runs) == 1
    monkeypatch.undo()


def test_another_file_in_place_of_one_is_not_opened_again_either(admin, runs):
    upload(admin, PEOPLE, "people.xlsx")
    batch = db.session.scalar(db.select(Batch))
    chosen = {"header_row": "1", "column-0": "email", "column-1": "role", "column-2": "groups"}
    admin.post(f"/batches/{batch.id}/mapping", chosen)
    runs.clear()
    sent = {"file": (io.BytesIO((FILES / "cut-off.xlsx").read_bytes()), "people.xlsx")}
    admin.post(f"/batches/{batch.id}/file", sent, 422, content_type="multipart/form-data")
    assert len(runs) == 1

"""The web server killed, frozen and stopped, and people who do the same thing at the same time."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from webapp.db import db
from webapp.models import AuditEvent, Batch, BatchState, Row, RowEdit

from tests.faults.conftest import Verdict
from tests.faults.portal import Browser, Portal
from tests.faults.seed import SEED
from tests.run.conftest import wait_until
from tests.slow_clients import drip

pytestmark = pytest.mark.slow

WEB = ["stage.commit", "stage.committed", "confirm.before", "confirm.commit", "confirm.committed", "confirm.after"]
EVERY = [(number, point) for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM) for point in WEB]
QUICK = random.Random(SEED).choice(EVERY)


def quietly(command: Callable[..., object], *args: object) -> threading.Thread:
    """Run it, whatever comes of it: its server is killed meanwhile."""

    def run() -> None:
        try:
            command(*args)
        except Exception:
            return

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("number", "point"),
    [pytest.param(*one, id=f"{one[0].name}-{one[1]}", marks=[] if one == QUICK else [pytest.mark.faults]) for one in EVERY],
)
def test_the_web_server_is_ended_or_frozen_at_a_point(
    portal: Portal, verdict: Verdict, number: signal.Signals, point: str
) -> None:
    """A person who comes back afterwards finds either all of it done or nothing, and can go on; once it is thawed, all of it."""
    people, name = portal.people(), portal.fresh("killed")
    batch_id = None if point.startswith("stage") else portal.owner.upload(people, name)
    with portal.points.armed(point) as reached:
        request = quietly(portal.owner.confirm, batch_id) if batch_id else quietly(portal.owner.upload, people, name)
        portal.hit_the_web(reached(), number)
    request.join()
    wait_until(lambda: portal.muster.health(), "the web server is back")
    with portal.app.app_context():
        staged = db.session.scalars(select(Batch.id).where(Batch.file_name == f"{name}.csv")).all()
        db.session.rollback()
    is_thawed = number is signal.SIGSTOP
    assert len(staged) == (0 if point == "stage.commit" and not is_thawed else 1)
    batch_id = staged[0] if staged else portal.owner.upload(people, name)
    is_confirmed = portal.state(batch_id) is not BatchState.REVIEWING
    assert is_confirmed == (point in ("confirm.committed", "confirm.after") or (is_thawed and point.startswith("confirm")))
    assert portal.owner.post(f"/batches/{batch_id}/confirmation", version="1")[0] == 303
    portal.batches.append(batch_id)
    portal.ring()
    verdict(portal, batch_id)


def test_two_admins_confirm_at_once(portal: Portal, verdict: Verdict, admin: Browser) -> None:
    """One wins, the other is told; each row is invited once."""
    batch_id = portal.owner.upload(portal.people(40), portal.fresh("at-once"))
    portal.owner.get(f"/batches/{batch_id}/confirmation")
    seen = admin.seen(batch_id)
    together = threading.Barrier(8)

    def confirm(browser: Browser) -> int:
        together.wait()
        return browser.post(f"/batches/{batch_id}/confirmation", **seen)[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(confirm, [portal.owner, admin] * 4))
    assert answers == [303] * 8
    portal.batches.append(batch_id)
    if portal.state(batch_id) is BatchState.REVIEWING:  # it was planned for the one, and the other came first: both were told
        assert portal.owner.confirm(batch_id) == 303
    verdict(portal, batch_id)
    with portal.app.app_context():
        confirmed = select(AuditEvent).where(AuditEvent.action == "batch.confirmed", AuditEvent.subject_id == batch_id)
        assert len(db.session.scalars(confirmed).all()) == 1


@pytest.mark.parametrize("edits", [100, pytest.param(1000, marks=pytest.mark.faults)])
def test_many_edits_of_one_row_at_once(portal: Portal, admin: Browser, edits: int) -> None:
    """One version wins each time, what was there is never lost unseen, and the history tells all of it in order."""
    batch_id = portal.owner.upload(portal.people(3), portal.fresh("edits"))
    with portal.app.app_context():
        row_id, first = db.session.execute(select(Row.id, Row.role).where(Row.batch_id == batch_id).order_by(Row.line)).first()
        db.session.rollback()
    admin.get(f"/batches/{batch_id}")
    portal.owner.get(f"/batches/{batch_id}")
    roles = ["Analyst", "Remote", "Broadcaster"]
    answers: list[int] = []

    def edit(number: int) -> int:
        """Each believes that the cell holds what it held a while ago."""
        browser = (portal.owner, admin)[number % 2]
        seen, value = roles[number // 2 % 3], roles[(number // 2 + 1) % 3]
        return browser.patch(f"/batches/{batch_id}/rows/{row_id}", field="role", value=value, seen=seen)[0]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(edit, range(edits)))
    assert set(answers) <= {200, 409}, sorted(set(answers))
    with portal.app.app_context():
        row, batch = db.session.get_one(Row, row_id), db.session.get_one(Batch, batch_id)
        query = select(RowEdit).where(RowEdit.row_id == row_id).order_by(RowEdit.version)
        history = db.session.scalars(query).all()
        versions = [step.version for step in history]
        assert versions == list(range(versions[0], versions[0] + len(versions))), "each edit made a version of its own"
        assert versions[-1] == batch.version
        assert [step.before for step in history] == [first, *(step.after for step in history[:-1])], "none was made over another"
        assert row.role == history[-1].after
        assert len(history) <= answers.count(200)
        db.session.rollback()
    assert len(history) > 1


@pytest.mark.faults
def test_two_hundred_slow_clients_hold_up_neither_people_nor_sending(portal: Portal, verdict: Verdict) -> None:
    """That the portal answers meanwhile is tested in tests/run; here an upload goes all its way, and the web server is killed."""
    with drip(portal.muster.port):
        verdict(portal, portal.invite(40))
        portal.hit_the_web(portal.muster.one("webapp.server"), signal.SIGKILL)
        wait_until(lambda: portal.muster.health(), "the web server is back")
        verdict(portal, portal.invite(40))

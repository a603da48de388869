"""A stop in the midst of work: over within ten seconds, what was begun is done whole, and what was claimed is given back."""

import socket

import pytest
from sqlalchemy import func, insert, select
from webapp import queue
from webapp.app import create_app
from webapp.core.plan.planner import Plan
from webapp.db import begin_write, db
from webapp.models import Batch, BatchState, Invitation, Message, MessageKind, MessageState, Row
from webapp.services.mail import outbox
from webapp.settings.settings import Settings

from tests.factories import make_batch, make_invitation, make_persona, role
from tests.run.conftest import STOP_LIMIT, Muster, wait_until

pytestmark = pytest.mark.slow


def test_a_mail_server_that_says_nothing_does_not_hold_up_the_stop(muster: Muster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        muster.environ["MUSTER_MAIL_URL"] = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        muster.migrated().started()
        settings = {name: value for name, value in muster.environ.items() if name.startswith("MUSTER_")}
        app = create_app(Settings.from_environment(settings))
        with app.app_context():
            begin_write()  # the workers write at the same time
            owner = make_persona("Owner")
            begin_write()
            invitation = make_invitation(by=owner, expires_in=None)
            begin_write()
            message = outbox.add_message(MessageKind.INVITATION, invitation.email, invitation_id=invitation.id, priority=2)
            db.session.commit()
            queue.enqueue_send()

            def state() -> MessageState:
                db.session.expire_all()
                found = db.session.get_one(Message, message.id).state
                db.session.rollback()
                return found

            wait_until(lambda: state() is MessageState.SENDING, "a worker waits for the mail server")
            connection, _ = silent.accept()
            assert muster.stop(limit=STOP_LIMIT) == 0
            connection.close()
            assert state() is MessageState.QUEUED
            assert db.session.get_one(Message, message.id).attempts == 0


def test_a_batch_that_is_being_worked_off_stops_between_two_chunks(muster: Muster) -> None:
    rows = 20_000
    muster.migrated().started()
    settings = {name: value for name, value in muster.environ.items() if name.startswith("MUSTER_")}
    app = create_app(Settings.from_environment(settings))
    with app.app_context():
        begin_write()
        owner = make_persona("Owner")
        begin_write()
        batch_id = make_batch(owner, confirmed_by_id=owner.id, state=BatchState.PAUSED).id
        step = {"after": {"role": role("Analyst").id, "groups": [], "everything": False}}
        begin_write()
        db.session.execute(insert(Row), [_row(batch_id, n, step) for n in range(rows)])
        db.session.get_one(Batch, batch_id).state = BatchState.QUEUED
        db.session.commit()
        queue.enqueue_batch(batch_id)

        def count(*which) -> int:
            found = db.session.scalar(select(func.count(Row.id)).where(Row.batch_id == batch_id, *which))
            db.session.rollback()
            return found

        wait_until(lambda: count(Row.outcome.is_not(None)), "the batch is at work")
        assert muster.stop(limit=STOP_LIMIT) == 0
        done = count(Row.outcome.is_not(None))
        assert 0 < done < rows
        assert done == count(Row.invitation_id.is_not(None)) == db.session.scalar(select(func.count(Invitation.id)))
        assert done == db.session.scalar(select(func.count(Message.id)))
        assert db.session.scalar(select(Message.id).where(Message.state == MessageState.SENDING)) is None


def _row(batch_id: int, n: int, step: dict) -> dict:
    email = f"user{n}@northfield.example"
    cells = {"email": email, "role": "Analyst", "groups": ""}
    read = {f"read_{name}": value for name, value in cells.items()}
    return {"batch_id": batch_id, "line": n + 2, "plan": Plan.INVITE, "email_key": email, "change_dict": step, **cells, **read}

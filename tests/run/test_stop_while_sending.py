"""A stop in the midst of sending: over within ten seconds, and what was claimed is given back."""

import socket

import pytest

from tests.factories import make_invitation, make_persona
from tests.run.conftest import Muster, wait_until
from webapp import create_app, queue
from webapp.config import Settings
from webapp.db import begin_write, db
from webapp.models import Message, MessageKind, MessageState
from webapp.services import outbox

pytestmark = pytest.mark.slow


def test_a_mail_server_that_says_nothing_does_not_hold_up_the_stop(muster: Muster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        muster.environ["MUSTER_MAIL_URL"] = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        muster.started()
        settings = {name: value for name, value in muster.environ.items() if name.startswith("MUSTER_")}
        app = create_app(Settings.from_environment(settings))
        with app.app_context():
            begin_write()  # the workers write at the same time
            owner = make_persona("Owner")
            begin_write()
            invitation = make_invitation(by=owner, expires_in=None)
            begin_write()
            message = outbox.queued(MessageKind.INVITATION, invitation.email, invitation=invitation, priority=2)
            db.session.commit()
            assert queue.ring("webapp.jobs.outbox.send", name="outbox")

            def state() -> MessageState:
                db.session.expire_all()
                found = db.session.get_one(Message, message.id).state
                db.session.rollback()
                return found

            wait_until(lambda: state() is MessageState.SENDING, "a worker waits for the mail server")
            connection, _ = silent.accept()
            assert muster.stop() == 0
            connection.close()
            assert state() is MessageState.QUEUED
            assert db.session.get_one(Message, message.id).attempts == 0

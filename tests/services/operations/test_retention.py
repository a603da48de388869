"""What is deleted after the days that the settings keep it, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db, utcnow
from webapp.jobs import maintenance, stopping
from webapp.mail.transports import file_name
from webapp.models import (
    AuditChain,
    AuditEvent,
    Batch,
    BatchFile,
    BatchKind,
    BatchState,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Row,
    RowEdit,
    Session,
)
from webapp.services.audit import chain
from webapp.services.batches import report
from webapp.services.mail import outbox
from webapp.services.operations import retention

from tests.factories import make_batch, make_invitation, make_persona, make_user

LONG_AGO = timedelta(days=91)


@pytest.fixture(autouse=True)
def _ninety_days(change_settings):
    change_settings(retention_days=90)


def count(model):
    return db.session.scalar(db.select(db.func.count()).select_from(model))


def events(action):
    return list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action)))


def ended(state=BatchState.FINISHED, ago=LONG_AGO, rows=3, **values):
    """A batch that ended some time ago, with rows, an edit and its file."""
    owner = make_persona("Owner")
    batch = make_batch(owner, rows, state=state, counts={"invite": rows}, finished_at=utcnow() - ago, **values)
    for n, row in enumerate(db.session.scalars(db.select(Row).where(Row.batch_id == batch.id))):
        row.plan = Plan.INVITE if n else Plan.ATTENTION
        row.outcome = Outcome.INVITED if n else Outcome.SKIPPED
        db.session.add(
            RowEdit(batch_id=batch.id, row_id=row.id, version=2, user_id=owner.id, field="email", before="a", after="b")
        )
    edit = {"batch_id": batch.id, "version": 3, "user_id": owner.id, "field": "message", "before": "", "after": "Dear Ines"}
    db.session.add_all([RowEdit(**edit), BatchFile(batch_id=batch.id, data=b"Email", columns={})])
    db.session.commit()
    return batch


def sweep():
    maintenance.tick("w1")
    db.session.rollback()


class TestRows:
    @pytest.mark.parametrize("state", [BatchState.FINISHED, BatchState.CANCELLED, BatchState.DISCARDED, BatchState.REVERTED])
    def test_go_with_edits_and_file_and_the_batch_stays_with_its_counts(self, app, state):
        batch = ended(state)
        before = report.tally(batch)
        sweep()
        assert [count(model) for model in (Row, RowEdit, BatchFile)] == [0, 0, 0]
        batch = db.session.get_one(Batch, batch.id)
        tally = report.tally(batch)
        assert tally == before == {"invited": 2, "skipped": 1}
        assert batch.rows_deleted_at
        (event,) = events("batch.rows_deleted")
        assert (event.subject_id, event.actor_id, event.details) == (batch.id, None, {"rows": 3, "days": 90})

    def test_stay_until_then(self, app):
        ended(ago=timedelta(days=89))
        for state in (BatchState.REVIEWING, BatchState.MAPPING, BatchState.QUEUED, BatchState.PROCESSING, BatchState.PAUSED):
            ended(state, rows=1)
        assert retention.delete_rows() == 0
        assert count(Row) == 8

    def test_stay_for_ever_without_the_setting(self, app, change_settings):
        change_settings(retention_days=0)
        ended()
        sweep()
        assert count(Row) == 3

    def test_stay_while_a_revert_needs_to_know_what_they_did(self, app):
        batch = ended()
        revert = make_batch(make_persona("Owner"), kind=BatchKind.REVERT, reverts_id=batch.id)
        assert retention.delete_rows() == 0
        revert.state = BatchState.DISCARDED
        db.session.commit()
        sweep()
        assert count(Row) == 0

    def test_the_report_says_so(self, owner):
        batch = ended()
        sweep()
        page = owner.get(f"/batches/{batch.id}").page
        assert "The rows of this upload were deleted" in page.text
        assert "90 days after the end" in page.text
        assert not page.all("a", href=f"/batches/{batch.id}/report.csv")
        owner.get(f"/batches/{batch.id}/report.csv")
        assert "Deleted the rows of autumn-term-staff.csv : 3 rows, older than 90 days" in owner.get("/audit").page.text


class TestMessages:
    def message(self, state, ago=LONG_AGO, invitation=None, recipient="x@northfield.example"):
        message = outbox.add_message(MessageKind.INVITATION, recipient, invitation_id=invitation and invitation.id, priority=3)
        message.state, message.created_at = state, utcnow() - ago
        db.session.commit()
        return message

    def test_that_are_over_go(self, app):
        closed = make_invitation(state=InvitationState.ACCEPTED)
        for state in (MessageState.SENT, MessageState.FAILED, MessageState.CANCELLED, MessageState.UNCERTAIN):
            self.message(state, invitation=closed)
        self.message(MessageState.SENT)
        sweep()
        assert count(Message) == 0
        (event,) = events("messages.deleted")
        assert event.details == {"messages": 5, "days": 90}

    def test_that_still_matter_stay(self, app):
        pending = make_invitation()
        self.message(MessageState.FAILED, invitation=pending)
        self.message(MessageState.QUEUED)
        self.message(MessageState.SENT, ago=timedelta(days=1))
        assert retention.delete_messages() == 0
        assert count(Message) == 3

    def test_that_stay_keep_their_files(self, app, settings):
        folder = settings.data_dir / "outbox"
        folder.mkdir()
        self.message(MessageState.SENT, invitation=make_invitation())
        self.message(MessageState.SENT)
        pending, over = (file_name(id) for id in db.session.scalars(db.select(Message.message_id).order_by(Message.id)))
        for name in (pending, over):
            (folder / name).write_text("x")
        sweep()
        assert [path.name for path in folder.iterdir()] == [pending]


def test_sessions_that_are_over_go(owner):
    make_user("Hannah Whitcombe")
    db.session.add(Session(token_hash="a" * 64, user_id=owner.user.id, seen_at=utcnow() - timedelta(days=2)))
    db.session.commit()
    sweep()
    assert count(Session) == 1


def test_it_is_done_once_a_day(app, queries):
    sweep()
    assert db.session.get_one(AuditChain, 1).swept_on == utcnow().date().isoformat()
    ended()
    sweep()
    assert count(Row) == 3
    db.session.get_one(AuditChain, 1).swept_on = "2020-01-01"
    db.session.commit()
    sweep()
    assert count(Row) == 0


def test_a_worker_that_stops_leaves_the_rest_to_the_next(app):
    ended()
    stopping.set()
    try:
        sweep()
    finally:
        stopping.clear()
    assert count(Row) == 3
    assert retention.is_due()
    sweep()
    assert not retention.is_due()


def test_what_is_too_much_for_one_sweep_is_gone_on_with(app, monkeypatch):
    monkeypatch.setattr(maintenance, "CARE", 0.0)
    ended()
    sweep()
    assert retention.is_due()
    monkeypatch.setattr(maintenance, "CARE", 2.0)
    sweep()
    assert count(Row) == 0


def test_the_sweep_seals_and_what_it_deletes_is_sealed_with_it(app):
    ended()
    sweep()
    sweep()
    assert not db.session.scalar(db.select(AuditEvent.id).where(AuditEvent.seq.is_(None)).limit(1))
    assert not chain.verify().problems


class TestTheTerminal:
    def test_says_that_all_is_well(self, app):
        ended()
        sweep()
        sweep()
        answer = app.test_cli_runner().invoke(args=["muster", "audit", "verify"])
        assert answer.exit_code == 0
        assert answer.output.startswith("1 event, sealed until ")
        assert answer.output.endswith(", nothing was changed.\n")

    def test_says_what_is_wrong_and_exits_with_1(self, app):
        ended()
        sweep()
        sweep()
        (event,) = events("batch.rows_deleted")
        db.session.get_one(AuditChain, 1).unlocked = True
        db.session.flush()
        event.subject = "other.csv"
        db.session.flush()
        db.session.get_one(AuditChain, 1).unlocked = False
        db.session.commit()
        answer = app.test_cli_runner().invoke(args=["muster", "audit", "verify"])
        assert answer.exit_code == 1
        assert f"Event {event.id} (batch.rows_deleted) was changed, or not written by Muster." in answer.output

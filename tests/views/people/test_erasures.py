"""Erasing a person."""

from __future__ import annotations

import pytest
from sqlalchemy import Text, cast
from webapp.core.errors import MusterError
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Plan
from webapp.db import Base, db
from webapp.jobs import outbox as jobs
from webapp.models import (
    AuditEvent,
    Batch,
    BatchFile,
    BatchState,
    Invitation,
    InvitationState,
    LinkPurpose,
    Message,
    Outcome,
    Row,
    RowEdit,
    User,
    UserState,
)
from webapp.services.audit import events
from webapp.services.batches import actions
from webapp.services.directory import lookup
from webapp.services.links import account_links

from tests.factories import PASSWORD, make_batch, make_group, make_invitation, make_persona, make_user
from tests.mail_fixtures import make_message

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

HANNAH = "hannah.whitcombe@northfield.example"
REFUSED = {"code": "text", "text": f"Refused for {HANNAH}"}


@pytest.fixture
def hannah(app):
    make_persona("Owner")
    return make_user("Hannah Whitcombe", groups=("Student Devices",), state=UserState.DEACTIVATED)


def erase(browser, user, password=PASSWORD, status=303):
    return browser.post(f"/users/{user.id}/erasure", {"current": password}, status=status)


def everything():
    """Each table's rows as one text."""
    db.session.rollback()
    return {table.name: str(db.session.execute(table.select()).all()) for table in Base.metadata.sorted_tables}


def make_traces(hannah, admin, settings):
    """Hannah in every table that can hold somebody."""
    invitation = make_invitation(HANNAH, state=InvitationState.ACCEPTED, by=admin.user, name="Hanna Whitcombe-Old")
    invitation.user_id = hannah.id
    make_message("hannah.old@northfield.example")
    jobs.send()
    db.session.add(Message(kind="test", priority=1, recipient=HANNAH, message_id="<t@x>", state="sent"))
    for name, state in (("sent.csv", BatchState.FINISHED), ("open.csv", BatchState.REVIEWING)):
        batch = make_batch(admin.user, rows=1, name=name, state=state, counts={"attention": 2})
        row = Row(batch_id=batch.id, line=9, email=HANNAH, role="Analyst", groups="", read_email=HANNAH.upper(), read_role="",
                  name="Hannah Whitcombe", read_name="Whitcombe",
                  read_groups="", read_cells=[HANNAH, "Hannah Whitcombe"], email_key=HANNAH, plan=Plan.UPDATE,
                  outcome=Outcome.UPDATED if state is BatchState.FINISHED else None, reason=REFUSED)  # fmt: skip
        db.session.add(row)
        db.session.flush()
        edit = {"batch_id": batch.id, "row_id": row.id, "version": 1, "user_id": admin.user.id}
        db.session.add(RowEdit(**edit, field="email", before="hannah@nowhere", after=HANNAH))
        db.session.add(RowEdit(**edit, field="name", before="Whitcombe", after="Hannah Whitcombe"))
    events.record(admin.user, "invitation.created", invitation, after={"name": invitation.name})
    events.record(hannah, "invitation.accepted", invitation)
    events.record(admin.user, "user.changed", hannah, before={"name": "Hannah Whitcombe"}, after={"name": "Hannah W."})
    events.record(admin.user, "batch.confirmed", rows=[{"email": HANNAH}])
    events.record(None, "session.refused", HANNAH.title())
    earlier = events.record(hannah, "session.started")
    earlier.actor = "hannah.old@northfield.example"
    events.stamp(earlier)
    account_links.create_link(hannah, LinkPurpose.EMAIL, email="h@private.example", email_key="h@private.example")
    db.session.commit()


def test_the_page_says_what_goes_and_what_stays_and_asks_for_the_password(admin, hannah, settings):
    make_traces(hannah, admin, settings)
    assert f"/users/{hannah.id}/erasure" in admin.get("/users?status=deactivated").text
    page = admin.get(f"/users/{hannah.id}/erasure").page
    for said in ("2 invitations and 2 emails", "2 rows of uploads", f"“Erased person {hannah.id}”", "This cannot be undone."):
        assert said in page.text
    page = erase(admin, hannah, "wrong", status=422).page
    assert "This is not your password. Nothing was changed." in page.text
    assert "Type your current password." in erase(admin, hannah, "", status=422).page.text
    assert db.session.get_one(User, hannah.id).email == HANNAH


def test_nothing_personal_is_left_anywhere(admin, hannah, settings):
    make_traces(hannah, admin, settings)
    files = settings.data_dir / "outbox"
    assert len(list(files.iterdir())) == 1
    erase(admin, hannah)
    for table, text in everything().items():
        for personal in ("hannah", "whitcombe", "private.example"):
            assert personal not in text.lower(), f"{personal} in {table}"
    assert list(files.iterdir()) == []
    assert "hannah" not in admin.get("/users").text.lower()
    assert "No one matches “erased”." in admin.get("/users?q=erased").page.text


def test_the_log_keeps_a_pseudonym_as_actor_as_subject_and_in_what_it_tells(admin, hannah, settings):
    make_traces(hannah, admin, settings)
    erase(admin, hannah)
    name = f"Erased person {hannah.id}"
    events = {event.action: event for event in db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id))}
    assert events["invitation.accepted"].actor == events["invitation.accepted"].subject == name
    assert events["user.changed"].details == {"before": {"name": name}, "after": {"name": name}}
    assert events["batch.confirmed"].details == {"rows": [{"email": name}]}
    assert events["session.refused"].subject == name
    assert (events["user.erased"].actor, events["user.erased"].subject) == (admin.user.email, name)


def test_what_was_sent_keeps_its_outcome_and_what_is_under_review_goes(admin, hannah, settings):
    make_traces(hannah, admin, settings)
    erase(admin, hannah)
    sent, under_review = db.session.scalars(db.select(Batch).order_by(Batch.id)).all()
    row = db.session.scalars(db.select(Row).where(Row.batch_id == sent.id, Row.line == 9)).one()
    assert (row.email, row.read_cells, row.outcome) == (f"Erased person {hannah.id}", [], Outcome.UPDATED)
    assert db.session.scalars(db.select(Row.line).where(Row.batch_id == under_review.id)).all() == [2]
    admin.get(f"/batches/{sent.id}")
    admin.get(f"/batches/{under_review.id}")
    admin.get(f"/batches/{sent.id}/report.csv", status=None)


def test_the_address_is_free_again_and_somebody_else_may_have_an_earlier_one(admin, hannah, settings):
    make_traces(hannah, admin, settings)
    other = make_user("Olga Durand", email="hannah.old@northfield.example")
    erase(admin, hannah)
    assert db.session.get_one(User, other.id).email == "hannah.old@northfield.example"
    assert db.session.scalars(db.select(Invitation.email)).all() == ["hannah.old@northfield.example"]
    group = make_group("Student Devices")
    make_user("Hannah Whitcombe", email=HANNAH)
    assert "hannah" not in admin.get("/groups").text.lower()
    assert group.name in admin.get("/groups").text


def test_only_somebody_deactivated_is_erased(admin):
    active = make_user()
    assert "Deactivate this person first." in admin.get(f"/users/{active.id}/erasure", status=409).page.text
    erase(admin, active, status=409)
    admin.get("/users/4711/erasure", status=404)


@pytest.mark.parametrize("role", ["Owner", "Admin"])
def test_nobody_erases_themselves_or_somebody_not_ranked_below(admin, role):
    other = make_persona("Owner") if role == "Owner" else make_user("Second Admin", "Admin", state=UserState.DEACTIVATED)
    for user in (other, admin.user):
        admin.get(f"/users/{user.id}/erasure", status=403)
        erase(admin, user, status=403)


def test_an_erased_person_is_gone_for_good(admin, owner, hannah, client):
    erase(admin, hannah)
    admin.get(f"/users/{hannah.id}/erasure", status=404)
    erase(owner, hannah, status=404)
    client.post("/sign-in", {"email": HANNAH, "password": PASSWORD}, status=422)
    client.post("/sign-in", {"email": f"erased-{hannah.id}", "password": ""}, status=422)
    assert "Role Management" in owner.get("/users").page.h1
    assert db.session.scalar(db.select(db.func.count()).where(cast(AuditEvent.details, Text).contains(HANNAH))) == 0


def test_nobody_erased_is_brought_back(admin, hannah):
    erase(admin, hannah)
    admin.get(f"/users/{hannah.id}", status=404)
    with pytest.raises(MusterError):
        actions.do_now("user", hannah.id, Action(Do.REACTIVATE), admin.user)
    assert set(lookup.people_by_id([("user", hannah.id), ("user", admin.user.id)])) == {("user", admin.user.id)}
    assert db.session.get_one(User, hannah.id).state is UserState.ERASED


def test_what_is_under_review_counts_without_the_person_and_is_looked_at_again(admin, hannah):
    file = f"Email,Role\n{HANNAH},Analyst\nines@northfield.example,Analyst\n"
    path = admin.post("/batches", {"pasted": file}).location
    batch = db.session.scalars(db.select(Batch)).one()
    seen, size = batch.version, batch.size
    assert (size, db.session.scalar(db.select(BatchFile.batch_id))) == (2, batch.id)
    page = admin.get(f"/users/{hannah.id}/erasure").page
    assert "those uploads go on, but their columns cannot be changed" in page.text
    erase(admin, hannah)
    db.session.expire_all()
    assert batch.version > seen
    assert db.session.scalars(db.select(BatchFile)).all() == []
    admin.get(path)
    db.session.expire_all()
    assert (batch.size, batch.counts) == (1, {"invite": 1})


def test_files_of_all_open_uploads_go_and_one_that_is_only_a_file_is_discarded(admin, hannah):
    under_review = admin.post("/batches", {"pasted": "Email,Role\nines@northfield.example,Analyst\n"}).location
    admin.post("/batches", {"pasted": "Who,What\nines@northfield.example,teaches\n"})
    erase(admin, hannah)
    db.session.expire_all()
    reviewed, only_file = db.session.scalars(db.select(Batch).order_by(Batch.id))
    assert (reviewed.state, only_file.state) == (BatchState.REVIEWING, BatchState.DISCARDED)
    assert reviewed.size == 1
    assert db.session.scalars(db.select(BatchFile)).all() == []
    assert db.session.scalars(db.select(AuditEvent.subject_id).where(AuditEvent.action == "batch.discarded")).all() == [
        only_file.id
    ]
    admin.get(under_review)
    page = admin.get(f"/batches/{reviewed.id}/mapping", status=409).page
    assert "The file of this upload is not kept, so its columns stay" in page.text

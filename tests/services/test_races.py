"""Commands at the same moment, on either database: one winner each, nobody waits for ever, and nothing is lost.

MUSTER_RACES is how often each is run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from webapp.core.errors import ConflictError, MusterError
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Mode
from webapp.db import db, utcnow
from webapp.jobs import batches as job
from webapp.jobs import outbox as sending
from webapp.models import (
    Batch,
    BatchState,
    Group,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Outcome,
    Role,
    Row,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import password_reset, sessions
from webapp.services.batches import (
    actions,
    bulk_edit,
    cell_edit,
    changes,
    confirmation,
    execute,
    planner,
    reminders,
    review,
    single_invite,
    tidy_up,
    upload,
)
from webapp.services.directory import aliases, groups, roles
from webapp.services.invitations import invitations
from webapp.services.mail import outbox
from webapp.services.operations import retention
from webapp.services.people import erasure

from tests.at_once import at_once
from tests.factories import make_batch, make_group, make_invitation, make_persona, make_user, role, token_of
from tests.mail_fixtures import make_message
from tests.steps import make_review, stored_plans

ROUNDS = range(int(os.environ.get("MUSTER_RACES", "2")))
pytestmark = pytest.mark.slow


@pytest.fixture
def admin(app) -> int:
    make_persona("Owner")
    make_group("Student Devices")
    return make_persona("Admin").id


@pytest.fixture
def race(app) -> Callable[..., list[Exception]]:
    """Run commands at once. -> what they raised, which is never anything but an error of ours."""

    def run(*commands: Callable[[], object]) -> list[Exception]:
        db.session.rollback()
        raised = at_once(app, *commands)
        assert all(isinstance(error, MusterError) for error in raised), raised
        return raised

    return run


def user(id: int) -> User:
    return db.session.get_one(User, id)


def people(round: int, n: int = 6) -> list[int]:
    return [make_user(f"Person {i}", email=f"p{round}-{i}@northfield.example").id for i in range(n)]


def at_work(ids: list[int], action: Action, by: int) -> int:
    """A confirmed action on these users, which a worker may take up."""
    batch = actions.stage(frozenset(("user", id) for id in ids), action, user(by))
    id, version = batch.id, batch.version
    assert confirmation.confirm(id, version, user(by), proven=True)
    return id


@pytest.fixture
def parts(admin, change_settings) -> Callable[[int], list[int]]:
    """A file in three parts, each with the same people, with other groups each time."""
    change_settings(max_rows=3)

    def make(round: int) -> list[int]:
        lines = [f"t{round}-{i}@northfield.example,Analyst,{group}" for group in ("", "Student Devices", "") for i in range(3)]
        first = upload.stage("\n".join(["Email,Role,Groups", *lines]).encode(), "long.csv", user(admin), split=True)
        return [part.id for part in upload.parts_of(first)]

    return make


def row_of(batch_id: int, place: int = 0) -> int:
    return db.session.scalars(db.select(Row.id).where(Row.batch_id == batch_id).order_by(Row.line)).all()[place]


@pytest.mark.parametrize("round", ROUNDS)
def test_twins_kept_and_merged_and_rows_edited(round, admin, race):
    emails = [f"t{round}-{n}@northfield.example" for n in (0, 1, 0, 1, 2)]
    lines = [f"{email},Analyst,{group}" for email, group in zip(emails, ["", "", *["Student Devices"] * 3], strict=True)]
    id = upload.stage("\n".join(["Email,Role,Groups", *lines]).encode(), "staff.csv", user(admin)).id
    places = [row_of(id, place) for place in range(5)]
    race(
        lambda: bulk_edit.keep_one(id, user(admin), places[0]),
        lambda: bulk_edit.merge_duplicates(id, user(admin), places[3]),
        lambda: cell_edit.edit(id, places[4], "role", "Remote", "Analyst", user(admin)),
        lambda: cell_edit.remove(id, places[2], user(admin)),
    )


@pytest.mark.parametrize("round", ROUNDS)
def test_two_tidy_up_the_same_at_once(round, admin, race):
    lines = [f"t{round}-{n}@northfield.example,Analsyt,New group {round}" for n in range(5)]
    batch = upload.stage("\n".join(["Email,Role,Groups", *lines]).encode(), "staff.csv", user(admin))
    id, choice = batch.id, tidy_up.choose_safe(batch, user(admin))
    db.session.rollback()
    done = []
    race(*[lambda: done.append(tidy_up.tidy_up(id, user(admin), choice).fixed)] * 2)
    assert sorted(done) == [0, 2], "a spelling and a group; the other finds nothing left"
    rows = db.session.scalars(db.select(Row).where(Row.batch_id == id)).all()
    assert {(row.role, row.groups) for row in rows} == {("Analyst", f"New group {round}")}
    made = db.select(db.func.count(Group.id)).where(Group.name == f"New group {round}")
    assert db.session.scalar(made) == 1


@pytest.mark.parametrize("round", ROUNDS)
def test_parts_edited_at_once_lose_no_edit(round, parts, admin, race):
    ids = parts(round)
    places = [row_of(id) for id in ids]
    raised = race(*[
        lambda id=id, row=row: cell_edit.edit(id, row, "role", "Remote", "Analyst", user(admin))
        for id, row in zip(ids, places, strict=True)
    ])  # fmt: skip
    assert raised == []
    assert {db.session.get_one(Row, row).role for row in places} == {"Remote"}


def look(batch_id: int) -> None:
    """Show a batch, and store the plans that were made for that."""
    if plans := planner.show(review.get_batch(batch_id)):
        planner.store_shown(batch_id, plans)


@pytest.mark.parametrize("round", ROUNDS)
def test_two_look_while_rows_are_edited_and_people_come(round, parts, admin, race):
    roles.save(None, f"Helper {round}", "", 55, ["invitations:make"], make_persona("Owner"))
    helper = make_user("Hal Pern", f"Helper {round}", email=f"hal{round}@northfield.example").id
    ids = parts(round)
    for id in ids:
        cell_edit.edit(id, row_of(id, 1), "role", "Admin", "Analyst", user(admin))
    changes.set_options(ids[1], user(helper), skip_errors=True)
    raised = race(
        lambda: look(ids[1]),
        lambda: look(ids[1]),
        lambda: changes.set_options(ids[1], user(helper), mode=Mode.ADD),
        lambda: cell_edit.edit(ids[0], row_of(ids[0]), "role", "Remote", "Analyst", user(admin)),
        lambda: single_invite.invite(
            {"email": f"t{round}-0@northfield.example", "name": "", "role": "Remote", "groups": ""}, user(admin)
        ),
        lambda: look(ids[0]),
    )
    assert raised == []
    for id in ids:
        look(id)
        stored_plans(id)


@pytest.mark.parametrize("round", ROUNDS)
def test_a_group_merged_while_an_action_gives_it(round, admin, race):
    into, other = make_group(f"Into {round}").id, make_group(f"Other {round}").id
    ids = people(round)
    batch_id = at_work(ids, Action(Do.ADD_GROUPS, groups=frozenset({into, other})), admin)
    raised = race(
        lambda: job.process(batch_id),
        lambda: groups.merge_groups(into, [other], user(admin)),
        lambda: groups.change_group(into, f"Renamed {round}", "", user(admin)),
        lambda: actions.do_now("user", ids[0], Action(Do.SET_GROUPS, groups=frozenset({into})), user(admin)),
    )
    job.process(batch_id)
    assert all(isinstance(error, MusterError) for error in raised)
    assert db.session.get_one(Batch, batch_id).state is BatchState.FINISHED
    assert (db.session.get(Group, other) is None) or any(isinstance(error, ConflictError) for error in raised)


@pytest.mark.parametrize("round", ROUNDS)
def test_a_role_deleted_while_people_get_it_and_lose_it(round, admin, race):
    made = roles.save(None, f"Helper {round}", "", 5, [], make_persona("Owner"))
    made_id, remote = made.id, role("Remote").id
    ids = people(round)
    owner = make_persona("Owner").id
    batch_id = at_work(ids, Action(Do.SET_ROLE, role=made_id), admin)
    race(
        lambda: job.process(batch_id),
        lambda: roles.remove(made_id, remote, user(owner)),
        lambda: actions.do_now("user", ids[-1], Action(Do.SET_ROLE, role=made_id), user(admin)),
        lambda: aliases.add(Role, f"helping {round}", f"Helper {round}", user(admin)),
    )
    job.process(batch_id)
    held = {user(id).role.name for id in ids}
    assert held <= ({"Analyst", "Remote"} if db.session.get(Role, made_id) is None else {f"Helper {round}", "Analyst"})


@pytest.mark.parametrize("round", ROUNDS)
def test_two_uploads_of_the_same_people_at_work_at_once(round, admin, race):
    lines = [(f"n{round}-{i}@northfield.example", "Analyst", "Student Devices") for i in range(8)]
    ids = []
    for order in (lines, lines[::-1]):
        batch = make_review(user(admin), order)
        ids.append(batch.id)
        assert confirmation.confirm(batch.id, batch.version, user(admin))
    assert race(*[lambda id=id: execute.run_chunk(id, 50) for id in ids]) == []
    invited = db.select(db.func.count(Invitation.id)).where(Invitation.email.startswith(f"n{round}-"))
    assert db.session.scalar(invited) == 8
    assert db.session.scalar(db.select(db.func.count(Row.id)).where(Row.batch_id.in_(ids), Row.outcome == Outcome.WAITING)) == 8


@pytest.mark.parametrize("round", ROUNDS)
def test_somebody_erased_while_their_mail_is_sent_and_old_things_are_deleted(round, admin, race, change_settings):
    change_settings(retention_days=1)
    email = f"gone{round}@northfield.example"
    gone = make_user("Hannah Whitcombe", email=email, state=UserState.DEACTIVATED).id
    invitation = make_invitation(email, state=InvitationState.PENDING, expires_in=None)
    message = make_message(f"other{round}@northfield.example")
    message.recipient = email
    outbox.add_message(outbox.MessageKind.INVITATION, email, invitation_id=invitation.id, priority=3)
    batch = make_batch(user(admin), rows=2)
    row = db.session.get_one(Row, row_of(batch.id))
    row.email = row.email_key = email
    db.session.commit()
    batch_id, other = batch.id, row_of(batch.id, 1)
    race(
        lambda: erasure.erase(gone, user(admin)),
        sending.send,
        retention.delete_messages,
        lambda: cell_edit.edit(batch_id, other, "role", "Remote", "Analyst", user(admin)),
        lambda: look(batch_id),
    )
    assert user(gone).state is UserState.ERASED
    assert db.session.scalars(db.select(Message).where(Message.recipient == email)).all() == []
    assert db.session.scalars(db.select(Row.id).where(Row.email == email)).all() == []


@pytest.mark.parametrize("round", ROUNDS)
def test_somebody_deactivated_while_they_come_and_go(round, admin, race):
    ana = make_user("Ana Ruiz", email=f"ana{round}@northfield.example").id
    for _ in range(3):
        sessions.start_session(user(ana), "192.0.2.7", "one")
    db.session.execute(db.update(Session).values(seen_at=utcnow() - sessions.MINUTE * 2))
    db.session.commit()
    touched = db.session.scalars(db.select(Session.id).where(Session.user_id == ana)).all()
    race(
        lambda: actions.do_now("user", ana, Action(Do.DEACTIVATE), user(admin)),
        lambda: sessions.note_activity(touched[0]),
        lambda: sessions.end_sessions(user(ana), user(ana), only=touched[1]),
        lambda: sessions.end_sessions(user(ana), user(ana), touched[2]),
        lambda: sessions.start_session(user(ana), "192.0.2.7", "two"),
    )
    assert user(ana).state is UserState.DEACTIVATED


@pytest.mark.parametrize("round", ROUNDS)
def test_an_upload_cancelled_while_its_mail_goes_and_an_address_is_corrected(round, admin, race):
    lines = [(f"c{round}-{i}@northfield.example", "Analyst", "") for i in range(4)]
    batch = make_review(user(admin), lines)
    batch_id = batch.id
    assert confirmation.confirm(batch_id, batch.version, user(admin))
    execute.run_chunk(batch_id, 3)
    invited = db.session.scalars(db.select(Invitation.id).where(Invitation.batch_id == batch_id).order_by(Invitation.id)).all()
    race(
        lambda: execute.cancel(batch_id, user(admin)),
        sending.send,
        lambda: single_invite.replace_invitation(invited[1], f"d{round}@northfield.example", user(admin)),
        lambda: actions.do_now("invitation", invited[2], Action(Do.REVOKE), user(admin)),
        lambda: execute.run_chunk(batch_id, 50),
        lambda: actions.do_now("invitation", invited[0], Action(Do.RESEND), user(admin)),
    )
    left = db.session.scalars(db.select(Row.outcome).where(Row.batch_id == batch_id)).all()
    assert db.session.get_one(Batch, batch_id).state in (BatchState.CANCELLED, BatchState.FINISHED)
    assert None not in left


@pytest.mark.parametrize("round", ROUNDS)
def test_two_remind_and_two_workers_take_it_up(round, admin, race, change_settings):
    change_settings(mail_url="smtp://127.0.0.1:1")
    lines = [(f"r{round}-{i}@northfield.example", "Analyst", "") for i in range(6)]
    batch = make_review(user(admin), lines)
    batch_id = batch.id
    assert confirmation.confirm(batch_id, batch.version, user(admin))
    job.process(batch_id)
    of_batch = db.select(Invitation.id).where(Invitation.batch_id == batch_id)
    went = {"state": MessageState.SENT, "handed_at": utcnow()}
    db.session.execute(db.update(Message).where(Message.invitation_id.in_(of_batch)).values(went))
    db.session.execute(db.update(Row).where(Row.batch_id == batch_id).values(outcome=Outcome.INVITED))
    db.session.execute(db.update(Invitation).where(Invitation.batch_id == batch_id).values(expires_at=utcnow()))
    db.session.commit()
    asked: list[int] = []
    ask = [lambda: asked.append(reminders.ask(batch_id, user(admin)))] * 2
    work = [lambda: reminders.queue_chunk(batch_id)] * 2
    assert race(*ask, *work) == []
    assert sorted(asked) == [0, 6]
    assert race(*work) == []
    reminded = Message.kind == MessageKind.REMINDER, Message.invitation_id.in_(of_batch)
    assert sorted(db.session.scalars(db.select(Message.recipient).where(*reminded))) == [email for email, _, _ in lines]


@pytest.mark.parametrize("round", ROUNDS)
def test_two_new_links_asked_for_and_the_password_forgotten(round, admin, race, change_settings):
    change_settings(mail_url="smtp://127.0.0.1:1")
    email = f"e{round}@northfield.example"
    expired = make_invitation(email, expires_in=timedelta(days=-1))
    link = token_of(expired)
    of_them = db.select(db.func.count(Message.id)).where(Message.recipient == email)
    assert race(*[lambda: invitations.ask_again(link, "192.0.2.7")] * 3) == []
    assert db.session.scalar(of_them) == 1
    assert race(*[lambda: password_reset.ask(email, "192.0.2.7")] * 5) == []
    assert db.session.scalar(of_them) == 1 + 3, "three an hour"

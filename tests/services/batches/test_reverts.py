"""Revert of what was confirmed is the state before, for whatever nobody touched in between; and races, with one winner each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.errors import ConflictError, ForbiddenError, MusterError, RuleViolationError
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Mode
from webapp.db import db
from webapp.jobs import batches as job
from webapp.models import (
    AuditEvent,
    Batch,
    BatchState,
    Invitation,
    InvitationState,
    Message,
    Outcome,
    Row,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import sessions as sign_ins
from webapp.services.batches import actions, changes, confirmation, execute, reverts
from webapp.services.invitations import invitations

from tests.factories import make_group, make_invitation, make_persona, make_user, role, token_of
from tests.properties import fewer
from tests.steps import make_review

GROUPS = ("Student Devices", "Teacher Laptops", "Exam Laptops")
ROLES = ("Analyst", "Remote", "Broadcaster")
PEOPLE = range(5)
_examples = count()


@pytest.fixture
def admin(app) -> User:
    for name in GROUPS:
        make_group(name)
    make_persona("Owner")
    return make_persona("Admin")


def confirmed(batch: Batch, by: User) -> int:
    batch_id = batch.id
    assert confirmation.confirm(batch_id, db.session.get(Batch, batch_id).version, by)
    job.process(batch_id)
    return batch_id


UNDOABLE = [do for do in Do if do not in (Do.RESEND, Do.REVOKE)]
ACCESS = st.tuples(st.sampled_from(ROLES), st.sets(st.sampled_from(GROUPS)) | st.just({"All groups"}))
SOMEBODY = st.tuples(st.sampled_from([UserState.ACTIVE, UserState.ACTIVE, UserState.DEACTIVATED, "invitation"]), ACCESS)
THERE = st.none() | SOMEBODY
ROW = st.none() | ACCESS
CHANGE = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(list(Do)),
    st.sampled_from(ROLES),
    st.sampled_from(GROUPS),
)


def email(n: int, example: int) -> str:
    return f"p{n}-{example}@northfield.example"


def arrange(directory: list, example: int) -> None:
    for n, there in enumerate(directory):
        if there is None:
            continue
        kind, (role_name, groups) = there
        groups = tuple(sorted(groups))
        if kind == "invitation":
            make_invitation(email(n, example), role_name, groups)
        else:
            make_user(f"Person {n}", role_name, groups, email=email(n, example), state=kind)


def state(example: int) -> dict[int, tuple]:
    """Everybody's access, as far as they are here or expected."""
    db.session.rollback()
    found: dict[int, tuple] = {}
    for n in PEOPLE:
        user = db.session.scalar(db.select(User).where(User.email == email(n, example)))
        pending = Invitation.email == email(n, example), Invitation.state == InvitationState.PENDING
        person = user or db.session.scalar(db.select(Invitation).where(*pending))
        if person is not None:
            groups = {"All groups"} if person.all_groups else {group.name for group in person.groups}
            found[n] = person.__tablename__, person.id, person.state, person.role.name, groups
    return found


def touch(example: int, change: tuple, by: User) -> int | None:
    """Somebody else does something to one of them. -> who was sent an invitation again."""
    n, do, role_name, group = change
    there = state(example).get(n)
    if there is None:
        return None
    action = Action(do, role=role(role_name).id, groups=frozenset({make_group(group).id}))
    try:
        actions.do_now("user" if there[0] == "users" else "invitation", there[1], action, by)
    except (ConflictError, RuleViolationError):
        return None
    return n if do is Do.RESEND else None


def expect(before: dict, left: dict, touched: dict, after: dict, sent_again: set[int], made: set[int]) -> None:
    for n in PEOPLE:
        is_touched = left.get(n) != touched.get(n) or (n in sent_again and n in made)
        assert after.get(n) == (touched if is_touched else before).get(n), (
            f"person {n} {'was' if is_touched else 'was not'} touched"
        )


@pytest.mark.slow
@fewer()
@given(
    directory=st.lists(THERE, min_size=len(PEOPLE), max_size=len(PEOPLE)),
    file=st.lists(ROW, min_size=len(PEOPLE), max_size=len(PEOPLE)),
    mode=st.sampled_from(list(Mode)),
    change_roles=st.booleans(),
    later=st.lists(CHANGE, max_size=4),
)
def test_a_reverted_upload_leaves_what_was_before_and_what_was_touched(admin, directory, file, mode, change_roles, later):
    example = next(_examples)
    arrange(directory, example)
    lines = [(email(n, example), row[0], ", ".join(sorted(row[1]))) for n, row in enumerate(file) if row]
    admin, owner = make_persona("Admin"), make_persona("Owner")
    batch = make_review(admin, lines)
    changes.set_options(batch.id, admin, mode=mode, change_roles=change_roles, skip_errors=True)
    before = state(example)
    batch_id = confirmed(db.session.get(Batch, batch.id), make_persona("Admin"))
    finish_sending(batch_id)
    left = state(example)
    sent_again = {touch(example, change, owner) for change in later} - {None}
    touched = state(example)
    undo(batch_id)
    expect(before, left, touched, state(example), sent_again, {n for n in PEOPLE if n not in before})


@pytest.mark.slow
@fewer()
@given(
    directory=st.lists(SOMEBODY, min_size=len(PEOPLE), max_size=len(PEOPLE)),
    action=st.tuples(st.just(0), st.sampled_from(UNDOABLE), st.sampled_from(ROLES), st.sampled_from(GROUPS)),
    later=st.lists(CHANGE, min_size=2, max_size=4),
)
def test_a_reverted_action_leaves_what_was_before_and_what_was_touched(admin, directory, action, later):
    example = next(_examples)
    arrange(directory, example)
    before = state(example)
    _, do, role_name, group = action
    owner = make_persona("Owner")
    refs = frozenset(("user" if there[0] == "users" else "invitation", there[1]) for there in before.values())
    batch = actions.stage(
        refs, Action(do, role=role(role_name).id, groups=frozenset({make_group(group).id})), make_persona("Admin")
    )
    if not batch.to_send:
        return
    batch_id = confirmed(batch, make_persona("Admin"))
    left = state(example)
    for change in later:
        touch(example, change, owner)
    touched = state(example)
    undo(batch_id)
    expect(without_ended_links(before, do), left, touched, state(example), set(), set())


def without_ended_links(before: dict, do: Do) -> dict:
    """Who is back after the revert: a link that the action ended stays ended."""
    return {n: there for n, there in before.items() if do is not Do.END_ACCESS or there[0] == "users"}


def finish_sending(batch_id: int) -> None:
    """As if all its e-mails had gone."""
    db.session.execute(
        db.update(Row).where(Row.batch_id == batch_id, Row.outcome == Outcome.WAITING).values(outcome=Outcome.INVITED)
    )
    db.session.execute(db.update(Batch).where(Batch.id == batch_id).values(state=BatchState.FINISHED))
    db.session.commit()


def undo(batch_id: int) -> None:
    admin = make_persona("Admin")
    try:
        batch = reverts.stage(batch_id, admin)
    except ConflictError:
        return
    if batch.to_send:
        confirmed(batch, admin)


# Races: each in threads of their own; one winner, no other error than one of ours


def at_once(app, *commands: Callable[[], object]) -> list[object]:
    """Run them at the same moment. -> what each returned, or the error of ours that it ended with."""
    db.session.rollback()
    barrier, results = threading.Barrier(len(commands)), [None] * len(commands)

    def run(place: int, command: Callable[[], object]) -> None:
        with app.app_context():
            barrier.wait()
            try:
                results[place] = command()
            except MusterError as error:
                db.session.rollback()
                results[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(commands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    return results


def me() -> User:
    return make_persona("Admin")


def events(action: str) -> int:
    return db.session.scalar(db.select(db.func.count(AuditEvent.id)).where(AuditEvent.action == action))


def test_two_demotions_of_the_same_person_at_once_are_one(app, admin):
    ana = make_user("Ana Ruiz", "Investigator", email="ana@northfield.example").id
    demote = Action(Do.SET_ROLE, role=role("Remote").id)
    said = at_once(app, *[lambda: actions.do_now("user", ana, demote, me())] * 2)
    assert sorted(said) == ["Ana Ruiz is Remote now.", "Nothing to change for Ana Ruiz."]
    assert events("user.changed") == 1


def test_two_admins_who_demote_each_other_at_once_leave_one(app, admin):
    other = make_user("Dana Cruz", "Admin", email="dana@northfield.example").id
    mine, demote = admin.id, Action(Do.SET_ROLE, role=role("Analyst").id)
    results = at_once(
        app,
        lambda: actions.do_now("user", other, demote, db.session.get_one(User, mine)),
        lambda: actions.do_now("user", mine, demote, db.session.get_one(User, other)),
    )
    assert [type(r) for r in sorted(results, key=str)].count(ForbiddenError) == 1
    assert sorted(db.session.get(User, id).role.name for id in (mine, other)) == ["Admin", "Analyst"]


def test_resend_against_revoke_never_revives(app, admin):
    invitation = make_invitation().id
    do = lambda what: lambda: actions.do_now("invitation", invitation, Action(what), me())  # noqa: E731
    at_once(app, do(Do.RESEND), do(Do.REVOKE))
    assert db.session.get(Invitation, invitation).state is InvitationState.REVOKED
    assert {m.state.value for m in db.session.scalars(db.select(Message))} <= {"cancelled"}


@pytest.mark.parametrize("attempt", range(3))
def test_revoke_against_accept_has_one_winner(app, admin, attempt):
    invitation = make_invitation()
    token, id = token_of(invitation), invitation.id
    results = at_once(
        app,
        lambda: invitations.accept(token, "Li Wei", "correct horse battery"),
        lambda: actions.do_now("invitation", id, Action(Do.REVOKE), me()),
    )
    assert sum(isinstance(result, ConflictError | RuleViolationError) for result in results) == 1
    users = db.session.scalar(db.select(db.func.count(User.id)).where(User.name == "Li Wei"))
    accepted = db.session.get(Invitation, id).state is InvitationState.ACCEPTED
    assert users == (1 if accepted else 0)


def test_revert_against_accept_has_one_winner(app, admin):
    batch_id = confirmed(make_review(admin, [("li@northfield.example", "Analyst", "")]), me())
    finish_sending(batch_id)
    invitation = db.session.scalars(db.select(Invitation)).one()
    token, id = token_of(invitation), invitation.id
    undo = reverts.stage(batch_id, me())
    undo_id = undo.id
    confirmation.confirm(undo_id, undo.version, me())
    accepted, _ = at_once(app, lambda: invitations.accept(token, "Li Wei", "correct horse battery"), lambda: job.process(undo_id))
    row = db.session.scalars(db.select(Row).where(Row.batch_id == undo_id)).one()
    state = db.session.get(Invitation, id).state
    assert (isinstance(accepted, ConflictError), row.outcome, state) in [
        (True, Outcome.UPDATED, InvitationState.REVOKED),
        (False, Outcome.SKIPPED, InvitationState.ACCEPTED),
    ]


def test_two_reverts_begun_at_once_are_one(app, admin):
    batch_id = confirmed(make_review(admin, [("li@northfield.example", "Analyst", "")]), me())
    finish_sending(batch_id)
    begun = at_once(app, *[lambda: reverts.stage(batch_id, me()).id] * 3)
    assert len(set(begun)) == 1


def test_two_confirms_at_once_are_one(app, admin):
    ana = make_user("Ana Ruiz", email="ana@northfield.example").id
    batch = actions.stage(frozenset({("user", ana)}), Action(Do.DEACTIVATE), me())
    id, version = batch.id, batch.version
    first = at_once(app, *[lambda: confirmation.confirm(id, version, me())] * 3)
    assert sorted(first) == [False, False, True]
    at_once(app, *[lambda: execute.run_chunk(id, 50)] * 3)
    assert events("user.deactivated") == 1


def test_deactivating_who_confirms_at_that_moment_does_nothing_or_all_of_it(app, admin):
    """Who confirms is looked at when the worker comes to the row, so a deactivated admin's batch does nothing."""
    other = make_user("Dana Cruz", "Admin", email="dana@northfield.example")
    other_id, ana = other.id, make_user("Ana Ruiz", email="ana@northfield.example").id
    batch = actions.stage(frozenset({("user", ana)}), Action(Do.DEACTIVATE), other)
    id, version = batch.id, batch.version
    at_once(
        app,
        lambda: confirmation.confirm(id, version, db.session.get_one(User, other_id)),
        lambda: actions.do_now("user", other_id, Action(Do.DEACTIVATE), me()),
    )
    if db.session.get(Batch, id).state is BatchState.QUEUED:
        job.process(id)
        row = db.session.scalars(db.select(Row).where(Row.batch_id == id)).one()
        assert row.why == "Dana Cruz may no longer do this"
    assert db.session.get(User, ana).state is UserState.ACTIVE


def test_deactivating_ends_every_session_in_the_same_commit(app, admin):
    ana = make_user("Ana Ruiz", email="ana@northfield.example")
    tokens = [sign_ins.start_session(ana, "192.0.2.7", "one") for _ in range(2)]
    actions.do_now("user", ana.id, Action(Do.DEACTIVATE), admin)
    assert [sign_ins.find_session(token) for token in tokens] == [None, None]
    assert db.session.scalars(db.select(Session).where(Session.user_id == ana.id)).all() == []

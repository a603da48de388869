"""How a batch is applied, changed: judged before others have to wait, and never from what is no longer so."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event
from webapp.core.plan.planner import Mode, Plan
from webapp.db import begin_write, db
from webapp.models import Batch, Row, User
from webapp.services.batches import cell_edit, changes, undo
from webapp.services.directory import lookup

from tests.factories import make_group, make_persona, make_user
from tests.steps import make_review, state_of_batch, stored_plans

DOMAIN = "northfield.example"


@pytest.fixture
def admin(app):
    make_group("Loans")
    make_persona("Owner")
    return make_persona("Admin")


@pytest.fixture
def meanwhile(app):
    """Let somebody else do something just before the next command that writes gets its turn."""
    waiting: list[Callable[[], object]] = []
    done: list[bool] = []

    def before_its_turn(_connection: object, options: dict[str, object]) -> None:
        if waiting and options.get("write"):
            thread = threading.Thread(target=elsewhere, args=[waiting.pop()])
            thread.start()
            thread.join()

    def elsewhere(command: Callable[[], object]) -> None:
        with app.app_context():
            command()
        done.append(True)

    def arrange(command: Callable[[], object]) -> None:
        db.session.rollback()
        waiting.append(command)

    event.listen(db.engine, "set_connection_execution_options", before_its_turn)
    yield arrange
    assert done, "nobody came in between"


def test_a_row_edited_while_the_mode_is_judged_keeps_its_edit_and_is_judged_in_the_new_mode(admin, meanwhile):
    ben = make_user("Ben Ode", "Analyst", ("Loans",))
    batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", ""), (f"b@{DOMAIN}", "Analyst", "Loans")])
    batch_id, first, email, by = batch.id, db.session.scalar(db.select(Row.id).where(Row.line == 2)), ben.email, admin.id
    version = batch.version
    meanwhile(lambda: cell_edit.edit(batch_id, first, "email", email, f"a@{DOMAIN}", db.session.get(User, by)))
    changes.set_options(batch_id, admin, mode=Mode.REMOVE)
    assert db.session.get(Row, first).email == email
    assert stored_plans(batch_id) == {2: Plan.UNCHANGED, 3: Plan.ATTENTION}
    assert db.session.get(Batch, batch_id).version == version + 2


def test_people_who_change_while_it_is_judged_are_seen_as_they_are(admin, meanwhile):
    batch = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "Loans")])
    batch_id = batch.id

    def join() -> None:
        make_user("Ana Silva", "Analyst", ("Loans",), email=f"a@{DOMAIN}")
        begin_write()
        lookup.bump_version()
        db.session.commit()

    meanwhile(join)
    changes.set_options(batch_id, admin, mode=Mode.ADD)
    assert stored_plans(batch_id) == {2: Plan.UNCHANGED}


def test_of_two_who_set_the_same_at_once_the_second_changes_nothing(admin, meanwhile):
    batch, by = make_review(admin, [(f"a@{DOMAIN}", "Analyst", "")]), admin.id
    batch_id, version = batch.id, batch.version
    meanwhile(lambda: changes.set_options(batch_id, db.session.get(User, by), mode=Mode.ADD))
    assert changes.set_options(batch_id, admin, mode=Mode.ADD).batch.version == version + 1
    assert stored_plans(batch_id) == {2: Plan.INVITE}


@pytest.mark.parametrize("wanted", [{"skip_errors": True}, {"mode": Mode.ADD}, {"valid_days": 3}])
def test_the_statements_are_as_many_for_any_number_of_rows(admin, queries, wanted):
    counted = []
    for n in (2, 60):
        twins = [(f"u{i % n}@{DOMAIN}", "Analsyt" if i >= n else "Analyst", "Loans") for i in range(2 * n)]
        batch_id = make_review(admin, twins).id
        queries.clear()
        changes.set_options(batch_id, admin, **wanted)
        counted.append(len(queries))
    assert counted[0] == counted[1], queries


class TestSkipThem:
    LINES = (
        (f"a@{DOMAIN}", "Analyst", "Loans"),
        (f"a@{DOMAIN}", "Analsyt", "Loans"),
        (f"b@{DOMAIN}", "Analsyt", ""),
        (f"c@{DOMAIN}", "Analyst", ""),
        (f"c@{DOMAIN}", "Analyst", ""),
    )

    def test_gives_a_row_free_whose_twin_is_skipped(self, admin):
        batch_id = make_review(admin, self.LINES).id
        wrong, before = Plan.ATTENTION, state_of_batch(batch_id)
        assert stored_plans(batch_id) == {2: wrong, 3: wrong, 4: wrong, 5: Plan.INVITE, 6: Plan.DUPLICATE}
        changes.set_options(batch_id, admin, skip_errors=True)
        assert stored_plans(batch_id) == {2: Plan.INVITE, 3: wrong, 4: wrong, 5: Plan.INVITE, 6: Plan.DUPLICATE}
        undo.undo(batch_id, admin)
        assert state_of_batch(batch_id) == before

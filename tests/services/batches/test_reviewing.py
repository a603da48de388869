"""Plans of a whole batch: made again when the directory has moved, while others go on working."""

from __future__ import annotations

import contextvars
import random
import threading
from collections.abc import Callable

import pytest
from webapp.core.lists.row_filter import Find
from webapp.core.plan.planner import Mode, Plan
from webapp.db import begin_write, db
from webapp.models import Batch, Row, User
from webapp.services.batches import cell_edit, changes, confirmation, planner, review, row_search
from webapp.services.directory import lookup, roles

from tests.factories import make_group, make_invitation, make_persona, make_user
from tests.steps import make_review, stored_plans

DOMAIN = "northfield.example"


@pytest.fixture
def owner(app) -> User:
    make_group("Loans")
    return make_persona("Owner")


@pytest.fixture
def admin(owner) -> User:
    return make_persona("Admin")


@pytest.fixture
def helper(owner) -> User:
    """Somebody who may confirm and ranks below the Admins and above the Analysts."""
    roles.save(None, "Helper", "", 55, ["invitations:make"], owner)
    return make_user("Hal Pern", "Helper")


class Planning(list[int]):
    """How many rows were planned, each time; `meanwhile`: what somebody else does during one and the next."""

    def __init__(self) -> None:
        self.meanwhile: list[Callable[[], object]] = []


@pytest.fixture
def planning(app, monkeypatch) -> Planning:
    seen, plan = Planning(), planner.plan

    def elsewhere(command: Callable[[], object]) -> None:
        with app.app_context():
            command()

    def noted(candidates, *more):
        seen.append(len(candidates))
        if seen.meanwhile and threading.current_thread() is threading.main_thread():
            command = seen.meanwhile.pop(0)
            thread = threading.Thread(target=contextvars.Context().run, args=(elsewhere, command), daemon=True)
            thread.start()
            thread.join(8)
            assert not thread.is_alive(), "nobody else could write while plans were made"
        return plan(candidates, *more)

    monkeypatch.setattr(planner, "plan", noted)
    return seen


def look(batch_id: int, find: Find | None = None) -> list[tuple[int, Plan]]:
    """What a page shows. What it has planned is stored once it has answered."""
    db.session.rollback()
    batch = review.get_batch(batch_id)
    plans = planner.show(batch)
    shown = [(row.line, row.plan) for row in row_search.find_page(batch, find or Find()).rows]
    if plans:
        planner.store_shown(batch_id, plans)
    return shown


def move_directory() -> None:
    begin_write()
    lookup.bump_version()
    db.session.commit()


def people(n: int, role: str = "Analyst") -> list[tuple[str, str, str]]:
    return [(f"u{i}@{DOMAIN}", role, "Loans") for i in range(n)]


class TestTheDirectoryMoves:
    def test_a_page_shows_it_at_once_and_plans_once(self, admin, planning):
        batch_id = make_review(admin, people(3)).id
        make_user("Ben Ode", "Analyst", ("Loans",), email=f"u0@{DOMAIN}")
        move_directory()
        planning.clear()
        expected = [(2, Plan.UNCHANGED), (3, Plan.INVITE), (4, Plan.INVITE)]
        assert look(batch_id) == look(batch_id) == expected
        assert planning == [3]
        assert stored_plans(batch_id) == dict(expected)

    def test_the_version_is_raised_only_where_a_plan_changes(self, admin):
        batch_id = make_review(admin, people(3)).id
        before = db.session.get(Batch, batch_id).version
        move_directory()
        look(batch_id)
        assert db.session.get(Batch, batch_id).version == before
        make_user("Ben Ode", "Analyst", email=f"u0@{DOMAIN}")
        move_directory()
        look(batch_id)
        assert db.session.get(Batch, batch_id).version == before + 1

    def test_the_statements_are_as_many_for_any_number_of_rows(self, admin, queries):
        counted = []
        for n in (5, 60):
            batch_id = make_review(admin, people(n)).id
            move_directory()
            queries.clear()
            look(batch_id)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries


@pytest.mark.slow
def test_who_confirms_is_shown_what_planning_everything_for_them_makes(owner, admin, helper):
    """Then it is queued, in files of people of all ranks, no matter who uploaded and who confirms."""
    second = make_user("Ana Lima", "Admin")
    confirmers = [owner, admin, helper, second]
    for name in ("Investigator", "Admin", "Analyst"):
        make_user(f"A {name}", name, email=f"user.{name.lower()}@{DOMAIN}")
        make_invitation(f"invited.{name.lower()}@{DOMAIN}", name)
    there = [f"{kind}.{name}@{DOMAIN}" for kind in ("user", "invited") for name in ("investigator", "admin", "analyst")]
    chance = random.Random(7)
    for by in confirmers:
        emails = [*there, *(who.email for who in confirmers), *(f"n{i}@{DOMAIN}" for i in range(8)), "broken"]
        cells = ["Admin", " admin", "Investigator", "Analyst", "Analyst", "Helper", "Owner", "Nobody"]
        named = [*emails, *chance.choices(emails, k=4)]  # four or so of them twice
        lines = [(email, chance.choice(cells), chance.choice(["", "Loans", "Loans"])) for email in named]
        batch_id = make_review(chance.choice(confirmers), lines).id
        changes.set_options(batch_id, by, mode=Mode.REPLACE, change_roles=True, skip_errors=True)
        batch = db.session.get(Batch, batch_id)
        rows = planner.load(planner.select_rows(batch))
        expected = [(row.line, planner.plan_stored_rows(batch, rows, by)[row.line]["plan"]) for row in rows]
        stored = look(batch_id)
        try:
            confirmation.confirm(batch_id, db.session.get(Batch, batch_id).version, by, proven=True)
        except confirmation.PlansChangedError:
            assert db.session.get(Batch, batch_id).planned_for_id == by.id
            assert look(batch_id) == expected
            stored_plans(batch_id)
            confirmation.confirm(batch_id, db.session.get(Batch, batch_id).version, by, proven=True)
        else:
            assert stored == expected
        assert db.session.get(Batch, batch_id).state == "queued"


class TestOthersWorkMeanwhile:
    """Whole batches are planned while others may write."""

    def test_others_write_while_a_batch_is_planned_to_be_confirmed(self, admin, planning):
        other, batch_id, by = make_review(admin, people(1)).id, make_review(admin, people(3)).id, admin.id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == other))
        planning.clear()
        planning.meanwhile = [lambda: cell_edit.edit(other, row_id, "role", "Remote", "Analyst", db.session.get(User, by))]
        assert confirmation.confirm(batch_id, 1, admin)
        assert planning.count(3) == 1
        assert db.session.get(Row, row_id).role == "Remote"

    def test_what_is_edited_while_a_batch_is_planned_is_planned_too(self, admin, planning):
        batch_id, by = make_review(admin, people(3)).id, admin.id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == batch_id, Row.line == 2))
        planning.clear()
        planning.meanwhile = [
            lambda: cell_edit.edit(batch_id, row_id, "email", f"u1@{DOMAIN}", f"u0@{DOMAIN}", db.session.get(User, by))
        ]
        assert confirmation.confirm(batch_id, 1, admin)
        assert planning.count(3) == 2
        assert stored_plans(batch_id) == {2: Plan.INVITE, 3: Plan.DUPLICATE, 4: Plan.INVITE}

    def test_what_is_edited_while_a_page_is_drawn_is_not_taken_as_seen(self, admin):
        batch_id = make_review(admin, people(3)).id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == batch_id, Row.line == 2))
        make_user("Ben Ode", "Analyst", ("Loans",), email=f"u2@{DOMAIN}")
        move_directory()
        batch = review.get_batch(batch_id)
        plans = planner.show(batch)
        seen = batch.version
        cell_edit.edit(batch_id, row_id, "role", "Remote", "Analyst", make_user("Ana Lima", "Admin"))
        planner.store_shown(batch_id, plans)
        db.session.rollback()
        with pytest.raises(confirmation.PlansChangedError):
            confirmation.confirm(batch_id, seen, admin)
        assert look(batch_id)[2] == (4, Plan.UNCHANGED)

    def test_a_batch_that_is_confirmed_meanwhile_stays_as_it_was_confirmed(self, admin):
        batch_id = make_review(admin, people(2)).id
        move_directory()
        plans = planner.show(review.get_batch(batch_id))
        confirmation.confirm(batch_id, 1, admin)
        stood = db.session.get(Batch, batch_id).directory_version
        planner.store_shown(batch_id, plans)
        assert db.session.get(Batch, batch_id).directory_version == stood

"""Whose plans a review shows: somebody else's look plans no more than it bears on, and shows what planning everything would."""

from __future__ import annotations

import contextvars
import random
import threading
from collections.abc import Callable

import pytest

from tests.factories import make_group, make_invitation, make_persona, make_user
from tests.steps import make_review, stored_plans
from webapp.core.lists.row_filter import PLANS_IN_ORDER, Find, Sort
from webapp.core.plan.planner import Mode, Plan
from webapp.db import begin_write, db
from webapp.models import AliasKind, Batch, Row, User
from webapp.services.batches import cell_edit, options, planner, review
from webapp.services.batches.options import Options
from webapp.services.directory import aliases, lookup, roles

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
    roles.add({"name": "Helper", "rank": 55, "permissions": ["invitations:make"]}, owner)
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


def look(batch_id: int, who: User, find: Find | None = None) -> list[tuple[int, Plan]]:
    """What somebody is shown, and what is stored once the page has answered."""
    db.session.rollback()
    page, made = review.review(review.found(batch_id), find or Find(), who)
    shown = [(row.line, row.plan) for row in page.rows]
    if made:
        review.refresh_if_stale(batch_id, who.id, made)
    return shown


def move_directory() -> None:
    begin_write()
    lookup.bump_version()
    db.session.commit()


def people(n: int, role: str = "Analyst") -> list[tuple[str, str, str]]:
    return [(f"u{i}@{DOMAIN}", role, "Loans") for i in range(n)]


class TestSomebodyElseLooks:
    def test_plans_the_rows_that_it_bears_on_once_however_many_others_there_are(self, admin, helper, planning, queries):
        bosses = [(f"boss{i}@{DOMAIN}", "Admin", "") for i in range(3)]
        counted = []
        for n in (5, 60):
            batch_id = make_review(
                admin, [*people(n), *bosses, (f"boss0@{DOMAIN}", "Analyst", ""), (helper.email, "Analyst", "")]
            ).id
            for who in (helper, admin, helper):
                planning.clear()
                queries.clear()
                look(batch_id, who)
                assert planning == [5]  # three bosses, the twin of one, the helper
                assert stored_plans(batch_id)[n + 2] is Plan.ATTENTION
            counted.append(len(queries))
        assert counted[0] == counted[1], queries

    def test_plans_nothing_where_no_row_gives_what_only_one_of_them_may_give(self, admin, helper, planning):
        batch_id = make_review(admin, people(5)).id
        for who in (helper, admin):
            planning.clear()
            look(batch_id, who)
            assert sum(planning) == 0
            assert db.session.get(Batch, batch_id).planned_for_id == who.id

    def test_of_another_mail_domain_leaves_the_uploaders_suggestions(self, admin, planning):
        other = make_user("Ana Lima", "Admin", email="ana@southfield.example")
        batch_id = make_review(admin, people(2)).id
        planning.clear()
        look(batch_id, other)
        assert planning == []

    @pytest.mark.slow
    def test_shows_and_stores_what_planning_everything_would(self, owner, admin, helper):
        """Whoever looks in whatever order, at files of people of all ranks."""
        aliases.add(AliasKind.ROLE, admin.role_id, "chief", owner)
        second = make_user("Ana Lima", "Admin")
        viewers = [owner, admin, helper, second]
        for name in ("Investigator", "Admin", "Analyst"):
            make_user(f"A {name}", name, email=f"user.{name.lower()}@{DOMAIN}")
            make_invitation(f"invited.{name.lower()}@{DOMAIN}", name)
        there = [f"{kind}.{name}@{DOMAIN}" for kind in ("user", "invited") for name in ("investigator", "admin", "analyst")]
        chance = random.Random(7)
        for _ in range(3):
            emails = [*there, *(who.email for who in viewers), *(f"n{i}@{DOMAIN}" for i in range(8)), "broken"]
            cells = ["Admin", " admin", "CHIEF", "Investigator", "Analyst", "Analyst", "Helper", "Owner", "Nobody"]
            named = [*emails, *chance.choices(emails, k=4)]  # four or so of them twice
            lines = [(email, chance.choice(cells), chance.choice(["", "Loans", "Loans"])) for email in named]
            batch_id = make_review(admin, lines).id
            chosen = Options(
                chance.choice([Mode.REPLACE, Mode.ADD, Mode.REMOVE]),
                change_roles=chance.random() < 0.8,
                skip_errors=chance.random() < 0.5,
            )
            options.change(batch_id, chosen, admin)
            drifts: dict[int, str] = {}
            for who in chance.choices(viewers, k=10):
                find = Find(
                    chance.choice([None, *Plan]),
                    text=chance.choice(["", "", "n1"]),
                    sort=chance.choice([Sort.PLAN, Sort.PLAN_DOWN, Sort.LINE, Sort.LINE_DOWN]),
                )
                batch = db.session.get(Batch, batch_id)
                judged = planner.judged_again(batch, found := planner.standing_rows(batch), who)
                wanted = [row for row in found if find.says(row.email, row.role, row.groups)]
                expected = [(row.line, judged[row.line].values["plan"]) for row in wanted]
                if find.sort.column == "plan":
                    expected.sort(key=lambda each: PLANS_IN_ORDER.index(each[1]), reverse=find.sort.is_down)
                elif find.sort.is_down:
                    expected.reverse()
                for _ in ("on the fly", "as stored"):
                    assert look(batch_id, who, find) == [each for each in expected if find.plan in (None, each[1])]
                stored_plans(batch_id)
                batch = db.session.get(Batch, batch_id)
                assert drifts.setdefault(batch.planned_for_id, batch.drift) == batch.drift


class TestOthersWorkMeanwhile:
    """Plans that are old are made anew while others may write, and stored only where they are still right."""

    def test_others_write_while_plans_are_made(self, admin, planning):
        other, batch_id, by = make_review(admin, people(1)).id, make_review(admin, people(3)).id, admin.id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == other))
        move_directory()
        planning.clear()
        planning.meanwhile = [lambda: cell_edit.edit(other, row_id, "role", "Remote", "Analyst", db.session.get(User, by))]
        review.refresh_if_stale(batch_id, by)
        assert planning.count(3) == 1
        assert not planner.are_stale(db.session.get(Batch, batch_id))
        assert db.session.get(Row, row_id).role == "Remote"

    def test_what_is_edited_while_plans_are_made_stays_and_they_are_made_once_more(self, admin, planning):
        batch_id, by = make_review(admin, people(3)).id, admin.id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == batch_id, Row.line == 2))
        move_directory()
        planning.clear()
        planning.meanwhile = [
            lambda: cell_edit.edit(batch_id, row_id, "email", f"u1@{DOMAIN}", f"u0@{DOMAIN}", db.session.get(User, by))
        ]
        review.refresh_if_stale(batch_id, by)
        assert planning.count(3) == 2
        assert stored_plans(batch_id) == {2: Plan.INVITE, 3: Plan.DUPLICATE, 4: Plan.INVITE}
        assert not planner.are_stale(db.session.get(Batch, batch_id))

    def test_what_a_page_has_planned_is_not_planned_again_to_be_stored(self, admin, planning):
        batch_id = make_review(admin, people(3)).id
        move_directory()
        planning.clear()
        look(batch_id, admin)
        look(batch_id, admin)
        assert planning == [3]

    def test_where_somebody_is_always_faster_they_are_made_under_the_lock_at_last(self, admin, planning):
        batch_id, by = make_review(admin, people(3)).id, admin.id
        row_id = db.session.scalar(db.select(Row.id).where(Row.batch_id == batch_id, Row.line == 2))

        def edit(value: str, seen: str) -> Callable[[], object]:
            return lambda: cell_edit.edit(batch_id, row_id, "role", value, seen, db.session.get(User, by))

        move_directory()
        planning.clear()
        planning.meanwhile = [edit("Remote", "Analyst"), edit("Analsyt", "Remote")]
        review.refresh_if_stale(batch_id, by)
        assert planning.count(3) == 3
        assert stored_plans(batch_id) == {2: Plan.ATTENTION, 3: Plan.INVITE, 4: Plan.INVITE}
        assert not planner.are_stale(db.session.get(Batch, batch_id))

    def test_a_batch_that_is_confirmed_meanwhile_stays_as_it_was_confirmed(self, admin, planning):
        batch_id, by = make_review(admin, people(2)).id, admin.id
        version = db.session.get(Batch, batch_id).version
        move_directory()
        planning.meanwhile = [lambda: review.confirm(batch_id, version, db.session.get(User, by))]
        review.refresh_if_stale(batch_id, by)
        assert db.session.get(Batch, batch_id).state == "queued"

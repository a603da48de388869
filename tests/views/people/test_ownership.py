"""Handing over ownership, through its pages."""

from __future__ import annotations

import pytest
from webapp.db import db
from webapp.models import AuditEvent, User, UserState

from tests.factories import PASSWORD, make_invitation, make_persona, make_user, role


def owner_now():
    return db.session.scalars(db.select(User).where(User.role_id == 1)).one().name


def answer_to(browser, heir):
    """What the page before handing over sends, with the right password."""
    page = browser.get(f"/ownership?heir={heir.id}").page
    return {"heir": page.values("heir")[0], "role": page.values("role")[0], "password": PASSWORD}


def test_the_page_says_what_happens_and_it_holds_at_the_next_request(owner, sign_in):
    heir = sign_in("Analyst")
    page = owner.get("/ownership?q=amelia").page
    assert page.all("a", href=f"/ownership?heir={heir.user.id}")
    page = owner.get(f"/ownership?heir={heir.user.id}").page
    assert "Amelia Hart becomes Owner. You become Analyst." in page.text
    assert "you may no longer manage people" in page.text
    heir.get("/ownership", status=403)
    assert owner.post("/ownership", answer_to(owner, heir.user)).location == "/"
    assert "Amelia Hart is the Owner now. You are Analyst." in owner.get("/").page.text
    owner.get("/ownership", status=403)
    owner.get("/users")
    heir.get("/ownership")
    assert owner_now() == "Amelia Hart"
    event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "ownership.handed_over")).one()
    assert (event.actor, event.subject) == (owner.user.email, heir.user.email)
    assert event.details["before"]["owner"] == owner.user.email
    assert event.details["after"]["owner"] == heir.user.email


@pytest.mark.slow
def test_without_the_right_password_nothing_changes(owner):
    heir = make_persona("Admin")
    answer = owner.post("/ownership", answer_to(owner, heir) | {"password": "wrong"}, status=422)
    assert "This is not your password. Nothing was changed." in answer.page.text
    assert "Devika Raman becomes Owner" in answer.page.text
    for _ in range(9):
        owner.post("/ownership", answer_to(owner, heir) | {"password": "wrong"}, status=422)
    assert "Too many tries" in owner.post("/ownership", answer_to(owner, heir), status=429).page.text
    assert owner_now() == "Maren Okafor"


def test_who_cannot_become_owner_is_not_offered_and_refused(owner):
    gone = make_user("Hannah Whitcombe", "Analyst", state=UserState.DEACTIVATED)
    make_invitation("hannah@northfield.example")
    page = owner.get("/ownership?q=hannah").page
    assert "No one matches “hannah”" in page.text
    assert "No one is here yet" in owner.get("/ownership").page.text
    for heir_id, status in ((gone.id, 422), (owner.user.id, 422), (9999, 404)):
        owner.get(f"/ownership?heir={heir_id}", status=status)
        owner.post("/ownership", {"heir": heir_id, "role": 2, "password": PASSWORD}, status=status)
    owner.post("/ownership", {"password": PASSWORD}, status=200)
    assert owner_now() == "Maren Okafor"


def test_an_heir_who_changed_meanwhile_is_shown_again(owner):
    heir = make_persona("Admin")
    sent = answer_to(owner, heir)
    heir.role = role("Remote")
    db.session.commit()
    answer = owner.post("/ownership", sent, status=409)
    assert "Devika Raman is Remote now" in answer.page.text
    assert "You become Remote" in answer.page.text
    assert owner_now() == "Maren Okafor"


@pytest.mark.parametrize("who", ["Admin", "Analyst", "Remote"])
def test_nobody_but_the_owner_hands_it_over(sign_in, who):
    browser = sign_in(who)
    browser.get("/ownership", status=403)
    browser.post("/ownership", {"heir": browser.user.id, "role": browser.user.role_id, "password": PASSWORD}, status=403)
    assert owner_now() == "Maren Okafor"


def test_the_list_of_heirs_takes_the_same_queries_however_many_there_are(owner, queries):
    make_user()
    queries.clear()
    owner.get("/ownership")
    few = len(queries)
    for n in range(30):
        make_user(f"Person {n}", email=f"person{n}@northfield.example")
    queries.clear()
    assert "Search for the others" in owner.get("/ownership").page.text
    assert len(queries) == few, queries

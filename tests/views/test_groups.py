"""Device Groups."""

from __future__ import annotations

import pytest

from tests.factories import make_group, make_invitation, make_user
from webapp.db import db
from webapp.models import AuditEvent, Group, InvitationState
from webapp.services import directory, groups


def names():
    return list(db.session.scalars(db.select(Group.name).order_by(Group.key)))


def test_each_group_says_how_many_are_in_it(owner, queries):
    make_user(groups=("Exam Laptops", "Student Devices"))
    make_user("Elliot Fairweather", groups=("Student Devices",))
    make_invitation(groups=("Student Devices",))
    make_invitation("gone@northfield.example", groups=("Student Devices",), state=InvitationState.REVOKED)
    page = owner.get("/groups").page
    assert "2 groups" in page.text
    assert "Exam Laptops 1 0 Student Devices 2 1" in page.text
    queries.clear()
    owner.get("/groups")
    few = len(queries)
    for n in range(20):
        make_group(f"Room {n}")
    queries.clear()
    owner.get("/groups")
    assert len(queries) == few, queries


def test_without_groups_the_page_says_what_they_are_for(owner):
    page = owner.get("/groups").page
    assert "No device groups yet" in page.text
    example = page.all("input", name="names")[0]["value"]
    owner.post("/groups", {"names": example})
    assert names() == sorted(groups.EXAMPLES)


def test_several_groups_are_added_at_once_and_repeats_collapse(admin):
    before = directory.version()
    admin.post("/groups", {"names": " Student  Devices, Exam Laptops\nstudent devices\n\n Library "})
    assert names() == ["Exam Laptops", "Library", "Student Devices"]
    assert directory.version() > before
    events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "group.created")).all()
    assert {(each.actor, each.subject) for each in events} == {(admin.user.email, name) for name in names()}
    assert "3 groups added." in admin.get("/groups").page.text


def test_a_group_added_on_home_leads_back_there(owner):
    assert owner.post("/groups", {"names": "Exam Laptops", "next": "/"}).location == "/"
    assert "“Exam Laptops” added." in owner.get("/").page.text


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("  ,\n ", "Type the name of a group"),
        ("Library, exam  LAPTOPS", "“Exam Laptops” exists already. Nothing was changed."),
        ("=Library", "does not begin with"),
        ("All Groups", "“All groups” is taken"),
        ("x" * 81, "at most 80 characters"),
    ],
)
def test_names_that_do_not_do_are_refused_and_kept(owner, typed, sentence):
    make_group("Exam Laptops")
    answer = owner.post("/groups", {"names": typed}, status=422)
    assert sentence in answer.page.text
    assert not typed.strip(" ,\n") or typed in answer.text
    assert "open" in answer.page.all("dialog", id="new-group")[0]
    assert names() == ["Exam Laptops"]


def test_who_may_only_look_sees_no_controls(sign_in):
    analyst = sign_in("Analyst")
    page = analyst.get("/groups").page
    assert "New group" not in page.text
    assert not page.all("input", name="names")
    analyst.post("/groups", {"names": "Library"}, status=403)
    sign_in("Remote").get("/groups", status=403)

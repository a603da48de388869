"""Programs invite one person, look people up and change them, and read the audit log."""

from __future__ import annotations

import pytest
from webapp.db import db
from webapp.models import Invitation, InvitationState, Session, UserState
from webapp.services.accounts import service_accounts
from webapp.services.audit import chain

from tests.factories import make_invitation, make_persona, make_user, role
from tests.program import program_of

ANA = {"email": "ana@northfield.example", "name": "Ana Lund", "role": "Analyst", "groups": ["Student Devices"]}


@pytest.fixture
def program(app, known_groups):
    return program_of(app)


def test_one_person_is_invited_at_once(program):
    answer = program.post("/invitations", ANA)
    assert {name: answer.json[name] for name in ANA} == ANA
    assert program.get(answer.location).json == answer.json
    assert db.session.get_one(Invitation, answer.json["id"]).invited_by_id == program.user.id


def test_who_is_here_already_is_named(program):
    user = make_user("Ana Lund", email=ANA["email"])
    answer = program.post("/invitations", ANA, 409).json
    assert (answer["person"], answer["type"]) == (f"user-{user.id}", "urn:muster:is-here")
    ines = make_invitation()
    assert program.post("/invitations", ANA | {"email": ines.email}, 409).json["person"] == f"invitation-{ines.id}"


def test_what_is_wrong_is_pointed_at(program):
    answer = program.post("/invitations", ANA | {"email": "ana@", "role": "Analsyt"}, 422).json
    assert [(error["pointer"], error["code"]) for error in answer["errors"]] == [
        ("/email", "email_invalid"),
        ("/role", "role_unknown"),
    ]


def test_an_administrator_is_invited_only_by_a_token_that_may(app, program):
    program.post("/invitations", ANA | {"role": "Admin"}, 403)
    program_of(app, may_make_admins=True).post("/invitations", ANA | {"role": "Admin"})


def test_nobody_is_given_more_than_one_has(app):
    program_of(app, may_make_admins=True).post("/invitations", ANA | {"role": "Owner", "groups": []}, 422)


def test_an_invitation_is_sent_again_and_revoked(program):
    made = program.post("/invitations", ANA).json
    for _ in range(3):
        program.post(f"/invitations/{made['id']}/messages", status=202)
    program.post(f"/invitations/{made['id']}/messages", status=429)
    program.send("DELETE", f"/invitations/{made['id']}", 204)
    assert program.get(f"/invitations/{made['id']}").json["state"] == "revoked"
    program.send("DELETE", f"/invitations/{made['id']}", 422)


def test_invitations_are_listed_by_id_and_state(program):
    make_invitation()
    make_invitation("old@northfield.example", state=InvitationState.REVOKED)
    first = program.get("/invitations?limit=1").json
    assert [each["email"] for each in program.get(first["next"]).json["invitations"]] == ["old@northfield.example"]
    assert [each["state"] for each in program.get("/invitations?state=pending").json["invitations"]] == ["pending"]


# Users


def test_users_are_listed_without_programs_and_erased_people(program):
    service_accounts.create("School system", role("Analyst").id, make_persona("Owner"))
    make_user("Erased person 9", state=UserState.ERASED)
    users = program.get("/users").json["users"]
    assert [user["name"] for user in users] == ["Maren Okafor", "Devika Raman"]
    assert users[0]["groups"] == ["All groups"]


def change(program, user, wanted, status=200):
    tag = program.get(f"/users/{user.id}").headers["ETag"]
    return program.patch(f"/users/{user.id}", wanted, status, headers={"If-Match": tag}).json


def test_a_user_is_changed_as_seen(program):
    eve = make_user("Eve Roth", "Remote")
    assert change(program, eve, {"role": "analyst"})["role"] == "Analyst"
    both = ["Student Devices", "Teacher Laptops"]
    assert change(program, eve, {"groups": both})["groups"] == both
    assert change(program, eve, {"groups": ["All groups"]})["groups"] == ["All groups"]
    assert change(program, eve, {"groups": []})["groups"] == []
    assert change(program, eve, {"state": "deactivated"})["state"] == "deactivated"
    assert db.session.scalar(db.select(db.func.count(Session.id)).where(Session.user_id == eve.id)) == 0
    assert change(program, eve, {"state": "active"})["state"] == "active"


def test_a_change_takes_what_was_seen(program):
    eve = make_user("Eve Roth", "Remote")
    tag = program.get(f"/users/{eve.id}").headers["ETag"]
    program.patch(f"/users/{eve.id}", {"role": "Analyst"}, 428)
    program.patch(f"/users/{eve.id}", {"role": "Analyst"}, 412, headers={"If-Match": "*"})
    change(program, eve, {"role": "Broadcaster"})
    program.patch(f"/users/{eve.id}", {"role": "Analyst"}, 412, headers={"If-Match": tag})
    assert program.get(f"/users/{eve.id}").json["role"] == "Broadcaster"


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"role": "Analsyt"}, "/role"),
        ({"groups": ["Student Devices", "Robotics"]}, "/groups/1"),
        ({"state": "erased"}, "/state"),
        ({"role": "Analyst", "groups": []}, ""),
        ({}, ""),
    ],
)
def test_a_change_that_cannot_be_is_pointed_at(program, wanted, pointer):
    eve = make_user("Eve Roth", "Remote")
    assert change(program, eve, wanted, 422)["errors"][0]["pointer"] == pointer


def test_nobody_changes_who_ranks_above_or_makes_administrators_without_proof(app, program):
    eve = make_user("Eve Roth", "Remote")
    assert change(program, make_persona("Owner"), {"state": "deactivated"}, 422)["detail"]
    assert change(program, eve, {"role": "Admin"}, 403)["type"] == "urn:muster:password-required"
    change(program_of(app, may_make_admins=True), eve, {"role": "Admin"})


# Groups, roles, the log, oneself


def test_groups_are_listed_and_added(program):
    made = program.post("/groups", {"name": "Robotics", "description": "Room 4"}).json
    assert made in program.get("/groups").json["groups"]
    answer = program.post("/groups", {"name": "robotics"}, 422).json
    assert [error["pointer"] for error in answer["errors"]] == ["/name"]
    program.post("/groups", {"name": "a,b"}, 422)


def test_roles_say_which_one_may_give(program):
    roles = {each["name"]: each for each in program.get("/roles").json["roles"]}
    assert (roles["Owner"]["may_give"], roles["Admin"]["may_give"]) == (False, True)


def test_the_log_is_read_by_its_places(program):
    program.post("/invitations", ANA)
    assert program.get("/audit/events").json["events"] == []
    chain.seal()
    page = program.get("/audit/events?limit=1").json
    rest = program.get(page["next"]).json["events"]
    assert [event["seq"] for event in page["events"] + rest] == list(range(1, len(rest) + 2))
    assert "Invited" in rest[-1]["sentence"]


def test_a_token_says_whose_it_is(program):
    assert program.get("/me").json["email"] == program.user.email
    answer = program.get("/tokens").json
    assert answer["current"] == program.id
    assert program.text not in str(answer)


def test_lists_cost_the_same_however_long_they_are(program, queries):
    costs = []
    for round_ in range(2):
        for n in range(4):
            make_user(f"User{round_}{n} Roth", "Remote", groups=("Student Devices",))
            make_invitation(f"i{round_}{n}@northfield.example", groups=("Student Devices",))
        program.get("/users")
        queries.clear()
        for path in ("/users", "/invitations", "/groups", "/roles"):
            program.get(path)
        costs.append(len(queries))
    assert costs[0] == costs[1], queries

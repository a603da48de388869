"""API tokens on pages: one's own, and those of service accounts."""

from __future__ import annotations

import json

import pytest
from webapp.core.security.tokens import hash_token
from webapp.db import db
from webapp.models import ApiToken, AuditEvent, User, UserKind

from tests.client import Client
from tests.factories import PASSWORD, role
from tests.program import API

WANTED = {"name": "Nightly import", "permissions": ["invitations:make"], "days": "90", "current": PASSWORD}


def make(browser, address="/account/tokens", status=201, **more):
    page = browser.post(address, WANTED | more, status).page
    return next((word for word in page.text.split() if word.startswith("muster_")), "")


def call(app, text, status=200):
    return Client(app).get(f"{API}/batches", status, headers={"Authorization": f"Bearer {text}"})


def test_a_token_is_shown_once_and_works_until_it_is_revoked(app, admin):
    text = make(admin)
    assert len(text) == 50
    call(app, text)
    token = db.session.scalars(db.select(ApiToken)).one()
    assert token.token_hash == hash_token(text)
    assert token.permissions == ["users:see", "batches:see", "invitations:make"]
    page = admin.get("/account/tokens").page
    assert text not in page.text
    assert "Nightly import See people, See uploads, Invite" in page.text
    admin.get(f"/account/tokens/{token.id}/revocation")
    admin.post(f"/account/tokens/{token.id}/revocation")
    call(app, text, 401)


def test_making_one_costs_ones_password(app, admin):
    assert make(admin, status=422, current="wrong") == ""
    assert make(admin, status=422, current="") == ""
    assert db.session.scalar(db.select(db.func.count(ApiToken.id))) == 0


def test_it_takes_a_name_and_something_to_do(admin):
    assert make(admin, status=422, name="") == ""
    assert make(admin, status=422, permissions=[]) == ""
    assert make(admin, status=422, permissions=["organisation:manage"]) == ""
    assert make(admin, status=422, days="9999") == ""


def test_a_role_without_permissions_has_no_use_for_one(sign_in):
    assert "no permission that a program could use" in sign_in("Remote").get("/account/tokens").page.text


def test_nobody_sees_or_revokes_the_tokens_of_others(sign_in, admin):
    make(admin)
    token = db.session.scalars(db.select(ApiToken)).one()
    analyst = sign_in("Analyst")
    analyst.get(f"/account/tokens/{token.id}/revocation", 404)
    analyst.post(f"/account/tokens/{token.id}/revocation", status=404)
    assert "There are none yet." in analyst.get("/account/tokens").page.text


def test_only_who_gives_such_roles_may_have_a_program_do_so(sign_in, admin):
    make(admin, may_make_admins="y")
    make(sign_in("Analyst"), permissions=["users:see"], may_make_admins="y")
    assert [token.may_make_admins for token in db.session.scalars(db.select(ApiToken).order_by(ApiToken.id))] == [True, False]


def test_the_log_says_who_made_and_revoked_which_and_never_the_token(admin, owner):
    text = make(admin)
    token = db.session.scalars(db.select(ApiToken)).one()
    admin.post(f"/account/tokens/{token.id}/revocation")
    said = owner.get("/audit?action=programs").page.text
    assert "Made the API token “Nightly import” for Devika Raman" in said
    assert "Revoked the API token “Nightly import” of Devika Raman" in said
    assert text not in "".join(json.dumps(event.details) for event in db.session.scalars(db.select(AuditEvent)))


# Service accounts


@pytest.fixture
def account(owner):
    owner.post("/settings/service-accounts", {"name": "School system", "role": role("Admin").id})
    owner.get("/settings/service-accounts")  # it says so once
    return db.session.scalars(db.select(User).where(User.kind == UserKind.SERVICE)).one()


def test_a_program_acts_under_a_name_of_its_own(app, owner, account):
    address = f"/settings/service-accounts/{account.id}"
    text = make(owner, f"{address}/tokens")
    call(app, text)
    assert "1 token" in owner.get("/settings/service-accounts").page.text
    owner.get(f"{address}/removal")
    owner.post(f"{address}/removal")
    call(app, text, 401)
    owner.get(address, 404)
    assert "Removed the service account School system : 1 token revoked" in owner.get("/audit").page.text


def test_a_token_of_it_is_revoked_by_itself(app, owner, account):
    text = make(owner, f"/settings/service-accounts/{account.id}/tokens")
    token = db.session.scalars(db.select(ApiToken)).one()
    address = f"/settings/service-accounts/{account.id}/tokens/{token.id}/revocation"
    owner.get(address)
    owner.post(address)
    call(app, text, 401)


def test_a_service_account_takes_a_free_name_and_a_role_that_one_may_give(owner, account):
    for data in (
        {"name": "school system", "role": role("Admin").id},
        {"name": "", "role": role("Admin").id},
        {"name": "maren@x.org", "role": role("Admin").id},
        {"name": "x", "role": role("Owner").id},
    ):
        owner.post("/settings/service-accounts", data, 422)
    assert db.session.scalar(db.select(db.func.count(User.id)).where(User.kind == UserKind.SERVICE)) == 1


# It is no person


def test_it_is_in_no_list_of_people(owner, account):
    assert "School system" not in owner.get("/users").page.text
    assert "School system" not in owner.get("/users?q=school").page.text


def test_it_is_in_no_export_of_people(owner, account):
    assert "School system" not in owner.get("/users/export.csv").text


def test_it_is_in_no_count_of_people(owner, account):
    assert "1 user" in owner.get("/settings").page.text
    admins = next(text for text in owner.get("/roles").page.text.split("Rank") if "Admin" in text)
    assert "1 user" not in admins.partition("Admin")[2]


def test_it_has_no_page_of_a_person(owner, account):
    for path in ("", "/access", "/deactivation", "/erasure"):
        owner.get(f"/users/{account.id}{path}", 404)


def test_it_cannot_become_the_owner(owner, account):
    assert "School system" not in owner.get("/ownership").page.text
    owner.get(f"/ownership?heir={account.id}", 404)


def test_no_action_takes_it(owner, account):
    owner.post("/actions", {"do": "deactivate", "people": f"user-{account.id}"}, 422)


def test_it_cannot_sign_in(client, account):
    for email in (account.email, account.email_key):
        client.post("/sign-in", {"email": email, "password": ""}, 422)


def test_its_role_cannot_be_deleted_from_under_it(owner, account):
    address = f"/roles/{account.role_id}/deletion"
    owner.post(address, status=422)
    owner.post(address, {"replacement": role("Analyst").id})
    assert db.session.get_one(User, account.id).role.name == "Analyst"


def test_the_page_of_the_api_shows_every_route(client, sign_in):
    page = sign_in("Remote").get("/api").page
    for path in client.get(f"{API}/openapi.json").json["paths"]:
        assert path in page.text

"""Signing in with the password of the organisation's directory."""

from __future__ import annotations

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Identity, Invitation, InvitationState, User, UserState

from tests.factories import PASSWORD, make_invitation, make_user

pytestmark = [pytest.mark.ldap, pytest.mark.slow]

WRONG = "Email or password is wrong."


def try_to_sign_in(client, email: str, password: str, status: int = 303):
    return client.post("/sign-in", {"email": email, "password": password}, status)


@pytest.fixture(autouse=True)
def _owner(sign_in) -> None:
    sign_in("Owner")


def test_who_was_invited_is_in_with_role_and_groups(client, directory):
    make_invitation("ana@northfield.example", groups=("Student Devices",))
    try_to_sign_in(client, "Ana@northfield.example", "ana’s password")
    user = db.session.scalars(db.select(User).where(User.email_key == "ana@northfield.example")).one()
    assert (user.name, user.role.name, [group.name for group in user.groups]) == ("Ana Souza", "Analyst", ["Student Devices"])
    assert not user.has_password
    assert db.session.scalars(db.select(Invitation)).one().state is InvitationState.ACCEPTED
    assert "The directory signs you in" in client.get("/account").page.text
    try_to_sign_in(client, "ana@northfield.example", "ana’s password")
    assert db.session.scalars(db.select(Identity)).one().user_id == user.id


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@northfield.example", "ben’s password"),
        ("ana@northfield.example", ""),
        ("a*@northfield.example", "ana’s password"),
        ("nobody@northfield.example", "ana’s password"),
    ],
)
def test_a_wrong_password_and_an_unknown_person_get_one_answer(client, directory, email, password):
    make_invitation("ana@northfield.example")
    page = try_to_sign_in(client, email, password, 422).page
    assert WRONG in page.text or "Type your password." in page.text
    assert db.session.scalars(db.select(Identity)).all() == []


def test_nobody_gets_in_without_an_invitation(client, directory):
    page = try_to_sign_in(client, "ben@northfield.example", "ben’s password", 422).page
    assert "Nobody has invited ben@northfield.example. Ask an administrator to invite you." in page.text


def test_who_has_an_account_may_use_both_passwords(client, directory):
    make_user("Ben", email="ben@northfield.example")
    for password in ("ben’s password", PASSWORD):
        try_to_sign_in(client, "ben@northfield.example", password)
        client.post("/sign-out")


def test_a_deactivated_account_stays_out(client, directory):
    make_user("Ben", email="ben@northfield.example", state=UserState.DEACTIVATED)
    assert "deactivated" in try_to_sign_in(client, "ben@northfield.example", "ben’s password", 422).page.text


def test_somebody_else_with_the_same_address_is_refused(client, directory, directory_server):
    user = make_user("Ben", email="ben@northfield.example")
    db.session.add(Identity(user_id=user.id, issuer="ldap", subject="of the Ben before him"))
    db.session.commit()
    page = try_to_sign_in(client, "ben@northfield.example", "ben’s password", 422).page
    assert "is connected with another account of the directory" in page.text
    counted = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "sso.refused")).one()
    assert counted.subject == "ben@northfield.example (other account)"


def test_passwords_of_muster_work_while_the_directory_is_away(client, use_directory):
    use_directory(ldap_url="ldaps://localhost:1")
    make_user("Ben", email="ben@northfield.example")
    page = try_to_sign_in(client, "ben@northfield.example", "ben’s password", 422).page
    assert "The directory does not answer, so only passwords of Muster work now." in page.text
    try_to_sign_in(client, "ben@northfield.example", PASSWORD)


def test_the_password_of_the_directory_shows_who_it_is(client, directory):
    make_invitation("ana@northfield.example", role_name="Admin")
    try_to_sign_in(client, "ana@northfield.example", "ana’s password")
    form = {"email": "new@northfield.example", "role": "Admin", "password": "wrong"}
    assert "This is not your password." in client.post("/invitations", form, 422).page.text
    client.post("/invitations", form | {"password": "ana’s password"}, 303)


def test_where_only_the_provider_signs_in_the_directory_does_not(client, use_directory):
    use_directory(oidc_issuer="https://id.example.org", oidc_client_id="muster", oidc_only="yes")
    make_invitation("ana@northfield.example")
    assert WRONG in try_to_sign_in(client, "ana@northfield.example", "ana’s password", 422).page.text

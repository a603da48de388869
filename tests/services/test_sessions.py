"""Passwords and sessions, below the pages."""

from __future__ import annotations

import argon2
import pytest

from tests.factories import PASSWORD, make_persona, make_user
from webapp.core.errors import Refused
from webapp.db import db
from webapp.models import Session, User
from webapp.schemas.passwords import problems
from webapp.services import sessions

MAREN = {"name": "Maren Okafor", "email": "m.okafor@northfield.example"}


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "plum tree river", "maren likes purple tea", "!$%&/()=?*+#-.", "x9" * 4 + "Kü!ß" + "f" * 244],
)
def test_passwords_that_do(password):
    assert problems(password, **MAREN) == []


@pytest.mark.parametrize(
    ("password", "begin"),
    [
        ("elevenchars", "Use at least 12 characters."),
        ("x" * 257, "Use at most 256 characters."),
        ("MarenOkafor1", "Not your name or email"),
        ("okafor-maren-7", "Not your name or email"),
        ("m.okafor@northfield.example", "Not your name or email"),
        ("Northfield123", "Not your name or email"),
        ("passwordpassword", "This is a common password."),
        ("qwertyuiop12", "This is a common password."),
        ("aaaaaaaaaaaaaaaa", "This is a common password."),
        ("a" * 256, "This is a common password."),
    ],
)
def test_passwords_that_do_not(password, begin):
    assert problems(password, **MAREN)[0].startswith(begin)


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(app):
    user = make_user()
    user.password_hash = weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    db.session.commit()
    assert sessions.sign_in(user.email, PASSWORD).id == user.id
    assert db.session.get_one(User, user.id).password_hash != weak
    sessions.sign_in(user.email, PASSWORD)


def test_a_password_is_the_same_however_its_letters_are_composed(app):
    user = make_user()
    user.password_hash = sessions.hashed_password("blåbärssoppa i kåsa")
    db.session.commit()
    sessions.sign_in(user.email, "blåbärssoppa i kåsa")


def test_an_unknown_address_costs_the_same_check_as_a_known_one(app, monkeypatch):
    make_persona("Owner")
    checked = []

    def verify(self, stored, password):
        checked.append(argon2.extract_parameters(stored))
        raise argon2.exceptions.VerifyMismatchError

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    for email in ("maren.okafor@northfield.example", "nobody@northfield.example", "no address"):
        with pytest.raises(Refused):
            sessions.sign_in(email, "wrong")
    assert len(checked) == 3
    assert len(set(map(str, checked))) == 1


def test_no_transaction_is_open_while_a_password_is_checked(app, monkeypatch):
    make_persona("Owner")
    open_ones = []
    verify = argon2.PasswordHasher.verify

    def watched(self, stored, password):
        open_ones.append(db.session().in_transaction())
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    sessions.sign_in("maren.okafor@northfield.example", PASSWORD)
    assert open_ones == [False]


def test_a_token_opens_its_own_session_only(app):
    user = make_persona("Owner")
    token, other = (sessions.start(user, "192.0.2.1", "x" * 500) for _ in range(2))
    assert len(token) == 43
    assert sessions.current(token).id != sessions.current(other).id
    sessions.end(token)
    assert sessions.current(token) is None
    assert sessions.current(other).user.id == user.id
    assert sessions.current("") is None
    sessions.end(token)
    assert len(db.session.scalars(db.select(Session)).all()) == 1

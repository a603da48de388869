"""Passwords and sessions, below the pages."""

from __future__ import annotations

import threading
import time

import argon2
import pytest
from webapp.core.errors import RuleViolationError
from webapp.core.security import passwords
from webapp.core.security.passwords import hash_password
from webapp.db import db
from webapp.models import Session, User
from webapp.schemas.passwords import find_problem
from webapp.services.accounts import sessions

from tests.factories import PASSWORD, make_persona, make_user, password_hash

MAREN = ("Maren Okafor", "m.okafor@northfield.example")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "plum tree river", "maren likes purple tea", "!$%&/()=?*+#-.", "x9" * 4 + "Kü!ß" + "f" * 244],
)
def test_passwords_that_do(password):
    assert find_problem(password, *MAREN) == ""


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
    assert find_problem(password, *MAREN).startswith(begin)


@pytest.mark.parametrize(
    "password", ["muster2024!!", "Ashby-2024-2025", "ashbycollege1", "AshbyCollege2024", "!ashby!college!", "Muster123456"]
)
def test_the_words_of_the_product_and_the_organisation_are_guessed_first(password):
    assert find_problem(password, *MAREN, "Ashby College").startswith(
        "Not your name or email, nor that of your organisation or of Muster"
    )


def test_one_such_word_among_others_does_no_harm():
    assert find_problem("muster otter violin nine", *MAREN, "Ashby College") == ""


def test_the_name_and_the_email_are_guessed_first_too():
    assert find_problem("okafor2024maren!!", *MAREN)
    assert find_problem("okafor2024maren!!", "Jun-ho Park", "j@x.example") == ""


def test_only_so_many_passwords_are_checked_at_once(app, monkeypatch):
    """Each takes 64 MB for a moment."""
    running, most, lock = 0, 0, threading.Lock()
    verify = argon2.PasswordHasher.verify

    def watched(self, stored, password):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            time.sleep(0.02)
            return verify(self, stored, password)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    threads = [threading.Thread(target=passwords.verify, args=(password_hash(), PASSWORD)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_ONCE


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(app):
    user = make_user()
    user.password_hash = weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    db.session.commit()
    assert sessions.sign_in(user.email, PASSWORD).id == user.id
    assert db.session.get_one(User, user.id).password_hash != weak
    sessions.sign_in(user.email, PASSWORD)


def test_a_password_is_the_same_however_its_letters_are_composed(app):
    user = make_user()
    user.password_hash = hash_password("blåbärssoppa i kåsa")
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
        with pytest.raises(RuleViolationError):
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
    token, other = (sessions.start_session(user, "192.0.2.1", "x" * 500) for _ in range(2))
    assert len(token) == 43
    assert sessions.find_session(token).id != sessions.find_session(other).id
    own = sessions.find_session(token).id
    sessions.end_sessions(user, user, only=own)
    assert sessions.find_session(token) is None
    assert sessions.find_session(other).user.id == user.id
    assert sessions.find_session("") is None
    assert sessions.end_sessions(user, user, only=own) == 0
    assert len(db.session.scalars(db.select(Session)).all()) == 1

"""Two at once, about one account: one wins, and nobody crashes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from webapp.core.addresses import parse
from webapp.core.errors import ConflictError, MusterError
from webapp.core.security import passwords
from webapp.db import db
from webapp.models import AccountLink, AuditEvent, LinkPurpose, Message, MessageKind, Session, User
from webapp.services.accounts import password_reset, profile, sessions
from webapp.services.links import account_links

from tests.factories import PASSWORD, make_persona, make_user

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

NEW = "a long walk at dusk"


def at_once(app: Flask, *calls: Callable[[], Any]) -> list[Any]:
    """What each call gave, or the error that it raised."""
    results, ready = [], threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> None:
        with app.app_context():
            ready.wait()
            try:
                results.append(call() and "done")
            except MusterError as error:
                results.append(type(error))

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    return results


def token_for(user: User, purpose: LinkPurpose, **values: str) -> str:
    link = account_links.create_link(user, purpose, **values)
    db.session.commit()
    return account_links.link_url(link).rpartition("/")[2]


def test_a_reset_link_used_at_once_by_several_has_one_winner(app: Flask) -> None:
    user = make_user()
    token = token_for(user, LinkPurpose.RESET)
    results = at_once(app, *(lambda n=n: password_reset.use(token, LinkPurpose.RESET, f"{NEW} {n}") for n in range(4)))
    assert sorted(map(str, results)) == sorted(["done", *[str(ConflictError)] * 3])
    told = db.session.scalars(db.select(Message.kind)).all()
    assert told == [MessageKind.PASSWORD_CHANGED]


def test_the_owners_link_signs_in_once(app: Flask) -> None:
    owner = make_persona("Owner")
    token = token_for(owner, LinkPurpose.SIGN_IN)
    results = at_once(app, *(lambda: password_reset.use(token, LinkPurpose.SIGN_IN) for _ in range(4)))
    assert results.count("done") == 1
    assert results.count(ConflictError) == 3


def test_one_address_confirmed_by_two_people_at_once_belongs_to_one(app: Flask) -> None:
    address = parse("a.hart@northfield.example", ("northfield.example",))
    tokens = [
        token_for(make_user(name), LinkPurpose.EMAIL, email=address.display, email_key=address.key)
        for name in ("Amelia Hart", "Albert Hart")
    ]
    results = at_once(app, *(lambda token=token: password_reset.use(token, LinkPurpose.EMAIL) for token in tokens))
    assert sorted(map(str, results)) == sorted(["done", str(ConflictError)])
    assert db.session.scalars(db.select(User.email_key).where(User.email_key == address.key)).all() == [address.key]


def test_no_transaction_is_open_while_a_password_is_hashed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = make_persona("Owner")
    token, back = token_for(owner, LinkPurpose.RESET), token_for(owner, LinkPurpose.SIGN_IN)
    sessions.start_session(owner, "", "")
    open_ones, hash_ = [], passwords.PasswordHasher.hash

    def watched(self: Any, password: str) -> str:
        open_ones.append(db.session().in_transaction())
        return hash_(self, password)

    monkeypatch.setattr(passwords.PasswordHasher, "hash", watched)
    password_reset.use(back, LinkPurpose.SIGN_IN, NEW)
    profile.change_password(owner, NEW, keep=0)
    assert db.session.scalar(db.select(AccountLink.closed_at).where(AccountLink.purpose == LinkPurpose.RESET)), "links ended"
    with pytest.raises(ConflictError):
        password_reset.use(token, LinkPurpose.RESET, NEW)
    assert open_ones == [False] * 3
    assert sessions.sign_in(owner.email, NEW)
    assert PASSWORD != NEW
    assert db.session.scalars(db.select(Session)).all() == []


def test_a_change_of_email_that_waits_ends_with_a_new_password(app: Flask) -> None:
    owner = make_persona("Owner")
    for renew in (
        lambda: profile.change_password(owner, NEW, keep=0),
        lambda: password_reset.use(token_for(owner, LinkPurpose.RESET), LinkPurpose.RESET, NEW),
        lambda: password_reset.use(token_for(owner, LinkPurpose.SIGN_IN), LinkPurpose.SIGN_IN, NEW),
    ):
        token = token_for(owner, LinkPurpose.EMAIL, email="x@away.example", email_key="x@away.example")
        renew()
        with pytest.raises(ConflictError):
            password_reset.use(token, LinkPurpose.EMAIL)
    told = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "email.change_withdrawn")).all()
    assert [event.details for event in told] == [{"after": {"email": "x@away.example"}}] * 3

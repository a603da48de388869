"""No link opens what another one was made for, after any erasure, deletion or restore."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

import pytest
from webapp.db import db
from webapp.models import AccountLink, Group, Invitation, User, UserState

from tests.client import Client
from tests.factories import PASSWORD, make_group, make_persona, make_user
from tests.mail_fixtures import due_emails

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

MALLORY = "mallory@northfield.example"
NEW = "a long walk at dusk"


def invite(browser, email, role="Analyst"):
    """Single Invite. -> its invitation's id and link, as its page hands it over."""
    browser.post("/invitations", {"email": email, "role": role, "password": PASSWORD})
    invited = db.session.scalars(db.select(Invitation).where(Invitation.email == email)).one()
    page = browser.post(f"/invitations/{invited.id}/link", {"password": PASSWORD}, status=200).text
    return invited.id, "/invitations/" + re.search(r"/invitations/([\w-]{43})", page)[1]


def mailed(app, email, path):
    """Ask for a new password. -> the link in the e-mail."""
    Client(app).post("/password-resets/new", {"email": email}, status=200)
    letters = due_emails()
    texts = [letter.text for letter in letters if letter.to == email]
    return re.search(rf"/{path}/[\w-]+", texts[-1])[0]


def erase(browser, user_id):
    db.session.get_one(User, user_id).state = UserState.DEACTIVATED
    db.session.commit()
    browser.post(f"/users/{user_id}/erasure", {"current": PASSWORD})


def ids_go_back(table, last):
    """As after a restore: the next row of the table gets the id after `last` once more."""
    if db.engine.dialect.name == "sqlite":
        db.session.execute(db.text("UPDATE sqlite_sequence SET seq = :last WHERE name = :table"), {"last": last, "table": table})
    else:
        db.session.execute(db.text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"), {"last": last, "table": table})
    db.session.commit()


def test_the_link_of_somebody_erased_opens_no_later_invitation(app, owner):
    _, first = invite(owner, MALLORY)
    Client(app).post(first, {"name": "Mallory", "password": NEW})
    mallory = db.session.scalars(db.select(User).where(User.email == MALLORY)).one()
    first_id = db.session.scalars(db.select(Invitation.id)).one()
    erase(owner, mallory.id)

    second_id, second = invite(owner, "carol@northfield.example", "Admin")
    assert second_id > first_id
    assert second != first
    Client(app).get(first, 404)
    Client(app).post(first, {"name": "Mallory", "password": NEW}, status=404)
    assert "carol@northfield.example" in Client(app).get(second).page.text


def test_the_reset_link_of_somebody_erased_opens_no_later_account(app, owner):
    mallory = make_user("Mallory", email=MALLORY)
    first = mailed(app, MALLORY, "password-resets")
    first_id = db.session.scalars(db.select(AccountLink.id)).one()
    erase(owner, mallory.id)

    second = mailed(app, owner.user.email, "password-resets")
    assert db.session.scalars(db.select(AccountLink.id)).one() > first_id
    assert second != first
    Client(app).get(first, 410)
    Client(app).post(first, {"password": NEW}, status=410)
    Client(app).post("/sign-in", {"email": owner.user.email, "password": PASSWORD})
    assert f"For {owner.user.email}." in Client(app).get(second).page.text


def test_links_mailed_after_a_backup_open_nothing_once_it_is_restored(app, owner):
    before_id, before = invite(owner, "first@northfield.example")
    lost_id, lost = invite(owner, "lost@northfield.example")
    reset = mailed(app, owner.user.email, "password-resets")
    (reset_id,) = db.session.scalars(db.select(AccountLink.id))
    db.session.execute(db.delete(Invitation).where(Invitation.id == lost_id))
    db.session.execute(db.delete(AccountLink))
    db.session.commit()
    ids_go_back("invitations", before_id)
    ids_go_back("account_links", reset_id - 1)

    again_id, again = invite(owner, "carol@northfield.example", "Admin")
    assert again_id == lost_id
    assert again != lost
    Client(app).get(lost, 404)
    assert "carol@northfield.example" in Client(app).get(again).page.text
    assert "first@northfield.example" in Client(app).get(before).page.text, "what was sent before stays good"

    admin = make_persona("Admin")
    other = mailed(app, admin.email, "password-resets")
    assert db.session.scalars(db.select(AccountLink.id)).one() == reset_id
    assert other != reset
    Client(app).get(reset, 410)


def test_what_was_invited_before_rows_had_a_random_value_keeps_its_link(app, owner, settings):
    """An empty value: the link as it was derived, and sent, then."""
    id, _ = invite(owner, "first@northfield.example")
    digest = hmac.new(settings.secret_key.encode(), f"invitation|{id}|1".encode(), hashlib.sha256).digest()
    sent = urlsafe_b64encode(digest).rstrip(b"=").decode()
    old = db.session.get_one(Invitation, id)
    old.nonce, old.token_hash = "", hashlib.sha256(sent.encode()).hexdigest()
    db.session.commit()
    assert f"/invitations/{sent}" in owner.post(f"/invitations/{id}/link", {"password": PASSWORD}, status=200).text
    owner.post(f"/invitations/{id}/messages")
    assert "first@northfield.example" in Client(app).get(f"/invitations/{sent}").page.text


@pytest.mark.parametrize("empty", [False, True])
def test_the_address_of_what_was_deleted_is_never_somebody_elses(owner, empty):
    ids = [make_group("Labs").id, make_group("Exam Laptops").id]
    for id in ids if empty else ids[-1:]:
        db.session.execute(db.delete(Group).where(Group.id == id))
    db.session.commit()
    owner.post("/groups", {"names": "Library"})
    assert db.session.scalars(db.select(Group.id).where(Group.name == "Library")).one() > ids[-1]

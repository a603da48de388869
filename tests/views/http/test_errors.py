"""Errors as answers: a page for people, a toast for htmx."""

from __future__ import annotations

import io
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError
from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.db import db
from webapp.models import AuditEvent
from webapp.services.directory import groups

from tests.factories import make_persona

pytestmark = pytest.mark.any_database


@pytest.fixture
def broken(monkeypatch):
    """`broken(error)`: from now on the page of the groups raises it."""

    def breaks(error):
        def raise_it():
            raise error

        monkeypatch.setattr(groups, "list_groups", raise_it)

    return breaks


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (NotFoundError("No such upload."), 404, "Nothing here"),
        (ConflictError("Devika Raman was first."), 409, "This cannot be done now"),
        (RuleViolationError("That is too much."), 422, "That did not work"),
    ],
)
def test_a_broken_promise_is_told_as_a_page_or_as_a_toast(owner, broken, error, status, title):
    broken(error)
    page = owner.get("/groups", status=status).page
    assert page.h1 == title
    assert str(error) in page.text
    toast = owner.get("/groups", status=status, htmx=True)
    assert str(error) in toast.page.text
    assert not toast.page.whole
    assert toast.page.all("hx-partial", hx_target="#toasts")


@pytest.mark.parametrize("path", ["/groups", "/batches", "/messages", "/roles", "/users/1"])
def test_who_is_refused_is_led_to_no_other_page_that_refuses_them(sign_in, path):
    page = sign_in("Remote").get(path, status=403).page
    assert page.all("a", href="/", class_="btn primary")
    assert "Go to Home" in page.text


def test_what_a_role_does_not_include_is_refused_and_counted_once_an_hour(sign_in):
    remote = sign_in("Remote")
    for _ in range(3):
        page = remote.get("/users", status=403).page
    assert "Your role does not include this." in page.text
    remote.get("/groups", status=403, htmx=True)
    events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "access.refused").order_by(AuditEvent.id)).all()
    assert [(each.actor, each.subject, each.count) for each in events] == [
        (remote.user.email, "GET /users", 3),
        (remote.user.email, "GET /groups", 1),
    ]


def test_an_address_that_is_none(owner, client):
    make_persona("Owner")
    assert owner.get("/nowhere", status=404).page.h1 == "Nothing here"
    assert client.get("/nowhere", status=404).page.h1 == "Nothing here"


def test_a_method_that_an_address_does_not_take(owner):
    answer = owner.delete("/groups", status=405)
    assert answer.page.h1 == "This address cannot do that"
    assert "POST" in answer.headers["Allow"]


def test_a_page_that_was_open_for_too_long(owner):
    page = owner.post("/groups", {"names": "Library"}, status=400, csrf=False).page
    assert page.h1 == "This page was open for too long"
    assert "Nothing was changed." in page.text


def test_too_large_names_the_limit(owner):
    page = owner.post("/batches", {"pasted": "x" * (11 * 1024 * 1024)}, status=413, csrf=False).page
    assert "A file may have 10 MB, and what is typed 500 kB. Nothing was changed." in page.text


@pytest.mark.parametrize("path", ["/sign-in", "/groups", "/account/name", "/settings/general"])
def test_a_form_that_takes_no_table_is_short(owner, path):
    """A form with a file is held to it, too: by werkzeug."""
    page = owner.post(path, {"names": "x" * 600_000}, status=413).page
    assert "A file may have 10 MB, and what is typed 500 kB. Nothing was changed." in page.text
    with_file = {"names": "x" * 600_000, "file": (io.BytesIO(b"a"), "a.txt")}
    page = owner.post("/groups", with_file, status=413, content_type="multipart/form-data").page
    assert "A file may have 10 MB, and what is typed 500 kB. Nothing was changed." in page.text


def test_a_pasted_table_may_be_longer(owner):
    owner.post("/batches", {"pasted": "Email\tRole\n" + "ana@northfield.example\tAnalyst\n" * 20_000}, status=422)


def test_a_locked_database_is_told_as_busy(owner, broken):
    broken(OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked")))
    assert owner.get("/groups", status=503).page.h1 == "Muster is busy"
    assert "Try again in a minute." in owner.get("/groups", status=503, htmx=True).page.text


def test_a_crash_shows_a_reference_and_nothing_of_the_inside(owner, broken, monkeypatch, caplog):
    monkeypatch.setitem(owner.app.config, "PROPAGATE_EXCEPTIONS", False)
    broken(RuntimeError("the inside"))
    answer = owner.get("/groups", status=500)
    assert answer.page.h1 == "Something went wrong on our side"
    assert "the inside" not in answer.text
    reference = answer.page.text.partition("Tell IT this code: ")[2].split()[0]
    assert reference in caplog.text


def test_even_without_a_database_there_is_a_page(owner, monkeypatch):
    def away(*_):
        raise OperationalError("SELECT 1", {}, Exception("no such server"))

    monkeypatch.setattr(db.engine.dialect, "do_execute", away)
    assert owner.get("/", status=503).page.h1 == "Muster is busy"


class TestBackToWhereTheFormWas:
    """A page that a form names as its own is not lost to a refusal."""

    def test_with_the_sentence(self, owner):
        where = "/users?q=hart&sort=-role"
        answer = owner.post("/actions", {"do": "add_groups", "people": "user-1", "next": where}, status=303)
        assert answer.location == where
        assert "Choose at least one group." in owner.get(answer.location).page.text

    def test_never_to_another_site(self, owner):
        answer = owner.post("/actions", {"do": "add_groups", "people": "user-1", "next": "//evil.example"}, status=422)
        assert answer.page.h1 == "That did not work"

    def test_never_after_what_one_may_not_do(self, sign_in):
        sign_in("Remote").post("/actions", {"do": "deactivate", "people": "user-1", "next": "/users"}, status=403)


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/sign-in", None), ("/nowhere", 404), ("/healthz/live", 200), ("/static/muster.css", 200)]
)
def test_every_answer_says_that_it_is_of_muster(owner, path, status):
    for headers in ({}, {"HX-Request": "true"}):
        assert owner.get(path, headers=headers, status=status).headers["Muster-Answer"] == "1"

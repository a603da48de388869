"""The one-time set-up link of the first start."""

from __future__ import annotations

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Organisation, User
from webapp.services.operations import first_run
from webapp.services.settings import in_force

from tests.client import Client
from tests.factories import PASSWORD

FILLED = {
    "organisation": "Northfield Academy",
    "name": "Maren Okafor",
    "email": "maren.okafor@northfield.example",
    "password": PASSWORD,
}


@pytest.fixture
def link(app):
    """The set-up link's path, as the last start printed it."""
    line = first_run.prepare()[-1]
    assert line.startswith("Set up Muster: http://127.0.0.1:8000/setup/")
    return line.removeprefix("Set up Muster: http://127.0.0.1:8000")


def test_the_link_sets_muster_up_and_signs_the_owner_in(client, link):
    page = client.get(link).page
    assert page.h1 == "Set up Muster"
    assert page.all("form", action=link, method="post")
    assert client.post(link, FILLED).location == "/"
    home = client.get("/").page
    assert "Northfield Academy is set up." in home.text
    owner = db.session.scalars(db.select(User)).one()
    assert (owner.name, owner.role.name, owner.all_groups) == ("Maren Okafor", "Owner", True)
    assert db.session.get_one(Organisation, 1).name == "Northfield Academy"
    assert "setup.done" in db.session.scalars(db.select(AuditEvent.action)).all()


def test_the_time_zone_is_asked_for_unless_the_server_sets_it(client, link, change_settings):
    assert not client.get(link).page.all("select", name="time_zone"), "MUSTER_TIME_ZONE is set here"
    change_settings(given=frozenset())
    assert client.get(link).page.all("select", name="time_zone", data_own_zone="")
    again = client.post(link, {**FILLED, "email": "maren@northfield", "time_zone": "Asia/Tokyo"}, 422).page
    assert "The domain is incomplete: add the part after the dot" in again.text
    assert again.all("input", name="email", autofocus="")
    assert again.chosen("time_zone") == ["Asia/Tokyo"]
    assert not again.all("select", name="time_zone", data_own_zone="")
    client.post(link, {**FILLED, "time_zone": "Asia/Tokyo"})
    assert in_force.settings().time_zone.key == "Asia/Tokyo"


def test_while_there_is_no_owner_every_way_in_says_where_the_link_is(client, link):
    page = client.get(client.get("/", status=303).location).page
    assert "waiting to be set up" in page.text
    assert "terminal" in page.text
    assert link.rpartition("/")[2] not in page.text
    assert "waiting to be set up" in client.post("/sign-in", {"email": "a@b.org", "password": "x"}, status=200).page.text


def test_the_link_works_once(client, link):
    client.post(link, FILLED)
    other = Client(client.app)
    assert "Muster is set up already" in other.get(link, status=410).page.text
    assert "Muster is set up already" in other.post(link, {**FILLED, "email": "eve@evil.example"}, status=410).page.text
    assert len(db.session.scalars(db.select(User)).all()) == 1


def test_each_start_makes_a_fresh_link_and_ends_the_one_before_it(client, link):
    first_run.prepare()
    assert "Each start of Muster prints a new one" in client.get(link, status=410).page.text
    client.post(link, FILLED, status=410)


def test_opening_the_link_changes_nothing(client, link):
    client.get(link)
    client.get(link)
    client.post(link, FILLED)


WRONG = [
    ("organisation", " ", "Type your organisation’s name."),
    ("name", "", "Type your name."),
    ("email", "maren", "No @ in email."),
    ("password", "short", "Use at least 12 characters."),
    ("password", "x" * 257, "Use at most 256 characters."),
    ("password", "maren okafor 1", "Not your name or email"),
    ("password", "password1234", "This is a common password."),
]


@pytest.mark.any_database
def test_what_does_not_do_is_said_under_its_field_and_the_rest_is_kept(client, link):
    for field, value, sentence in WRONG:
        page = client.post(link, {**FILLED, field: value}, status=422).page
        assert sentence in page.text
        assert [page.values(name) for name in ("organisation", "name", "email") if name != field] == [
            [FILLED[name]] for name in ("organisation", "name", "email") if name != field
        ]
        assert page.values("password") == [""]
        assert page.all("input", name=field)[0]["aria-invalid"] == "true"
        assert [box["name"] for box in page.all("input") if "autofocus" in box] == [field]
    client.post(link, FILLED)

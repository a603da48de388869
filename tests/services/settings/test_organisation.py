"""What is set on a page, as everything else reads it: in requests, in jobs, and before there is anything."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError
from webapp.db import commit_and_keep, db
from webapp.models import Organisation
from webapp.services.directory import lookup
from webapp.services.mail import claim
from webapp.services.operations import change_settings
from webapp.services.settings import in_force

from tests.factories import make_persona


def keep(**texts: str) -> None:
    db.session.get_one(Organisation, 1).settings = texts
    db.session.commit()


def test_is_read_once_a_transaction(app, queries):
    keep(MAX_ROWS="7")
    queries.clear()
    assert [in_force.settings().max_rows for _ in range(3)] == [7, 7, 7]
    assert in_force.organisation_name() == ""
    assert len(queries) == 1, queries
    db.session.rollback()
    keep(MAX_ROWS="8")
    assert in_force.settings().max_rows == 8


def test_what_a_command_read_is_kept_for_its_own_answer_and_no_longer(app, queries):
    in_force.settings()
    lookup.registry()
    commit_and_keep()
    queries.clear()
    in_force.settings()
    lookup.registry()
    assert not queries
    db.session.commit()
    in_force.settings()
    lookup.registry()
    assert len(queries) > 1


def test_what_the_environment_gives_needs_no_query(app, queries):
    keep(MAX_ROWS="7")
    queries.clear()
    assert in_force.environment().max_rows == 100
    assert not queries


def test_there_are_settings_before_there_is_an_organisation(app):
    db.session.delete(db.session.get_one(Organisation, 1))
    db.session.commit()
    assert in_force.settings() == in_force.environment()


def test_what_is_stored_and_no_longer_goes_stops_nothing(app):
    keep(MAX_ROWS="many", SESSION_IDLE="long", NO_SETTING="1", INVITE_DAYS="3")
    now = in_force.settings()
    assert (now.max_rows, now.invite_days, now.session_idle) == (100, 3, in_force.environment().session_idle)


def test_the_mail_server_is_talked_to_with_no_transaction_open(app):
    keep(MAIL_FROM="office@northfield.example")
    assert claim.read_settings().mail_from == "office@northfield.example"
    assert not db.session().in_transaction()


def test_a_refused_save_leaves_the_settings_as_they_were(app):
    by = make_persona("Owner")
    with pytest.raises(ValidationError) as raised:
        change_settings.save({"MAX_ROWS": "9", "INVITE_DAYS": "0"}, by)
    assert raised.value.messages_dict == {"INVITE_DAYS": ["Type a whole number from 1 to 365."]}
    assert in_force.settings().max_rows == 100


def test_saving_has_plans_made_again(app):
    by, version = make_persona("Owner"), lookup.directory_version()
    assert change_settings.save({"ALLOWED_DOMAINS": "northfield.example"}, by)
    assert lookup.directory_version() > version
    assert lookup.registry().allowed_domains == {"northfield.example"}

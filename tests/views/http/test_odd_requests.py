"""Requests that no page of ours sends: a sentence, never a 500."""

from __future__ import annotations

import pytest

from tests.factories import make_invitation
from tests.steps import rows_of, stage

HUGE = 10**30


def test_a_number_that_no_database_takes_is_not_there(admin):
    for path in (f"/batches/{HUGE}", f"/batches/1/lines/{HUGE}", f"/messages/{HUGE}", f"/batches/{HUGE}/report.csv"):
        admin.get(path, 404)


@pytest.mark.parametrize("path", ["/batches?before={n}", "/messages?before={n}", "/users?page={n}", "/users?role={n}&group={n}"])
def test_odd_numbers_in_a_query_are_ignored(admin, path):
    for n in (HUGE, -1, 2**31, "x"):
        admin.get(path.format(n=n))


def test_an_odd_page_or_version_of_a_batch(admin):
    batch = stage(admin)
    for page in (HUGE, -1, 0, "x"):
        admin.get(f"/batches/{batch.id}?page={page}")
    admin.post(f"/batches/{batch.id}/confirmation", {"version": HUGE}, status=None)


@pytest.mark.parametrize("path", ["/users", "/sign-in", "/nowhere"])
def test_a_query_that_is_no_utf8_is_refused(admin, path):
    answer = admin.flask.get(path, environ_overrides={"REMOTE_ADDR": admin.peer, "QUERY_STRING": "q=\xff"})
    assert answer.status_code == 400
    assert "Muster is busy" not in answer.text


def test_a_nul_is_refused(admin):
    batch = stage(admin)
    admin.get("/users?q=%00", 400)
    cell = {"field": "email", "value": "a\0b", "seen": "ana@northfield.example"}
    admin.patch(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}", cell, 400, htmx=True)


def test_a_cell_longer_than_any_list_of_groups_is_told_and_not_cut(admin):
    batch = stage(admin)
    cell = {"field": "groups", "value": "Group, " * 1000, "seen": "Student Devices"}
    answer = admin.patch(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}", cell, 422, htmx=True)
    assert "at most 2,000 characters" in answer.page.text
    assert rows_of(batch)[0].groups == "Student Devices"


def test_an_edit_must_say_what_the_cell_held(admin):
    batch = stage(admin)
    admin.patch(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}", {"field": "email", "value": "x@x.org"}, 400, htmx=True)


def test_invisible_characters_that_are_typed_or_pasted_are_dropped(admin):
    batch = stage(admin)
    cell = {"field": "email", "value": "\u200bnew@northfield.example\u00a0", "seen": "ana@northfield.example"}
    admin.patch(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}", cell, htmx=True)
    assert rows_of(batch)[0].email == "new@northfield.example"


def test_fifty_thousand_spaces_in_a_sign_in_cost_nothing(client, owner):
    client.post("/sign-in", {"email": "a<" + " " * 50_000 + "b", "password": "x"}, 422)


def test_resend_is_three_an_hour_however_old_the_first_message_is(admin):
    from datetime import timedelta

    from webapp.db import db, utcnow
    from webapp.models import Message

    invitation = make_invitation()
    admin.post(f"/invitations/{invitation.id}/messages")
    db.session.execute(db.update(Message).values(created_at=utcnow() - timedelta(hours=2)))
    db.session.commit()
    for _ in range(3):
        admin.post(f"/invitations/{invitation.id}/messages")
    admin.post(f"/invitations/{invitation.id}/messages", status=429)

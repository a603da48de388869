"""Adding groups, below the page."""

from __future__ import annotations

import contextvars
import threading

import pytest

from tests.factories import make_group, make_persona
from webapp.core.errors import Refused
from webapp.db import db
from webapp.models import Group, User
from webapp.services import groups


def test_all_or_none_are_added(app):
    owner = make_persona("Owner")
    make_group("Exam Laptops")
    with pytest.raises(Refused) as refusal:
        groups.add(["Library", "exam laptops"], owner)
    assert refusal.value.field == "names"
    assert db.session.scalars(db.select(Group.name)).all() == ["Exam Laptops"]
    assert [each.key for each in groups.add(["Straße 7", "Library"], owner)] == ["strasse 7", "library"]


def test_of_two_who_add_the_same_group_at_once_one_is_told_that_it_exists(app):
    owner_id, told, together = make_persona("Owner").id, [], threading.Barrier(2)

    def add():
        with app.app_context():
            by = db.session.get_one(User, owner_id)
            together.wait()
            try:
                groups.add(["Library"], by)
            except Refused as refusal:
                told.append(str(refusal))

    threads = [threading.Thread(target=contextvars.Context().run, args=(add,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert db.session.scalars(db.select(Group.name)).all() == ["Library"]
    assert len(told) == 1

"""Adding groups, below the page."""

from __future__ import annotations

import pytest
from webapp.core.errors import MusterError, RuleViolationError
from webapp.db import db
from webapp.models import Group, User
from webapp.services.directory import groups

from tests.at_once import at_once
from tests.factories import make_group, make_persona, make_user


def test_all_or_none_are_added(app):
    owner = make_persona("Owner")
    make_group("Exam Laptops")
    with pytest.raises(RuleViolationError) as refusal:
        groups.add_groups(["Library", "exam laptops"], owner)
    assert refusal.value.field == "names"
    assert db.session.scalars(db.select(Group.name)).all() == ["Exam Laptops"]
    assert [each.key for each in groups.add_groups(["Straße 7", "Library"], owner)] == ["strasse 7", "library"]


def test_of_two_who_add_the_same_group_at_once_one_is_told_that_it_exists(app):
    by = make_persona("Owner").id
    raised = at_once(app, *[lambda: groups.add_groups(["Library"], db.session.get_one(User, by))] * 2)
    assert [type(error) for error in raised] == [RuleViolationError]
    assert db.session.scalars(db.select(Group.name)).all() == ["Library"]


def test_of_a_merger_and_a_deletion_at_once_one_comes_after_the_other(app):
    owner, into, other = make_persona("Owner"), make_group("Student Devices"), make_group("Pupils")
    make_user(groups=("Pupils",))
    into_id, other_id, by = into.id, other.id, owner.id
    raised = at_once(
        app,
        lambda: groups.merge_groups(into_id, [other_id], db.session.get_one(User, by)),
        lambda: groups.delete_group(into_id, db.session.get_one(User, by)),
    )
    assert all(isinstance(error, MusterError) for error in raised)
    assert len(db.session.scalars(db.select(Group)).all()) == len(raised)  # the deletion first, or both


def test_two_groups_merged_into_each_other_at_once_leave_one(app):
    owner, one, two = make_persona("Owner"), make_group("Student Devices").id, make_group("Pupils").id
    make_user(groups=("Pupils",))
    by = owner.id
    raised = at_once(
        app,
        lambda: groups.merge_groups(one, [two], db.session.get_one(User, by)),
        lambda: groups.merge_groups(two, [one], db.session.get_one(User, by)),
    )
    assert len(raised) == 1
    assert isinstance(raised[0], MusterError)
    assert list(groups.count_members()["users"].values()) == [1, 1]  # who is in it, and the Owner, who has All groups


def test_of_two_groups_renamed_alike_at_once_one_gets_the_name(app):
    ids, by = [make_group("A").id, make_group("B").id], make_persona("Owner").id
    raised = at_once(app, *(lambda id=id: groups.change_group(id, "C", "", db.session.get_one(User, by)) for id in ids))
    assert len(raised) == 1
    assert isinstance(raised[0], MusterError)
    assert "C" in db.session.scalars(db.select(Group.name)).all()
